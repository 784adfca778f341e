"""How a vessel tree fills the plane: the box-counting dimension of its mask.

Differs from AutoMorph's: every box that holds a vessel counts, full ones too (theirs leaves out
boxes that are wholly vessel, so that a filled square would have dimension 1); the count is the mean
over all places where the grid can be laid (theirs begins at the corner of the photograph); and the
sizes of the boxes follow the extent of the tree, so that a larger photograph of the same eye gives
the same value.

References
----------
Mainster 1990, Eye 4, 235-241: the fractal properties of retinal vessels.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.measure.skeleton import Mask

UNITS_ACROSS = 384
"""The tree's extent is cut into so many units, whatever its size in pixels."""
SIZES = (4, 5, 6, 8, 10, 13, 17, 22, 28, 36)
"""Sides of the boxes, in units."""
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
    part = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    grid = _in_units(part, extent / UNITS_ACROSS)
    counts = [mean_box_count(grid, size) for size in SIZES]
    # a line of length L meets L / k + 1 boxes on average, not L / k: its ends lie in boxes too
    boxes_across = UNITS_ACROSS / np.array(SIZES) + 1
    slope, _ = np.polyfit(np.log(boxes_across), np.log(counts), 1)
    return float(slope)


def mean_box_count(grid: npt.NDArray[np.uint8], size: int) -> float:
    """Return how many boxes of a grid hold something, the mean over all ways to lay the grid.

    Parameters
    ----------
    grid : uint8 array of 0 and 1, shape (H, W)
    size : int
        Side of a box.
    """
    # a box at a random place holds something just where it meets the grid dilated by its shape
    padded = cv2.copyMakeBorder(grid, size, size, size, size, cv2.BORDER_CONSTANT, value=0)
    met = cv2.dilate(padded, np.ones((size, size), np.uint8))
    return cv2.countNonZero(met) / size**2


def _in_units(mask: Mask, unit_px: float) -> npt.NDArray[np.uint8]:
    """Return which units hold a pixel; a unit may be smaller or larger than a pixel."""
    height, width = (max(1, round(side / unit_px)) for side in mask.shape)
    if unit_px < 1:  # a unit takes the pixel that its middle lies in
        rows, cols = (((np.arange(n) + 0.5) * unit_px).astype(int) for n in (height, width))
        rows, cols = np.minimum(rows, mask.shape[0] - 1), np.minimum(cols, mask.shape[1] - 1)
        return np.ascontiguousarray(mask[np.ix_(rows, cols)]).view(np.uint8)
    grid = np.zeros((height, width), np.uint8)
    row_of, col_of = (
        np.minimum(((np.arange(side) + 0.5) / unit_px).astype(np.intp), count - 1)
        for side, count in zip(mask.shape, grid.shape, strict=True)
    )
    rows, cols = np.divmod(np.flatnonzero(mask), mask.shape[1])
    grid.ravel()[row_of[rows] * width + col_of[cols]] = 1
    return grid
