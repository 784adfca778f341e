"""The circular field of view: where in a frame the eye was photographed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Shape (H, W, 3), red green blue."""
Mask = npt.NDArray[np.bool_]

_SEARCH_SIDE_PX = 384
_THRESHOLDS = (4, 7, 11, 16, 24, 36)
"""Grey levels above the border's own; the lowest that draws a clean circle wins."""
_BORDER_LEVEL_MOST = 60
"""Grey level of 255 above which the corners are taken for retina, as in a crop."""
_INLIER_PX = 2.0
_TRIALS = 240
_EDGE_PX = 2


@dataclass(frozen=True)
class Field:
    """The field of view of one frame, a circle that the frame may cut."""

    row: float
    """Centre, pixels of the photograph."""
    col: float
    radius_px: float
    whole_frame: bool = False
    """No dark border was seen: the circle goes round the whole frame."""

    def square(self) -> tuple[int, int, int]:
        """Return (top, left, side) of the square round the circle; it may leave the frame."""
        side = max(8, round(2 * self.radius_px))
        return round(self.row - side / 2), round(self.col - side / 2), side

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Return the disc of the circle inside a frame of this shape (H, W)."""
        rows = np.arange(shape[0], dtype=np.float32)[:, None] - self.row
        cols = np.arange(shape[1], dtype=np.float32)[None, :] - self.col
        return rows**2 + cols**2 <= self.radius_px**2


def find_field(pixels: Pixels) -> Field:
    """Return the circle of the field of view.

    A circle is drawn through the outline of what is brighter than the border, by random trials
    of three outline points (Fischler and Bolles 1981, 10.1145/358669.358692), so that straight
    cuts, registration notches, burnt-in numbers and dark quarters do not move it.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, 3)

    Returns
    -------
    Field
        With `whole_frame` where no border was found, as in a crop of the optic disc.
    """
    height, width = pixels.shape[:2]
    shrink = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    bright = cv2.medianBlur(np.ascontiguousarray(small.max(axis=2)), 3)
    best, best_merit = None, 0.0
    for threshold in _THRESHOLDS if _border_level(bright) < _BORDER_LEVEL_MOST else ():
        circle, merit = _circle_of(bright, _border_level(bright) + threshold)
        if circle is not None and merit > best_merit + 0.04:
            best, best_merit = circle, merit
    if best is None:
        radius = float(np.hypot(height, width)) / 2
        return Field(height / 2, width / 2, radius, whole_frame=True)
    row, col, radius = best
    return Field((row + 0.5) / shrink - 0.5, (col + 0.5) / shrink - 0.5, radius / shrink)


def seen(pixels: Pixels, field: Field) -> Mask:
    """Return where the eye is seen: inside the circle, and not in a straight cut's border.

    Dark parts inside the outline count as seen: a shadow is of the eye, a cut is not.
    """
    height, width = pixels.shape[:2]
    inside = field.mask((height, width))
    if field.whole_frame:
        return inside
    shrink = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    bright = cv2.medianBlur(np.ascontiguousarray(small.max(axis=2)), 3)
    lit = bright > _border_level(bright) + _THRESHOLDS[0]
    lit &= cv2.resize(inside.astype(np.uint8), lit.shape[::-1]) > 0
    points = cv2.findNonZero(lit.astype(np.uint8))
    if points is None:
        return inside
    hull = np.zeros(lit.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    grown = cv2.resize(hull, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return inside & grown


def _border_level(bright: npt.NDArray[np.uint8]) -> int:
    """Return the grey level of the border: of the four corners, the darker half."""
    height, width = bright.shape
    size = max(2, min(height, width) // 24)
    corners = [
        float(np.median(bright[rows, cols]))
        for rows in (slice(0, size), slice(height - size, height))
        for cols in (slice(0, size), slice(width - size, width))
    ]
    return int(np.mean(sorted(corners)[:2]))


def _circle_of(
    bright: npt.NDArray[np.uint8], threshold: int
) -> tuple[tuple[float, float, float] | None, float]:
    """Return the circle round what is brighter, and the share of its visible arc that is seen."""
    lit = (bright > threshold).astype(np.uint8)
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None, 0.0
    largest = max(outlines, key=cv2.contourArea)
    height, width = bright.shape
    if cv2.contourArea(largest) < 0.08 * height * width:
        return None, 0.0
    points = largest[:, 0, ::-1].astype(float)
    inner = (
        (points[:, 0] >= _EDGE_PX)
        & (points[:, 1] >= _EDGE_PX)
        & (points[:, 0] < height - _EDGE_PX)
        & (points[:, 1] < width - _EDGE_PX)
    )
    points = points[inner]
    if len(points) < 40:
        return None, 0.0
    return _best_circle(points, (height, width))


def _best_circle(
    points: npt.NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[float, float, float] | None, float]:
    chance = np.random.default_rng(0)
    picks = points[chance.integers(0, len(points), (_TRIALS, 3))]
    circles = _circles_through(picks)
    side = max(shape)
    fits = (circles[:, 2] > 0.25 * side) & (circles[:, 2] < 1.2 * side)
    best, best_merit = None, 0.0
    for circle in circles[fits]:
        merit = _merit(points, circle, shape)
        if merit > best_merit:
            best, best_merit = circle, merit
    if best is None or best_merit < 0.25:
        return None, 0.0
    for _ in range(3):
        off = np.abs(np.hypot(points[:, 0] - best[0], points[:, 1] - best[1]) - best[2])
        best = _least_squares_circle(points[off < _INLIER_PX])
    return (float(best[0]), float(best[1]), float(best[2])), _merit(points, best, shape)


def _merit(
    points: npt.NDArray[np.float64], circle: npt.NDArray[np.float64], shape: tuple[int, int]
) -> float:
    """Return how much of the circle, in 72 steps, an outline follows."""
    rows, cols = points[:, 0] - circle[0], points[:, 1] - circle[1]
    near = np.abs(np.hypot(rows, cols) - circle[2]) < _INLIER_PX
    steps = (np.arctan2(rows[near], cols[near]) * (36 / np.pi)).astype(int)
    followed = len(np.unique(steps)) / 72
    return followed * (0.5 + 0.5 * float(near.mean()))


def _circles_through(picks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (row, col, radius) of the circles through point triples of shape (N, 3, 2)."""
    a, b, c = picks[:, 0], picks[:, 1] - picks[:, 0], picks[:, 2] - picks[:, 0]
    twice = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    twice[np.abs(twice) < 1e-6] = np.nan
    b_length, c_length = (b**2).sum(axis=1), (c**2).sum(axis=1)
    row = (c[:, 1] * b_length - b[:, 1] * c_length) / twice
    col = (b[:, 0] * c_length - c[:, 0] * b_length) / twice
    circles = np.stack([a[:, 0] + row, a[:, 1] + col, np.hypot(row, col)], axis=1)
    return circles[np.isfinite(circles).all(axis=1)]


def _least_squares_circle(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the circle of least algebraic error (Kasa 1976, 10.1109/TIM.1976.6312298)."""
    matrix = np.column_stack([2 * points, np.ones(len(points))])
    (row, col, rest), *_ = np.linalg.lstsq(matrix, (points**2).sum(axis=1), rcond=None)
    return np.array([row, col, np.sqrt(max(rest + row**2 + col**2, 1e-9))])
