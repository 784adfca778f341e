"""Outlines that are known exactly, and the masks that they leave on a grid of pixels.

A pixel is the unit square around its centre; the centre of pixel (r, c) is the point (r, c). An
outline is a signed distance: negative inside, positive outside, in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
Outline = Callable[[Floats, Floats], Floats]
"""(rows, cols) of points -> signed distance to the outline, pixels, negative inside."""

FINENESS = 15
"""Coverage is counted on this many sub-pixels a side. Odd: then half of a pixel is covered by a
straight edge just when its centre is; with 16 each edge lay 1/32 of a pixel too far out."""


def draw_straight_vessel(
    width_px: float,
    angle_deg: float,
    offset_px: tuple[float, float] = (0.0, 0.0),
    length_px: float = 120.0,
    size_px: int = 160,
) -> Mask:
    """Return the mask of a straight vessel with square ends, coverage thresholded at 0.5.

    Parameters
    ----------
    width_px, length_px : float
        Of the true outline; the mask's area is their product but for rounding at the edge.
    angle_deg : float
        0 runs along the columns; counter-clockwise as seen.
    offset_px : (row, col)
        Shift of the vessel's middle from the photograph's, sub-pixel.
    size_px : int
        Side of the square mask.

    Returns
    -------
    bool array, shape (size_px, size_px)
    """
    _refuse_unless_positive(width_px=width_px, length_px=length_px, size_px=size_px)
    middle = np.add((size_px - 1) / 2, offset_px)
    along = _direction(angle_deg)

    def outline(rows: Floats, cols: Floats) -> Floats:
        down, right = rows - middle[0], cols - middle[1]
        ahead = down * along[0] + right * along[1]
        aside = down * along[1] - right * along[0]
        return np.maximum(np.abs(aside) - width_px / 2, np.abs(ahead) - length_px / 2)

    return coverage(outline, size_px) >= 0.5


def draw_arc(radius_px: float, sweep_deg: float, width_px: float, size_px: int = 160) -> Mask:
    """Return the mask of a vessel along a circle, its ends cut along the radius.

    Parameters
    ----------
    radius_px : float
        Of the centreline; the circle's centre is the middle of the mask.
    sweep_deg : float
        At most 360; the arc is symmetric about the upward direction.
    width_px : float
        Less than twice the radius.
    size_px : int
        Side of the square mask.

    Returns
    -------
    bool array, shape (size_px, size_px)
        Area `width_px * radius_px * sweep`, sweep in radians, but for rounding at the edge.
    """
    _refuse_unless_positive(
        radius_px=radius_px, sweep_deg=sweep_deg, width_px=width_px, size_px=size_px
    )
    middle, half_sweep = (size_px - 1) / 2, np.radians(min(sweep_deg, 360.0)) / 2

    def outline(rows: Floats, cols: Floats) -> Floats:
        down, right = rows - middle, cols - middle
        from_centre = np.hypot(down, right)
        beyond_end = (np.abs(np.arctan2(right, -down)) - half_sweep) * from_centre
        return np.maximum(np.abs(from_centre - radius_px) - width_px / 2, beyond_end)

    return coverage(outline, size_px) >= 0.5


def draw_fork(angle_deg: float, width_px: float, size_px: int = 160) -> Mask:
    """Return the mask of a vessel that comes from below and forks at the middle into two equals.

    Parameters
    ----------
    angle_deg : float
        Between the two children, symmetric about the upward direction.
    width_px : float
        Of the parent; each child has `width_px / 2 ** (1 / 3)`, by Murray's law.
    size_px : int
        Side of the square mask; each branch is 0.42 of it long.

    Returns
    -------
    bool array, shape (size_px, size_px)
    """
    _refuse_unless_positive(angle_deg=angle_deg, width_px=width_px, size_px=size_px)
    middle = np.full(2, (size_px - 1) / 2)
    width_of_child = width_px / 2 ** (1 / 3)
    branches = (
        (middle + 0.42 * size_px * _direction(270), width_px),
        (middle + 0.42 * size_px * _direction(90 + angle_deg / 2), width_of_child),
        (middle + 0.42 * size_px * _direction(90 - angle_deg / 2), width_of_child),
    )

    def outline(rows: Floats, cols: Floats) -> Floats:
        return np.min(
            [_from_line(rows, cols, middle, end)[0] - width / 2 for end, width in branches], axis=0
        )

    return coverage(outline, size_px) >= 0.5


def coverage(outline: Outline, size_px: int) -> Floats:
    """Return the share of every pixel that lies inside an outline, shape (size_px, size_px)."""
    rows, cols = np.mgrid[:size_px, :size_px].astype(float)
    distance = outline(rows, cols)
    share = (distance < 0).astype(float)
    near = np.nonzero(np.abs(distance) < 0.75)  # half a pixel's diagonal is 0.71
    steps = (np.arange(FINENESS) + 0.5) / FINENESS - 0.5
    down, right = np.meshgrid(steps, steps, indexing="ij")
    inside = outline(
        rows[near][:, None] + down.ravel(), cols[near][:, None] + right.ravel()
    )  # (pixels at the edge, FINENESS ** 2)
    share[near] = (inside <= 0).mean(axis=1)
    return share


@dataclass(frozen=True)
class Blob:
    """A round, oval or ragged spot with an exact outline: radius as a function of direction."""

    centre: tuple[float, float]
    """(row, col), pixels."""
    radius_px: float
    stretch: float = 1.0
    """Long axis over short axis; the area stays."""
    turn: float = 0.0
    """Direction of the long axis, radians."""
    ragged: tuple[tuple[int, float, float], ...] = ()
    """(waves a turn, share of the radius, phase) of every ripple of the outline."""

    @property
    def reach_px(self) -> float:
        """Largest distance of the outline from the centre, or a little more."""
        return self.radius_px * self.stretch**0.5 * (1 + sum(abs(s) for _, s, _ in self.ragged))

    def distance(self, rows: Floats, cols: Floats) -> Floats:
        """Return how far points lie outside the outline, in pixels; exact at the outline."""
        down, right = rows - self.centre[0], cols - self.centre[1]
        along = (down * np.sin(self.turn) + right * np.cos(self.turn)) / self.stretch**0.5
        across = (down * np.cos(self.turn) - right * np.sin(self.turn)) * self.stretch**0.5
        ripple = 1.0 + np.zeros_like(along)
        direction = np.arctan2(across, along) if self.ragged else along
        for waves, share, phase in self.ragged:
            ripple = ripple + share * np.cos(waves * direction + phase)
        return np.hypot(along, across) - self.radius_px * ripple


@dataclass(frozen=True)
class Ellipse:
    """An upright ellipse, so that its height is exact."""

    centre: tuple[float, float]
    half_height: float
    half_width: float

    def distance(self, size_px: int) -> Floats:
        """How far pixels lie outside, about; exact in sign."""
        rows, cols = np.ogrid[:size_px, :size_px]
        down = ((rows - self.centre[0]) / self.half_height).astype(np.float32)
        right = ((cols - self.centre[1]) / self.half_width).astype(np.float32)
        mean: Floats = (np.hypot(down, right) - 1) * math.sqrt(self.half_height * self.half_width)
        return mean

    def mask(self, size_px: int) -> Mask:
        return self.distance(size_px) <= 0


def stroke_distances(
    points: Floats, width_px: Floats, size_px: int, margin_px: float = 1.5
) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    """Return, for the pixels near a centreline, their distance from the vessel's outline.

    Parameters
    ----------
    points : float array, shape (N, 2)
        Centreline, (row, col).
    width_px : float array, shape (N,)
    size_px : int
        Side of the square photograph.
    margin_px : float
        How far outside the outline pixels are still of interest.

    Returns
    -------
    index, distance, radius : arrays, shape (K,)
        Flat index of a pixel, its signed distance and the vessel's radius there. A pixel near two
        pieces of the centreline comes twice; the smaller distance is the true one.
    """
    start, step = points[:-1], np.diff(points, axis=0)
    lengths = np.hypot(*step.T)
    half = int(np.ceil(lengths.max() / 2 + width_px.max() / 2 + margin_px)) + 1
    middle = np.rint(start + step / 2).astype(int)
    window = np.arange(-half, half + 1)
    rows = (middle[:, 0, None, None] + window[:, None]).astype(np.float32)  # (N - 1, K, 1)
    cols = (middle[:, 1, None, None] + window).astype(np.float32)  # (N - 1, 1, K)
    down = rows - start[:, 0, None, None].astype(np.float32)
    right = cols - start[:, 1, None, None].astype(np.float32)
    unit = (step / np.maximum(lengths, 1e-9)[:, None] ** 2).astype(np.float32)
    share = np.clip(down * unit[:, 0, None, None] + right * unit[:, 1, None, None], 0, 1)
    step32 = step.astype(np.float32)
    apart = np.hypot(
        down - share * step32[:, 0, None, None], right - share * step32[:, 1, None, None]
    )
    radius = (width_px[:-1, None, None] + share * np.diff(width_px)[:, None, None]) / 2
    distance = apart - radius
    inside = (rows >= 0) & (rows < size_px) & (cols >= 0) & (cols < size_px)
    near = inside & (distance < margin_px)
    index = (rows * size_px + cols).astype(np.intp)
    return index[near], distance[near], radius[near]


def arc_lengths(points: Floats) -> Floats:
    """Return the length of a centreline up to each of its points, shape (N,)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def _from_line(rows: Floats, cols: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Distance of points from the line a-b, and the share of the line where they are nearest."""
    step = b - a
    share = np.clip(((rows - a[0]) * step[0] + (cols - a[1]) * step[1]) / (step @ step), 0, 1)
    return np.hypot(rows - a[0] - share * step[0], cols - a[1] - share * step[1]), share


def _direction(angle_deg: float) -> Floats:
    """Unit (row, col) step; 0 points right, 90 up as seen."""
    return np.array([-np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))])


def _refuse_unless_positive(**lengths: float) -> None:
    for name, value in lengths.items():
        if not value > 0:
            raise ConfigError(
                f"{name} must be positive, got {value!r}",
                where="drawing a shape of known size",
                mend=f"give a {name} above 0",
            )
