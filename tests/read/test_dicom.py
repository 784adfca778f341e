"""DICOM gives a photograph's pixels and three facts, and never whose they are."""

import io
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pydicom")

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space

from fundoscope.errors import MissingExtra, PhotographError
from fundoscope.read import dicom, photographs
from fundoscope.read.dicom import DicomFacts, dicom_facts
from fundoscope.read.photographs import PhotographIndex, look, photograph_size, read_pixels

OPHTHALMIC_8 = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
OPHTHALMIC_16 = "1.2.840.10008.5.1.4.1.1.77.1.5.2"
TOMOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
SECRETS = ("Dolores", "HAZE", "MRN-4711", "19610203", "20240517", "St Elsewhere", "Dr Quiet")


def colours(height: int = 40, width: int = 60) -> npt.NDArray[np.uint8]:
    """Smooth, so that JPEG and halved colour keep it; red is never the other two."""
    ys, xs = np.mgrid[:height, :width]
    return np.stack([150 + ys, 60 + xs, 20 + (ys + xs) // 2], axis=2).astype(np.uint8)


def dataset(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], **elements: object) -> Dataset:
    """A file of a person who must never be told, with pixels not compressed."""
    one = Dataset()
    one.SOPClassUID, one.SOPInstanceUID = OPHTHALMIC_8, uid.generate_uid()
    one.PatientName, one.PatientID = "HAZE^Dolores", "MRN-4711"
    one.PatientBirthDate, one.StudyDate = "19610203", "20240517"
    one.InstitutionName, one.ReferringPhysicianName = "St Elsewhere", "Dr Quiet"
    one.Rows, one.Columns = pixels.shape[:2]
    one.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    one.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        one.PlanarConfiguration = 0
    one.BitsAllocated = one.BitsStored = 8 * pixels.dtype.itemsize
    one.HighBit, one.PixelRepresentation = one.BitsStored - 1, 0
    one.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(one, name, value)
    return one


def saved(path: Path, one: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> Path:
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = syntax
    one["PixelData"].VR = "OW" if one.BitsAllocated == 16 else "OB"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd numbers of bytes are padded
        one.save_as(path, enforce_file_format=True)
    return path


def jpeg(pixels: npt.NDArray[np.uint8], **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def apart(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).max())


# --- pixels


@pytest.mark.parametrize("kind", [OPHTHALMIC_8, SECONDARY])
@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_red_green_blue_is_read_as_it_is(tmp_path: Path, kind: str, syntax: str) -> None:
    one = dataset(colours(), SOPClassUID=kind)
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = syntax
    one["PixelData"].VR = "OB"
    implicit, little = syntax == uid.ImplicitVRLittleEndian, syntax != uid.ExplicitVRBigEndian
    pydicom.dcmwrite(
        tmp_path / "eye.dcm",
        one,
        implicit_vr=implicit,
        little_endian=little,
        enforce_file_format=True,
    )
    assert (read_pixels(tmp_path / "eye.dcm") == colours()).all()


def test_colours_plane_by_plane_are_put_together(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(colours(), -1, 0)).tobytes()
    one = dataset(colours(), PlanarConfiguration=1, PixelData=planes)
    assert (read_pixels(saved(tmp_path / "eye.dcm", one)) == colours()).all()


def test_luminance_and_colour_become_red_green_blue(tmp_path: Path) -> None:
    full = convert_color_space(colours(), "RGB", "YBR_FULL")
    one = dataset(full, PhotometricInterpretation="YBR_FULL")
    assert apart(read_pixels(saved(tmp_path / "eye.dcm", one)), colours()) <= 2


def test_halved_colour_becomes_red_green_blue(tmp_path: Path) -> None:
    full = convert_color_space(colours(), "RGB", "YBR_FULL")
    halved = full.reshape(-1, 2, 3)  # two pixels: Y1 Y2 Cb Cr, of the first
    packed = np.stack([halved[:, 0, 0], halved[:, 1, 0], halved[:, 0, 1], halved[:, 0, 2]], axis=1)
    one = dataset(full, PhotometricInterpretation="YBR_FULL_422", PixelData=packed.tobytes())
    assert apart(read_pixels(saved(tmp_path / "eye.dcm", one)), colours()) <= 4


def test_grey_is_repeated_and_its_reverse_is_turned(tmp_path: Path) -> None:
    grey = colours()[..., 1].copy()
    plain = read_pixels(saved(tmp_path / "plain.dcm", dataset(grey)))
    assert (plain == grey[:, :, None]).all() and plain.shape == (40, 60, 3)
    turned = dataset(255 - grey, PhotometricInterpretation="MONOCHROME1")
    assert (read_pixels(saved(tmp_path / "turned.dcm", turned)) == plain).all()


@pytest.mark.parametrize("bits, stored", [(12, 12), (12, 16), (16, 16)])
def test_sixteen_bits_are_scaled_by_what_is_stored(tmp_path: Path, bits: int, stored: int) -> None:
    grey = np.tile(np.linspace(0, 2**bits - 1, 64), (8, 1)).astype(np.uint16)
    one = dataset(grey, SOPClassUID=OPHTHALMIC_16, BitsStored=stored, HighBit=stored - 1)
    got = read_pixels(saved(tmp_path / "eye.dcm", one))
    assert apart(got[0, :, 0], np.rint(np.linspace(0, 255, 64)).astype(np.uint8)) <= 1


def test_sixteen_bits_of_each_colour_are_read(tmp_path: Path) -> None:
    one = dataset(colours().astype(np.uint16) * 257, SOPClassUID=OPHTHALMIC_16)
    assert (read_pixels(saved(tmp_path / "eye.dcm", one)) == colours()).all()


def test_a_jpeg_within_is_decoded(tmp_path: Path) -> None:
    one = dataset(colours(), PhotometricInterpretation="YBR_FULL_422")
    one.PixelData = encapsulate([jpeg(colours())])
    got = read_pixels(saved(tmp_path / "eye.dcm", one, uid.JPEGBaseline8Bit))
    assert apart(got, colours()) <= 6


def without_marker(file: bytes, marker: bytes) -> bytes:
    at = file.index(marker)
    return file[:at] + file[at + 2 + int.from_bytes(file[at + 2 : at + 4], "big") :]


def test_a_jpeg_within_that_is_red_green_blue_is_taken_at_the_heads_word(tmp_path: Path) -> None:
    bare = without_marker(jpeg(colours(), keep_rgb=True), b"\xff\xee")  # nothing says its colours
    ids = bare.replace(b"R\x11\x00G\x11\x00B\x11\x00", b"\x01\x11\x00\x02\x11\x00\x03\x11\x00")
    ids = ids.replace(b"R\x00G\x00B\x00", b"\x01\x00\x02\x00\x03\x00")
    assert ids != bare
    one = dataset(colours(), PixelData=encapsulate([ids]))
    got = read_pixels(saved(tmp_path / "eye.dcm", one, uid.JPEGBaseline8Bit))
    assert apart(got, colours()) <= 6


def test_a_jpeg_within_that_says_its_own_colours_is_believed(tmp_path: Path) -> None:
    one = dataset(colours(), PixelData=encapsulate([jpeg(colours())]))  # the head says RGB
    got = read_pixels(saved(tmp_path / "eye.dcm", one, uid.JPEGBaseline8Bit))
    assert apart(got, colours()) <= 6


def test_a_jpeg_2000_within_is_decoded(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(colours()).save(file, "JPEG2000")
    one = dataset(colours(), PixelData=encapsulate([file.getvalue()]))
    assert (read_pixels(saved(tmp_path / "e.dcm", one, uid.JPEG2000Lossless)) == colours()).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_run_lengths_are_decoded(tmp_path: Path, dtype: type) -> None:
    pixels = (colours() // 16 * 16).astype(dtype) * (257 if dtype is np.uint16 else 1)
    one = dataset(pixels, SOPClassUID=OPHTHALMIC_16 if dtype is np.uint16 else OPHTHALMIC_8)
    saved(tmp_path / "plain.dcm", one)
    one = pydicom.dcmread(tmp_path / "plain.dcm")
    one.compress(uid.RLELossless)
    one.save_as(tmp_path / "packed.dcm")
    assert (read_pixels(tmp_path / "packed.dcm") == colours() // 16 * 16).all()


def test_of_several_frames_the_first_is_read(tmp_path: Path) -> None:
    one = dataset(colours(), NumberOfFrames=2)
    one.PixelData = colours().tobytes() + (255 - colours()).tobytes()
    assert (read_pixels(saved(tmp_path / "eye.dcm", one)) == colours()).all()
    two = dataset(colours(), NumberOfFrames=2, PhotometricInterpretation="YBR_FULL_422")
    two.PixelData = encapsulate([jpeg(colours()), jpeg(255 - colours())])
    got = read_pixels(saved(tmp_path / "packed.dcm", two, uid.JPEGBaseline8Bit))
    assert apart(got, colours()) <= 6


# --- one photograph among others


def test_a_file_is_known_by_its_magic_and_found_by_its_suffix(tmp_path: Path) -> None:
    saved(tmp_path / "IM0001", dataset(colours()))
    saved(tmp_path / "eye.dcm", dataset(colours()))
    assert (read_pixels(tmp_path / "IM0001") == colours()).all()
    assert photograph_size(tmp_path / "IM0001") == (60, 40)
    index = PhotographIndex(tmp_path)
    assert index.find("eye") == tmp_path / "eye.dcm"


def test_a_look_sees_the_same_retina_as_in_a_png(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "eye.png")
    seen = look(saved(tmp_path / "eye.dcm", dataset(colours())))
    assert (seen.width_px, seen.height_px) == (60, 40)
    assert seen.perceptual_hash == look(tmp_path / "eye.png").perceptual_hash


# --- facts


@pytest.mark.parametrize(
    "elements, facts",
    [
        ({}, DicomFacts()),
        ({"ImageLaterality": "L"}, DicomFacts(eye="left")),
        ({"Laterality": "R"}, DicomFacts(eye="right")),
        ({"ImageLaterality": "R", "Laterality": "L"}, DicomFacts(eye="right")),
        ({"ImageLaterality": "B"}, DicomFacts()),
        ({"PixelSpacing": [0.006, 0.006]}, DicomFacts(mm_per_px=0.006)),
        ({"PixelSpacing": [0.006, 0.007]}, DicomFacts()),  # not square
        ({"PixelSpacing": [0.0, 0.0]}, DicomFacts()),
        ({"HorizontalFieldOfView": 45.0}, DicomFacts(field_of_view_deg=45.0)),
        ({"HorizontalFieldOfView": 0.0}, DicomFacts()),
        ({"SOPClassUID": SECONDARY, "PixelSpacing": [0.2, 0.2]}, DicomFacts()),  # of a screen
    ],
)
def test_facts_are_told_where_they_are_stated(
    tmp_path: Path, elements: dict[str, object], facts: DicomFacts
) -> None:
    got = dicom_facts(saved(tmp_path / "eye.dcm", dataset(colours(), **elements)))
    assert (got.eye, got.field_of_view_deg) == (facts.eye, facts.field_of_view_deg)
    assert got.mm_per_px == pytest.approx(facts.mm_per_px)


# --- whose it is


def broken_files(folder: Path) -> list[Path]:
    cut = dataset(colours(), PixelData=b"\0\0")
    odd = dataset(colours(), PhotometricInterpretation="HSV")
    none = dataset(colours())
    no_jpeg = dataset(colours(), PixelData=encapsulate([b"Dolores HAZE"]))
    scan = dataset(colours(), SOPClassUID=TOMOGRAPHY)
    files = [saved(folder / f"{i}.dcm", one) for i, one in enumerate((cut, odd, scan))]
    files.append(saved(folder / "jpeg.dcm", no_jpeg, uid.JPEGBaseline8Bit))
    whole = saved(folder / "whole.dcm", none).read_bytes()
    for at in range(140, len(whole), max(1, len(whole) // 60)):
        (folder / f"cut{at}.dcm").write_bytes(whole[:at])
        files.append(folder / f"cut{at}.dcm")
        (folder / f"bad{at}.dcm").write_bytes(whole[:at] + b"\xff\xfe\x01" + whole[at + 3 :])
        files.append(folder / f"bad{at}.dcm")
    return files


def test_no_identifier_is_told_in_a_value_an_error_a_warning_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    refused = 0
    for path in broken_files(tmp_path):
        for read in (read_pixels, dicom_facts, photograph_size, look):
            try:
                value = read(path)
                said.append(repr(value))
            except PhotographError as problem:
                refused += 1
                told: BaseException | None = problem
                while told is not None:
                    said.append(repr(told) + str(told))
                    told = told.__cause__
    printed = capfd.readouterr()
    said += [caplog.text, printed.out, printed.err]
    assert refused > 100
    assert [secret for secret in SECRETS if any(secret in words for words in said)] == []


def test_only_what_is_needed_is_read_of_a_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "eye.dcm", dataset(colours()))
    head, _ = dicom._head(path, path.read_bytes())
    assert {element.keyword for element in head} <= {*dicom._HEAD, "PixelData"}
    assert not any(word in name for name in dicom._HEAD for word in ("Patient", "Date", "Name"))


# --- what is refused


def test_what_is_no_photograph_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "oct.dcm", dataset(colours(), SOPClassUID=TOMOGRAPHY))
    with pytest.raises(PhotographError, match="Ophthalmic Tomography Image Storage") as error:
        read_pixels(path)
    assert str(path) in str(error.value) and error.value.mend


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "eye.dcm", dataset(colours(), Rows=20_000, Columns=20_000))
    monkeypatch.setattr(photographs, "dicom_pixels", None)  # not called
    with pytest.raises(PhotographError, match="too large"):
        read_pixels(path)


def test_a_larger_jpeg_than_the_head_says_is_refused(tmp_path: Path) -> None:
    one = dataset(colours(), PixelData=encapsulate([jpeg(colours(400, 600))]))
    with pytest.raises(PhotographError, match="says 60 x 40"):
        read_pixels(saved(tmp_path / "eye.dcm", one, uid.JPEGBaseline8Bit))


def test_run_lengths_stop_at_the_size_that_the_head_says() -> None:
    million = b"\x81\x00" * 1_000_000  # each stands for 128 samples
    assert len(dicom._unpacked(million, 300)) == 300


def test_a_file_deflated_as_a_whole_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "eye.dcm", dataset(colours()), uid.DeflatedExplicitVRLittleEndian)
    for read in (read_pixels, dicom_facts):
        with pytest.raises(PhotographError, match="deflated"):
            read(path)


def test_signed_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="signed"):
        read_pixels(saved(tmp_path / "eye.dcm", dataset(colours(), PixelRepresentation=1)))


def test_without_pydicom_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "eye.dcm", dataset(colours()))
    for name in [name for name in sys.modules if name.split(".")[0] == "pydicom"]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name.split(".")[0] == "pydicom":
                raise ImportError(name)

    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    with pytest.raises(MissingExtra) as error:
        read_pixels(path)
    assert error.value.mend == "pip install 'fundoscope[dicom]'"
