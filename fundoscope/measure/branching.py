"""Where vessels branch: angles, Murray's exponent, asymmetry.

The direction of a branch is that of its centreline over a stated length, which begins where the
walls at the junction end. Where four or more vessels meet they cross; that is no branching.

References
----------
Murray 1926, J Gen Physiol 9, 835-841: the angle of branching of the arteries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.measure.centreline import Centreline
from fundoscope.measure.skeleton import FREE, Floats, Ints

WALLS_PX = 2.0
"""A branch's direction is taken from so far beyond the largest disc at the junction ..."""
REACH_PX, REACH_WIDTHS = 12.0, 2.5
"""... over the longer of so many pixels and so many of its widths, as far as the branch goes."""
LEAST_REACH_PX = 6.0
"""Shorter branches have no direction."""
CLEARLY_WIDER = 1.1
"""The trunk is the widest of three vessels where it is this much wider than the next; otherwise the
one that lies opposite to the other two."""
LARGEST_EXPONENT = 20.0


@dataclass(frozen=True)
class Branching:
    """A vessel that becomes two."""

    junction: int
    place: tuple[float, float]
    """(row, col)."""
    angle_deg: float
    """Between the two children."""
    trunk_px: float
    """Width; NaN where the walls are not clear."""
    children_px: tuple[float, float]
    """Widths, the wider first."""
    directions: Floats
    """Unit (row, col) steps of trunk and children away from the junction, shape (3, 2)."""

    @property
    def asymmetry(self) -> float:
        """Width of the narrower child by that of the wider, up to 1."""
        return self.children_px[1] / self.children_px[0]

    @property
    def exponent(self) -> float | None:
        """The x for which trunk ** x = child ** x + child ** x; 3 by Murray's law.

        None where the trunk is not wider than both children: then there is none.
        """
        return murray_exponent(self.trunk_px, *self.children_px)


def murray_exponent(trunk: float, wide: float, narrow: float) -> float | None:
    """Return the x for which trunk ** x = wide ** x + narrow ** x; None where there is none."""
    if not (trunk > wide > 0 and narrow > 0):
        return None
    a, b = np.log(wide / trunk), np.log(narrow / trunk)
    low, high = 0.0, LARGEST_EXPONENT
    if np.exp(a * high) + np.exp(b * high) > 1:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        if np.exp(a * middle) + np.exp(b * middle) > 1:
            low = middle
        else:
            high = middle
    return float((low + high) / 2)


def branchings(line: Centreline) -> list[Branching]:
    """Return the places where one vessel becomes two, with angle and widths.

    Left out: crossings, and junctions of which a branch is too short to have a direction.
    """
    three = np.flatnonzero(line.degree() == 3)
    meets: dict[int, list[tuple[Floats, float]]] = {int(j): [] for j in three}
    for segment, ends in enumerate(line.ends):
        for side in (0, 1):
            junction = int(ends[side])
            if junction != FREE and junction in meets:
                branch = _branch(line, segment, side, line.junction_radius_px[junction])
                if branch is not None:
                    meets[junction].append(branch)
    return [_branching(line, j, found) for j, found in meets.items() if len(found) == 3]


def _branch(
    line: Centreline, segment: int, side: int, radius_px: float
) -> tuple[Floats, float] | None:
    """Direction away from the junction and width of a branch."""
    begin, end = line.first[segment], line.first[segment + 1]
    along = line.along_px[begin:end]
    away = along if side == 0 else along[-1] - along
    usable = line.clear[begin:end] & (away >= radius_px + WALLS_PX)
    widths = line.width_px[begin:end]
    near = usable & (away < radius_px + WALLS_PX + REACH_PX)
    known = widths[near & np.isfinite(widths)]
    width = float(np.median(known)) if len(known) else np.nan
    reach = max(REACH_PX, REACH_WIDTHS * np.nan_to_num(width))
    index = np.flatnonzero(usable & (away < radius_px + WALLS_PX + reach))
    if not len(index) or np.ptp(away[index]) < LEAST_REACH_PX:
        return None
    points, at = line.points[begin:end][index], away[index]
    slope = (at - at.mean()) @ (points - points.mean(axis=0))
    return slope / np.hypot(*slope), width


def _branching(line: Centreline, junction: int, found: list[tuple[Floats, float]]) -> Branching:
    ways, widths = np.array([way for way, _ in found]), np.array([width for _, width in found])
    trunk = _trunk(ways, widths)
    children = [i for i in np.argsort(-np.nan_to_num(widths)) if i != trunk]
    a, b = children
    cosine = float(np.clip(ways[a] @ ways[b], -1, 1))
    return Branching(
        junction=junction,
        place=(float(line.junctions[junction, 0]), float(line.junctions[junction, 1])),
        angle_deg=float(np.degrees(np.arccos(cosine))),
        trunk_px=float(widths[trunk]),
        children_px=(float(widths[a]), float(widths[b])),
        directions=ways[[trunk, a, b]],
    )


def _trunk(ways: Floats, widths: Floats) -> int:
    """Which of three vessels is the trunk."""
    order: Ints = np.argsort(-np.nan_to_num(widths))
    if widths[order[0]] > CLEARLY_WIDER * widths[order[1]]:
        return int(order[0])
    between = [ways[(i + 1) % 3] @ ways[(i + 2) % 3] for i in range(3)]  # cosines
    return int(np.argmax(between))
