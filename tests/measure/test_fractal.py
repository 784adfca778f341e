"""Box counting on shapes whose dimension is known."""

import cv2
import numpy as np
import pytest

from fundoscope.measure.fractal import SMALLEST_EXTENT_PX, box_dimension, mean_box_counts
from fundoscope.measure.skeleton import Mask
from fundoscope.phantoms import draw_phantom, draw_straight_vessel


def koch(size: int, angle_deg: float) -> Mask:
    """Koch's curve, drawn a pixel thick: dimension ln 4 / ln 3."""
    points = np.array([0, 1], complex)
    for _ in range(7):
        third, start = np.diff(points) / 3, points[:-1]
        peak = start + third + third * np.exp(1j * np.pi / 3)
        corners = np.column_stack([start, start + third, peak, start + 2 * third])
        points = np.append(corners.ravel(), points[-1])
    points = (points - 0.5) * np.exp(1j * np.radians(angle_deg)) * 0.9 * size
    places = np.rint(np.column_stack([points.real, points.imag]) + size / 2).astype(np.int32)
    canvas = np.zeros((size, size), np.uint8)
    cv2.polylines(canvas, [places], False, 1)
    return canvas > 0


def blocks(pattern: list[list[int]], depth: int) -> Mask:
    """A shape made of smaller copies of itself."""
    shape = np.ones((1, 1), int)
    for _ in range(depth):
        shape = np.kron(np.array(pattern), shape)
    return shape > 0


SIERPINSKI = blocks([[1, 0], [1, 1]], 9)
VICSEK = blocks([[0, 1, 0], [1, 1, 1], [0, 1, 0]], 6)


@pytest.mark.parametrize(
    ("shape", "dimension"),
    [
        (SIERPINSKI, np.log(3) / np.log(2)),
        (VICSEK, np.log(5) / np.log(3)),
        (np.ones((300, 300), bool), 2),
        (np.ones((911, 911), bool), 2),
        *((koch(900, angle), np.log(4) / np.log(3)) for angle in (0, 17, 45, 80)),
        *((draw_straight_vessel(1.2, a, (0.1, 0.2), 500, 600), 1) for a in (0, 17, 60, 90)),
    ],
)
def test_the_dimension_of_a_known_shape(shape: Mask, dimension: float) -> None:
    assert box_dimension(shape) == pytest.approx(dimension, rel=0.03)


def turned(mask: Mask, angle: float) -> Mask:
    side = int(1.5 * mask.shape[0])
    matrix = cv2.getRotationMatrix2D((mask.shape[1] / 2, mask.shape[0] / 2), angle, 1)
    matrix[:, 2] += (side - np.array(mask.shape[::-1])) / 2
    moved: Mask = cv2.warpAffine(mask.astype(np.float32), matrix, (side, side)) >= 0.5
    return moved


@pytest.mark.parametrize("angle", [11, 30, 45, 90])
def test_turning_a_tree_changes_its_dimension_by_less_than_two_per_cent(angle: float) -> None:
    tree = draw_phantom(3, 700).veins
    assert box_dimension(turned(tree, angle)) == pytest.approx(box_dimension(tree), rel=0.02)


@pytest.mark.parametrize("factor", [1.3, 1.5, 2])
def test_so_does_enlarging_it(factor: float) -> None:
    tree = draw_phantom(3, 700).veins
    large = cv2.resize(tree.astype(np.float32), None, fx=factor, fy=factor)
    assert box_dimension(large >= 0.5) == pytest.approx(box_dimension(tree), rel=0.02)


def test_it_does_not_matter_where_on_the_photograph_the_tree_lies() -> None:
    assert box_dimension(np.pad(SIERPINSKI, ((37, 0), (0, 11)))) == box_dimension(SIERPINSKI)


def counts(mask: Mask, *sides: float) -> list[float]:
    return mean_box_counts(mask, np.array(sides))[1].tolist()


def test_one_pixel_meets_one_box_wherever_the_grid_lies() -> None:
    assert counts(np.ones((1, 1), bool), 3, 7) == [1, 1]


def test_a_row_meets_its_length_by_the_box_and_a_little_more() -> None:
    # 20 pixels in boxes of 5: 4 boxes in one of 5 ways to lay the grid, 5 in the others
    assert counts(np.ones((1, 20), bool), 5) == pytest.approx([(4 + 4 * 5) / 5])


def test_counting_on_every_third_pixel_changes_little() -> None:
    tree = draw_phantom(2, 500).veins
    sides = np.array([9.0, 15, 30, 60])
    fine, coarse = mean_box_counts(tree, sides), mean_box_counts(tree, sides, stride=3)
    assert coarse[0].tolist() == fine[0].tolist()
    assert coarse[1] == pytest.approx(fine[1], rel=0.01)


def test_nothing_and_small_things_have_no_dimension() -> None:
    assert box_dimension(np.zeros((90, 90), bool)) is None
    assert box_dimension(np.ones((SMALLEST_EXTENT_PX - 1, 9), bool)) is None
