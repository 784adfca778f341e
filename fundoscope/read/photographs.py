"""Photographs on disk: found by name without guessing, and looked at once without trust."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, TiffImagePlugin

from fundoscope.errors import PhotographError
from fundoscope.read.bit_depth import eight_bits
from fundoscope.read.dicom import dicom_pixels, dicom_size, is_dicom
from fundoscope.records import LeftOut

PHOTOGRAPH_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".ppm", ".dcm"})
"""Compared in lower case."""

FOLDERS_OF_MASKS = frozenset(
    {"av", "artery_vein", "disc", "disc_cup", "fov", "lesions", "mask", "masks", "vessels"}
)
"""Folders that hold outlines, not photographs; so does any whose name says "groundtruth"."""

PIXEL_LIMIT = 120_000_000
"""Ten times a large fundus camera; more is refused before it is decoded."""
BYTE_LIMIT = 400_000_000
"""A photograph at the pixel limit, three bytes a pixel, not compressed."""

_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_DEPTH = 256, 257, 258
_PNG_DEPTH_AT = 24
"""Byte of the file."""
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "PPM")
_SPLIT_WORDS = {"train": "train", "val": "val", "valid": "val", "eval": "val", "test": "test"}
_SPLIT_LETTERS = {"a.": "train", "b.": "val", "c.": "test"}
_PLAIN_FOLDER_WORDS = frozenset({"images", "image", "photographs", "photos", "fundus", "set"})


class PhotographIndex:
    """The photographs of a folder and its subfolders, by name.

    The folder is read once, in sorted order. Hidden files and folders of masks are left out.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    PhotographError
        If `folder` is not a folder.

    Examples
    --------
    >>> index = PhotographIndex(Path("idrid"))  # doctest: +SKIP
    >>> index.find("IDRiD_001", split="test")  # doctest: +SKIP
    PosixPath('idrid/1. Original Images/b. Testing Set/IDRiD_001.jpg')
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise PhotographError(
                "the folder of photographs is not there",
                where=str(folder),
                mend="check the path, or ask for labels only",
            )
        self.folder = folder
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        self._found: set[Path] = set()
        self._splits: dict[Path, str] = {}
        for path in _photographs_under(folder):
            self._by_stem[path.stem.lower()].append(path)

    def __len__(self) -> int:
        return sum(map(len, self._by_stem.values()))

    def find(self, name: str, split: str = "") -> Path | None:
        """Return the one photograph that a label row means, or None where it is not there.

        Parameters
        ----------
        name : str
            With or without suffix (`10_left` finds `10_left.jpeg`, `a.jpeg` finds `a.png`) and
            with or without folders, which must then agree. Upper and lower case are the same,
            unless both are there.
        split : `train`, `val`, `test` or empty
            Only for sets whose names restart in each split: a photograph whose folder speaks of
            another split is then another photograph, never this one.

        Raises
        ------
        PhotographError
            If several photographs have the name and nothing tells them apart.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        stem = wanted.stem if wanted.suffix.lower() in PHOTOGRAPH_SUFFIXES else wanted.name
        fits = self._by_stem.get(stem.lower(), [])
        fits = [path for path in fits if _ends_with(path.parent, wanted.parent)]
        if split in _SPLIT_WORDS.values():
            fits = self._of_split(fits, split)
        fits = [path for path in fits if path.stem == stem] or fits
        fits = [path for path in fits if path.name == wanted.name] or fits
        if len(fits) > 1:
            listed = ", ".join(map(self.relative, fits[:6])) + (", ..." if fits[6:] else "")
            raise PhotographError(
                f"{len(fits)} photographs are called {name!r}: {listed}",
                where=str(self.folder),
                mend="pass a narrower folder of photographs, one that holds each name once",
            )
        self._found.update(fits)
        return fits[0] if fits else None

    def unmatched(self) -> list[Path]:
        """Return the photographs that were never found, sorted."""
        return sorted(p for paths in self._by_stem.values() for p in paths if p not in self._found)

    def relative(self, path: Path) -> str:
        """Return where a photograph stands in the folder, POSIX style."""
        return path.relative_to(self.folder).as_posix()

    def _of_split(self, paths: list[Path], split: str) -> list[Path]:
        spoken = {path: self._split_of(path) for path in paths}
        same = [path for path in paths if spoken[path] == split]
        return same or [path for path in paths if spoken[path] == ""]

    def _split_of(self, path: Path) -> str:
        """Return the split that the folders of a photograph speak of, the innermost first."""
        if path.parent not in self._splits:
            inside = path.parent.relative_to(self.folder).parts[::-1]
            spoken = [split for part in inside if (split := _split_in_words(part))]
            letters = [s for part in inside if (s := _SPLIT_LETTERS.get(part[:2].lower()))]
            said = [*spoken, *letters, self._own_split]
            self._splits[path.parent] = said[0]
        return self._splits[path.parent]

    @cached_property
    def _own_split(self) -> str:
        """Split that the folder itself is named after: `Training_Set`, or `Training_Set/images`.

        Stricter than inside the folder: `/home/ann/test_of_idrid` says nothing of a split.
        """
        for folder in (self.folder.resolve(), *self.folder.resolve().parents):
            words = set(re.findall(r"[a-z]{2,}|[0-9]{2,}", folder.name.lower()))
            words -= _PLAIN_FOLDER_WORDS
            if words:
                return _split_in_words(folder.name) if len(words) == 1 else ""
        return ""


def left_unmatched(index: PhotographIndex) -> Iterator[LeftOut]:
    """Yield what to report at a source's end: the photographs that no label row named."""
    for path in index.unmatched():
        yield LeftOut("photograph without label", index.relative(path), "no label names it")


