"""Masks and table of photographs: in their own pixels, and nothing lost when killed."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from fundoscope.errors import ConfigError
from fundoscope.perceive.mask_files import TABLE, coded_masks, perceive_photographs
from fundoscope.perceive.perceiving import perceive_photograph
from fundoscope.phantoms import write_phantoms

FOLDERS = {"vessels", "artery_vein", "disc_cup", "lesions", "field_of_view"}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> list[Path]:
    folder = write_phantoms(tmp_path_factory.mktemp("drawn"), 3, size_px=384)
    return sorted((folder / "photographs").iterdir())


@pytest.fixture(scope="module")
def seen(photographs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    assert perceive_photographs(photographs, folder) == 0
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / TABLE).read_text("utf-8").splitlines()))


def test_every_mask_has_the_photographs_size_and_known_codes(photographs, seen) -> None:
    known = {"vessels": {0, 255}, "artery_vein": {0, 1, 2, 3}, "disc_cup": {0, 1, 2}}
    known |= {"lesions": {0, 1, 2, 3, 4}, "field_of_view": {0, 255}}
    for photograph in photographs:
        for folder, codes in known.items():
            mask = cv2.imread(str(seen / folder / f"{photograph.stem}.png"), cv2.IMREAD_UNCHANGED)
            assert mask.shape == cv2.imread(str(photograph)).shape[:2], folder
            assert set(np.unique(mask)) <= codes, folder


@pytest.fixture(scope="module")
def retina(tmp_path_factory) -> Path:
    """A real photograph, never learned from."""
    path = tmp_path_factory.mktemp("real") / "retina.png"
    cv2.imwrite(str(path), skimage.data.retina()[..., ::-1])
    return path


def test_arteries_and_veins_lie_in_the_vessels_and_the_cup_in_the_disc(retina) -> None:
    found = perceive_photograph(retina)
    assert found.vessels is not None
    assert not (found.vessels.arteries & ~found.vessels.vessels).any()
    assert not (found.vessels.veins & ~found.vessels.vessels).any()
    assert found.disc_cup is not None
    assert not (found.disc_cup.cup & ~found.disc_cup.disc).any()
    assert set(coded_masks(found)) == FOLDERS


def test_the_table_has_a_row_for_each_photograph(photographs, seen) -> None:
    assert [row["photograph"] for row in rows(seen)] == [path.name for path in photographs]
    for row in rows(seen):
        parts = [float(row[f"p_{grade}"]) for grade in ("good", "usable", "reject")]
        assert sum(parts) == pytest.approx(1, abs=2e-4)
        assert row["refused"] == ""


def test_the_same_call_again_looks_at_nothing(photographs, seen) -> None:
    mask = seen / "vessels" / f"{photographs[0].stem}.png"
    before = mask.stat().st_mtime_ns, (seen / TABLE).read_bytes()
    assert perceive_photographs(photographs, seen) == 0
    assert (mask.stat().st_mtime_ns, (seen / TABLE).read_bytes()) == before


def test_a_torn_last_line_is_made_anew(photographs, seen, tmp_path) -> None:
    whole = (seen / TABLE).read_text("utf-8")
    (tmp_path / TABLE).write_text(whole[:-20], encoding="utf-8")
    perceive_photographs(photographs, tmp_path)
    assert (tmp_path / TABLE).read_text("utf-8") == whole


def test_a_table_of_other_columns_is_refused(photographs, tmp_path) -> None:
    (tmp_path / TABLE).write_text("photograph,grade\na,1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="other columns"):
        perceive_photographs(photographs, tmp_path)


def test_what_cannot_be_read_has_a_row_with_the_reason(photographs, tmp_path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photographs[0].read_bytes()[:400])
    assert perceive_photographs([broken, photographs[0]], tmp_path / "out") == 1
    first, second = rows(tmp_path / "out")
    assert first["refused"].startswith("it cannot be read")
    assert second["refused"] == ""


def test_what_is_no_fundus_photograph_has_a_reason_and_no_masks(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "coffee.png"), skimage.data.coffee())
    perceive_photographs([tmp_path / "coffee.png"], tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert row["refused"] == "this is not a fundus photograph"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {TABLE}


def test_a_photograph_too_dark_to_be_judged_has_a_reason_and_no_conditions(tmp_path) -> None:
    dark = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(dark, (250, 200), 180, (4, 6, 10), -1)
    cv2.imwrite(str(tmp_path / "dark.png"), dark)
    perceive_photographs([tmp_path / "dark.png"], tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert row["refused"]
    assert row["p_glaucoma"] == ""


def test_probabilities_are_written_when_asked_for(retina, tmp_path) -> None:
    perceive_photographs([retina], tmp_path, probabilities=True)
    parts = {path.parent.name for path in (tmp_path / "probabilities").rglob("*.png")}
    assert {"vessels", "arteries", "veins", "disc", "cup", "microaneurysm"} <= parts


@pytest.mark.slow
def test_killed_and_called_again_it_ends_as_if_never_killed(photographs, seen, tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from fundoscope.perceive.mask_files import perceive_photographs;"
        "perceive_photographs([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))"
    )
    call = [sys.executable, "-c", code, str(tmp_path), *map(str, photographs)]
    process = subprocess.Popen(call)
    table = tmp_path / TABLE
    while process.poll() is None and not (table.exists() and table.read_text().count("\n") > 1):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert table.read_text("utf-8").count("\n") < 1 + len(photographs)
    subprocess.run(call, check=True)
    assert table.read_bytes() == (seen / TABLE).read_bytes()
    for folder in FOLDERS:
        for photograph in photographs:
            name = f"{folder}/{photograph.stem}.png"
            assert (tmp_path / name).read_bytes() == (seen / name).read_bytes(), name


def test_probabilities_rank_pixels_below_the_threshold_too(photographs) -> None:
    found = perceive_photograph(photographs[0])
    assert found.vessels is not None
    below = found.vessels.vessel_probability[found.view.inside & ~found.vessels.vessels]
    assert len(np.unique(np.round(below, 3))) > 50
