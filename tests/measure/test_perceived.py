"""From photographs to a table: every quantity, or the reason why not."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.measure.perceived import (
    masks_of,
    measure_photographs,
    scale_by_disc,
    scale_by_field,
)
from fundoscope.measure.scale import mm_per_degree
from fundoscope.measure.survey import survey
from fundoscope.perceive.disc import DiscCup
from fundoscope.perceive.field import Field
from fundoscope.perceive.perceiving import Perceived, perceive_photograph
from fundoscope.phantoms import draw_phantom, write_phantoms
from fundoscope.records import Measured, Unmeasured


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    folder = write_phantoms(tmp_path_factory.mktemp("drawn"), 1, size_px=512)
    return next((folder / "photographs").iterdir())


@pytest.fixture(scope="module")
def found(photograph) -> Perceived:
    return perceive_photograph(photograph)


def rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text("utf-8").splitlines()))


def test_a_photograph_becomes_a_table_with_units_and_reasons(photograph, tmp_path) -> None:
    table = tmp_path / "table.csv"
    assert measure_photographs([photograph], table) == 0
    found = {(r["name"], r["of"], r["where"]): r for r in rows(table)}
    assert float(found["vessel_density", "all", "whole"]["value"]) > 0.02
    assert all(bool(row["value"]) != bool(row["reason"]) for row in found.values())


def test_overlays_and_masks_are_kept_when_asked_for(photograph, tmp_path) -> None:
    measure_photographs(
        [photograph], tmp_path / "t.csv", overlays=tmp_path / "over", masks=tmp_path / "masks"
    )
    assert cv2.imread(str(tmp_path / "over" / f"{photograph.stem}.png")) is not None
    assert (tmp_path / "masks/vessels" / f"{photograph.stem}.png").is_file()


def test_a_refused_photograph_gives_its_reason_for_every_quantity(tmp_path) -> None:
    dark = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(dark, (250, 200), 180, (4, 6, 10), -1)
    cv2.imwrite(str(tmp_path / "dark.png"), dark)
    assert measure_photographs([tmp_path / "dark.png"], tmp_path / "t.csv") == 1
    told = rows(tmp_path / "t.csv")
    assert len(told) > 100
    assert {row["value"] for row in told} == {""}
    assert len({row["reason"] for row in told}) == 1


def test_an_unreadable_file_gives_its_reason_for_every_quantity(tmp_path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert measure_photographs([tmp_path / "broken.jpg"], tmp_path / "t.csv") == 1
    assert all("cannot be read" in row["reason"] for row in rows(tmp_path / "t.csv"))


def test_the_scale_by_field_is_degrees_over_the_width_of_the_circle(found) -> None:
    view = replace(found.view)
    view.__dict__["field"] = Field(100.0, 100.0, 450.0)  # a circle of 900 px
    scale = scale_by_field(replace(found, view=view), degrees_across=45)
    assert scale.mm_per_px == pytest.approx(45 * mm_per_degree() / 900)


def test_the_scale_by_disc_takes_its_height_as_1_8_mm(found) -> None:
    disc = np.zeros(found.view.shape, bool)
    disc[100:190, 100:150] = True  # 90 px high
    nothing = np.zeros(disc.shape, np.float32)
    outlined = replace(found, disc_cup=DiscCup(disc, disc & False, nothing, nothing))
    scale = scale_by_disc(outlined)
    assert scale is not None
    assert scale.mm_per_px == pytest.approx(1.8 / 90)
    assert scale_by_disc(replace(found, disc_cup=None)) is None


def test_without_a_disc_its_quantities_have_a_reason(found) -> None:
    masks = masks_of(replace(found, disc_cup=None))
    assert masks.disc is not None
    assert not masks.disc.any()


def test_a_dicom_file_brings_its_own_scale_and_eye(tmp_path) -> None:
    pytest.importorskip("pydicom")
    file = _dicom(tmp_path / "eye.dcm", mm_per_px=0.012)
    measure_photographs([file], tmp_path / "t.csv")
    told = [row for row in rows(tmp_path / "t.csv") if row["unit"] == "um"]
    assert {row["scale"].split(";")[0] for row in told} == {"0.012 mm/px from the DICOM file"}
    assert perceive_photograph(file).file_facts.eye == "left"


def _dicom(file: Path, mm_per_px: float) -> Path:
    """A phantom as an ophthalmic photograph in DICOM."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    pixels = draw_phantom(5, 512).photograph
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = Dataset()
    written.file_meta = meta
    written.SOPClassUID = meta.MediaStorageSOPClassUID
    written.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    written.Rows, written.Columns = pixels.shape[:2]
    written.SamplesPerPixel, written.PlanarConfiguration = 3, 0
    written.PhotometricInterpretation = "RGB"
    written.BitsAllocated, written.BitsStored, written.HighBit = 8, 8, 7
    written.PixelRepresentation = 0
    written.PixelSpacing = [mm_per_px, mm_per_px]
    written.ImageLaterality = "L"
    written.PixelData = pixels.tobytes()
    written.save_as(file, enforce_file_format=True)
    return file


def test_a_cup_that_was_not_told_leaves_its_ratio_unmeasured(found) -> None:
    disc = np.zeros(found.view.shape, bool)
    disc[100:190, 100:150] = True
    nothing = np.zeros(disc.shape, np.float32)
    outlined = replace(found, disc_cup=DiscCup(disc, disc & False, nothing, nothing))
    values = {value.name: value for value in survey(masks_of(outlined))}
    assert isinstance(values["disc_height"], Measured)
    assert isinstance(values["cdr_vertical"], Unmeasured)
