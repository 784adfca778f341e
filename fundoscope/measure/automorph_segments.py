"""AutoMorph's segments: where it cuts a skeleton, in which order it takes the points, its widths.

Faithful to what it computes, oddities included, so that published values can be compared. The
point order is a flood fill's, not a path's: a segment that is entered in its middle is taken from
both ends in turn, and its length is then that of a zigzag. Ours are in `tortuosity`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from fundoscope.measure.mask_folders import Mask

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SHORTEST_PX = 16
"""Segments of fewer pixels are not measured."""
_EIGHT = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
_PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Segments:
    """Points of all segments of a map, segment after segment, in the order AutoMorph takes them."""

    rows: Ints
    cols: Ints
    starts: Ints
    """Index of each segment's first point, ascending."""

    @property
    def ends(self) -> Ints:
        """Index of each segment's last point."""
        return np.append(self.starts[1:], len(self.rows)) - 1

    def __len__(self) -> int:
        return len(self.starts)


def cut_at_junctions(skeleton: Mask) -> Mask:
    """Return a skeleton without its junctions and their 4-neighbours.

    A junction has more than two of eight neighbours; the outermost row and column hold none.
    """
    pixels = skeleton.view(np.uint8)
    around = cv2.boxFilter(pixels, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    junctions = (around > 3) & skeleton  # the pixel itself counts in `around`
    junctions[[0, -1], :] = False
    junctions[:, [0, -1]] = False
    return skeleton & ~cv2.dilate(junctions.view(np.uint8), _PLUS).view(np.bool_)


def segments_of(cut: Mask) -> Segments:
    """Return the segments of a cut skeleton that are long enough to be measured.

    A segment is an 8-connected component. Its first point is its first pixel in reading order that
    does not lie in the outermost row or column; then come all points one step away, then all two
    steps away, each step's in the order in which the step before found them, from the upper left
    to the lower right. All fills run as one, from a root tied to every seed: within a segment that
    is the same order.
    """
    height, width = cut.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.bool_)
    padded[1:-1, 1:-1] = cut
    at = np.flatnonzero(padded)
    rows, cols = np.divmod(at, width + 2)
    rows, cols = rows - 1, cols - 1
    inner = (rows > 0) & (rows < height - 1) & (cols > 0) & (cols < width - 1)
    order, label = _filled(*_neighbours(at, padded.shape), inner)
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    long = np.diff(starts, append=len(order)) >= SHORTEST_PX
    kept = np.repeat(long, np.diff(starts, append=len(order)))
    sizes = np.diff(starts, append=len(order))[long]
    order = order[kept]
    return Segments(rows[order], cols[order], (np.cumsum(sizes) - sizes).astype(np.int64))


