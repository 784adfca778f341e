"""Scores of boxes, by hand: all boxes are small enough to draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError
from fundoscope.evaluate.box_metrics import (
    box_scores,
    froc,
    intersections_over_unions,
    matched,
)
from fundoscope.evaluate.estimates import Estimate
from fundoscope.records import Box

LEFT: Box = (0.0, 0.0, 0.2, 0.2)
RIGHT: Box = (0.8, 0.8, 1.0, 1.0)
HALF_OF_LEFT: Box = (0.0, 0.0, 0.2, 0.1)
NOWHERE: Box = (0.4, 0.4, 0.5, 0.5)
EVERYWHERE: Box = (0.0, 0.0, 1.0, 1.0)


def named(found: list[Estimate]) -> dict[str, float | None]:
    return {one.name: one.value for one in found}


def test_overlaps_by_hand() -> None:
    overlaps = intersections_over_unions([LEFT, RIGHT], [LEFT, HALF_OF_LEFT, EVERYWHERE])
    assert overlaps.tolist() == [
        pytest.approx([1.0, 0.5, 0.04]),
        pytest.approx([0.0, 0.0, 0.04]),
    ]


def test_boxes_that_touch_share_nothing() -> None:
    assert intersections_over_unions([(0, 0, 0.5, 1)], [(0.5, 0, 1, 1)]).tolist() == [[0.0]]


def test_one_said_box_cannot_find_two() -> None:
    near: Box = (0.0, 0.0, 0.2, 0.19)
    assert matched(intersections_over_unions([LEFT, near], [LEFT]), 0.5) == 1


def test_boxes_are_paired_so_that_most_fit() -> None:
    """Taking the best pair first would leave the second box without a partner."""
    assert matched(np.array([[0.9, 0.6], [0.55, 0.1]]), 0.5) == 2


def test_scores_by_hand() -> None:
    truth = [[LEFT, RIGHT], [LEFT], []]
    said = [[HALF_OF_LEFT, NOWHERE], [LEFT], []]
    found = named(box_scores(truth, said, np.arange(3)))
    assert found == {
        "coverage": 1.0,
        "mean_best_iou": pytest.approx((0.5 + 0 + 1) / 3),
        "hit_of_centre": pytest.approx(2 / 3),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "empty_right": 1.0,
        "f1": pytest.approx(2 / 3),
    }


def test_a_box_of_the_whole_photograph_hits_nothing_small() -> None:
    found = named(box_scores([[LEFT]], [[EVERYWHERE]], np.arange(1)))
    assert (found["hit_of_centre"], found["mean_best_iou"]) == (0.0, pytest.approx(0.04))


def test_an_answer_without_boxes_that_can_be_read_is_left_out_and_counted() -> None:
    found = box_scores([[LEFT], [RIGHT]], [[LEFT], None], np.arange(2))
    assert (named(found)["coverage"], named(found)["recall"]) == (0.5, 1.0)
    assert next(one.n for one in found if one.name == "recall") == 1


def test_boxes_in_an_empty_photograph_are_false() -> None:
    found = named(box_scores([[], []], [[LEFT], []], np.arange(2)))
    assert (found["precision"], found["recall"], found["empty_right"]) == (0.0, None, 0.5)


def test_the_free_response_curve_by_hand() -> None:
    """Two photographs, three lesions. Surest first: hit, false, hit, hit again (neither)."""
    truth = [[LEFT, RIGHT], [LEFT]]
    said = [[LEFT, NOWHERE], [LEFT, LEFT]]
    sure = [[0.9, 0.8], [0.7, 0.6]]
    third, two_thirds = pytest.approx(1 / 3), pytest.approx(2 / 3)
    assert froc(truth, said, sure) == [
        (0, third), (0.5, third), (0.5, two_thirds), (0.5, two_thirds),
    ]  # fmt: skip
    found = named(box_scores(truth, said, np.arange(2), confidences=sure))
    at = {name.removeprefix("froc_"): value for name, value in found.items() if "froc" in name}
    assert at == {
        "0.125": third, "0.25": third, "0.5": two_thirds, "1": two_thirds, "2": two_thirds,
        "4": two_thirds, "8": two_thirds, "mean": pytest.approx((2 / 3 + 5 * 2 / 3) / 7),
    }  # fmt: skip


def test_boxes_without_confidences_are_refused_for_a_curve() -> None:
    with pytest.raises(ConfigError, match="confidences"):
        box_scores([[LEFT]], [[LEFT]], np.arange(1), confidences=[[]])


def test_intervals_hold_their_values() -> None:
    rng = np.random.default_rng(1)
    corners = rng.random((60, 2)) * 0.7
    truth = [[(x, y, x + 0.2, y + 0.2)] for x, y in corners.tolist()]
    moved = corners + rng.normal(0, 0.03, corners.shape)
    said = [[(x, y, x + 0.2, y + 0.2)] for x, y in moved.tolist()]
    sure = [[float(one)] for one in rng.random(60)]
    for one in box_scores(truth, said, np.arange(60), kind="drusen", confidences=sure):
        assert one.of == "drusen"
        if one.low is not None and one.high is not None and one.value is not None:
            assert one.low <= one.value <= one.high


def test_no_answer_at_all_gives_none_with_a_reason() -> None:
    for one in box_scores([], [], np.empty(0, np.int64), confidences=[]):
        assert one.value is None and one.note


_edge = st.floats(0, 0.9, allow_nan=False)
_box = st.tuples(_edge, _edge, st.floats(0.01, 0.1), st.floats(0.01, 0.1)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_box, max_size=4), st.lists(_box, max_size=4))
def test_overlap_is_symmetric_and_at_most_one(ones: list[Box], others: list[Box]) -> None:
    overlaps = intersections_over_unions(ones, others)
    assert pytest.approx(intersections_over_unions(others, ones)) == overlaps.T
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-9)).all()
