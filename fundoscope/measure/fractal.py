"""How a vessel tree fills the plane: the box-counting dimension of its mask.

Differs from AutoMorph's: every box that holds a vessel counts, full ones too (theirs leaves out
boxes that are wholly vessel, so that a filled square would have dimension 1); the count is the mean
over all places where the grid can be laid (theirs begins at the corner of the photograph); and the
sizes of the boxes, and what a pixel counts for, follow the extent of the tree, so that a larger
photograph of the same eye gives the same value.

References
----------
Mainster 1990, Eye 4, 235-241: the fractal properties of retinal vessels.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.measure.skeleton import Floats, Mask

Grid = npt.NDArray[np.uint8]
"""0 and 1, shape (H, W)."""

SIDES = np.array([4, 5, 6, 8, 10, 13, 17, 22, 28, 36]) / 384
"""Sides of the boxes, shares of the tree's extent."""
FINENESS_PX = 400
"""Trees twice as large are counted on every third pixel, four times on every fifth, ..., once the
smallest box has been moved over every pixel. (On every second, a mask whose pixels were doubled
would be met at the same half of them each time.)"""
THIN = 1 / 600
"""Vessels count as narrower than their pixels by this share of the extent: a line a pixel thin has
the dimension of a line. (To take one pixel, whatever the extent, changed the dimension of a doubled
mask by up to 2.4 %; to take none made that of thin lines 8 % too large.)"""
SMALLEST_EXTENT_PX = 64
"""A tree of smaller extent has no room for boxes of different sizes."""


def box_dimension(mask: Mask) -> float | None:
    """Return the box-counting dimension of a mask, from 0 to 2.

    Parameters
    ----------
    mask : bool array, shape (H, W)

    Returns
    -------
    float or None
        None where the mask is empty or of too small an extent.
    """
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    if extent < SMALLEST_EXTENT_PX:
        return None
    part = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    stride = 2 * int(extent // (2 * FINENESS_PX)) + 1
    sides, counts = mean_box_counts(part, SIDES * extent, stride, 1 - THIN * extent)
    # a line of length L meets L / k + 1 boxes on average, not L / k: its ends lie in boxes too
    slope, _ = np.polyfit(np.log(extent / sides + 1), np.log(counts), 1)
    return float(slope)


def mean_box_counts(
    mask: Mask, sides_px: Floats, stride: int = 1, pixel_px: float = 0.0
) -> tuple[Floats, Floats]:
    """Return how many boxes of a grid hold something, the mean over all ways to lay the grid.

    Parameters
    ----------
    mask : bool array, shape (H, W)
    sides_px : float array, shape (K,)
        Sides of the boxes, rising.
    stride : int
        Boxes beyond the first are as much larger as a multiple of this.
    pixel_px : float
        Side of the square that a pixel counts as, at most 1; 0 is a point in its middle, and below
        0 the mask is thinner than its pixels.

    Returns
    -------
    sides, counts : float arrays, shape (L,)
        Sides that were taken, none twice; and for each the count.
    """
    reach = sides_px + pixel_px
    first = max(1 + int(np.ceil(max(pixel_px, 0))), round(reach[0]))
    reach = np.unique(first + stride * np.rint((reach - first) / stride).astype(int))
    reach = reach[reach >= first]
    margin = int(reach[-1]) + 1
    grid = np.pad(mask.view(np.uint8), margin)
    # a box at a random place holds something just where its middle lies in the mask dilated by it
    met = np.ascontiguousarray(_dilated(grid, first)[::stride, ::stride])
    counts = []
    for larger in np.diff(reach, prepend=first):
        met = _dilated(met, int(larger) // stride + 1)
        counts.append(cv2.countNonZero(met) * stride**2)
    sides = reach - pixel_px
    return sides, np.array(counts) / sides**2


def _dilated(grid: Grid, side: int) -> Grid:
    return np.asarray(cv2.dilate(grid, np.ones((side, side), np.uint8)), np.uint8)
