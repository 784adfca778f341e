"""How wide a field of view is, told by the eye in it, on drawn discs and stated places."""

import cv2
import numpy as np
import pytest

from fundoscope.perceive.disc import DiscCup, Places, field_degrees
from fundoscope.perceive.views import View, look_px

ACROSS_PX = 700
DEGREES_PX = 14.0
"""Pixels of a degree, if the drawn field is 50 degrees wide."""


@pytest.fixture(scope="module")
def view() -> View:
    pixels = np.zeros((800, 800, 3), np.uint8)
    cv2.circle(pixels, (400, 400), ACROSS_PX // 2, (180, 90, 50), -1)
    return View(pixels)


def disc_of(degrees: float) -> DiscCup:
    drawn = np.zeros((800, 800), np.uint8)
    cv2.circle(drawn, (520, 400), round(degrees * DEGREES_PX / 2), 1, -1)
    disc, none = drawn > 0, np.zeros((800, 800), np.float32)
    return DiscCup(disc, none > 0, none, none)


def places(fovea_degrees: float | None) -> Places:
    fovea = None if fovea_degrees is None else (400.0, 520.0 - fovea_degrees * DEGREES_PX)
    return Places((400.0, 520.0), 98.0, 1.0, fovea, 1.0)


def test_a_disc_of_seven_degrees_tells_the_width_of_the_field(view) -> None:
    assert field_degrees(view, places(None), disc_of(7)) == pytest.approx(50, rel=0.02)


def test_a_disc_half_as_wide_tells_a_field_twice_as_wide_up_to_what_is_believed(view) -> None:
    assert field_degrees(view, places(None), disc_of(5)) == pytest.approx(70, rel=0.03)
    assert field_degrees(view, places(None), disc_of(2)) is None


def test_a_fovea_sixteen_degrees_away_tells_it_too(view) -> None:
    assert field_degrees(view, places(16), None) == pytest.approx(50, rel=0.02)


def test_where_both_tell_the_geometric_mean_is_taken(view) -> None:
    both = field_degrees(view, places(14), disc_of(7))
    assert both == pytest.approx(50 * (16 / 14) ** 0.5, rel=0.02)


def test_where_they_contradict_each_other_the_outlined_disc_is_believed(view) -> None:
    assert field_degrees(view, places(10), disc_of(7)) == pytest.approx(50, rel=0.02)


def test_a_field_without_a_disc_tells_nothing(view) -> None:
    assert field_degrees(view, Places(None, 98.0, 0.1, (400.0, 300.0), 1.0), None) is None


@pytest.mark.parametrize(
    ("degrees", "pixels"),
    [(None, 1024), (50, 1024), (60, 1216), (45, 896), (30, 640), (14, 640), (100, 1344)],
)
def test_an_eye_is_looked_at_as_large_in_a_wide_field_as_in_a_narrow_one(degrees, pixels) -> None:
    assert look_px(1024, degrees) == pixels
