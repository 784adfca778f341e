"""The circular field of view: where in a frame the eye was photographed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Shape (H, W, 3), red green blue."""
Mask = npt.NDArray[np.bool_]
_Circle = tuple[float, float, float]
"""Row, column, radius; pixels of the small photograph."""

_SEARCH_SIDE_PX = 384
_THRESHOLDS = (4, 7, 11, 16, 24, 36)
"""Grey levels above the border's own; the lowest that draws a clean circle wins."""
_BORDER_LEVEL_MOST = 60
"""Grey level of 255 above which the corners are taken for retina, as in a crop."""
_BORDER_REDNESS_MOST = 12
"""Red less blue above which they are too. Of borders found by eye in 600 frames of 13 sets, the
reddest is at 1; of crops of the disc, the least red at 27."""
_SPILT_MOST = 0.03
"""Share of what is lit that a circle may leave outside."""
_BETTER = 0.04
"""By how much a circle's merit, at most 1, must exceed that of one at a lower threshold."""
_FILLED_LEAST = 0.9
_SHOWN_MERIT_LEAST = 0.6
"""As `_merits` with a frame."""
_CONVEX_LEAST = 0.95
"""Of the hull's area, how much a lit piece fills that is taken for a cut or squeezed field."""
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
    cuts, registration notches, burnt-in numbers and dark quarters do not move it. Where only the
    frame's corners are dark, the circle may show little of itself, but must follow what it shows.
    Where no circle fits, as in a frame squeezed to an oval, it goes round all that is lit.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, 3)

    Returns
    -------
    Field
        With `whole_frame` where no border was found, as in a crop of the optic disc.
    """
    height, width = pixels.shape[:2]
    small, bright, shrink = _small(pixels)
    border = _border_level(bright)
    best, best_merit = None, 0.0
    outlines: list[_Outline] = []
    if _is_border(small, border):
        outlines = [o for t in _THRESHOLDS if (o := _outline(bright, border + t)) is not None]
    for outline in outlines:
        if best_merit + _BETTER >= 1:
            break
        circle, merit = _best_circle(outline.inner, bright.shape)
        if circle is not None and merit > best_merit + _BETTER:
            best, best_merit = circle, merit
    if best is None or _spilt(outlines, best) > _SPILT_MOST:
        best = _odd_circle(outlines, bright.shape) or best
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
    _, bright, _ = _small(pixels)
    lit = bright > _border_level(bright) + _THRESHOLDS[0]
    lit &= cv2.resize(inside.astype(np.uint8), lit.shape[::-1]) > 0
    points = cv2.findNonZero(lit.astype(np.uint8))
    if points is None:
        return inside
    hull = np.zeros(lit.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    grown = cv2.resize(hull, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return inside & grown


def _small(pixels: Pixels) -> tuple[Pixels, npt.NDArray[np.uint8], float]:
    """Return the photograph made small, its brightest channel without noise, and the scale."""
    shrink = min(1.0, _SEARCH_SIDE_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return small, cv2.medianBlur(np.ascontiguousarray(small.max(axis=2)), 3), shrink


def _border_level(bright: npt.NDArray[np.uint8]) -> int:
    """Return the grey level of the border: of the four corners, the darker half."""
    corners = [float(np.median(bright[place])) for place in _corners(bright.shape)]
    return int(np.mean(sorted(corners)[:2]))


def _is_border(small: Pixels, level: int) -> bool:
    """Whether the darker corners are a camera's border: dark, and not as red as a retina."""
    corners = [np.median(small[place], axis=(0, 1)) for place in _corners(small.shape[:2])]
    dark = sorted(corners, key=max)[:2]
    redness = float(np.mean([colour[0] - colour[2] for colour in dark]))
    return level < _BORDER_LEVEL_MOST and redness < _BORDER_REDNESS_MOST


