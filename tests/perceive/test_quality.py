"""The gate: what it lets through, what it stops, and why."""

import csv

import cv2
import numpy as np
import pytest
import skimage.data

pytest.importorskip("onnxruntime")

from fundoscope.perceive.disc import find_places, outline_disc
from fundoscope.perceive.field import find_field
from fundoscope.perceive.perceiving import SURELY_NO_FUNDUS, kind_of, perceive_view
from fundoscope.perceive.quality import (
    Quality,
    _grade,
    _reasons,
    judge_quality,
    quality_picture,
)
from fundoscope.perceive.views import View
from fundoscope.phantoms import draw_phantom
from fundoscope.read.photographs import read_pixels
from fundoscope.train.agreement import quadratic_kappa

GRADES = ("good", "usable", "reject")


def judged(pixels: np.ndarray) -> Quality:
    return judge_quality(pixels, find_field(pixels))


@pytest.fixture(scope="module")
def retina() -> np.ndarray:
    """A real photograph, never learned from, small enough to be quick."""
    return cv2.resize(skimage.data.retina(), (705, 705), interpolation=cv2.INTER_AREA)


def test_good_must_be_probable_enough_and_reject_likelier_than_not() -> None:
    assert _grade({"good": 0.75, "usable": 0.2, "reject": 0.05}, good_from=0.75) == "good"
    assert _grade({"good": 0.74, "usable": 0.2, "reject": 0.06}, good_from=0.75) == "usable"
    assert _grade({"good": 0.2, "usable": 0.3, "reject": 0.5}, good_from=0.75) == "reject"


def test_there_is_always_a_reason_and_the_worst_comes_first() -> None:
    severities = {"blur": 0.4, "illumination": 0.1, "field": 0.0, "contrast": 0.7}
    assert _reasons(severities, 0.3) == ("contrast", "blur")
    assert _reasons(severities, 0.9) == ("contrast",)


def test_the_network_sees_plain_colours_first() -> None:
    cut = draw_phantom(1, 224).photograph
    assert (quality_picture(cut)[..., :3] == cut).all()
    assert quality_picture(cut).shape == (224, 224, 6)


def test_a_good_photograph_is_a_retina_and_good(retina) -> None:
    quality = judged(retina)
    assert quality.kind == "retina"
    assert quality.grade == "good"
    assert quality.reasons == ()
    assert sum(quality.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert sum(quality.kind_probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_phantom_is_a_retina() -> None:
    assert judged(draw_phantom(101, 512).photograph).kind == "retina"


def test_a_strong_blur_is_seen_and_named(retina) -> None:
    blurred = judged(cv2.GaussianBlur(retina, (0, 0), 14))
    assert blurred.grade == "reject"
    assert "blur" in blurred.reasons
    assert blurred.severities["blur"] > judged(retina).severities["blur"] + 0.3


def test_a_dark_photograph_is_rejected_for_its_light(retina) -> None:
    dark = judged((retina * 0.08).astype(np.uint8))
    assert dark.grade == "reject"
    assert "illumination" in dark.reasons
    assert dark.kind == "retina"


def test_a_veil_is_seen_as_lost_contrast(retina) -> None:
    veil = np.array([150, 110, 70])
    hazy = np.where(retina.max(axis=2, keepdims=True) > 12, retina * 0.12 + veil * 0.88, retina)
    quality = judged(hazy.astype(np.uint8))
    assert quality.grade == "reject"
    assert "contrast" in quality.reasons


def test_a_half_covered_field_is_rejected_for_what_it_hides(retina) -> None:
    covered = retina.copy()
    covered[: retina.shape[0] // 2] = (190, 140, 115)
    quality = judged(covered)
    assert quality.grade == "reject"
    assert {"field", "contrast"} & set(quality.reasons)  # a lid leaves neither


@pytest.mark.parametrize("name", ["astronaut", "coffee", "page", "rocket"])
def test_what_is_no_fundus_photograph_is_stopped(name) -> None:
    pixels = getattr(skimage.data, name)()
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    assert judged(pixels).kind == "not_a_fundus_photograph"


@pytest.mark.parametrize("name", ["chelsea", "coffee", "text"])
def test_what_the_gate_doubts_needs_a_disc_and_a_fovea(name) -> None:
    pixels = getattr(skimage.data, name)()
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    view = View(pixels)
    doubt = judge_quality(view.pixels, view.field).kind_probabilities["not_a_fundus_photograph"]
    assert doubt < SURELY_NO_FUNDUS
    assert perceive_view(name, view).refused == "this is not a fundus photograph"


@pytest.mark.parametrize("name", ["01_h.jpg", "01_dr.jpg"])
def test_a_wide_frame_that_the_gate_doubts_is_measured(name, real_data) -> None:
    view = View(read_pixels(real_data / "HRF" / "images" / name))
    assert judge_quality(view.pixels, view.field).kind == "not_a_fundus_photograph"
    found = perceive_view(name, view)
    assert (found.kind, found.refused) == ("macula_centred", "")


def test_the_grades_agree_with_an_eye_on_cameras_never_learned_from(real_data) -> None:
    listing = (real_data / "labels/unam_quality_by_eye.csv").read_text("utf-8")
    files = {path.stem: path for path in (real_data / "UNAM_FUNDUS/images").iterdir()}
    true, said, wide, said_wide = [], [], [], []
    for row in csv.DictReader(listing.splitlines()):
        view = View(read_pixels(files[row["photograph"]]))
        quality = judge_quality(view.pixels, view.field)
        places = find_places(view)
        true.append(GRADES.index(row["quality"]))
        said.append(GRADES.index(quality.grade))
        wide.append(row["wide_field"] == "1")
        said_wide.append(kind_of(view, quality, places, outline_disc(view, places)) == "ultra_wide")
    assert quadratic_kappa(np.array(true), np.array(said)) > 0.65
    found, truth = np.array(said_wide), np.array(wide)
    assert found[truth].mean() >= 0.8
    assert found[~truth].mean() <= 0.05
