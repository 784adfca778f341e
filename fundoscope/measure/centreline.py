"""The centreline of every vessel of a mask, to a fraction of a pixel, with its width.

The pixel paths of the skeleton are smoothed, read again at equal steps, and moved to the middle
between the vessel's two walls. Free ends, where a skeleton stops a radius short of the vessel's
end and may turn into a corner, are drawn straight on to the end of the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fundoscope.measure.local_fits import dome, local_fits
from fundoscope.measure.skeleton import FREE, Floats, Ints, Mask, PixelPaths, pixel_paths
from fundoscope.measure.walls import SoftMask, wall_distance

STAIRCASE_HALF = 3
"""Half window, pixels, that straightens the skeleton's staircase."""
DIRECTION_HALF = 6
"""Half window, pixels, that gives the direction across which the walls are sought."""
PATH_HALF = 4
"""Half window, pixels, that smooths the middle between the walls."""
CURVE_HALF, LONG_CURVE_HALF = 10, 20
"""Half windows, pixels, in which a straight line is fitted to the direction: its slope is the
curvature, exact for an arc whatever the window; noise falls with the window to the power 1.5."""
ONE_ARC_PX = 0.2
"""Where a single arc follows a whole segment to within so much, root mean square, it has the one
curvature: a mask shows no more."""
GENTLE, ALIKE = 1.0, 0.06
"""The long window serves where the vessel turns by less than the one over its half, and where both
windows see the same direction to within the other, radians: a vessel that winds keeps the short."""
CLEAR_OF_JUNCTION_PX = 1.5
"""Within the radius of a junction and so much more a wall belongs to two vessels."""
FURTHEST_PX = 2.0
"""A skeleton does not lie further from the middle between the walls."""
TIP_PX = 16.0
"""How far beyond the end of its skeleton a vessel may go on: thinning eats some from their ends."""
SHORTEST_PX = 3.0
"""Paths between junctions that are shorter are not told from noise."""


