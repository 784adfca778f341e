"""How far the values of one eye differ when its masks lie a little differently."""

import math

import numpy as np
import pytest

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.repeatability import (
    MOST_GROWTH,
    MOST_SHIFT_PX,
    MOST_TURN_DEG,
    Placement,
    expected_difference,
    placed,
    placements,
    with_repeatability,
)
from fundoscope.measure.scale import scale_from_user
from fundoscope.measure.survey import survey
from fundoscope.phantom_shapes import Ellipse
from fundoscope.phantoms import draw_straight_vessel
from fundoscope.records import Measured, Unmeasured

DISC = Ellipse((80.0, 70.0), 30, 30).mask(160)
MASKS = MaskSet("x", draw_straight_vessel(7, 31), disc=DISC, fovea=(80.0, 150.0))


def test_placements_are_spread_over_their_ranges_and_always_the_same() -> None:
    found = placements(40)
    assert found == placements(40)
    assert found[:8] == placements(8)
    for values, most in (
        ([p.turn_deg for p in found], MOST_TURN_DEG),
        ([p.shift_px[0] for p in found], MOST_SHIFT_PX),
        ([p.shift_px[1] for p in found], MOST_SHIFT_PX),
        ([p.growth - 1 for p in found], MOST_GROWTH),
    ):
        assert np.abs(values).max() <= most
        assert abs(np.mean(values)) < 0.1 * most
        assert np.std(values) == pytest.approx(most / math.sqrt(3), rel=0.1)  # an even spread


def test_nothing_leaves_the_frame() -> None:
    full = MaskSet("x", disc=DISC, field_of_view=np.ones((160, 160), bool))
    moved = placed(full, Placement(3, (0.5, -0.5), 1.05))
    assert moved.field_of_view is not None
    assert moved.field_of_view.sum() == pytest.approx(160**2 * 1.05**2, rel=0.01)


def test_what_grows_keeps_its_size_in_millimetres() -> None:
    scaled = MaskSet("x", disc=DISC, scale=scale_from_user(0.02))
    moved = placed(scaled, Placement(0, (0, 0), 1.05))
    assert moved.disc is not None
    assert moved.scale is not None
    assert moved.disc.sum() * moved.scale.mm_per_px**2 == pytest.approx(
        DISC.sum() * 0.02**2, rel=0.005
    )


def test_the_fovea_moves_with_the_masks() -> None:
    spot = np.zeros((160, 160), bool)
    spot[98:103, 118:123] = True
    moved = placed(MaskSet("x", disc=spot, fovea=(100.0, 120.0)), Placement(3, (0.4, 0.3), 1.04))
    assert moved.disc is not None
    assert moved.fovea == pytest.approx(np.argwhere(moved.disc).mean(axis=0), abs=0.3)


def test_two_draws_differ_by_this_much_on_average() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(5, 2, (100_000, 2))
    mean_difference = np.abs(np.diff(pairs, axis=1)).mean()
    assert expected_difference(pairs.ravel().tolist()) == pytest.approx(mean_difference, rel=0.01)


def test_a_survey_with_repeats_says_how_far_its_values_hold() -> None:
    found = survey(MASKS, repeats=6)
    assert found == survey(MASKS, repeats=6)
    values = {v.name: v for v in found if isinstance(v, Measured) and v.where in ("", "whole")}
    width = values["average_width"]
    assert width.repeatability is not None
    assert 0 < width.repeatability < 0.02 * width.value  # in pixels, brought back to one size
    assert values["fovea_disc_distance"].repeatability == pytest.approx(0, abs=0.01)
    without = {v.name: v.value for v in survey(MASKS) if isinstance(v, Measured) and not v.where}
    assert {n: v.value for n, v in values.items() if n in without} == without


def test_a_value_that_most_repeats_do_not_give_has_no_figure() -> None:
    value, asked = Measured("cdr_area", 0.3, "1", "fundoscope"), []

    def measure(masks: MaskSet) -> tuple[Measured | Unmeasured, ...]:
        asked.append(masks)
        if len(asked) == 1:
            return (Measured("cdr_area", 0.31, "1", "fundoscope"),)
        return (Unmeasured("cdr_area", "gone"),)

    assert with_repeatability(MASKS, (value,), 4, measure) == (value,)
    assert len(asked) == 4
