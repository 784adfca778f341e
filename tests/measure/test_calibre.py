"""Widths by zone, the six widest vessels, and the width that stands for them."""

import math

import numpy as np
import pytest

from fundoscope.measure.calibre import (
    CIRCLES,
    central_equivalent,
    crossing_widths_px,
    hubbard_arteriole,
    hubbard_venule,
    knudtson,
    mean_width_px,
    segment_widths,
)
from fundoscope.measure.centreline import centreline
from fundoscope.measure.disc import Outline, outline
from fundoscope.measure.skeleton import Mask
from fundoscope.measure.zones import zone
from fundoscope.phantom_shapes import coverage
from fundoscope.phantoms import draw_arc, draw_phantom, draw_straight_vessel

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


def test_six_vessels_cross_every_circle_of_zone_b_each_with_its_width() -> None:
    line = centreline(spokes(SIX))
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    assert len(found) == CIRCLES
    for widths in found:
        assert widths == pytest.approx([9, 8, 7, 6, 5, 4], rel=0.05)
    assert np.mean(found, axis=0) == pytest.approx([9, 8, 7, 6, 5, 4], rel=0.02)


def test_a_vessel_that_a_branch_cuts_counts_once() -> None:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    branch = (np.abs(cols - 250) <= 1) & (rows >= 150) & (rows < 200)
    line = centreline(spokes({0.0: 9.0, 180.0: 5.0}) | branch)
    assert len(line.ends) == 4  # the first vessel is in two
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    # the branch leaves at right angles, 100 px from the middle, and reaches 112 px
    for widths in found:
        assert np.rint(widths[:2]).tolist() in ([9, 5], [9, 3])
        assert widths[0] == pytest.approx(9, abs=0.5)
    assert sorted({len(widths) for widths in found}) == [2, 3]


def test_a_vessel_counts_on_the_circles_that_it_reaches() -> None:
    # zone B runs from 80 to 120 px, and its 16 circles lie 2.5 px apart: 4 before the 90th
    rows, cols = np.mgrid[:SIDE, :SIDE]
    short = (np.abs(rows - 150) <= 3) & (cols > 150) & (cols < 150 + 2 * RADIUS_PX + 10)
    line = centreline(spokes({90.0: 6.0}) | short)
    found = crossing_widths_px(line, zone("zone_b", CENTRE, RADIUS_PX, (SIDE, SIDE)))
    assert [len(widths) for widths in found] == [2] * 4 + [1] * 12


def test_a_vessel_that_turns_back_crosses_no_circle() -> None:
    # the top of the bow lies 100 px below the middle of zone B, its ends 150 px: it ends at 120
    line = centreline(draw_arc(60, 140, 5, SIDE))
    ring = zone("zone_b", (-10.0, 150.0), RADIUS_PX, (SIDE, SIDE))
    assert ring.holds(line.points).any()
    assert all(len(widths) == 0 for widths in crossing_widths_px(line, ring))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("where", ["zone_b", "zone_c"])
def test_the_equivalent_of_a_drawn_tree_is_that_of_its_drawing(seed: int, where: str) -> None:
    # the truth: the widths with which the vessels were drawn, where they cross each circle
    phantom = draw_phantom(seed, 912)
    disc = outline(phantom.disc, "optic disc")
    assert isinstance(disc, Outline)
    ring = zone(where, disc.centre, disc.diameter_px / 2, phantom.disc.shape)
    drawn = [s for s in phantom.segments if s.vessel == "vein"]
    away = [np.hypot(*(s.points - np.array(disc.centre)).T) for s in drawn]
    true, measured = [], []
    found = crossing_widths_px(centreline(phantom.veins), ring)
    step = (ring.outer_px - ring.inner_px) / CIRCLES
    for nth, widths in enumerate(found):
        radius = ring.inner_px + (nth + 0.5) * step
        crossed = [
            float(segment.width_px[np.argmin(np.abs(far - radius))])
            for segment, far in zip(drawn, away, strict=True)
            if (far[0] > radius) != (far[-1] > radius)
        ]
        true.append(central_equivalent(crossed, knudtson(0.95)))
        measured.append(central_equivalent(widths, knudtson(0.95)))
    both = [(t, m) for t, m in zip(true, measured, strict=True) if t and m]
    assert len(both) >= CIRCLES / 2
    assert np.mean([m for _, m in both]) == pytest.approx(np.mean([t for t, _ in both]), rel=0.02)


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
