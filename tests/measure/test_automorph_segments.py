"""Answers by hand, from the definitions; on real masks they are held against its own tables."""

import itertools
import math

import numpy as np
import pytest

from fundoscope.measure.automorph_segments import (
    cut_at_junctions,
    distance_tortuosity,
    segment_widths_px,
    segments_of,
    squared_curvature_tortuosity,
    tortuosity_density,
)
from fundoscope.measure.mask_folders import Mask


def _drawn(points: list[tuple[int, int]], side: int = 40) -> Mask:
    mask = np.zeros((side, side), dtype=np.bool_)
    mask[tuple(np.array(points).T)] = True
    return mask


def _row(length: int, row: int = 5) -> list[tuple[int, int]]:
    return [(row, 3 + i) for i in range(length)]


def test_a_straight_line_is_not_tortuous() -> None:
    segments = segments_of(_drawn(_row(20)))
    assert list(segments.cols) == list(range(3, 23))
    assert distance_tortuosity(segments) == 1
    assert squared_curvature_tortuosity(segments) == 0
    assert tortuosity_density(segments) == 0


@pytest.mark.parametrize(("length", "count"), [(1, 0), (15, 0), (16, 1)])
def test_fifteen_pixels_are_no_segment(length: int, count: int) -> None:
    assert len(segments_of(_drawn(_row(length)))) == count


def test_without_a_segment_all_three_tortuosities_are_zero() -> None:
    segments = segments_of(np.zeros((9, 9), dtype=np.bool_))
    assert len(segments) == 0
    assert distance_tortuosity(segments) == 0
    assert squared_curvature_tortuosity(segments) == 0
    assert tortuosity_density(segments) == 0
    assert len(segment_widths_px(segments, np.ones((9, 9), dtype=np.bool_))) == 0


def test_a_roof_is_entered_at_its_top_and_measured_in_a_zigzag() -> None:
    left = [(2 + k, 20 - k) for k in range(11)]
    right = [(2 + k, 20 + k) for k in range(11)]
    segments = segments_of(_drawn(left + right))
    zigzag = [(2, 20)] + [p for k in range(1, 11) for p in (left[k], right[k])]
    assert list(zip(segments.rows, segments.cols, strict=True)) == zigzag
    # from the top to the left, ten times across, nine times back across and one row down
    length = math.sqrt(2) + sum(2 * k for k in range(1, 11))
    length += sum(math.hypot(2 * k + 1, 1) for k in range(1, 10))
    assert distance_tortuosity(segments) == pytest.approx(length / math.hypot(10, 10))


def test_two_segments_do_not_mix_and_their_mean_is_taken() -> None:
    left = [(12 + k, 20 - k) for k in range(11)]
    right = [(12 + k, 20 + k) for k in range(11)]
    roof, line = left + right, _row(20)
    both = segments_of(_drawn(roof + line))
    alone = distance_tortuosity(segments_of(_drawn(roof)))
    assert list(both.starts) == [0, 20]
    assert distance_tortuosity(both) == pytest.approx((1 + alone) / 2)


def test_a_right_angle_curves_in_one_point_by_a_quarter_of_its_second_difference() -> None:
    corner = _row(11) + [(5 + i, 13) for i in range(1, 11)]
    # there x' = y' = 1/2 and x'' = -y'' = 1/4: |x' y'' - x'' y'| / (1/2)^1.5
    segments = segments_of(_drawn(corner))
    assert squared_curvature_tortuosity(segments) == pytest.approx(0.25 / 0.5**1.5)


def test_the_first_and_the_last_curvature_count_half() -> None:
    corner = [(5, 3), (5, 4)] + [(5 + i, 4) for i in range(1, 16)]
    segments = segments_of(_drawn(corner))
    assert squared_curvature_tortuosity(segments) == pytest.approx(0.25 / 0.5**1.5 / 2)


