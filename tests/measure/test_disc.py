"""Discs, cups and rims drawn as ellipses."""

import numpy as np
import pytest

from fundoscope.measure.disc import (
    Outline,
    cup_in,
    eye_side,
    fovea_distance,
    outline,
    rim_widths_px,
)
from fundoscope.measure.skeleton import Mask
from fundoscope.phantom_shapes import Ellipse
from fundoscope.phantoms import draw_phantom

SIDE = 200


def ellipse(centre: tuple[float, float], half_height: float, half_width: float) -> Mask:
    return Ellipse(centre, half_height, half_width).mask(SIDE)


def disc(half_height: float = 50, half_width: float = 44) -> Outline:
    found = outline(ellipse((100.2, 99.7), half_height, half_width), "optic disc")
    assert isinstance(found, Outline)
    return found


def cup(centre: tuple[float, float], half_height: float, half_width: float) -> Outline:
    found = cup_in(disc(), ellipse(centre, half_height, half_width))
    assert isinstance(found, Outline)
    return found


def test_sizes_of_an_ellipse() -> None:
    found = disc()
    assert found.height_px == pytest.approx(100, abs=1)
    assert found.width_px == pytest.approx(88, abs=1)
    assert found.area_px == pytest.approx(np.pi * 50 * 44, rel=0.005)
    assert found.diameter_px == pytest.approx(2 * np.sqrt(50 * 44), rel=0.005)
    assert found.centre == pytest.approx((100.2, 99.7), abs=0.1)


def test_an_upright_square_counts_from_edge_to_edge() -> None:
    square = np.zeros((20, 20), bool)
    square[3:9, 5:15] = True  # 6 by 10 pixels; from middle to middle they are 5 by 9
    found = outline(square, "optic disc")
    assert isinstance(found, Outline)
    assert (found.height_px, found.width_px, found.area_px) == (6, 10, 60)
    assert found.centre == (5.5, 9.5)


def test_the_rim_is_widest_where_the_cup_is_furthest() -> None:
    concentric = rim_widths_px(disc(50, 50), cup((100.2, 99.7), 20, 20))
    assert list(concentric.values()) == pytest.approx([30] * 4, rel=0.01)
    low = rim_widths_px(disc(50, 50), cup((106.2, 99.7), 20, 20))
    assert low["above"] > low["left"] > low["below"]
    assert low["left"] == pytest.approx(low["right"], rel=0.01)


def test_the_eye_is_told_by_the_side_of_the_fovea() -> None:
    assert eye_side(disc(), (105, 320)) == "left"
    assert eye_side(disc(), (105, -120)) == "right"
    assert eye_side(disc(), (180, 110)) is None
    assert eye_side(disc(), None) is None
    assert eye_side("no disc", (105, 320)) is None


@pytest.mark.parametrize("eye", ["left", "right"])
def test_the_eye_of_a_phantom(eye: str) -> None:
    phantom = draw_phantom(5, 400, eye=eye)  # type: ignore[arg-type]
    assert eye_side(outline(phantom.disc, "optic disc"), phantom.fovea) == eye


def test_distance_and_angle_of_the_fovea_by_hand() -> None:
    found = disc(50, 50)  # 100 px across
    distance, angle = fovea_distance(found, (found.centre[0] + 30, found.centre[1] - 240))
    assert distance == pytest.approx(np.hypot(30, 240) / 100, rel=0.005)
    assert angle == pytest.approx(np.degrees(np.arctan(30 / 240)))
    assert fovea_distance(found, (found.centre[0] - 30, 500))[1] < 0  # above the disc


def test_a_few_stray_pixels_do_not_matter() -> None:
    mask = ellipse((100, 100), 40, 40)
    mask[5:8, 5:8] = True
    found = outline(mask, "optic disc")
    assert isinstance(found, Outline)
    assert found.height_px == pytest.approx(80, abs=1)


EMPTY, ONE, FULL = np.zeros((60, 60), bool), np.zeros((60, 60), bool), np.ones((60, 60), bool)
ONE[30, 30] = True
TWO = np.zeros((60, 60), bool)
TWO[5:20, 5:20] = TWO[40:55, 40:55] = True


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (None, "no mask of the optic disc was given"),
        (EMPTY, "no optic disc was found in the photograph"),
        (ONE, "the mask of the optic disc has 1 pixels, too few to measure"),
        (FULL, "the mask of the optic disc covers the whole photograph"),
        (TWO, "the mask of the optic disc falls into several parts"),
    ],
)
def test_what_is_no_disc_has_a_reason(mask: Mask | None, reason: str) -> None:
    assert outline(mask, "optic disc") == reason


def test_a_cup_outside_its_disc_is_no_cup() -> None:
    found = cup_in(disc(), ellipse((20, 20), 15, 15))
    assert found == "the outlined optic cup does not lie in the disc"