@dataclass(frozen=True)
class Centreline:
    """Centrelines of all vessels of a mask, segment after segment, each from end to end."""

    points: Floats
    """(row, col), pixels, shape (N, 2)."""
    tangent: Floats
    """Unit (row, col) step along the segment, shape (N, 2)."""
    curvature: Floats
    """1 / radius, per pixel, positive where the vessel turns clockwise as seen; NaN where it is
    not clear. Shape (N,)."""
    width_px: Floats
    """NaN where the walls cannot be told, shape (N,)."""
    clear: Mask
    """Away from junctions and free ends, shape (N,)."""
    along_px: Floats
    """Arc length from the segment's start, shape (N,)."""
    first: Ints
    """Segment s holds the points first[s]:first[s + 1], shape (S + 1,)."""
    ends: Ints
    """Junction at the start and at the end of a segment, -1 at a free end, shape (S, 2)."""
    junctions: Floats
    """(row, col), shape (J, 2)."""
    junction_radius_px: Floats
    """Of the largest disc in the vessels that meet there, shape (J,)."""

    @property
    def segment(self) -> Ints:
        """Segment of every point, shape (N,)."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.first))

    @property
    def step_px(self) -> Floats:
        """Length that each point stands for; those of a segment sum to its length, shape (N,)."""
        half = np.diff(self.along_px) / 2
        half[self.first[1:-1] - 1] = 0
        return np.pad(half, (0, 1)) + np.pad(half, (1, 0))

    @property
    def length_px(self) -> Floats:
        """Length of every segment, shape (S,)."""
        return self.along_px[self.first[1:] - 1]

    def degree(self) -> Ints:
        """How many segments meet at each junction, shape (J,)."""
        met = self.ends[self.ends != FREE]
        return np.bincount(met, minlength=len(self.junctions))


def centreline(mask: Mask) -> Centreline:
    """Return the centrelines of a mask's vessels; none where the mask is empty or a speck.

    Parameters
    ----------
    mask : bool array, shape (H, W)
    """
    mask = np.ascontiguousarray(mask)
    paths = pixel_paths(mask)
    first, points, radius = _at_equal_steps(paths)
    if len(first) == 1:
        return _none(paths)
    ends = paths.ends[_long_enough(paths)]
    soft = SoftMask.of(mask)
    clear = _clear(first, ends, radius, paths.junction_radius_px)
    points, width = _to_the_middle(soft, points, radius, clear, first, ends)
    curvature, tangent = _curvature(points, clear, first)
    points = _drawn_to_the_end(soft, points, clear, radius, first, ends, curvature, tangent)
    smooth, slope = local_fits(points, first, PATH_HALF)
    for index in (first[:-1], first[1:] - 1):  # smoothing must not shorten a segment
        smooth[index] = points[index]
    return Centreline(
        points=smooth,
        tangent=_unit(slope),
        curvature=curvature,
        width_px=np.where(clear, width, np.nan),
        clear=clear,
        along_px=_along(smooth, first),
        first=first,
        ends=ends,
        junctions=paths.junctions,
        junction_radius_px=paths.junction_radius_px,
    )


def _none(paths: PixelPaths) -> Centreline:
    nothing, no_points = np.zeros(0), np.zeros((0, 2))
    return Centreline(
        points=no_points, tangent=no_points, curvature=nothing, width_px=nothing,
        clear=np.zeros(0, bool), along_px=nothing, first=np.zeros(1, int),
        ends=np.zeros((0, 2), int), junctions=paths.junctions,
        junction_radius_px=paths.junction_radius_px,
    )  # fmt: skip


def _long_enough(paths: PixelPaths) -> Mask:
    return np.diff(paths.first) >= SHORTEST_PX


def _at_equal_steps(paths: PixelPaths) -> tuple[Ints, Floats, Floats]:
    """Lengthen paths to their junctions, and read them at equal steps of about a pixel.

    Returns first (S + 1,), points (N, 2) and the radius (N,) of the mask there.
    """
    keep = _long_enough(paths)
    lengths = np.diff(paths.first)
    chosen = np.repeat(keep, lengths)
    pixels, radius = paths.pixels[chosen].astype(float), paths.radius_px[chosen]
    start = np.concatenate([[0], np.cumsum(lengths[keep])])
    ends = paths.ends[keep]
    if len(start) == 1:
        return start, pixels, radius
    straight, _ = local_fits(pixels, start, STAIRCASE_HALF)
    # the junction's centre goes before the first and behind the last pixel of a path
    places = np.concatenate([start[1:], start[:-1]])  # at one place, ends come before starts
    junction = np.concatenate([ends[:, 1], ends[:, 0]])
    own_end = np.concatenate([start[1:] - 1, start[:-1]])
    met = junction != FREE
    added = paths.junctions[junction[met]]
    line = np.insert(straight, places[met], added, axis=0)
    wide = np.insert(radius, places[met], radius[own_end[met]])
    count = np.diff(start) + (ends != FREE).sum(axis=1)
    first = np.concatenate([[0], np.cumsum(count)])
    return _read_equally(line, wide, first)


def _read_equally(line: Floats, wide: Floats, first: Ints) -> tuple[Ints, Floats, Floats]:
    along = _along(line, first)
    length = along[first[1:] - 1]
    number = np.maximum(np.rint(length).astype(int) + 1, 3)
    new_first = np.concatenate([[0], np.cumsum(number)])
    segment = np.repeat(np.arange(len(number)), number)
    share = (np.arange(new_first[-1]) - new_first[segment]) / (number[segment] - 1)
    # one long ruler: each segment begins a gap behind the one before
    offset = np.concatenate([[0], np.cumsum(length + 1)[:-1]])
    ruler = along + np.repeat(offset, np.diff(first))
    target = offset[segment] + share * length[segment]
    points = np.column_stack([np.interp(target, ruler, line[:, k]) for k in (0, 1)])
    return new_first, points, np.interp(target, ruler, wide)


def _along(points: Floats, first: Ints) -> Floats:
    """Arc length of every point from the start of its segment."""
    total = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return total - np.repeat(total[first[:-1]], np.diff(first))


def _unit(steps: Floats) -> Floats:
    return steps / np.maximum(np.hypot(*steps.T), 1e-9)[:, None]


def _clear(first: Ints, ends: Ints, radius: Floats, junction_radius: Floats) -> Mask:
    """Whether points lie away from junctions and free ends, shape (N,)."""
    count = np.diff(first)
    index = np.arange(first[-1])
    from_start = index - np.repeat(first[:-1], count)
    to_end = np.repeat(first[1:] - 1, count) - index
    usual = radius[(first[:-1] + first[1:]) // 2][:, None]
    at_end = radius[np.column_stack([first[:-1], first[1:] - 1])]
    # a skeleton that runs into a corner gets nearer and nearer to the wall
    corner = 1.5 * np.maximum(usual - at_end, 0)
    at_free_end = np.minimum(0.5 * usual + 1 + corner, count[:, None] / 3)
    at_junction = np.append(junction_radius, 0)[ends] + CLEAR_OF_JUNCTION_PX
    trim = np.where(ends == FREE, at_free_end, at_junction)
    return (from_start >= np.repeat(trim[:, 0], count)) & (to_end >= np.repeat(trim[:, 1], count))


def _normal(tangent: Floats) -> Floats:
    return np.column_stack([tangent[:, 1], -tangent[:, 0]])


def _to_the_middle(
    soft: SoftMask, points: Floats, radius: Floats, clear: Mask, first: Ints, ends: Ints
) -> tuple[Floats, Floats]:
    """Move points to the middle between their walls, and those without as their neighbours.

    Returns points (N, 2) and the distance of the walls (N,).
    """
    points, slope = local_fits(points, first, DIRECTION_HALF)
    normal = _normal(_unit(slope))
    aside = wall_distance(soft, points, normal, radius)
    other = wall_distance(soft, points, -normal, radius)
    move = np.clip((aside - other) / 2, -FURTHEST_PX, FURTHEST_PX)
    known = np.flatnonzero(clear & np.isfinite(move))
    begin, end = np.searchsorted(known, first[:-1]), np.searchsorted(known, first[1:]) - 1
    free = (ends == FREE) & (begin <= end)[:, None]  # at a junction the end stays where it is
    at_known = np.append(move[known], 0)
    knots = np.concatenate([first[:-1], known, first[1:] - 1])
    moves = np.concatenate(
        [
            np.where(free[:, 0], at_known[begin], 0),
            move[known],
            np.where(free[:, 1], at_known[end], 0),
        ]
    )
    order = np.argsort(knots, kind="stable")
    by = np.interp(np.arange(len(points)), knots[order], moves[order])
    return points + by[:, None] * normal, aside + other


def _drawn_to_the_end(
    soft: SoftMask, points: Floats, clear: Mask, radius: Floats, first: Ints, ends: Ints,
    curvature: Floats, tangent: Floats,
) -> Floats:  # fmt: skip
    """Lay the points of every free end on the straight line to the end of the mask."""
    points = points.copy()
    known = np.flatnonzero(clear)
    begin, end = np.searchsorted(known, first[:-1]), np.searchsorted(known, first[1:]) - 1
    apart = np.hypot(*(points[first[:-1]] - points[first[1:] - 1]).T) > 2  # no ring
    for side, sign in ((0, -1), (1, 1)):
        here = np.flatnonzero((ends[:, side] == FREE) & (end - begin >= 2) & apart)
        tip = first[here] if side == 0 else first[here + 1] - 1
        last = known[(begin if side == 0 else end)[here]]  # the last clear point
        count = sign * (tip - last)
        near = count + radius[last]
        # where an arc leads that turns on as before
        ahead = sign * _turned(tangent[last], sign * curvature[last] * near / 2)
        furthest = float(near.max(initial=0))
        reach = wall_distance(soft, points[last], ahead, near, furthest, TIP_PX)
        reach = np.where(np.isfinite(reach), reach, count)
        nth = np.concatenate([np.arange(1, n + 1) for n in count] or [np.zeros(0, int)])
        share = nth / np.repeat(count, count)
        line = np.repeat(ahead * reach[:, None], count, axis=0)
        points[np.repeat(last, count) + sign * nth] = (
            np.repeat(points[last], count, axis=0) + share[:, None] * line
        )
    return points


def _turned(steps: Floats, angle: Floats) -> Floats:
    """Steps turned clockwise as seen, angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    down, right = steps.T
    return np.column_stack([down * cosine + right * sine, right * cosine - down * sine])


