"""AutoMorph's grid: masks of any photograph as it would have seen them, 912 x 912 pixels."""

from __future__ import annotations

import cv2
import numpy as np

from fundoscope.measure.mask_folders import AUTOMORPH_SIDE_PX as SIDE_PX
from fundoscope.measure.mask_folders import Mask, MaskSet

SMALLEST_OBJECT_PX = 30
"""8-connected pieces of vessel below it are dropped."""


def on_automorph_grid(masks: MaskSet) -> MaskSet:
    """Return masks of 912 x 912 pixels as they are, and others cropped, padded and scaled to it.

    The square is that around the visible field, where one is given, else that around the whole
    photograph. Pixels are those of the nearest below; small pieces of vessel are dropped. Lesions
    and the fovea, of which AutoMorph knows nothing, are left out.
    """
    if masks.shape in (None, (SIDE_PX, SIDE_PX)):
        return masks
    square = _square(masks)
    vessels = {
        part: None if mask is None else _without_small(_fitted(mask, square))
        for part, mask in (("vessels", masks.vessels), ("arteries", masks.arteries),
                           ("veins", masks.veins))
    }  # fmt: skip
    return MaskSet(
        name=masks.name,
        vessels=vessels["vessels"],
        arteries=vessels["arteries"],
        veins=vessels["veins"],
        disc=None if masks.disc is None else _fitted(masks.disc, square),
        cup=None if masks.cup is None else _fitted(masks.cup, square),
        scale=None if masks.scale is None else masks.scale.resized(SIDE_PX / square[2]),
    )


def _square(masks: MaskSet) -> tuple[int, int, int]:
    """Return top, left and side of the square that is looked at; it may reach over the edges."""
    height, width = masks.shape or (SIDE_PX, SIDE_PX)
    top, left = 0, 0
    if masks.field_of_view is not None and masks.field_of_view.any():
        left, top, width, height = cv2.boundingRect(masks.field_of_view.view(np.uint8))
    side = max(height, width)
    return top - (side - height) // 2, left - (side - width) // 2, side


def _fitted(mask: Mask, square: tuple[int, int, int]) -> Mask:
    top, left, side = square
    canvas = np.zeros((side, side), dtype=np.uint8)
    held = mask[max(top, 0) : top + side, max(left, 0) : left + side]
    row, col = max(-top, 0), max(-left, 0)
    canvas[row : row + held.shape[0], col : col + held.shape[1]] = held
    sides = (SIDE_PX, SIDE_PX)
    scaled = cv2.resize(canvas, sides, interpolation=cv2.INTER_NEAREST)
    return scaled.astype(np.bool_)


def _without_small(vessels: Mask) -> Mask:
    _, labels, rows, _ = cv2.connectedComponentsWithStats(vessels.view(np.uint8), connectivity=8)
    large = rows[:, cv2.CC_STAT_AREA] >= SMALLEST_OBJECT_PX
    large[0] = False
    return large[labels]