def _photographs_under(folder: Path) -> Iterator[Path]:
    seen = set()
    for here, below, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(here)) in seen:  # a link back to a folder above
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not _is_skipped(name))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTOGRAPH_SUFFIXES:
                yield Path(here, name)


def _is_skipped(folder: str) -> bool:
    bare = re.sub(r"^[0-9a-z]\.\s*", "", folder.lower())
    spoken = re.sub(r"[^a-z]", "", bare)
    return folder.startswith((".", "__")) or bare in FOLDERS_OF_MASKS or "groundtruth" in spoken


def _split_in_words(folder: str) -> str:
    for word in re.findall(r"[a-z]+", folder.lower()):
        if word == "val":
            return "val"
        for start in ("train", "valid", "eval", "test"):
            if word.startswith(start):
                return _SPLIT_WORDS[start]
    return ""


def _ends_with(folder: Path, parts: PurePosixPath) -> bool:
    wanted = [part.lower() for part in parts.parts if part != "."]
    return not wanted or [part.lower() for part in folder.parts[-len(wanted) :]] == wanted


@dataclass(frozen=True, slots=True)
class Look:
    """What one reading of a photograph's file tells."""

    width_px: int
    """As it is meant to be seen: EXIF orientation applied; so is the height."""
    height_px: int
    sha256: str
    """Of the file's bytes, hexadecimal."""
    perceptual_hash: int
    """256 bits; see `hash_distance_bits`."""


def look(path: Path) -> Look:
    """Return size, hash of the bytes and perceptual hash of a photograph.

    Raises
    ------
    PhotographError
        If the file is missing, empty, too large, truncated or not an image.
    """
    raw = _safe_bytes(path)
    with opened(path, raw) as image:
        width_px, height_px = _upright_size(image)
        image.draft("RGB", (_DRAFT_PX, _DRAFT_PX))  # JPEG: decodes at an eighth where that suffices
        pixels = _upright_pixels(image, path, raw)
    return Look(width_px, height_px, hashlib.sha256(raw).hexdigest(), _perceptual_hash(pixels))


def read_pixels(path: Path) -> npt.NDArray[np.uint8]:
    """Return a photograph upright, red green blue, 8 bits, shape (H, W, 3).

    JPEG (also of inks, CMYK and YCCK), PNG, TIFF, BMP, PPM and, with the extra `dicom`, DICOM,
    known by their content and not by their suffix. What is transparent is black. Samples of
    10 to 16 bits are scaled so that white is the largest sample of the depth in use, which
    `bit_depth` tells: 12-bit data stored in 16 bits is not dark. Colour profiles are not applied.

    Raises
    ------
    PhotographError
        If the file is missing, empty, too large, truncated or not an image; if it holds several
        pictures as large as the first (an animation, a stack of pages), for nothing says which
        is meant; or if its samples are no integers of up to 16 bits.
    MissingExtra
        If it is DICOM and pydicom is not installed.
    """
    raw = _safe_bytes(path)
    with opened(path, raw) as image:
        return _upright_pixels(image, path, raw)


