"""How many lesions there are, how much they cover, and how near they lie to the fovea."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fundoscope.measure.skeleton import Floats, Ints, Mask


@dataclass(frozen=True)
class Lesions:
    """The lesions of one kind, each a connected region of its mask."""

    centres: Floats
    """(row, col), shape (K, 2)."""
    areas_px: Ints
    """Shape (K,)."""
    nearest: Floats
    """Of each, the pixel nearest to the fovea, (row, col), shape (K, 2); the centres where the
    fovea is not known."""

    boxes: Floats
    """First and last (row, col) pixel of each, shape (K, 2, 2)."""

    @property
    def count(self) -> int:
        """How many there are; 0 is a real zero."""
        return len(self.areas_px)

    @property
    def area_px(self) -> int:
        """Pixels of all of them."""
        return int(self.areas_px.sum())

    def distances_px(self, fovea: tuple[float, float]) -> Floats:
        """Return how far the edge of each lies from the fovea, 0 where it covers it, shape (K,)."""
        return np.hypot(*(self.nearest - np.array(fovea)).T)


def lesions_of(mask: Mask, fovea: tuple[float, float] | None = None) -> Lesions:
    """Return the lesions of a mask; pixels that touch at a corner belong together.

    Parameters
    ----------
    mask : bool array, shape (H, W)
        Of one kind; empty where it was looked for and not found.
    fovea : (row, col), optional
    """
    _, labels, stats, centres = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    middles: Floats = np.asarray(centres, np.float64)[1:, ::-1].copy()
    nearest = middles.copy()
    if fovea is not None and len(middles):
        rows, cols = np.nonzero(labels)
        away = np.hypot(rows - fovea[0], cols - fovea[1])
        order = np.argsort(-away, kind="stable")  # the nearest pixel of each is written last
        nearest[labels[rows, cols][order] - 1] = np.column_stack([rows, cols])[order]
    left, top, width, height, area = stats[1:].T
    boxes = np.stack([[top, left], [top + height - 1, left + width - 1]]).transpose(2, 0, 1)
    return Lesions(middles, area.astype(int), nearest, boxes.astype(float))
