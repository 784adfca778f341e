"""Lesions that are counted by hand."""

import numpy as np
import pytest

from fundoscope.measure.lesion_measures import lesions_of
from fundoscope.phantoms import draw_phantom


def test_three_lesions_of_known_place_and_size() -> None:
    mask = np.zeros((40, 50), bool)
    mask[2:5, 3:7] = True  # 12 pixels
    mask[20, 30] = mask[21, 31] = True  # they touch at a corner: one lesion
    mask[39, 49] = True
    found = lesions_of(mask, fovea=(20.0, 20.0))
    assert found.count == 3
    assert found.areas_px.tolist() == [12, 2, 1]
    assert found.centres[0].tolist() == [3.0, 4.5]
    assert found.boxes[0].tolist() == [[2, 3], [4, 6]]
    assert found.distances_px((20.0, 20.0)) == pytest.approx(
        [np.hypot(16, 14), 10, np.hypot(19, 29)]
    )


def test_a_lesion_on_the_fovea_is_no_distance_away() -> None:
    mask = np.zeros((30, 30), bool)
    mask[10:20, 10:20] = True
    assert lesions_of(mask, (14.0, 12.0)).distances_px((14.0, 12.0)).tolist() == [0]


def test_no_lesions_are_a_real_zero() -> None:
    found = lesions_of(np.zeros((9, 9), bool), (3.0, 3.0))
    assert (found.count, found.area_px) == (0, 0)
    assert found.boxes.shape == (0, 2, 2)


def test_a_full_mask_is_one_lesion() -> None:
    assert lesions_of(np.ones((9, 9), bool), (3.0, 3.0)).areas_px.tolist() == [81]


def test_the_lesions_of_a_phantom_are_as_many_as_were_drawn() -> None:
    wanted = {"microaneurysm": 7, "haemorrhage": 3, "hard_exudate": 9}
    phantom = draw_phantom(11, 600, wanted)
    assert {kind: lesions_of(phantom.lesions[kind]).count for kind in wanted} == wanted
