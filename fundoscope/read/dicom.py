"""Ophthalmic photographs in DICOM: their pixels and three facts; whose they are is never read."""

from __future__ import annotations

import importlib
import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from fundoscope.errors import MissingExtra, PhotographError
from fundoscope.read.bit_depth import bit_depth, eight_bits

_OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5."
_PHOTOGRAPHS = frozenset(
    {
        _OPHTHALMIC + "1",  # ophthalmic photography, 8 bit
        _OPHTHALMIC + "2",  # 16 bit
        _OPHTHALMIC + "5",  # wide field, stereographic projection
        _OPHTHALMIC + "6",  # wide field, 3D coordinates
        "1.2.840.10008.5.1.4.1.1.77.1.4",  # visible light photograph
        "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
        "1.2.840.10008.5.1.4.1.1.7.2",  # the same, several frames: grey of a byte
        "1.2.840.10008.5.1.4.1.1.7.3",  # grey of a word
        "1.2.840.10008.5.1.4.1.1.7.4",  # true colour
    }
)
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
_RUN_LENGTHS = "1.2.840.10008.1.2.5"
_HEAD = (
    "SOPClassUID",
    "ImageLaterality",
    "Laterality",
    "PixelSpacing",
    "HorizontalFieldOfView",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
)
"""All that is ever read, besides the pixels: no name, number or date of a person is among them."""
_SQUARE_WITHIN = 0.01
DICOM_HEAD_BYTES = 132
"""After so many, `is_dicom` can tell."""


@dataclass(frozen=True, slots=True)
class DicomFacts:
    """What a DICOM file says of its photograph; None where it does not say."""

    eye: Literal["left", "right"] | None = None
    mm_per_px: float | None = None
    """On the retina, as the camera reckons it; only of square pixels."""
    field_of_view_deg: float | None = None
    """Horizontal."""


