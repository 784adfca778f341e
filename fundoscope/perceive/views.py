"""A photograph ready to be looked at: its pixels, its field of view, and frames of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Field, Mask, Pixels, find_field, seen
from fundoscope.perceive.frames import Frame, even_colour, even_light, frame_of_field

ORDINARY_DEGREES = 50.0
"""Width of the field that vessels were mostly learned from, by `field_degrees`."""
_DEGREES = (31.0, 66.0)
"""Widths beyond which a network looks no closer and no wider."""


def look_px(ordinary_px: int, degrees: float | None) -> int:
    """Return at what width a network looks at a field, so that an eye is always as large.

    Parameters
    ----------
    ordinary_px : width at which it looks at a field of `ORDINARY_DEGREES`
    degrees : width of this field; None where it is not known

    Returns
    -------
    int
        A multiple of 64 pixels.
    """
    if degrees is None:
        return ordinary_px
    least, most = _DEGREES
    return 64 * round(ordinary_px / 64 * min(max(degrees, least), most) / ORDINARY_DEGREES)


@dataclass(frozen=True, eq=False)
class View:
    """One photograph, upright, and where the eye is seen in it."""

    pixels: Pixels

    @cached_property
    def field(self) -> Field:
        """The circle of the field of view."""
        return find_field(self.pixels)

    @cached_property
    def inside(self) -> Mask:
        """Where the eye is seen, shape (H, W)."""
        return seen(self.pixels, self.field)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the photograph."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def frame(self, field_px: int) -> Frame:
        """Return the frame in which the field of view is `field_px` across."""
        return frame_of_field(self.field, self.shape, field_px)

    def lit(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Return the frame evenly lit, shape (N, N, 3); a second time it is at hand."""
        if frame not in self._lit:
            self._lit[frame] = even_light(frame.cut(self.pixels), frame.cut(self.inside))
        return self._lit[frame]

    def lit_and_coloured(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Return the frame evenly lit, and evenly coloured, shape (N, N, 6)."""
        cut, inside = frame.cut(self.pixels), frame.cut(self.inside)
        return np.dstack([self.lit(frame), even_colour(cut, inside)])

    @cached_property
    def _lit(self) -> dict[Frame, npt.NDArray[np.uint8]]:
        return {}