def test_what_is_cut_has_nothing_left_to_cut() -> None:
    speckle = np.random.default_rng(4).random((60, 60)) < 0.4
    cut = cut_at_junctions(speckle)
    assert cut.any()
    assert (cut_at_junctions(cut) == cut).all()


def test_a_zigzag_of_straight_pieces_has_the_density_of_its_turns_alone() -> None:
    cols = [5, 6, 7, 8, 7, 6, 5, 6, 7, 8, 7, 6, 5, 6, 7, 8]  # turns at 3, 6, 9, 12
    points = [(2 + i, col) for i, col in enumerate(cols)]
    assert tortuosity_density(segments_of(_drawn(points))) == pytest.approx(3 / 4)


def test_a_bent_piece_adds_its_excess_over_the_length_of_all() -> None:
    # right, up two steps, right, then down, where the column's step is 0
    bent = [(9, 3 + i) for i in range(6)] + [(8, 9), (7, 10)] + [(7, 11 + i) for i in range(3)]
    down = [(8 + i, 14) for i in range(8)]
    segments = segments_of(_drawn(bent + down))
    points = list(zip(segments.rows, segments.cols, strict=True))
    assert points[0] == (7, 10)  # upper left: entered in its middle
    steps = [math.dist(a, b) for a, b in itertools.pairwise(points)]
    signs = [np.sign(b[1] - a[1]) for a, b in itertools.pairwise(points)]
    turns = [i for i in range(1, len(points) - 1) if signs[i] != signs[i - 1]]
    excess = 0.0
    for start, end in zip([0, *turns], turns, strict=False):
        chord = math.dist(points[start], points[end - 1])
        excess += sum(steps[start : end - 1]) / chord - 1 if chord else 0
    expected = (len(turns) - 1) / len(turns) + excess / sum(steps)
    assert tortuosity_density(segments) == pytest.approx(expected)


def test_a_cross_is_cut_to_four_arms() -> None:
    cross = np.zeros((21, 21), dtype=np.bool_)
    cross[10, :] = cross[:, 10] = True
    # the centre and its four neighbours have four neighbours each; each takes one more along
    cut = cut_at_junctions(cross)
    assert np.flatnonzero(cut[10]).tolist() == [*range(8), *range(13, 21)]
    assert np.flatnonzero(cut[:, 10]).tolist() == [*range(8), *range(13, 21)]


def test_a_junction_in_the_outermost_row_is_not_cut() -> None:
    tee = np.zeros((3, 9), dtype=np.bool_)
    tee[0, :] = tee[1, 4] = True
    # (0, 3), (0, 4), (0, 5) have three neighbours too, but only (1, 4) is looked at
    assert cut_at_junctions(tee).tolist() == [[c != 4 for c in range(9)], [False] * 9, [False] * 9]


def test_a_segment_starts_at_an_inner_pixel_even_when_its_first_lies_on_the_edge() -> None:
    column = [(i, 7) for i in range(20)]
    segments = segments_of(_drawn(column))
    assert segments.rows[:3].tolist() == [1, 0, 2]


@pytest.mark.parametrize("width_px", [1, 2, 3, 4, 5, 8, 9])
def test_a_straight_vessel_has_its_own_width(width_px: int) -> None:
    vessels = np.zeros((40, 40), dtype=np.bool_)
    vessels[:, 12 : 12 + width_px] = True
    middle = 12 + (width_px - 1) // 2
    segments = segments_of(_drawn([(i, middle) for i in range(4, 36)]))
    assert segment_widths_px(segments, vessels).tolist() == [width_px]


def test_beyond_the_edge_of_the_photograph_there_is_no_background() -> None:
    vessels = np.zeros((40, 40), dtype=np.bool_)
    vessels[:, :5] = True  # background at column 5 alone
    segments = segments_of(_drawn([(i, 2) for i in range(4, 36)]))
    assert segment_widths_px(segments, vessels).tolist() == [6]  # r = 3, one pixel of background
