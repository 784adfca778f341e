"""The gate: what it lets through, what it stops, and why."""

import csv

import cv2
import numpy as np
import pytest
import skimage.data

pytest.importorskip("onnxruntime")

from fundoscope.perceive.field import find_field
from fundoscope.perceive.quality import (
    Quality,
    _middle,
    _reasons,
    judge_quality,
    quality_picture,
)
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


def test_the_middle_grade_is_where_probability_passes_one_half() -> None:
    assert _middle({"good": 0.5, "usable": 0.3, "reject": 0.2}) == "good"
    assert _middle({"good": 0.45, "usable": 0.1, "reject": 0.45}) == "usable"
    assert _middle({"good": 0.2, "usable": 0.2, "reject": 0.6}) == "reject"


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


def test_a_half_covered_field_is_seen_as_such(retina) -> None:
    covered = retina.copy()
    covered[: retina.shape[0] // 2] = (190, 140, 115)
    quality = judged(covered)
    assert quality.grade == "reject"
    assert "field" in quality.reasons


@pytest.mark.parametrize("name", ["astronaut", "coffee", "page", "rocket"])
def test_what_is_no_fundus_photograph_is_stopped(name) -> None:
    pixels = getattr(skimage.data, name)()
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    assert judged(pixels).kind == "not_a_fundus_photograph"


def test_the_grades_agree_with_an_eye_on_cameras_never_learned_from(real_data) -> None:
    listing = (real_data / "labels/unam_quality_by_eye.csv").read_text("utf-8")
    files = {path.stem: path for path in (real_data / "UNAM_FUNDUS/images").iterdir()}
    true, said, wide, said_wide = [], [], [], []
    for row in csv.DictReader(listing.splitlines()):
        quality = judged(read_pixels(files[row["photograph"]]))
        true.append(GRADES.index(row["quality"]))
        said.append(GRADES.index(quality.grade))
        wide.append(row["wide_field"] == "1")
        said_wide.append(quality.kind == "ultra_wide")
    right = np.array(wide) == np.array(said_wide)
    assert quadratic_kappa(np.array(true), np.array(said)) > 0.6
    assert right.mean() > 0.9
