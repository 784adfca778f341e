"""Where the walls of a vessel lie, to a fraction of a pixel, from its mask.

The mask is read along a line that leaves the vessel; what it sums to is the distance of the wall.
Unlike a threshold or a distance transform, a sum neither gains nor loses area: over a vessel it
comes out as area by length, whatever the angle.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.measure.skeleton import Floats, Mask

BLUR_PX = 0.7
"""Spreads the staircase of the edge; keeps two vessels apart that a gap of 3 pixels separates."""
MARGIN_PX = 4
"""Room for the blurred edge of a vessel that leaves the photograph."""
STEP_PX = 0.5
INWARD_PX, OUTWARD_PX = 2.5, 4.0
"""Around the distance that the mask's distance transform gives, where the wall is sought."""
GONE, RISE = 0.03, 0.02
"""A line is outside where the mask has faded, or grows again: a neighbour."""


@dataclass(frozen=True)
class SoftMask:
    """A mask, blurred a little, that can be read between its pixels; outside it is 0."""

    values: npt.NDArray[np.float32]
    """With `MARGIN_PX` empty pixels around it."""

    @classmethod
    def of(cls, mask: Mask) -> SoftMask:
        hard = np.pad(mask.view(np.uint8).astype(np.float32), MARGIN_PX)
        return cls(cv2.GaussianBlur(hard, (0, 0), BLUR_PX).astype(np.float32, copy=False))

    def along(self, points: Floats, direction: Floats, reach: Floats) -> Floats:
        """Return the values on lines: (N, 2) points and directions, (N, K) how far -> (N, K)."""
        rows, cols = (
            (points[:, k, None] + MARGIN_PX).astype(np.float32)
            + reach * direction[:, k, None].astype(np.float32)
            for k in (0, 1)
        )
        values: npt.NDArray[np.float32] = np.empty(rows.shape, np.float32)
        for top in range(0, len(rows), 16_000):  # OpenCV reads at most 32,767 rows at a time
            part = slice(top, top + 16_000)
            cv2.remap(
                self.values, cols[part], rows[part], cv2.INTER_LINEAR, values[part],
                cv2.BORDER_CONSTANT, 0,
            )  # fmt: skip
        return values


def wall_distance(
    soft: SoftMask,
    points: Floats,
    direction: Floats,
    near_px: Floats,
    inward_px: float = INWARD_PX,
    outward_px: float = OUTWARD_PX,
) -> Floats:
    """Return how far the wall lies from points in a direction, in pixels.

    Parameters
    ----------
    points : float array, shape (N, 2)
        Inside the vessel.
    direction : float array, shape (N, 2)
        Unit (row, col) steps.
    near_px : float array, shape (N,)
        About where the wall is.
    inward_px, outward_px : float
        The wall is sought from so far before to so far behind it; what comes before is taken as
        vessel.

    Returns
    -------
    float array, shape (N,)
        NaN where no wall is found within reach, as in the mouth of a branch.
    """
    begin = np.maximum(near_px - inward_px, 0.0).astype(np.float32)
    steps = np.arange(0, inward_px + outward_px + STEP_PX / 2, STEP_PX, dtype=np.float32)
    if not len(begin):
        return np.zeros(0)
    values = soft.along(points, direction, begin[:, None] + steps)
    over = values < GONE
    over[:, :-1] |= (values[:, 1:] > values[:, :-1] + RISE) & (values[:, :-1] < 0.5)
    over[:, -1] = False
    end = over.argmax(axis=1)
    row = np.arange(len(end))
    total = np.cumsum(values, axis=1)[row, end]
    # trapezium: the first value counts half; the last is next to nothing
    distance = begin + STEP_PX * (total - 0.5 * values[:, 0])
    return np.where(over[row, end], distance, np.nan).astype(float)