def is_dicom(raw: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file, whatever its name."""
    return raw[128:DICOM_HEAD_BYTES] == b"DICM"


def dicom_facts(path: Path) -> DicomFacts:
    """Return eye, scale and field of view as a DICOM file states them.

    Raises
    ------
    PhotographError
        If the file is missing, no DICOM, or no photograph.
    MissingExtra
        If pydicom is not installed.
    """
    if not path.is_file():
        raise PhotographError("there is no such file", where=str(path), mend="check the path")
    head, _ = _head(path)
    with _blamed_on(path, "its facts"):
        side = str(head.get("ImageLaterality") or head.get("Laterality") or "").strip().upper()
        spacing = [float(step) for step in head.get("PixelSpacing") or ()]
        field_deg = float(head.get("HorizontalFieldOfView") or 0)
        is_of_the_eye = str(head.SOPClassUID).startswith(_OPHTHALMIC)
    eye: Literal["left", "right"] | None = (
        "left" if side == "L" else "right" if side == "R" else None
    )
    return DicomFacts(
        eye=eye,
        mm_per_px=_square(spacing) if is_of_the_eye else None,
        field_of_view_deg=field_deg if 0 < field_deg <= 360 else None,
    )


def dicom_size(path: Path) -> tuple[int, int]:
    """Return (width_px, height_px) of a DICOM photograph from its head; errors as `dicom_facts`."""
    head, _ = _head(path)
    with _blamed_on(path, "its size"):
        width, height = int(head.Columns), int(head.Rows)
    if width < 1 or height < 1:
        raise _unreadable(path, f"it is {width} x {height} pixels")
    return width, height


def dicom_pixels(path: Path, raw: bytes) -> npt.NDArray[np.uint8]:
    """Return the first frame, red green blue, 8 bits, shape (H, W, 3).

    The caller has checked `dicom_size`. Samples of more than 8 bits are scaled by BitsStored,
    or by `eight_bits` where the file stores fewer bits than it says. No window is applied.

    Parameters
    ----------
    path : Path
    raw : bytes
        All of the file.

    Raises
    ------
    PhotographError
        If the pixels are missing, cut short, or coded in a way that is not read.
    MissingExtra
        If pydicom is not installed.
    """
    head, syntax = _head(path, raw)
    with _blamed_on(path, "its pixels"):
        colours = str(head.PhotometricInterpretation)
        if head.get("PixelRepresentation"):
            raise _unreadable(path, "its samples are signed, which a photograph's are not")
        if syntax in _PLAIN:
            values = _pydicom("pixels").pixel_array(head, index=0)
        elif syntax == _RUN_LENGTHS:
            values = _run_lengths_decoded(_first_frame(head), head)
            if colours.startswith("YBR_FULL"):
                values = cv2.cvtColor(np.ascontiguousarray(values[..., [0, 2, 1]]), _YBR)
        else:
            values = _decoded(_first_frame(head), head, path)
        if colours == "PALETTE COLOR":
            values = _pydicom("pixels").apply_color_lut(values, head)
            pixels = eight_bits(values, 8 * values.dtype.itemsize)
        else:
            stored = int(head.BitsStored)
            pixels = eight_bits(values, stored if stored <= 8 else bit_depth(values, stored))
    if colours == "MONOCHROME1":
        pixels = 255 - pixels
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


_YBR = cv2.COLOR_YCrCb2RGB


def _head(path: Path, raw: bytes | None = None) -> tuple[Any, str]:
    """Return the elements of `_HEAD`, with the pixels if `raw` is given, and how they are coded."""
    reader = _pydicom("filereader")
    with _blamed_on(path, "its head"):
        syntax = str(reader.read_file_meta_info(path).get("TransferSyntaxUID", ""))
        if syntax == _DEFLATED:  # pydicom would unpack it, however much it becomes
            raise _unreadable(path, "it is deflated as a whole, which can hide any amount of data")
        tags = [*_HEAD, "PixelData"] if raw is not None else [*_HEAD]
        source = io.BytesIO(raw) if raw is not None else path
        head = reader.dcmread(source, specific_tags=tags, stop_before_pixels=raw is None)
        kind = head.get("SOPClassUID", "")
        if kind not in _PHOTOGRAPHS:
            name = getattr(kind, "name", "") or "nothing"
            raise PhotographError(
                f"the DICOM file holds no photograph but: {name}",
                where=str(path),
                mend="pass ophthalmic photography or secondary capture",
            )
    return head, syntax


def _first_frame(head: Any) -> bytes:
    count = int(head.get("NumberOfFrames") or 1)
    return bytes(_pydicom("encaps").get_frame(head.PixelData, 0, number_of_frames=count))


def _decoded(frame: bytes, head: Any, path: Path) -> npt.NDArray[Any]:
    """Return what a JPEG or JPEG 2000 within the file holds, in its own bits."""
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
        if image.size != (head.Columns, head.Rows):  # it would be decoded past the limit
            raise _unreadable(
                path, f"it says {head.Columns} x {head.Rows} pixels, not {image.size}"
            )
        says_itself = "jfif" in image.info or "adobe_transform" in image.info
        if image.format == "JPEG" and head.PhotometricInterpretation == "RGB" and not says_itself:
            image.draft("YCbCr", image.size)  # else Pillow takes the red for a luminance
        grey = image.mode == "RGB" and head.SamplesPerPixel == 1
        return np.asarray(image.convert("L") if grey else image)


def _run_lengths_decoded(frame: bytes, head: Any) -> npt.NDArray[Any]:
    """Return what run lengths stand for, never more than the head says (PS3.5, annex G)."""
    rows, columns, samples = int(head.Rows), int(head.Columns), int(head.SamplesPerPixel)
    planes_a_sample = int(head.BitsAllocated) // 8
    count = int.from_bytes(frame[:4], "little")
    if count != samples * planes_a_sample or count > 15:
        raise ValueError(f"{count} segments, {samples * planes_a_sample} expected")
    starts = [int.from_bytes(frame[4 * i + 4 : 4 * i + 8], "little") for i in range(count)]
    ends = [*starts[1:], len(frame)]
    planes = [
        _unpacked(frame[start:end], rows * columns) for start, end in zip(starts, ends, strict=True)
    ]
    stack = np.stack(planes).reshape(samples, planes_a_sample, rows, columns).astype(np.uint16)
    value: npt.NDArray[Any] = stack[:, 0]
    for plane in range(1, planes_a_sample):  # the most significant comes first
        value = (value << 8) | stack[:, plane]
    value = value.astype(np.uint8) if planes_a_sample == 1 else value
    return value[0] if samples == 1 else np.moveaxis(value, 0, -1)


def _unpacked(packed: bytes, size: int) -> npt.NDArray[np.uint8]:
    out = bytearray()
    at = 0
    while len(out) < size and at < len(packed):
        code = packed[at]
        if code < 128:
            out += packed[at + 1 : at + 2 + code]
            at += 2 + code
        else:
            out += packed[at + 1 : at + 2] * (257 - code if code > 128 else 0)
            at += 2 if code > 128 else 1
    if len(out) < size:
        raise ValueError(f"{len(out)} samples, {size} expected")
    return np.frombuffer(bytes(out[:size]), np.uint8)


def _square(spacing: list[float]) -> float | None:
    """Return the side of a square pixel, or None where it is not square or cannot be."""
    if len(spacing) != 2 or not all(math.isfinite(step) and step > 0 for step in spacing):
        return None
    mean = sum(spacing) / 2
    return mean if abs(spacing[0] - spacing[1]) <= _SQUARE_WITHIN * mean else None


def _pydicom(module: str) -> Any:
    try:
        return importlib.import_module(f"pydicom.{module}")
    except ImportError as problem:
        raise MissingExtra(
            "DICOM files are read with pydicom, which is not installed",
            mend="pip install 'fundoscope[dicom]'",
        ) from problem


@contextmanager
def _blamed_on(path: Path, part: str) -> Iterator[None]:
    """Turn whatever pydicom or a decoder raises over an untrusted file into a PhotographError.

    Their words may hold values of the file, so they are neither shown nor chained, and their
    warnings are silenced.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (PhotographError, MissingExtra):
        raise
    except Exception as problem:  # pydicom documents no common base
        raise _unreadable(path, f"{part} cannot be read ({type(problem).__name__})") from None


def _unreadable(path: Path, reason: str) -> PhotographError:
    return PhotographError(
        f"not a whole DICOM photograph: {reason}",
        where=str(path),
        mend="export it again from the camera's software, uncompressed or as JPEG",
    )
