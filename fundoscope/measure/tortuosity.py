"""How vessels wind: three measures, each along the ordered centreline.

Differ from AutoMorph's: points are in the order of the path (theirs in the order of a flood fill,
which starts mid-segment one time in four and so walks to and fro); curvature is what geometry
calls so (theirs is a fourth of it), squared where the name says squared (theirs is not, and the
two bends of an S cancel); Grisan's measure is a product (theirs a sum) over real changes of the
side to which a vessel bends; what cannot be measured is missing, not 0; and segments count by
their length, so that cutting one in two changes little.

References
----------
Hart et al. 1999, Int J Med Inform 53, 239-252: distance and curvature measures.
Grisan et al. 2008, IEEE Trans Med Imaging 27, 310-319: tortuosity density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.measure.centreline import CURVE_HALF, Centreline
from fundoscope.measure.skeleton import Floats, Ints, Mask

SHORTEST_PX = 10.0
"""Shorter pieces are left out: their winding is that of the pixels."""
SHORTEST_CURVED_PX = 2.0 * CURVE_HALF
"""Where curvature counts, a piece must be as long as the window that it is fitted in."""
TIGHTEST = 0.5
"""Widths of a vessel by the radius of its bend."""
LEAST_TURN = np.radians(5.0)
"""A vessel bends to the other side where it then turns by at least this much."""


@dataclass(frozen=True)
class Tortuosity:
    """Means over pieces of vessels, long ones counting more; None where no piece is left."""

    distance: float | None
    """Sum of arcs by sum of chords, at least 1: a mean that a tiny loop cannot rule."""
    squared_curvature: float | None
    """Integral of the squared curvature by arc length, 1/px^2."""
    density: float | None
    """Grisan's, 1/px; 0 for a vessel that bends to one side only."""
    pieces: int


def tortuosity(line: Centreline, inside: Mask) -> Tortuosity:
    """Return how the vessels wind within a region.

    Parameters
    ----------
    line : Centreline
    inside : bool array, shape (N,)
        Which points of the centreline lie in the region.
    """
    arc, chord = arc_and_chord(line, *pieces(line, inside))
    long = (arc >= SHORTEST_PX) & (chord >= 1)  # a ring has no chord
    # a junction bends the line, not the vessel; nor does a vessel bend tighter than it is wide:
    # there the line has gone over to another
    bent = np.abs(line.curvature) * np.nan_to_num(line.width_px)
    start, stop = pieces(line, inside & line.clear & (bent <= TIGHTEST))
    clear_arc, _ = arc_and_chord(line, start, stop)
    curved = clear_arc >= SHORTEST_CURVED_PX
    start, stop, clear_arc = start[curved], stop[curved], clear_arc[curved]
    return Tortuosity(
        distance=float(arc[long].sum() / chord[long].sum()) if long.any() else None,
        squared_curvature=_mean(_squared_curvature(line, start, stop), clear_arc),
        density=_mean(density(line, start, stop), clear_arc),
        pieces=int(long.sum()),
    )


def pieces(line: Centreline, inside: Mask) -> tuple[Ints, Ints]:
    """Return the runs of points inside, none across two segments: start (K,), stop (K,)."""
    begins, ends = inside.copy(), inside.copy()
    begins[1:] &= ~inside[:-1]
    ends[:-1] &= ~inside[1:]
    begins[line.first[:-1]] |= inside[line.first[:-1]]
    ends[line.first[1:] - 1] |= inside[line.first[1:] - 1]
    return np.flatnonzero(begins), np.flatnonzero(ends) + 1


def arc_and_chord(line: Centreline, start: Ints, stop: Ints) -> tuple[Floats, Floats]:
    """Return the lengths of pieces along the vessel and straight, pixels, shape (K,)."""
    arc = line.along_px[stop - 1] - line.along_px[start]
    return arc, np.hypot(*(line.points[stop - 1] - line.points[start]).T)


def _mean(values: Floats, weight: Floats) -> float | None:
    return float(np.average(values, weights=weight)) if len(values) else None


def _squared_curvature(line: Centreline, start: Ints, stop: Ints) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(line.curvature) ** 2 * line.step_px)])
    length = np.concatenate([[0.0], np.cumsum(line.step_px)])
    return (total[stop] - total[start]) / (length[stop] - length[start])


def density(line: Centreline, start: Ints, stop: Ints) -> Floats:
    """Return Grisan's tortuosity density of pieces, 1/px: (n - 1) / n * sum(arc / chord - 1) / L.

    A piece is cut into n turn curves, each of which bends to one side.
    """
    if not len(start):
        return np.zeros(0)
    piece, begin, end = _turn_curves(line, start, stop)
    arc, chord = arc_and_chord(line, begin, end)
    excess = np.where(chord > 0, arc / np.maximum(chord, 1e-9) - 1, 0)
    count = np.bincount(piece, minlength=len(start))
    total = np.bincount(piece, excess, minlength=len(start))
    whole, _ = arc_and_chord(line, start, stop)
    return (count - 1) / count * total / whole


def _turn_curves(line: Centreline, start: Ints, stop: Ints) -> tuple[Ints, Ints, Ints]:
    """Cut pieces where they begin to bend to the other side: piece, begin, end of every curve."""
    length = stop - start
    piece = np.repeat(np.arange(len(start)), length)
    index = np.arange(length.sum()) + np.repeat(start - np.cumsum(length) + length, length)
    bend = np.nan_to_num(line.curvature[index])
    side = np.sign(bend)
    cuts = np.flatnonzero((np.diff(side) != 0) | (np.diff(piece) != 0)) + 1
    lobe = np.concatenate([[0], cuts])
    turned = np.add.reduceat(bend * line.step_px[index], lobe)
    weighty = np.abs(turned) >= LEAST_TURN
    # a slight bend belongs to the curve before it; at the start of a piece, to the one behind it
    taken = _filled(np.where(weighty, np.sign(turned), 0), piece[lobe])
    keep = np.concatenate([[True], (np.diff(taken) != 0) | (np.diff(piece[lobe]) != 0)])
    lobe = lobe[keep]
    begin = index[lobe]
    last = np.append(lobe[1:] - 1, len(index) - 1)
    same = np.append(piece[lobe[1:]] == piece[last[:-1]], False)
    end = index[last] + 1 + same  # neighbouring curves share a point, so that no step is lost
    return piece[lobe], begin, end


def _filled(sides: Floats, piece: Ints) -> Floats:
    """Give each 0 the side before it in its piece, else the one behind it."""
    for direction in (1, -1):
        ordered, owner = sides[::direction], piece[::direction]
        known = np.where(ordered != 0, np.arange(len(ordered)), -1)
        nearest = np.maximum.accumulate(known)
        usable = (nearest >= 0) & (owner[nearest] == owner)
        ordered = np.where(usable, ordered[nearest], ordered)
        sides = ordered[::direction]
    return sides
