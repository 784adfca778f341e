"""Which digits of a value mean something: the same masks, placed a little differently.

The masks are turned by up to 3 degrees, shifted by up to half a pixel and resized by up to 5 %, as
a photograph of the same eye would be taken again, and measured again. From the standard deviation s
of all values, the first included, two measurements of one eye are expected to differ by
2 s / sqrt(pi), the mean difference of two draws from a normal distribution. What a camera, its
focus and the outlining add is not in it: the true figure is larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.skeleton import Floats, Mask
from fundoscope.records import Measured, Unmeasured

MOST_TURN_DEG = 3.0
MOST_SHIFT_PX = 0.5
MOST_GROWTH = 0.05
LEAST_MEASURED = 0.5
"""A value that less than this share of the repeats gave has no figure."""
UNIT_POWER = {"px": 1, "px2": 2, "1/px": -1, "1/px2": -2}
"""Units that grow with the photograph: such a value is brought back before it is compared."""

Values = tuple[Measured | Unmeasured, ...]


@dataclass(frozen=True)
class Placement:
    """How the masks are placed for one repeat."""

    turn_deg: float
    shift_px: tuple[float, float]
    """(row, col)."""
    growth: float
    """Factor on both sides."""


def placements(count: int) -> list[Placement]:
    """Return how the masks are placed in each repeat; the same for every photograph.

    The numbers are spread evenly over their ranges, each by a step that never comes round
    (Roberts' sequence in four dimensions).
    """
    ratio = 1.1673039782614187  # x ** 5 == x + 1
    steps = ratio ** -np.arange(1, 5)
    spread = (0.5 + np.outer(np.arange(1, count + 1), steps)) % 1 * 2 - 1  # (count, 4), -1 to 1
    return [
        Placement(
            MOST_TURN_DEG * turn,
            (MOST_SHIFT_PX * down, MOST_SHIFT_PX * right),
            1 + MOST_GROWTH * growth,
        )
        for turn, down, right, growth in spread.tolist()
    ]


def placed(masks: MaskSet, placement: Placement) -> MaskSet:
    """Return the masks of a photograph as they lie after a placement, on a frame that holds all.

    Outside the frame of the photograph nothing is visible; where no field of view was given, the
    frame itself is turned with the rest.
    """
    assert masks.shape is not None
    height, width = masks.shape
    matrix, size = _way(height, width, placement)

    def moved(mask: Mask) -> Mask:
        soft = cv2.warpAffine(mask.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
        return np.asarray(soft) >= 0.5

    def move(mask: Mask | None) -> Mask | None:
        return None if mask is None else moved(mask)

    field = masks.field_of_view
    return replace(
        masks,
        vessels=move(masks.vessels),
        arteries=move(masks.arteries),
        veins=move(masks.veins),
        disc=move(masks.disc),
        cup=move(masks.cup),
        fovea=_moved_point(masks.fovea, matrix),
        lesions={kind: moved(mask) for kind, mask in masks.lesions.items()},
        field_of_view=move(np.ones((height, width), bool) if field is None else field),
        scale=masks.scale.resized(placement.growth) if masks.scale else None,
        automorph_skeletons={},
    )


def _way(height: int, width: int, placement: Placement) -> tuple[Floats, tuple[int, int]]:
    """The affine matrix (x before y) and the size (width, height) of the frame."""
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix: Floats = np.asarray(
        cv2.getRotationMatrix2D(middle, placement.turn_deg, placement.growth)
    )
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    size = np.ceil(np.ptp(corners, axis=0)).astype(int) + 2
    matrix[:, 2] += (size - np.array([width, height])) / 2 + placement.shift_px[::-1]
    return matrix, (int(size[0]), int(size[1]))


def _moved_point(point: tuple[float, float] | None, matrix: Floats) -> tuple[float, float] | None:
    if point is None:
        return None
    col, row = matrix @ (point[1], point[0], 1)
    return float(row), float(col)


def with_repeatability(
    masks: MaskSet, values: Values, repeats: int, measure: Callable[[MaskSet], Values]
) -> Values:
    """Return values with the difference that two measurements of one eye are expected to show.

    Parameters
    ----------
    masks : MaskSet
    values : what `measure` gave for `masks`
    repeats : int
        At least 2.
    measure : function of a MaskSet
        Asked once for every repeat.

    Returns
    -------
    tuple
        `values`, each Measured one with its `repeatability`; without one where too few repeats
        gave the value.
    """
    if masks.shape is None:
        return values
    found: dict[tuple[str, str, str], list[float]] = {}
    for placement in placements(repeats):
        for again in measure(placed(masks, placement)):
            if isinstance(again, Measured):
                back = placement.growth ** -UNIT_POWER.get(again.unit, 0)
                key = (again.name, again.of, again.where)
                found.setdefault(key, []).append(again.value * back)
    return tuple(_with_figure(value, found, repeats) for value in values)


def _with_figure(
    value: Measured | Unmeasured, found: dict[tuple[str, str, str], list[float]], repeats: int
) -> Measured | Unmeasured:
    if isinstance(value, Unmeasured):
        return value
    again = found.get((value.name, value.of, value.where), [])
    if len(again) < LEAST_MEASURED * repeats:
        return value
    return replace(value, repeatability=expected_difference([value.value, *again]))


def expected_difference(values: Sequence[float]) -> float:
    """Return by how much two measurements are expected to differ, in the unit of the values."""
    return float(2 * np.std(values, ddof=1) / math.sqrt(math.pi))
