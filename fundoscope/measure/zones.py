"""Regions in which vessels are measured: the whole field, and zones B and C around the disc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.measure.skeleton import Floats, Mask

ZONE_RADII: dict[str, tuple[float, float]] = {"zone_b": (2.0, 3.0), "zone_c": (2.0, 5.0)}
"""Inner and outer radius, in radii of the disc, from the disc's centre."""
LEAST_VISIBLE = 0.5
"""A zone of which less lies inside the field of view is not measured."""


@dataclass(frozen=True)
class Region:
    """A part of the photograph: a ring around the disc, or all that is visible."""

    name: str
    """`whole`, `zone_b` or `zone_c`."""
    visible: Mask
    """Its pixels inside the field of view, in a window of the photograph."""
    corner: tuple[int, int]
    """(row, col) of the window in the photograph."""
    centre: tuple[float, float]
    inner_px: float
    outer_px: float
    share: float
    """How much of it lies inside the field of view, 0 to 1."""

    def cut(self, mask: Mask) -> Mask:
        """Return a mask's pixels in the region, in its window."""
        height, width = self.visible.shape
        rows, cols = self.corner
        return mask[rows : rows + height, cols : cols + width] & self.visible

    def holds(self, points: Floats) -> Mask:
        """Return which points (row, col) lie in the region, shape (N, 2) -> (N,)."""
        if self.name == "whole":
            return np.ones(len(points), bool)
        away = np.hypot(points[:, 0] - self.centre[0], points[:, 1] - self.centre[1])
        held: Mask = (away > self.inner_px) & (away <= self.outer_px)
        return held


def whole_field(shape: tuple[int, int], field_of_view: Mask | None = None) -> Region:
    """Return all that is visible; the whole frame where no field of view is known."""
    visible = np.ones(shape, bool) if field_of_view is None else field_of_view
    return Region("whole", visible, (0, 0), (0.0, 0.0), 0.0, np.inf, 1.0)


def zone(
    name: str,
    centre: tuple[float, float],
    disc_radius_px: float,
    shape: tuple[int, int],
    field_of_view: Mask | None = None,
) -> Region:
    """Return a zone around the disc.

    Parameters
    ----------
    name : "zone_b" (1 to 1.5 disc diameters from the centre) or "zone_c" (1 to 2.5)
    centre : (row, col) of the disc
    disc_radius_px : float
    shape : (H, W) of the photograph
    field_of_view : bool array, shape (H, W), optional
        The whole frame where none is given.
    """
    inner, outer = (factor * disc_radius_px for factor in ZONE_RADII[name])
    (top, bottom), (left, right) = (
        (
            min(max(0, int(np.floor(middle - outer))), side),
            max(0, min(side, int(np.ceil(middle + outer)) + 1)),
        )
        for middle, side in zip(centre, shape, strict=True)
    )
    rows, cols = np.ogrid[top:bottom, left:right]
    square = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2
    visible = (square > inner**2) & (square <= outer**2)
    if field_of_view is not None:
        visible &= field_of_view[top:bottom, left:right]
    share = np.count_nonzero(visible) / (np.pi * (outer**2 - inner**2))
    return Region(name, visible, (top, left), centre, inner, outer, float(min(share, 1.0)))