def _neighbours(at: Ints, padded_shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Return how many neighbours each pixel has, and which, pixel after pixel, in reading order."""
    number = np.full(padded_shape[0] * padded_shape[1], -1, dtype=np.int32)
    number[at] = np.arange(len(at), dtype=np.int32)
    offsets = np.array([row * padded_shape[1] + col for row, col in _EIGHT])
    around = number[at[:, None] + offsets]  # (pixels, 8)
    there = around >= 0
    return there.sum(axis=1), around[there]


def _filled(counts: Ints, neighbours: Ints, inner: Mask) -> tuple[Ints, Ints]:
    """Return pixels by segment in the order of the flood fill, and the segment of each."""
    n = len(counts)
    if not inner.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pointers = np.append(0, np.cumsum(counts))
    weights = np.ones(len(neighbours))
    graph = csr_array((weights, neighbours, pointers), shape=(n, n))
    _, segment = connected_components(graph, directed=False)
    candidates = np.flatnonzero(inner)
    _, first = np.unique(segment[candidates], return_index=True)
    seeds = candidates[first]
    rooted = csr_array(
        (
            np.ones(len(neighbours) + len(seeds)),
            np.append(neighbours, seeds),
            np.append(pointers, pointers[-1] + len(seeds)),
        ),
        shape=(n + 1, n + 1),
    )
    order = breadth_first_order(rooted, n, directed=True, return_predecessors=False)[1:]
    order = order[np.argsort(segment[order], kind="stable")].astype(np.int64)
    return order, segment[order].astype(np.int64)


def _distances(segments: Segments, start: Ints, end: Ints) -> Floats:
    rows, cols = segments.rows, segments.cols
    return np.hypot(rows[end] - rows[start], cols[end] - cols[start])


def _steps(segments: Segments) -> Floats:
    """Return the distance from each point to the next of its segment; 0 from the last."""
    steps = np.hypot(np.diff(segments.rows, append=0), np.diff(segments.cols, append=0))
    steps[segments.ends] = 0.0
    return steps


def distance_tortuosity(segments: Segments) -> float:
    """Return the mean over segments of length over chord; 0 without segments."""
    if not len(segments):
        return 0.0
    lengths = np.add.reduceat(_steps(segments), segments.starts)
    return float(np.mean(lengths / _distances(segments, segments.starts, segments.ends)))


def squared_curvature_tortuosity(segments: Segments) -> float:
    """Return the mean over segments of the absolute integral of the curvature; 0 without segments.

    Not squared, and signed before the integral, so an S cancels; its second difference is a
    quarter of the true one.
    """
    if not len(segments):
        return 0.0
    curvature = np.zeros(len(segments.rows))
    curvature[1:-1] = _curvature(segments.rows, segments.cols)
    curvature[segments.starts] = curvature[segments.ends] = 0.0
    sums = np.add.reduceat(curvature, segments.starts)
    halves = (curvature[segments.starts + 1] + curvature[segments.ends - 1]) / 2
    return float(np.mean(np.abs(sums - halves)))  # the trapezoidal rule with unit steps


def _curvature(x: Ints, y: Ints) -> Floats:
    """Return the curvature at all points but the first and the last, joins of segments included."""
    dx, dy = (x[2:] - x[:-2]) / 2, (y[2:] - y[:-2]) / 2
    ddx, ddy = (x[2:] - 2 * x[1:-1] + x[:-2]) / 4, (y[2:] - 2 * y[1:-1] + y[:-2]) / 4
    speed = dx * dx + dy * dy
    speed[speed == 0] = 1.0  # only where two segments join: within one, no point comes twice
    return (dx * ddy - ddx * dy) / speed**1.5


def tortuosity_density(segments: Segments) -> float:
    """Return the mean over segments of (n - 1) / n plus the pieces' excess over their length.

    n counts the points where the sign of the column's step changes; the pieces between them end
    one point early, and the last piece is left out. Grisan et al. multiply what is added here.
    """
    if not len(segments):
        return 0.0
    inflections = _inflections(segments)
    cuts = np.sort(np.append(segments.starts, inflections))
    steps = _steps(segments)
    lengths = np.add.reduceat(steps, segments.starts)
    steps[inflections - 1] = 0.0  # the step to an inflection belongs to no piece
    n, excess = _pieces(segments, cuts, np.add.reduceat(steps, cuts))
    with np.errstate(invalid="ignore", divide="ignore"):
        density = (n - 1) / n + excess / lengths
    return float(np.mean(np.where(n == 0, 0.0, density)))


def _inflections(segments: Segments) -> Ints:
    signs = np.sign(np.diff(segments.cols))
    inside = np.ones(len(segments.rows), dtype=np.bool_)
    inside[segments.starts] = inside[segments.ends] = False
    return np.flatnonzero(inside[1:-1] & (signs[1:] != signs[:-1])) + 1


def _pieces(segments: Segments, cuts: Ints, lengths: Floats) -> tuple[Ints, Floats]:
    """Return for each segment how many inflections it has, and its pieces' excess of length."""
    of = np.searchsorted(segments.starts, cuts, side="right") - 1
    whole = np.flatnonzero(of[1:] == of[:-1])  # pieces that an inflection ends
    chords = _distances(segments, cuts[whole], cuts[whole + 1] - 1)
    measured = chords > 0
    whole, chords = whole[measured], chords[measured]
    excess = np.bincount(of[whole], lengths[whole] / chords - 1, minlength=len(segments))
    n = np.bincount(of, minlength=len(segments)).astype(np.int64) - 1
    return n, excess.astype(np.float64)


def segment_widths_px(segments: Segments, vessels: Mask) -> Floats:
    """Return the mean width of each segment, pixels, its last point left out.

    At a point, r is the smallest whole radius of a disc that holds background; the width is 2 r,
    or 2 r - 1 where two or three pixels of background lie in the disc. The end of a zone counts
    as background.
    """
    if not len(segments):
        return np.empty(0)
    inside = np.ones(len(segments.rows), dtype=np.bool_)
    inside[segments.ends] = False
    widths = np.zeros(len(inside))
    widths[inside] = _widths_px(segments.rows[inside], segments.cols[inside], vessels)
    sums = np.add.reduceat(widths, segments.starts)
    return np.divide(sums, segments.ends - segments.starts, dtype=np.float64)


def _widths_px(rows: Ints, cols: Ints, vessels: Mask) -> Floats:
    radius = np.maximum(_radii_px(rows, cols, vessels), 1)
    reach = int(radius.max(initial=0))
    background = np.pad(~vessels, reach)
    widths = 2.0 * radius
    for r in np.unique(radius):
        here = np.flatnonzero(radius == r)
        across = np.arange(-r, r + 1)
        disc_rows, disc_cols = np.nonzero(across[:, None] ** 2 + across**2 <= r * r)
        held = background[
            rows[here, None] + disc_rows + reach - r, cols[here, None] + disc_cols + reach - r
        ].sum(axis=1)
        widths[here[(held == 2) | (held == 3)]] -= 1
    return widths


def _radii_px(rows: Ints, cols: Ints, vessels: Mask) -> Ints:
    """Return the distance from each point to the nearest background, rounded up."""
    left, top, width, height = cv2.boundingRect(vessels.view(np.uint8))
    top, left = max(top - 1, 0), max(left - 1, 0)  # the background around the box is nearest
    near = np.ascontiguousarray(vessels[top : top + height + 2, left : left + width + 2])
    distances = cv2.distanceTransform(near.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.rint(distances[rows - top, cols - left].astype(np.float64) ** 2)
    return np.ceil(np.sqrt(squared)).astype(np.int64)
