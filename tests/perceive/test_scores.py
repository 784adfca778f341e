"""What the shipped networks say of real photographs that they never learned from."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fundoscope.perceive.conditions import judge_conditions
from fundoscope.perceive.disc import Places, find_places, outline_disc
from fundoscope.perceive.lesions import find_lesions
from fundoscope.perceive.vessels import along_vessels, find_vessels
from fundoscope.perceive.views import View
from fundoscope.read.masks import read_coded_mask, read_mask
from fundoscope.read.photographs import read_pixels


def view_of(photograph: Path) -> View:
    return View(read_pixels(photograph))


def dice(said: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (said & true).sum() / (said.sum() + true.sum()))


@pytest.mark.parametrize(
    ("photograph", "vessels", "arteries", "veins"),
    [("HRF/images/05_g.jpg", 0.70, 0.6, 0.65), ("AVRDB/images/IM000210.jpg", 0.65, 0.5, 0.5)],
)
def test_vessels_arteries_and_veins_of_held_out_photographs(
    real_data, photograph, vessels, arteries, veins
) -> None:
    path = real_data / photograph
    codes = read_coded_mask(path.parent.parent / "av" / f"{path.stem}.png")
    found = find_vessels(view_of(path))
    assert dice(found.vessels, codes > 0) > vessels
    assert dice(found.arteries, (codes == 1) | (codes == 3)) > arteries
    assert dice(found.veins, codes >= 2) > veins


def test_vessels_of_a_held_out_photograph_with_macular_degeneration(real_data) -> None:
    path = real_data / "FIVES/images/10_A.jpg"
    found = find_vessels(view_of(path))
    assert dice(found.vessels, read_mask(real_data / "FIVES/vessels/10_A.png")) > 0.75


def test_a_plaque_of_exudate_is_not_taken_for_the_disc(real_data) -> None:
    path = real_data / "IDRiD/images/IDRiD_10.jpg"
    view = view_of(path)
    outlined = outline_disc(view, find_places(view))
    assert outlined is not None
    true = read_coded_mask(real_data / "IDRiD/lesions/IDRiD_10.png") == 5
    assert dice(outlined.disc, true) > 0.9


@pytest.mark.parametrize(
    ("photograph", "row", "col", "across_px"),
    [
        ("UNAM_FUNDUS/images/0439_OD_f_1.jpg", 296, 256, 55),
        ("AVRDB/images/IM002422.jpg", 604, 736, 77),
        ("AVRDB/images/IM002422.jpg", 610, 730, 90),
        ("AVRDB/images/IM002422.jpg", 590, 740, 77),
    ],
)
def test_exudates_or_a_reflex_where_a_disc_was_looked_for_are_not_outlined_as_one(
    real_data, photograph, row, col, across_px
) -> None:
    there = Places((row, col), across_px, 0.9, None, 0.0)
    assert outline_disc(view_of(real_data / photograph), there) is None


def test_the_disc_of_a_film_with_burnt_in_numbers(real_data) -> None:
    path = sorted((real_data / "DRIONS/images").iterdir())[4]
    view = view_of(path)
    outlined = outline_disc(view, find_places(view))
    assert outlined is not None
    assert dice(outlined.disc, read_mask(real_data / f"DRIONS/disc/{path.stem}.png")) > 0.92


def test_foveas_lie_where_an_eye_saw_them(real_data) -> None:
    rows = list(csv.DictReader((real_data / "labels/fovea_by_eye.csv").read_text().splitlines()))
    for row in rows[::6]:
        folder = real_data / row["dataset"] / "images"
        view = view_of(next(folder.glob(f"{row['photograph']}.*")))
        places = find_places(view)
        assert places.fovea is not None
        height, width = view.shape
        true = float(row["y_fraction"]) * height, float(row["x_fraction"]) * width
        assert np.hypot(*np.subtract(places.fovea, true)) < 0.5 * places.disc_across_px


def test_hard_exudates_are_outlined_and_a_healthy_eye_has_few_lesions(real_data) -> None:
    view = view_of(real_data / "IDRiD_1024/images/IDRiD_25.jpg")
    codes = read_coded_mask(real_data / "IDRiD_1024/lesions/IDRiD_25.png")
    found = find_lesions(view, codes == 5)
    assert dice(found.masks["hard_exudate"], codes == 3) > 0.5
    healthy = find_lesions(view_of(real_data / "IDRiD_no_retinopathy/images/IDRiD_NAR_005.jpg"))
    for kind, mask in healthy.masks.items():
        assert mask.mean() < 1e-3, kind


def test_conditions_are_more_probable_in_eyes_that_have_them(real_data) -> None:
    rows = list(csv.DictReader((real_data / "ODIR5K/labels.csv").read_text().splitlines()))

    def usual(keyword: str, condition: str) -> float:
        some = [row["image"] for row in rows if row["keywords"] == keyword][:6]
        views = [view_of(real_data / "ODIR5K/images" / name) for name in some]
        said = [judge_conditions(v, find_lesions(v), None).probabilities for v in views]
        return float(np.median([probabilities[condition] for probabilities in said]))

    assert usual("cataract", "cataract") > usual("normal fundus", "cataract") + 0.2
    severe = "severe nonproliferative retinopathy"
    retinopathy = "diabetic_retinopathy"
    assert usual(severe, retinopathy) > usual("normal fundus", retinopathy) + 0.2


def test_a_vessel_is_of_one_kind_from_junction_to_junction() -> None:
    """A drawn vessel whose middle fifth was called a vein becomes an artery along all of it."""
    vessels = np.zeros((60, 200), bool)
    vessels[28:33, 5:195] = True
    arteriness = np.where(vessels, 0.6, 0).astype(np.float32)
    arteriness[:, 90:110] *= -0.5
    assert (along_vessels(vessels, arteriness)[vessels] > 0).all()
