"""Answers by hand, from the definitions."""

import math

import numpy as np
import pytest

from fundoscope.measure.automorph_segments import Segments, segments_of
from fundoscope.measure.automorph_vessels import (
    central_equivalents,
    fractal_dimension,
    tree_values,
)
from fundoscope.measure.mask_folders import Mask

SIDE = 912


def _empty() -> Mask:
    return np.zeros((SIDE, SIDE), dtype=np.bool_)


def test_one_pixel_has_no_dimension() -> None:
    vessels = _empty()
    vessels[300, 300] = True
    assert fractal_dimension(vessels) == 0  # one box of every size


def test_a_diagonal_line_has_dimension_one() -> None:
    vessels = _empty()
    vessels[np.arange(512), np.arange(512)] = True
    assert fractal_dimension(vessels) == pytest.approx(1)  # 512 / side boxes of every side


def test_an_empty_a_full_and_a_box_shaped_mask_have_none() -> None:
    box = _empty()
    box[8:12, 8:12] = True  # the one box of four pixels that it touches is full
    for vessels in (_empty(), ~_empty(), box):
        assert fractal_dimension(vessels) is None
        none = segments_of(_empty())
        assert tree_values(vessels, vessels, none, um_per_px=14) is None


def test_boxes_reach_over_the_edge() -> None:
    vessels = _empty()
    vessels[:, 911] = True
    # one column of boxes, the last of each size reaching over the lower edge
    counts = [-(-SIDE // side) for side in (512, 256, 128, 64, 32, 16, 8, 4)]
    sides = [512, 256, 128, 64, 32, 16, 8, 4]
    slope = np.polyfit(np.log(sides), np.log(counts), 1)[0]
    assert fractal_dimension(vessels) == pytest.approx(-slope)


def test_density_is_of_the_square_and_width_is_area_over_length() -> None:
    vessels, skeleton = _empty(), _empty()
    vessels[99:102, 100:130] = skeleton[100, 100:130] = True
    values = tree_values(vessels, skeleton, segments_of(skeleton), um_per_px=14)
    assert values is not None
    assert values["Vessel_density"] == 90 / SIDE**2
    assert values["Average_width"] == 3 * 14
    assert values["Distance_tortuosity"] == 1


def test_vessel_without_skeleton_divides_by_zero_as_theirs_does() -> None:
    vessels = _empty()
    vessels[100, 100] = True
    values = tree_values(vessels, _empty(), segments_of(_empty()), um_per_px=14)
    assert values is not None
    assert math.isinf(values["Average_width"])


def _bars(widths_px: list[int]) -> tuple[Segments, Mask]:
    vessels, skeleton = _empty(), _empty()
    for i, width in enumerate(widths_px):
        left = 20 + 60 * i
        vessels[100:200, left : left + width] = True
        skeleton[120:180, left + (width - 1) // 2] = True
    return segments_of(skeleton), vessels


def test_six_equal_vessels_combine_to_a_power_of_one_factor() -> None:
    found = central_equivalents(*_bars([10] * 6), um_per_px=2, of="arteries")
    k = 0.88 * math.sqrt(2)  # of two equals; three are left, then k^2 w with k w
    assert found["CRAE_Knudtson"] == pytest.approx(0.88 * math.hypot(k * 20, k * k * 20))


def test_hubbard_pairs_the_widest_with_the_narrowest_of_the_six_widest() -> None:
    found = central_equivalents(*_bars([3, 12, 11, 10, 9, 8, 7]), um_per_px=10, of="veins")

    def vein(a: float, b: float) -> float:
        a, b = min(a, b), max(a, b)
        return math.sqrt(0.72 * a * a + 0.91 * b * b + 450.05)

    outer, between, inner = vein(70, 120), vein(80, 110), vein(90, 100)
    low, middle, high = sorted([outer, between, inner])
    assert found["CRVE_Hubbard"] == pytest.approx(vein(vein(low, high), middle))


def test_five_vessels_are_too_few() -> None:
    found = central_equivalents(*_bars([10] * 5), um_per_px=2, of="veins")
    assert found == {"CRVE_Hubbard": -1, "CRVE_Knudtson": -1}


def test_hubbard_has_no_answer_for_arteries_thinner_than_any() -> None:
    found = central_equivalents(*_bars([1] * 6), um_per_px=0.1, of="arteries")
    assert math.isnan(found["CRAE_Hubbard"])  # 0.87 + 1.01 - 0.22 times 0.01 is less than 10.76
    assert found["CRAE_Knudtson"] > 0
