"""The optic disc, its cup and rim, and where the fovea lies from it.

Differs from AutoMorph's: heights and widths count pixels from edge to edge (theirs from the middle
of the first pixel to that of the last, one pixel less); a disc in several pieces or a cup that is
not in its disc is missing with its reason, not -1; and the disc's diameter is that of the circle of
its area, which does not change when the photograph is turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fundoscope.measure.skeleton import Floats, Mask
from fundoscope.measure.walls import SoftMask
from fundoscope.records import Eye

LARGEST_PART = 0.8
"""Where less than this share of the outlined pixels hangs together, it is no one disc."""
LEAST_PIXELS = 12
RAYS = 720
RAY_STEP_PX = 0.5
SURE_SIDE = 0.5
"""The fovea tells the eye's side where it lies this many disc diameters beside the disc."""


@dataclass(frozen=True)
class Outline:
    """A disc or a cup."""

    centre: tuple[float, float]
    """(row, col)."""
    height_px: float
    width_px: float
    area_px: float
    mask: Mask
    """Its largest part, shape (H, W) of the photograph."""

    @property
    def diameter_px(self) -> float:
        """Diameter of the circle of the same area."""
        return 2 * math.sqrt(self.area_px / math.pi)


def outline(mask: Mask | None, name: str) -> Outline | str:
    """Return the one region that a mask outlines, or why there is none.

    Parameters
    ----------
    mask : bool array, shape (H, W), or None
    name : what is outlined, for the reason
    """
    if mask is None:
        return f"no mask of the {name} was given"
    count = np.count_nonzero(mask)
    if count == 0:
        return f"no {name} was found in the photograph"
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    part = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    _, labels, stats, centres = cv2.connectedComponentsWithStats(part.view(np.uint8))
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    area = int(stats[largest, cv2.CC_STAT_AREA])
    if area < LEAST_PIXELS:
        return f"the mask of the {name} has {area} pixels, too few to measure"
    if area == mask.size:
        return f"the mask of the {name} covers the whole photograph"
    if area < LARGEST_PART * count:
        return f"the mask of the {name} falls into several parts"
    whole = np.zeros_like(mask)
    whole[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = labels == largest
    col, row = centres[largest]
    return Outline(
        centre=(float(row + rows[0]), float(col + cols[0])),
        height_px=float(stats[largest, cv2.CC_STAT_HEIGHT]),
        width_px=float(stats[largest, cv2.CC_STAT_WIDTH]),
        area_px=float(area),
        mask=whole,
    )


def cup_in(disc: Outline | str, mask: Mask | None) -> Outline | str:
    """Return the cup of a disc, or why there is none."""
    cup = outline(mask, "optic cup")
    if isinstance(cup, str):
        return cup
    if isinstance(disc, str):
        return disc
    if np.count_nonzero(cup.mask & disc.mask) < LARGEST_PART * cup.area_px:
        return "the outlined optic cup does not lie in the disc"
    return cup


def eye_side(disc: Outline | str, fovea: tuple[float, float] | None) -> Eye | None:
    """Return which eye it is, from the side on which the fovea lies; None where it cannot tell.

    The photograph is taken as the eye is seen, not mirrored: the fovea of a left eye lies to the
    right of its disc.
    """
    if isinstance(disc, str) or fovea is None:
        return None
    aside = (fovea[1] - disc.centre[1]) / disc.diameter_px
    if abs(aside) < SURE_SIDE:
        return None
    return "left" if aside > 0 else "right"


def fovea_distance(disc: Outline, fovea: tuple[float, float]) -> tuple[float, float]:
    """Return how far the fovea lies from the disc's centre, and in which direction.

    Returns
    -------
    distance : float
        Disc diameters.
    angle_deg : float
        How far the fovea lies below the horizontal through the disc, -90 to 90.
    """
    down, right = fovea[0] - disc.centre[0], fovea[1] - disc.centre[1]
    angle = math.degrees(math.atan2(down, abs(right)))
    return math.hypot(down, right) / disc.diameter_px, angle


def rim_widths_px(disc: Outline, cup: Outline) -> dict[str, float]:
    """Return the mean width of the rim above, below, left and right of the cup, pixels.

    The rim is what lies between cup and disc on a ray from the cup's centre; a quadrant holds the
    rays within 45 degrees of its direction.

    Returns
    -------
    dict
        `above`, `below`, `left`, `right`, as seen on the photograph.
    """
    angle = (np.arange(RAYS) + 0.5) * 2 * np.pi / RAYS  # 0 to the right, clockwise as seen
    steps = np.column_stack([np.sin(angle), np.cos(angle)])
    reach = max(disc.height_px, disc.width_px) + 4
    along = np.arange(0, reach, RAY_STEP_PX, dtype=np.float32)
    rim = SoftMask.of(disc.mask & ~cup.mask)
    start = np.broadcast_to(np.array(cup.centre), steps.shape)
    width = rim.along(start, steps, np.broadcast_to(along, (RAYS, len(along)))).sum(axis=1)
    quadrant = (np.floor((angle + np.pi / 4) / (np.pi / 2)) % 4).astype(int)
    means: Floats = np.bincount(quadrant, width, minlength=4) / (RAYS / 4) * RAY_STEP_PX
    return dict(zip(("right", "below", "left", "above"), means.tolist(), strict=True))