def photograph_size(path: Path) -> tuple[int, int]:
    """Return (width_px, height_px) from the file's head, EXIF orientation applied; see `look`."""
    raw = _safe_bytes(path)
    if is_dicom(raw):
        return dicom_size(path)
    with opened(path, raw) as image:
        return _upright_size(image)


@contextmanager
def opened(path: Path, raw: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image without trust: what is missing, too large or broken is a PhotographError.

    The pixels are decoded when asked for, within the same `with`; only DICOM's at once. `raw`,
    if given, are the file's bytes.
    """
    raw = _safe_bytes(path) if raw is None else raw
    if is_dicom(raw):
        _check_size(path, dicom_size(path))
        yield Image.fromarray(dicom_pixels(path, raw))
        return
    with warnings.catch_warnings(), _told_of(path, _BROKEN):
        # Pillow warns at 89 million pixels; ours is the limit that counts
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        # of broken notes beside the pixels; broken pixels are errors
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        with _told_of(path, _BROKEN_ODDLY):
            image = Image.open(io.BytesIO(raw), formats=_FORMATS)
        _check_size(path, image.size)
        yield image


_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, cv2.error)
"""What Pillow and OpenCV raise over a broken file."""
_BROKEN_ODDLY = (*_BROKEN, TypeError, LookupError, ArithmeticError)
"""What Pillow raises too, but so does a bug: only round calls of Pillow."""


@contextmanager
def _told_of(path: Path, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn what a decoder raises over a broken file into a PhotographError."""
    try:
        yield
    except Image.DecompressionBombError as problem:
        raise _too_large(path, str(problem)) from problem
    except kinds as problem:
        raise PhotographError(
            f"not a whole image: {problem}",
            where=str(path),
            mend="fetch the file again, or leave it out",
        ) from problem


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > PIXEL_LIMIT:
        told = f"{size[0]} x {size[1]} pixels, the limit is {PIXEL_LIMIT:,}"
        raise _too_large(path, told)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    stored = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # turns `size` itself, by its version
        stored = int(image.tag_v2[_TIFF_WIDTH]), int(image.tag_v2[_TIFF_HEIGHT])
    a_quarter_turn = image.getexif().get(_ORIENTATION, 1) >= 5
    return stored[::-1] if a_quarter_turn else stored


def _safe_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise PhotographError("there is no such file", where=str(path), mend="check the path")
    size = path.stat().st_size
    if size == 0:
        raise PhotographError("the file is empty", where=str(path), mend="fetch the file again")
    if size > BYTE_LIMIT:
        raise _too_large(path, f"{size:,} bytes, the limit is {BYTE_LIMIT:,}")
    return path.read_bytes()


def _too_large(path: Path, reason: str) -> PhotographError:
    return PhotographError(
        f"the photograph is too large to be safe: {reason}",
        where=str(path),
        mend="scale it down, or leave it out",
    )


def _upright_pixels(image: Image.Image, path: Path, raw: bytes) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3), 8 bits; see `read_pixels`."""
    with _told_of(path, _BROKEN_ODDLY):
        _check_alone(image, path)
        deep = _deep_colours(image, raw)
        return _rgb(ImageOps.exif_transpose(image), path) if deep is None else deep


def _check_alone(image: Image.Image, path: Path) -> None:
    """Refuse several pictures of equal standing; smaller ones beside the first are thumbnails.

    The further pictures of a JPEG are a telephone's: depth, or another brightness.
    """
    several = image.format == "PNG" and getattr(image, "is_animated", False)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        first = image.width * image.height
        for page in range(1, _PAGES_LOOKED_AT):
            try:
                image.seek(page)
            except EOFError:
                break
            several = several or image.width * image.height >= first
        image.seek(0)
    if several:
        raise PhotographError(
            "the file holds several pictures, and nothing says which is meant",
            where=str(path),
            mend="save the one that is meant as a file of its own",
        )


_PAGES_LOOKED_AT = 8


def _deep_colours(image: Image.Image, raw: bytes) -> npt.NDArray[np.uint8] | None:
    """Return a photograph of 16 bits a colour, or None where Pillow does not cut its bits off."""
    depth = 8
    if image.format == "PNG":
        depth = raw[_PNG_DEPTH_AT]
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        depth = max(image.tag_v2.get(_TIFF_DEPTH, (1,)))
    if depth != 16 or image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return None
    image.load()  # refuses what is cut short, where OpenCV gives what there is
    how = cv2.IMREAD_UNCHANGED | cv2.IMREAD_ANYDEPTH
    values = cv2.imdecode(np.frombuffer(raw, np.uint8), how)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    if values.shape[2] == 4:
        values = (values[..., :3] * (values[..., 3:] / np.float32(65535))).astype(np.uint16)
    pixels = eight_bits(values[..., ::-1])
    if image.format == "PNG":  # of a TIFF OpenCV has seen to it
        pixels = _turned(pixels, image.getexif().get(_ORIENTATION, 1))
    return np.ascontiguousarray(pixels)


def _turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Return the pixels as an EXIF orientation of 1 to 8 wants them seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _rgb(image: Image.Image, path: Path) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3); what is transparent turns black."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise PhotographError(
                "the samples are not integers of up to 16 bits, so nothing says what white is",
                where=str(path),
                mend="save it with 8 or 16 bits a colour",
            )
        return np.repeat(eight_bits(values)[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        colours = np.asarray(image.convert("RGBA"))
        opaque = colours[..., 3:] / np.float32(255)
        return np.rint(colours[..., :3] * opaque).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


_DRAFT_PX = 256
NEAR_DUPLICATE_BITS = 28
"""At most so many differing bits: the same view of the same eye.