def _corners(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    height, width = shape
    size = max(2, min(height, width) // 24)
    rows, cols = (
        (slice(0, size), slice(height - size, height)),
        (slice(0, size), slice(width - size, width)),
    )
    return [(r, c) for r in rows for c in cols]


@dataclass(frozen=True, eq=False)
class _Outline:
    """The largest lit piece of a small photograph, at one threshold."""

    around: npt.NDArray[np.int32]
    """The outline, shape (N, 1, 2), (x, y), as OpenCV gives it."""
    inner: npt.NDArray[np.float64]
    """Points (row, col) of the outline that do not lie along the frame's edge."""
    piece: npt.NDArray[np.bool_]

    def outside(self, circle: _Circle) -> float:
        """Return which share of the piece lies outside a circle."""
        return 1 - float((self.piece & _disc(circle, self.piece.shape)).sum() / self.piece.sum())

    def fills(self, circle: _Circle) -> float:
        """Return which share of a circle's disc the piece fills."""
        disc = _disc(circle, self.piece.shape)
        return float((self.piece & disc).sum() / max(1, disc.sum()))


def _disc(circle: _Circle, shape: tuple[int, ...]) -> Mask:
    row, col, radius = circle
    return Field(row, col, radius + _INLIER_PX).mask((shape[0], shape[1]))


def _spilt(outlines: list[_Outline], circle: _Circle) -> float:
    """Return which share of what is lit lies outside, at the threshold where it is the least.

    A grey border is lit at low thresholds; at those that are too high the retina is not.
    """
    full = [o for o in outlines if o.fills(circle) > _FILLED_LEAST]
    return min((o.outside(circle) for o in full), default=0.0)


def _outline(bright: npt.NDArray[np.uint8], threshold: int) -> _Outline | None:
    lit = (bright > threshold).astype(np.uint8)
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    largest = max(outlines, key=cv2.contourArea)
    height, width = bright.shape
    if cv2.contourArea(largest) < 0.08 * height * width:
        return None
    points = largest[:, 0, ::-1].astype(float)
    inner = points[_in_frame(points[:, 0], points[:, 1], bright.shape)]
    if len(inner) < 40:
        return None
    piece = cv2.drawContours(np.zeros_like(lit), [largest], 0, 1, cv2.FILLED)
    return _Outline(largest, inner, piece > 0)


def _in_frame(
    rows: npt.NDArray[np.float64], cols: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Return which points lie within the frame, and not along its edge."""
    height, width = shape
    within_rows = (rows >= _EDGE_PX) & (rows < height - _EDGE_PX)
    return within_rows & (cols >= _EDGE_PX) & (cols < width - _EDGE_PX)


def _best_circle(
    points: npt.NDArray[np.float64], shape: tuple[int, ...], *, shown_only: bool = False
) -> tuple[_Circle | None, float]:
    """Return the circle that an outline follows best, and its merit; see `_merits`."""
    chance = np.random.default_rng(0)
    picks = points[chance.integers(0, len(points), (_TRIALS, 3))]
    circles = _circles_through(picks)
    side = max(shape)
    circles = circles[(circles[:, 2] > 0.25 * side) & (circles[:, 2] < 1.2 * side)]
    if len(circles) == 0:
        return None, 0.0
    shown = shape if shown_only else None
    merits = _merits(points, circles, shown)
    best = circles[int(np.argmax(merits))]
    if merits.max() < (_SHOWN_MERIT_LEAST if shown_only else 0.25):
        return None, 0.0
    for _ in range(3):
        off = np.abs(np.hypot(points[:, 0] - best[0], points[:, 1] - best[1]) - best[2])
        best = _least_squares_circle(points[off < _INLIER_PX])
    merit = float(_merits(points, best[None], shown)[0])
    return (float(best[0]), float(best[1]), float(best[2])), merit


def _merits(
    points: npt.NDArray[np.float64],
    circles: npt.NDArray[np.float64],
    shown: tuple[int, ...] | None,
) -> npt.NDArray[np.float64]:
    """Return how much of each circle, in 72 steps, an outline follows.

    Of the whole circle, or, where a frame (H, W) is given, of what it shows of the circle.
    """
    rows = points[None, :, 0] - circles[:, 0, None]
    cols = points[None, :, 1] - circles[:, 1, None]
    square = rows**2 + cols**2  # hypot takes twice as long
    radii = circles[:, 2, None]
    near = (square > (radii - _INLIER_PX) ** 2) & (square < (radii + _INLIER_PX) ** 2)
    steps = (np.arctan2(rows[near], cols[near]) * (36 / np.pi)).astype(int)
    followed = np.zeros((len(circles), 145), bool)  # steps from -72 to 72: only 73 are reached
    followed[np.nonzero(near)[0], steps + 72] = True
    possible: npt.NDArray[np.float64] | int = 72
    if shown is not None:
        angles = np.arange(72) * (np.pi / 36)
        arc_rows = circles[:, 0, None] + circles[:, 2, None] * np.sin(angles)
        arc_cols = circles[:, 1, None] + circles[:, 2, None] * np.cos(angles)
        possible = np.maximum(_in_frame(arc_rows, arc_cols, shown).sum(axis=1), 8)
    return followed.sum(axis=1) / possible * (0.5 + 0.5 * near.mean(axis=1))


def _odd_circle(outlines: list[_Outline], shape: tuple[int, ...]) -> _Circle | None:
    """Return a circle for a frame in which no whole circle can be seen.

    Either one that shows only in the corners, or, round a convex lit piece that is no disc,
    the smallest one that holds it.
    """
    for outline in outlines:
        circle, _ = _best_circle(outline.inner, shape, shown_only=True)
        if circle is not None and outline.outside(circle) < _SPILT_MOST:
            return circle
    for outline in outlines:
        area = cv2.contourArea(outline.around)
        hull = cv2.convexHull(outline.around)
        if area > 0.3 * shape[0] * shape[1] and area > _CONVEX_LEAST * cv2.contourArea(hull):
            (col, row), radius = cv2.minEnclosingCircle(hull)
            return row, col, radius + 0.5  # the hull runs through pixel centres
    return None


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
