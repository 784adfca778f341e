"""Widths by zone, the six widest vessels, and the width that stands for them."""

import math

import numpy as np
import pytest

from fundoscope.measure.calibre import (
    central_equivalent,
    crossing_widths_px,
    hubbard_arteriole,
    hubbard_venule,
    knudtson,
    mean_width_px,
    segment_widths,
)
from fundoscope.measure.centreline import centreline
from fundoscope.measure.skeleton import Mask
from fundoscope.measure.zones import zone
from fundoscope.phantom_shapes import coverage
from fundoscope.phantoms import draw_straight_vessel

SIDE = 301
CENTRE = (150.0, 150.0)
RADIUS_PX = 40.0


def spokes(widths: dict[float, float]) -> Mask:
    """Vessels that run straight from the middle outwards: angle -> width."""

    def outline(rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        down, right = rows - CENTRE[0], cols - CENTRE[1]
        nearest = np.full(rows.shape, 99.0)
        for angle, width in widths.items():
            step = np.sin(np.radians(angle)), np.cos(np.radians(angle))
            ahead = down * step[0] + right * step[1]
            aside = np.abs(down * step[1] - right * step[0]) - width / 2
            away = np.maximum(aside, np.maximum(50 - ahead, ahead - 140))
            nearest = np.minimum(nearest, away)
        return nearest

    return coverage(outline, SIDE) >= 0.5


SIX = {7.0: 9.0, 67.0: 8.0, 127.0: 7.0, 187.0: 6.0, 247.0: 5.0, 307.0: 4.0}


def test_six_vessels_cross_zone_b_each_with_its_width() -> None:
    line = centreline(spokes(SIX))
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    assert found == pytest.approx([9, 8, 7, 6, 5, 4], rel=0.02)


def test_a_vessel_that_a_branch_cuts_counts_once() -> None:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    branch = (np.abs(cols - 250) <= 1) & (rows >= 150) & (rows < 200)
    line = centreline(spokes({0.0: 9.0, 180.0: 5.0}) | branch)
    assert len(line.ends) == 4  # the first vessel is in two
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    assert np.rint(found).tolist() == [9, 5]


def test_a_vessel_that_only_enters_the_zone_does_not_cross_it() -> None:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    short = (np.abs(rows - 150) <= 3) & (cols > 150) & (cols < 150 + 2 * RADIUS_PX + 10)
    line = centreline(spokes({90.0: 6.0}) | short)
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    assert len(found) == 1


def test_the_border_of_a_zone_does_not_make_vessels_narrower() -> None:
    vessel = draw_straight_vessel(9, 31, length_px=150, size_px=180)
    line = centreline(vessel)
    ring = zone("zone_b", (89.5, 89.5), 20.0, vessel.shape)
    here = mean_width_px(line, ring.holds(line.points))
    assert here == pytest.approx(9, rel=0.02)


def test_each_segment_has_its_width_and_profile() -> None:
    (width,) = segment_widths(centreline(draw_straight_vessel(7, 23)))
    assert width is not None
    assert width.mean_px == pytest.approx(7, rel=0.02)
    assert width.sd_px < 0.6
    assert len(width.profile_px) == len(width.along_px) > 80


def test_there_is_no_mean_width_of_nothing() -> None:
    line = centreline(np.zeros((20, 20), bool))
    assert mean_width_px(line, np.zeros(0, bool)) is None


def test_knudtson_of_six_equal_vessels() -> None:
    # 6 -> 3 -> 2 -> 1, each step times 0.88 * sqrt 2; the middle one is carried over once
    step = 0.88 * math.sqrt(2)
    first = step * 100
    second = 0.88 * math.hypot(first, first)
    expected = 0.88 * math.hypot(first, second)
    assert central_equivalent([100.0] * 6, knudtson(0.88)) == pytest.approx(expected)


def test_the_widest_joins_the_narrowest() -> None:
    a = 0.95 * math.hypot(60, 160)
    b = 0.95 * math.hypot(80, 140)
    c = 0.95 * math.hypot(100, 120)
    low, middle, high = sorted((a, b, c))
    joined = sorted((0.95 * math.hypot(low, high), middle))
    widths = [80, 160, 60, 120, 100, 140, 20]  # the seventh is not among the widest
    assert central_equivalent(widths, knudtson(0.95)) == pytest.approx(0.95 * math.hypot(*joined))


def test_the_middle_trunk_is_carried_over_not_the_second() -> None:
    first, second, third = (math.hypot(*pair) for pair in ((10, 131), (90, 130), (91, 92)))
    assert third < first < second
    found = central_equivalent([10, 90, 91, 92, 130, 131], knudtson(1))
    # with a factor of 1 all orders agree, so the rule is one that tells them apart
    assert found == pytest.approx(math.sqrt(first**2 + second**2 + third**2))
    found = central_equivalent([10, 90, 91, 92, 130, 131], lambda narrow, wide: 2 * narrow + wide)
    trunks = sorted((2 * 10 + 131, 2 * 90 + 130, 2 * 91 + 92))
    joined = sorted((2 * trunks[0] + trunks[2], trunks[1]))
    assert found == 2 * joined[0] + joined[1]


def test_hubbards_rules_by_hand() -> None:
    assert hubbard_arteriole(80, 100) == pytest.approx(
        math.sqrt(0.87 * 6400 + 1.01 * 10000 - 0.22 * 8000 - 10.76)
    )
    assert hubbard_venule(80, 100) == pytest.approx(math.sqrt(0.72 * 6400 + 9100 + 450.05))
    assert math.isnan(hubbard_arteriole(0.1, 0.2))


def test_five_vessels_are_too_few() -> None:
    assert central_equivalent([100.0] * 5, knudtson(0.88)) is None