def _curvature(points: Floats, clear: Mask, first: Ints) -> tuple[Floats, Floats]:
    """Curvature and tangent of the clear parts, shapes (N,) and (N, 2); NaN elsewhere."""
    own_first = np.unique(np.concatenate([[0], np.cumsum(clear)])[first])
    curvature, tangent = np.full(len(points), np.nan), np.full(points.shape, np.nan)
    if not clear.any():
        return curvature, tangent
    smooth, slope = local_fits(points[clear], own_first, PATH_HALF)
    direction = np.unwrap(np.arctan2(slope[:, 0], slope[:, 1]))[:, None]
    near, turn = local_fits(direction, own_first, CURVE_HALF, order=1)
    far, far_turn = local_fits(direction, own_first, LONG_CURVE_HALF, order=1)
    gentle = (np.abs(far_turn) * LONG_CURVE_HALF < GENTLE) & (np.abs(far - near) < ALIKE)
    count = np.diff(own_first)
    step = _along(smooth, own_first)[own_first[1:] - 1] / np.maximum(count - 1, 1)
    turn, angle = (np.where(gentle, a, b)[:, 0] for a, b in ((far_turn, turn), (far, near)))
    arc_angle, arc_turn, off = _one_arc(direction[:, 0], own_first)
    turn, angle = np.where(off, turn, arc_turn), np.where(off, angle, arc_angle)
    curvature[clear] = turn / np.repeat(np.maximum(step, 1e-9), count)
    tangent[clear] = np.column_stack([np.sin(angle), np.cos(angle)])
    return curvature, tangent


def _one_arc(direction: Floats, first: Ints) -> tuple[Floats, Floats, Mask]:
    """Direction and turn by index of the one arc for each curve; whether it is off the curve."""
    count = np.diff(first)
    owner = np.repeat(np.arange(len(count)), count)
    size = count[owner]
    at = np.arange(first[-1]) - first[owner] - (size - 1) / 2
    weight = dome(at, size)

    def total(values: Floats) -> Floats:
        sums: Floats = np.bincount(owner, values, minlength=len(count)).astype(float)
        return sums[owner]

    turn = total(weight * at * direction) / np.maximum(total(weight * at**2), 1e-9)
    arc = total(weight * direction) / total(weight) + turn * at
    aside = np.cumsum(np.sin(direction - arc))
    aside -= total(aside) / size
    return arc, turn, total(aside**2) / size > ONE_ARC_PX**2
