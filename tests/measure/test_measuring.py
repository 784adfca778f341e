"""A folder of masks becomes a table, in order, by either set of definitions."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.errors import ConfigError
from fundoscope.measure.mask_folders import read_mask_folder
from fundoscope.measure.measuring import measure_as_automorph, measure_folder
from fundoscope.measure.scale import scale_from_user
from fundoscope.phantoms import write_phantoms


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms with their masks."""
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 3, size_px=384)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_processes_change_nothing_but_the_time(phantoms: Path, tmp_path: Path) -> None:
    assert measure_folder(phantoms, tmp_path / "one.csv") == 3
    assert measure_folder(phantoms, tmp_path / "two.csv", jobs=2) == 3
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_scale_turns_pixels_into_micrometres(phantoms: Path, tmp_path: Path) -> None:
    measure_folder(phantoms, tmp_path / "px.csv")
    measure_folder(phantoms, tmp_path / "um.csv", scale=scale_from_user(0.01))
    widths = [
        next(r for r in rows(tmp_path / f) if r["name"] == "average_width" and r["of"] == "all")
        for f in ("px.csv", "um.csv")
    ]
    assert widths[0]["unit"] in ("px", "DD") and widths[1]["unit"] == "um"


def test_every_row_has_a_value_or_a_reason(phantoms: Path, tmp_path: Path) -> None:
    measure_folder(phantoms, tmp_path / "all.csv")
    found = rows(tmp_path / "all.csv")
    assert found and all(bool(row["value"]) != bool(row["reason"]) for row in found)


def test_automorphs_tables_hold_every_photograph(phantoms: Path, tmp_path: Path) -> None:
    count = measure_as_automorph(phantoms, tmp_path, scale=scale_from_user(0.01))
    written = [rows(tmp_path / f"{group}_Features.csv") for group in ("Macular", "Disc")]
    assert count == 3 == sum(map(len, written))


def test_no_process_is_an_error(phantoms: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one process"):
        measure_folder(phantoms, tmp_path / "x.csv", jobs=0)


def test_the_phantoms_disc_is_found_among_their_lesions(phantoms: Path) -> None:
    assert all(masks.disc is not None and masks.disc.any() for masks in read_mask_folder(phantoms))


def test_arteries_and_veins_together_are_the_vessels(tmp_path: Path) -> None:
    (tmp_path / "artery_vein").mkdir()
    codes = np.array([[0, 1, 2, 3]], np.uint8)
    cv2.imwrite(str(tmp_path / "artery_vein" / "a.png"), codes)
    (masks,) = read_mask_folder(tmp_path)
    assert masks.vessels is not None
    assert masks.vessels.tolist() == [[False, True, True, True]]
