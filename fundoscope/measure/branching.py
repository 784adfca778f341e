"""Where vessels branch: angles, Murray's exponent, asymmetry.

The direction of a branch is that of its centreline over a stated length, which begins where the
walls at the junction end. The length follows the extent of the tree, so that a larger photograph of
the same eye gives the same angles. Where four or more vessels meet they cross, and where two leave
a junction side by side they merely touch; neither is a branching. RBAD measures otherwise: between
the pixels some 15 steps down the first two branches that its search meets, which may be trunk and
child, and drops what lies outside 20 to 120 degrees.

Branches mostly bend towards each other's way behind a fork: the longer the length, the smaller the
angle. On the 20 photographs of DRIVE that were marked by hand the mean angle of a photograph was
3.7 degrees below the marks before vessels side by side were left out, and is 2.5 below now, over a
41st of the extent (some 21 px); over 15 px it would be 1.3, but two drawn branches 3 px wide need
16 px for an angle that is right to 2 degrees. To take only forks with long branches, of wide
vessels or of alike children came no nearer. About 22 marks a photograph are few: two such samples
of its forks differ by 5 degrees, and one number for all photographs is 4.0 from the marks.

References
----------
Murray 1926, J Gen Physiol 9, 835-841: the angle of branching of the arteries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.measure.centreline import Centreline
from fundoscope.measure.skeleton import FREE, Floats, Ints, Mask

REACH, REACH_PX, REACH_WIDTHS = 1 / 41, 16.0, 2.5
"""A branch's direction is taken over the longest of this share of the tree's extent, so many pixels
and so many of its widths, as far as the branch goes ..."""
WALLS = 0.09
"""... from so much of the first two beyond the largest disc at the junction."""
LEAST_REACH = 0.35
"""A branch that is shorter than this share of them has no direction."""
SIDE_BY_SIDE_DEG = 20.0
"""Two that part by less lie side by side and touch: islands between two vessels, in most masks."""
SPREAD_DEG, CLEARLY_WIDER = 100.0, 1.1
"""The trunk lies opposite to the other two, which then are the nearest to each other. Where even
these are so far apart, the widest is the trunk if it is so much wider than the next. (To go by
width first made 15 % of the angles on DRIVE larger than 120 degrees; this rule, 1 %.)"""
LARGEST_EXPONENT = 20.0


@dataclass(frozen=True)
class Branchings:
    """Places where one vessel becomes two, B of them."""

    place: Floats
    """(row, col), shape (B, 2)."""
    angle_deg: Floats
    """Between the two children, shape (B,)."""
    trunk_px: Floats
    """Width, shape (B,); NaN where the walls are not clear."""
    children_px: Floats
    """Widths, the wider child first, shape (B, 2)."""
    directions: Floats
    """Unit (row, col) steps of trunk and children away from the junction, shape (B, 3, 2)."""

    @property
    def asymmetry(self) -> Floats:
        """Width of the narrower child by that of the wider, up to 1; NaN where not known."""
        return self.children_px[:, 1] / self.children_px[:, 0]

    @property
    def exponent(self) -> Floats:
        """Murray's exponent of each, shape (B,); NaN where there is none."""
        return murray_exponent(self.trunk_px, self.children_px[:, 0], self.children_px[:, 1])


