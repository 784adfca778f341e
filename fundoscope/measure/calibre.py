"""How wide vessels are, and the width of the one vessel that would stand for the six widest.

Differs from AutoMorph's: a width is the distance of the walls across the centreline, to a fraction
of a pixel (theirs is made of whole pixels: of the largest discs that fit, or of area by the number
of skeleton pixels); it is measured on the whole mask before a zone is cut out (theirs shrinks at
the zone's borders, which count as background); and the six widest are vessels that cross the zone
(theirs are segments: a vessel cut by a branch counts twice).

References
----------
Parr & Spears 1974, Am J Ophthalmol 77, 472-477. Hubbard et al. 1999, Ophthalmology 106, 2269-2280.
Knudtson et al. 2003, Curr Eye Res 27, 143-149.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fundoscope.measure.centreline import Centreline
from fundoscope.measure.skeleton import FREE, Floats, Ints, Mask
from fundoscope.measure.tortuosity import pieces
from fundoscope.measure.zones import Region

WIDEST = 6
CROSSES = 1 / 3
"""A vessel counts in a zone where it runs through at least this share of the ring's breadth."""
STRAIGHT_ON = np.radians(60.0)
"""Two pieces that meet are one vessel where the way turns by less than this."""


@dataclass(frozen=True)
class SegmentWidth:
    """The width of one segment and how it changes along the way."""

    mean_px: float
    sd_px: float
    profile_px: Floats
    """Width every pixel or so along the segment, where both walls are clear, shape (K,)."""
    along_px: Floats
    """Where on the segment, shape (K,)."""


def segment_widths(line: Centreline) -> list[SegmentWidth | None]:
    """Return the width of every segment; None where its walls are nowhere clear."""
    found: list[SegmentWidth | None] = []
    known = np.isfinite(line.width_px)
    for begin, end in zip(line.first[:-1], line.first[1:], strict=True):
        here = np.flatnonzero(known[begin:end]) + begin
        if not len(here):
            found.append(None)
            continue
        profile = line.width_px[here]
        mean, sd = float(profile.mean()), float(profile.std())
        found.append(SegmentWidth(mean, sd, profile, line.along_px[here]))
    return found


def mean_width_px(line: Centreline, inside: Mask) -> float | None:
    """Return the mean width of vessels along their length, pixels; None where none is clear.

    Parameters
    ----------
    line : Centreline
    inside : bool array, shape (N,)
        Which points of the centreline count.
    """
    known = inside & np.isfinite(line.width_px)
    weight = line.step_px[known]
    if not weight.sum() > 0:
        return None
    return float(np.average(line.width_px[known], weights=weight))


def crossing_widths_px(line: Centreline, zone: Region) -> Floats:
    """Return the mean width of every vessel that crosses a zone, widest first.

    Pieces that a branch or a crossing cuts, and that run straight on, are one vessel.
    """
    start, stop = pieces(line, zone.holds(line.points))
    away = np.hypot(*(line.points - np.array(zone.centre)).T)
    known = np.isfinite(line.width_px)
    weight = np.where(known, line.step_px, 0)
    total = np.concatenate([[0.0], np.cumsum(weight * np.nan_to_num(line.width_px))])
    length = np.concatenate([[0.0], np.cumsum(weight)])
    vessels = []
    for chain in _vessels(line, start, stop):
        first, last = start[chain], stop[chain]
        nearest = min(away[a:b].min() for a, b in zip(first, last, strict=True))
        furthest = max(away[a:b].max() for a, b in zip(first, last, strict=True))
        clear = (length[last] - length[first]).sum()
        if furthest - nearest >= CROSSES * (zone.outer_px - zone.inner_px) and clear > 0:
            vessels.append(float((total[last] - total[first]).sum() / clear))
    return np.array(sorted(vessels, reverse=True))


def _vessels(line: Centreline, start: Ints, stop: Ints) -> list[list[int]]:
    """Chains of pieces, joined where they run straight on through a junction."""
    owner = list(range(len(start)))
    for meeting in _meetings(line, start, stop).values():
        turns = []
        for i, (piece, way) in enumerate(meeting):
            for other, other_way in meeting[i + 1 :]:
                turn = math.acos(float(np.clip(-way @ other_way, -1, 1)))
                turns.append((turn, piece, other))
        joined: set[int] = set()
        for turn, piece, other in sorted(turns):
            if turn < STRAIGHT_ON and not {piece, other} & joined and piece != other:
                joined |= {piece, other}
                old, new = owner[other], owner[piece]
                owner = [new if o == old else o for o in owner]
    chains: dict[int, list[int]] = {}
    for piece, of in enumerate(owner):
        chains.setdefault(of, []).append(piece)
    return list(chains.values())


def _meetings(line: Centreline, start: Ints, stop: Ints) -> dict[int, list[tuple[int, Floats]]]:
    """Junctions at which pieces end, with the direction in which each leaves."""
    segment = line.segment
    found: dict[int, list[tuple[int, Floats]]] = {}
    for piece, (begin, end) in enumerate(zip(start, stop, strict=True)):
        own = segment[begin]
        for side, tip in ((0, line.first[own]), (1, line.first[own + 1] - 1)):
            junction = int(line.ends[own, side])
            if junction == FREE or not begin <= tip < end:
                continue
            reach = int(line.junction_radius_px[junction] * 2) + 6
            far = min(tip + reach, end - 1) if side == 0 else max(tip - reach, begin)
            way = line.points[far] - line.junctions[junction]
            found.setdefault(junction, []).append((piece, way / max(np.hypot(*way), 1e-9)))
    return found


Combine = Callable[[float, float], float]


def knudtson(factor: float) -> Combine:
    """Return Knudtson's rule: 0.88 for arterioles, 0.95 for venules; any unit of length."""
    return lambda narrow, wide: factor * math.hypot(narrow, wide)


def hubbard_arteriole(narrow: float, wide: float) -> float:
    """Return the trunk of two arterioles by Hubbard's rule, micrometres; NaN below all sense."""
    return _root(0.87 * narrow**2 + 1.01 * wide**2 - 0.22 * narrow * wide - 10.76)


def hubbard_venule(narrow: float, wide: float) -> float:
    """Return the trunk of two venules by Hubbard's rule, micrometres."""
    return _root(0.72 * narrow**2 + 0.91 * wide**2 + 450.05)


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def central_equivalent(widths: Sequence[float] | Floats, combine: Combine) -> float | None:
    """Return the width of the trunk that the six widest vessels would join to.

    The widest is combined with the narrowest, the next with the next; of three trunks the middle
    one is carried over.

    Parameters
    ----------
    widths : at least six, any order; in micrometres for Hubbard's rules
    combine : rule for two vessels, the narrower first

    Returns
    -------
    float or None
        None where there are fewer than six.
    """
    if len(widths) < WIDEST:
        return None
    trunks = sorted(float(width) for width in widths)[-WIDEST:]
    while len(trunks) > 1:
        half = len(trunks) // 2
        middle = trunks[half : len(trunks) - half]
        pairs = [combine(trunks[i], trunks[-1 - i]) for i in range(half)]
        trunks = sorted(pairs + middle)
    return trunks[0]
