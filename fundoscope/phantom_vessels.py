"""Arterioles and venules of a phantom: arcades that leave the disc and branch by Murray's law.

Growth happens in the eye's own frame: the origin is the centre of the disc, lengths are disc
diameters, the first axis points to the temple and the second up. `Layout` puts it on the
photograph, mirrored for the right eye.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from fundoscope.phantom_shapes import Floats, arc_lengths
from fundoscope.records import Eye

Vessel = Literal["artery", "vein"]

TRUNK_WIDTH: Mapping[Vessel, float] = {"artery": 0.068, "vein": 0.094}
"""Of an arcade at the disc, in disc diameters: about 120 and 170 micrometres."""
PAIR: tuple[tuple[Vessel, int], ...] = (("vein", -1), ("artery", 1))
"""Vessels that run together, and the side of their common way on which each begins."""
NARROWEST_PX = 1.5
DEEPEST_GENERATION = 5
TAPER = 0.05
"""Share of its width that a vessel loses over a disc diameter between branchings."""
LAST_TAPER = 0.6
"""Width at the free end of a vessel, as a share of what taper alone would leave."""
GRID_PER_DIAMETER = 48
"""Fineness of the grid on which vessels of one kind keep clear of each other."""

ARCADES: tuple[tuple[float, tuple[tuple[float, float], ...]], ...] = (
    (1.0, ((0.16, 0.42), (0.42, 0.95), (1.05, 1.55), (1.9, 1.85), (2.9, 1.85), (3.8, 1.55),
           (4.7, 1.2), (5.6, 0.95))),
    (0.8, ((-0.16, 0.42), (-0.45, 0.95), (-0.95, 1.6), (-1.6, 2.3), (-2.3, 3.1))),
    (0.42, ((0.3, 0.2), (0.65, 0.38), (1.1, 0.42), (1.6, 0.3), (2.0, 0.22))),
    (0.45, ((-0.3, 0.12), (-0.7, 0.22), (-1.3, 0.3), (-2.1, 0.4))),
)  # fmt: skip
"""(share of the trunk's width, way) of the vessels above the horizontal: temporal and nasal
arcade, a twig to the macula, a twig to the nose. Those below mirror them."""


@dataclass(frozen=True)
class Segment:
    """A vessel from one branching to the next."""

    points: Floats
    """Centreline, (row, col), shape (N, 2)."""
    width_px: Floats
    """Full width at every point, shape (N,)."""
    vessel: Vessel
    generation: int
    """0 leaves the disc. At a branching the wider child keeps it, the narrower has one more."""
    parent: int | None
    """Index of the segment that this one leaves, None at the disc."""


@dataclass(frozen=True)
class Layout:
    """Where the anatomy lies on the photograph."""

    size_px: int
    centre: tuple[float, float]
    """(row, col) of the field of view."""
    radius_px: float
    disc: tuple[float, float]
    disc_diameter_px: float
    eye: Eye

    @property
    def temple(self) -> int:
        """+1 where the temple is on the right of the photograph (left eye), else -1."""
        return 1 if self.eye == "left" else -1

    def to_pixels(self, points: Floats) -> Floats:
        """Return (row, col) of points of the eye's frame, shape (N, 2)."""
        rows = self.disc[0] - points[:, 1] * self.disc_diameter_px
        cols = self.disc[1] + self.temple * points[:, 0] * self.disc_diameter_px
        return np.column_stack([rows, cols])

    def field_in_frame(self) -> tuple[float, float, float]:
        """Return the field of view in the eye's frame: middle and radius."""
        across = self.temple * (self.centre[1] - self.disc[1]) / self.disc_diameter_px
        up = (self.disc[0] - self.centre[0]) / self.disc_diameter_px
        return across, up, self.radius_px / self.disc_diameter_px


@dataclass(frozen=True)
class _Run:
    """A smooth way in the eye's frame, before it is cut at its branchings."""

    way: Floats
    width: float
    vessel: Vessel
    generation: int = 0
    parent: int | None = None


def grow_vessels(
    rng: np.random.Generator, layout: Layout, fovea: tuple[float, float]
) -> tuple[Segment, ...]:
    """Return the arterioles and venules of an eye; a parent comes before its children.

    At each branching `w0 ** 3 == w1 ** 3 + w2 ** 3`. Vessels of one kind keep clear of each other
    away from branchings and the disc; arterioles and venules may cross.

    Parameters
    ----------
    rng : numpy random generator
    layout : Layout
    fovea : (across, up), in the eye's frame
    """
    return _Growth(rng, layout, fovea).segments()


class _Growth:
    """The tree while it grows: what is drawn, what waits, and the room that is taken."""

    def __init__(
        self, rng: np.random.Generator, layout: Layout, fovea: tuple[float, float]
    ) -> None:
        self.rng, self.layout, self.fovea = rng, layout, fovea
        self.field = layout.field_in_frame()
        self.narrowest = NARROWEST_PX / layout.disc_diameter_px
        side = 2 * math.ceil(GRID_PER_DIAMETER * (self.field[2] + 0.1))
        self.taken: dict[Vessel, npt.NDArray[np.uint8]] = {
            "artery": np.zeros((side, side), np.uint8),
            "vein": np.zeros((side, side), np.uint8),
        }
        self.waiting: deque[_Run] = deque()
        self.grown: list[Segment] = []

    def segments(self) -> tuple[Segment, ...]:
        for run in self._trunks():
            self._start(run)
        while self.waiting:  # breadth first: wide vessels choose their way before narrow ones
            self._grow(self.waiting.popleft())
        return tuple(self.grown)

    def _trunks(self) -> list[_Run]:
        runs = []
        for up in (1, -1):
            for share, way in ARCADES:
                bent = np.array(way) * (1, up)
                bent += (
                    self.rng.normal(0, 0.05, bent.shape) * np.linspace(0.4, 1.6, len(way))[:, None]
                )
                phase = self.rng.uniform(0, 2 * math.pi)
                for vessel, aside in PAIR:
                    width = TRUNK_WIDTH[vessel] * share * self.rng.uniform(0.92, 1.08)
                    runs.append(_Run(self._trunk(bent, aside, phase), width, vessel))
        return runs

    def _trunk(self, corners: Floats, aside: int, phase: float) -> Floats:
        """A smooth way through corners; the pair of vessels weaves about it."""
        origin = np.array([-0.07, 0.05 * np.sign(corners[0, 1])]) + self.rng.normal(0, 0.02, 2)
        knots = np.vstack([origin, corners])
        spline = CubicSpline(arc_lengths(knots), knots)
        at = np.arange(0, spline.x[-1], 0.04)
        way, ahead = spline(at), spline(at, 1)
        normal = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.hypot(*ahead.T)[:, None]
        apart = 0.13 * aside * np.cos(0.9 * at + phase) * np.minimum(at / 0.5, 1)
        ripple = self.rng.uniform(0.008, 0.022) * np.sin(
            at * self.rng.uniform(5, 8) + phase * aside
        )
        return way + normal * (apart + ripple * np.minimum(at, 1))[:, None]

    def _start(self, run: _Run) -> bool:
        """Take the room of a run and let it wait for its turn; False where there is too little."""
        way = self._inside(run)
        if len(way) < 8:
            return False
        cv2.polylines(
            self.taken[run.vessel],
            [np.rint(self._on_grid(way) * 8).astype(np.int32)],
            isClosed=False,
            color=1,
            thickness=max(1, round((run.width + 0.05) * GRID_PER_DIAMETER)),
            shift=3,
        )
        self.waiting.append(replace(run, way=way))
        return True

    def _inside(self, run: _Run) -> Floats:
        """The part of a way before it leaves the field or meets a vessel of its kind."""
        across, up, radius = self.field
        edge = radius - run.width / 2 - 3 / self.layout.disc_diameter_px
        bad = np.hypot(run.way[:, 0] - across, run.way[:, 1] - up) > edge
        cols, rows = np.rint(self._on_grid(np.clip(run.way, -99, 99))).astype(int).T
        side = len(self.taken[run.vessel])
        rows, cols = np.clip(rows, 0, side - 1), np.clip(cols, 0, side - 1)
        met = self.taken[run.vessel][rows, cols] > 0
        # a child starts inside its parent, and all trunks start close together
        own = 0.55 if run.parent is None else 0.16 + 2 * run.width
        bad |= met & (arc_lengths(run.way) > own)
        return run.way[: np.argmax(bad)] if bad.any() else run.way

    def _on_grid(self, way: Floats) -> Floats:
        across, up, _ = self.field
        half = len(self.taken["vein"]) / 2
        return (way - (across, up)) * GRID_PER_DIAMETER + half

    def _grow(self, run: _Run) -> None:
        """Cut a run at its branchings, and send a child off at each."""
        lengths = arc_lengths(run.way)
        first, width, parent = 0, run.width, run.parent
        for station in self._stations(run, lengths):
            end_width = width * math.exp(-TAPER * (lengths[station] - lengths[first]))
            ratio = self.rng.uniform(0.5, 0.9)
            main = end_width / (1 + ratio**3) ** (1 / 3)
            side = ratio * main
            if side < self.narrowest or run.generation == DEEPEST_GENERATION:
                continue
            index = len(self.grown)  # of the segment that ends here, once it is added
            heading = run.way[station] - run.way[station - 2]
            child = _Run(run.way[:0], side, run.vessel, run.generation + 1, index)
            if not self._branch_off(child, run.way[station], heading, end_width, main):
                continue
            self._add(run, slice(first, station + 1), width, end_width, parent)
            first, width, parent = station, main, index
        end_width = width * math.exp(-TAPER * (lengths[-1] - lengths[first])) * LAST_TAPER
        end_width = max(end_width, min(width, self.narrowest))
        self._add(run, slice(first, None), width, end_width, parent)

    def _stations(self, run: _Run, lengths: Floats) -> list[int]:
        """Points where a run may branch; none on the disc, none near the end."""
        at, found = (0.75 if run.parent is None else 0.3) + self.rng.uniform(0, 0.3), []
        while at < lengths[-1] - 0.3:
            found.append(max(2, int(np.searchsorted(lengths, at))))
            at += self.rng.uniform(0.4, 0.8)
        return found

    def _branch_off(
        self, child: _Run, origin: Floats, heading: Floats, parent_width: float, main: float
    ) -> bool:
        """Start a child at a branching, on either side; False where neither has room."""
        turn = _branching_angle(parent_width, child.width, main) + self.rng.normal(0, 0.08)
        first = self.rng.choice((-1, 1))
        for side in (first, -first):
            angle = math.atan2(heading[1], heading[0]) + side * turn
            if self._start(replace(child, way=self._wander(origin, angle, child.width))):
                return True
        return False

    def _wander(self, origin: Floats, angle: float, width: float) -> Floats:
        """A way that sways, drawn to the macula from within the arcades and outwards elsewhere."""
        step, bend = 0.04, 0.0
        count = int(self.rng.uniform(30, 48) * width / step) + 8
        sway = self.rng.normal(0, 0.55, count)
        across, up = float(origin[0]), float(origin[1])
        way = [(across, up)]
        for push in sway:
            to_fovea = math.hypot(self.fovea[0] - across, self.fovea[1] - up)
            if to_fovea < 0.42:
                break
            goal = self._goal(across, up, to_fovea)
            bend = 0.8 * bend + push
            angle += step * (0.7 * math.sin(goal - angle) + bend)
            across, up = across + step * math.cos(angle), up + step * math.sin(angle)
            way.append((across, up))
        return np.array(way)

    def _goal(self, across: float, up: float, to_fovea: float) -> float:
        if to_fovea < 1.75:
            return math.atan2(self.fovea[1] - up, self.fovea[0] - across)
        return math.atan2(up, across)

    def _add(
        self, run: _Run, part: slice, width: float, end_width: float, parent: int | None
    ) -> None:
        points = self.layout.to_pixels(run.way[part])
        share = arc_lengths(points) / arc_lengths(points)[-1]
        width_px = (width + share * (end_width - width)) * self.layout.disc_diameter_px
        self.grown.append(Segment(points, width_px, run.vessel, run.generation, parent))


def _branching_angle(parent: float, child: float, sibling: float) -> float:
    """Angle between a child and its parent's direction that Murray's least work asks for."""
    cosine = (parent**4 + child**4 - sibling**4) / (2 * parent**2 * child**2)
    return math.acos(min(1.0, max(-1.0, cosine)))