def murray_exponent(trunk: Floats, wide: Floats, narrow: Floats) -> Floats:
    """Return the x for which trunk ** x = wide ** x + narrow ** x; 3 by Murray's law.

    Parameters
    ----------
    trunk, wide, narrow : float arrays, shape (B,)
        Widths in one unit; NaN where not known.

    Returns
    -------
    float array, shape (B,)
        NaN where the trunk is not wider than both children, or hardly: there is no such x, or it
        is beyond all sense.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.log(wide / trunk), np.log(narrow / trunk)
    with np.errstate(over="ignore", invalid="ignore"):
        exists = np.exp(a * LARGEST_EXPONENT) + np.exp(b * LARGEST_EXPONENT) < 1
        low, high = np.zeros(len(a)), np.full(len(a), LARGEST_EXPONENT)
        for _ in range(40):
            middle = (low + high) / 2
            more = np.exp(a * middle) + np.exp(b * middle) > 1
            low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.where(exists, (low + high) / 2, np.nan)


def branchings(line: Centreline) -> Branchings:
    """Return the places where one vessel becomes two, with angle and widths.

    Left out: crossings, vessels that run side by side, and junctions of which a branch is too short
    to have a direction.
    """
    ways, widths, junction = [], [], []
    for side in (0, 1):
        way, width, usable = _branches(line, side)
        ways.append(way[usable])
        widths.append(width[usable])
        junction.append(line.ends[usable, side])
    at = np.concatenate(junction)
    order = np.argsort(at, kind="stable")
    met, count = np.unique(at, return_counts=True)
    whole = np.isin(at[order], met[count == 3])
    index = order[whole].reshape(-1, 3)  # the three branches of every junction
    return _branchings(
        line.junctions[met[count == 3]],
        np.concatenate(ways)[index],
        np.concatenate(widths)[index],
    )


def _reach_px(line: Centreline) -> float:
    """The length over which directions are taken, but for wide vessels."""
    if not len(line.points):
        return REACH_PX
    return max(REACH_PX, REACH * float(np.ptp(line.points, axis=0).max()))


def _branches(line: Centreline, side: int) -> tuple[Floats, Floats, Mask]:
    """Direction away from the junction at one end of every segment, width, and where they hold."""
    count, junction, segment = len(line.ends), line.ends[:, side], line.segment
    reach = _reach_px(line)
    three = (junction != FREE) & (np.append(line.degree(), 0)[junction] == 3)
    away = line.along_px if side == 0 else line.length_px[segment] - line.along_px
    away = away - (np.append(line.junction_radius_px, 0)[junction] + WALLS * reach)[segment]
    usable = line.clear & three[segment] & (away >= 0)
    known = usable & (away < reach) & np.isfinite(line.width_px)
    number = np.bincount(segment[known], minlength=count)
    total = np.bincount(segment[known], line.width_px[known], minlength=count)
    width = np.where(number, total / np.maximum(number, 1), np.nan)
    fitted = usable & (away < np.fmax(reach, REACH_WIDTHS * width)[segment])
    owner, t, points = segment[fitted], away[fitted], line.points[fitted]
    number = np.maximum(np.bincount(owner, minlength=count), 1)
    t = t - (np.bincount(owner, t, minlength=count) / number)[owner]
    way = np.column_stack([np.bincount(owner, t * points[:, k], minlength=count) for k in (0, 1)])
    span = np.zeros(count)
    np.maximum.at(span, owner, 2 * t)  # equal steps: the last is half the span from the middle
    long = three & (span >= LEAST_REACH * reach)
    return way / np.maximum(np.hypot(*way.T), 1e-9)[:, None], width, long


def _branchings(place: Floats, ways: Floats, widths: Floats) -> Branchings:
    """Tell trunk and children apart, (B, 3, 2) and (B, 3), and measure between the children."""
    order = np.argsort(-np.nan_to_num(widths), axis=1, kind="stable")
    ordered = np.take_along_axis(widths, order, axis=1)
    opposite, spread_deg = _opposite(ways)
    by_width = (spread_deg > SPREAD_DEG) & (ordered[:, 0] > CLEARLY_WIDER * ordered[:, 1])
    trunk = np.where(by_width, order[:, 0], opposite)
    # children in the order of their widths
    children = order[order != trunk[:, None]].reshape(-1, 2)
    index: Ints = np.column_stack([trunk, children])
    ways = np.take_along_axis(ways, index[..., None], axis=1)
    widths = np.take_along_axis(widths, index, axis=1)
    cosine = np.clip((ways[:, 1] * ways[:, 2]).sum(axis=1), -1, 1)
    angle = np.degrees(np.arccos(cosine))
    apart = angle >= SIDE_BY_SIDE_DEG
    found = (place, angle, widths[:, 0], widths[:, 1:], ways)
    return Branchings(*(values[apart] for values in found))


def _opposite(ways: Floats) -> tuple[Ints, Floats]:
    """Which of three lies opposite to the other two, and the angle between these, degrees."""
    between = np.stack(
        [(ways[:, (i + 1) % 3] * ways[:, (i + 2) % 3]).sum(axis=1) for i in range(3)], axis=1
    )
    nearest = np.degrees(np.arccos(np.clip(between.max(axis=1, initial=-1), -1, 1)))
    return np.argmax(between, axis=1), nearest
