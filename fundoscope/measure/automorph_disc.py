"""AutoMorph's disc: when it believes one, its sizes, and the rings around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fundoscope.measure.automorph_grid import SIDE_PX
from fundoscope.measure.mask_folders import Mask, MaskSet

Group = Literal["disc", "macular"]
DISC_NAMES = (
    "Disc_height", "Disc_width", "Cup_height", "Cup_width", "CDR_vertical", "CDR_horizontal",
)  # fmt: skip
LARGEST_PX = SIDE_PX // 3
FARTHEST_CENTRE = 0.1
"""Of the side: a disc farther from the middle makes a macular photograph."""


@dataclass(frozen=True)
class Box:
    """First and last row and column of a mask, all in it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height_px(self) -> int:
        """Distance from the first to the last row: one less than their number."""
        return self.bottom - self.top

    @property
    def width_px(self) -> int:
        """Distance from the first to the last column: one less than their number."""
        return self.right - self.left

    def holds(self, row: float, col: float) -> bool:
        """Say whether a point lies in the box or on its edge."""
        return self.top <= row <= self.bottom and self.left <= col <= self.right


@dataclass(frozen=True)
class Disc:
    """A disc that AutoMorph believes."""

    rim: Box
    cup: Box
    centre: tuple[int, int]
    """(row, col) of the mean of rim and cup, cut to whole pixels."""

    @property
    def radius_px(self) -> int:
        """Half the larger side of the rim, cut to whole pixels."""
        return max(self.rim.width_px // 2, self.rim.height_px // 2)

    @property
    def is_central(self) -> bool:
        """Whether the disc lies near the middle of the photograph."""
        row, col = self.centre
        return math.hypot(row - SIDE_PX // 2, col - SIDE_PX // 2) / SIDE_PX < FARTHEST_CENTRE


def disc_of(masks: MaskSet) -> Disc | None:
    """Return the disc of a photograph; None where it would not pass.

    It passes where rim and cup are there, the rim's box is smaller than a third of the side, the
    cup's middle lies in it, and the cup's box is smaller both ways. Boxes are those of all pixels
    of rim or cup, so a second blob far away makes a disc too large.
    """
    if masks.disc is None or masks.cup is None:
        return None
    rim, cup = _box(masks.disc & ~masks.cup), _box(masks.cup)
    if rim is None or cup is None:
        return None
    fits = max(rim.height_px, rim.width_px) < LARGEST_PX
    smaller = cup.height_px < rim.height_px and cup.width_px < rim.width_px
    if not (fits and smaller and rim.holds(*_mean(masks.cup))):
        return None
    row, col = _mean(masks.disc)
    return Disc(rim, cup, (int(row), int(col)))


def _box(mask: Mask) -> Box | None:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(cols[0]), int(rows[-1]), int(cols[-1]))


def _mean(mask: Mask) -> tuple[float, float]:
    rows, cols = np.nonzero(mask)
    return float(rows.mean()), float(cols.mean())


def disc_values(disc: Disc, um_per_px: float) -> dict[str, float]:
    """Return height and width of disc and cup, micrometres, and their ratios."""
    rim, cup = disc.rim, disc.cup
    lengths = [px * um_per_px for px in (rim.height_px, rim.width_px, cup.height_px, cup.width_px)]
    ratios = [cup.height_px / rim.height_px, cup.width_px / rim.width_px]
    return dict(zip(DISC_NAMES, lengths + ratios, strict=True))


def ring_around(disc: Disc, radii: tuple[int, int]) -> Mask:
    """Return a zone: farther than the inner radius, up to the outer, both in radii of the disc."""
    inner, outer = (radius * disc.radius_px for radius in radii)
    across = np.arange(SIDE_PX)
    row, col = disc.centre
    squared = (across[:, None] - row) ** 2 + (across - col) ** 2
    return (squared > inner**2) & (squared <= outer**2)


def automorph_group(masks: MaskSet) -> Group:
    """Return which of its two tables AutoMorph puts a photograph in.

    Parameters
    ----------
    masks : MaskSet, on AutoMorph's grid of 912 x 912 pixels.

    Returns
    -------
    "disc" where a valid disc lies near the middle, else "macular", also without a valid disc.
    """
    disc = disc_of(masks)
    return "disc" if disc is not None and disc.is_central else "macular"