Measured on 1,300 eyes of ODIR (844,350 pairs): one pair lies at 26 and is the same eye, filed
under two patients; the next is at 32, two retinas behind dense haze; the median is 126. Copies of
60 of them: JPEG quality 50 at most 27 (median 5), scaled to 70 % at most 10, black border added at
most 10, edges cropped by 1 % at most 24. Cropped by 3 % (median 34) a copy is no longer found.
"""


def hash_distance_bits(one: int, other: int) -> int:
    """Return in how many of 256 bits two perceptual hashes differ."""
    return (one ^ other).bit_count()


def _perceptual_hash(pixels: npt.NDArray[np.uint8]) -> int:
    """Return the signs of 256 low frequencies of the evenly lit green channel.

    A difference hash of neighbours on the same channel kept copies as far as 34 bits, quality 30
    as far as 83, with different eyes from 33 on.
    """
    green = cv2.resize(_field_of_view(pixels)[:, :, 1], (_SIDE_PX, _SIDE_PX), interpolation=_MEAN)
    inside = _inscribed_circle()
    light = cv2.GaussianBlur(green * inside, (0, 0), _LIGHT_PX)
    even = (green - light / (cv2.GaussianBlur(inside, (0, 0), _LIGHT_PX) + 1e-3)) * inside
    waves = cv2.dct(even)[:17, :17].ravel()[1:257]  # the first is the mean, which says nothing
    return int.from_bytes(np.packbits(waves > 0).tobytes(), "big")


_SIDE_PX, _LIGHT_PX, _MEAN = 128, 12, cv2.INTER_AREA


@cache
def _inscribed_circle() -> npt.NDArray[np.float32]:
    """Return 1 well inside the field: its edge would outweigh the retina, and it varies."""
    middle = np.arange(_SIDE_PX) / _SIDE_PX - 0.5 + 0.5 / _SIDE_PX
    return (np.hypot(middle[:, None], middle) < 0.47).astype(np.float32)


def _field_of_view(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the photograph without its black border, burnt-in marks and noise disregarded."""
    red, green, blue = cv2.split(pixels)  # five times faster than a maximum along the last axis
    brightness = cv2.max(cv2.max(red, green), blue)
    lit = brightness > 0.15 * np.percentile(brightness[::2, ::2], 90)
    rows = np.flatnonzero(lit.mean(axis=1) > 0.02)
    columns = np.flatnonzero(lit.mean(axis=0) > 0.02)
    if len(rows) < 2 or len(columns) < 2:
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
