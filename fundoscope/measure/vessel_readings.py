"""All that is read off one map of vessels, in the whole field and in each zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fundoscope.measure.branching import Branchings, branchings
from fundoscope.measure.calibre import (
    WIDEST,
    Combine,
    central_equivalent,
    crossing_widths_px,
    hubbard_arteriole,
    hubbard_venule,
    knudtson,
    mean_width_px,
)
from fundoscope.measure.centreline import Centreline, centreline
from fundoscope.measure.fractal import SMALLEST_EXTENT_PX, box_dimension
from fundoscope.measure.readings import Kind, Reading
from fundoscope.measure.scale import Scale
from fundoscope.measure.skeleton import Floats, Mask
from fundoscope.measure.tortuosity import SHORTEST_CURVED_PX, SHORTEST_PX, tortuosity
from fundoscope.measure.zones import Region

NOUNS: Mapping[str, str] = {"all": "vessels", "arteries": "arteries", "veins": "veins"}
WHERE_WORDS: Mapping[str, str] = {
    "whole": "the photograph", "zone_b": "zone B", "zone_c": "zone C",
}  # fmt: skip
KINDS: Mapping[str, Kind] = {
    "fractal_dimension": "ratio",
    "vessel_density": "ratio",
    "average_width": "width",
    "distance_tortuosity": "ratio",
    "squared_curvature_tortuosity": "per_area",
    "tortuosity_density": "per_length",
    "vessel_length": "length",
    "junction_count": "count",
    "branching_angle": "angle",
    "branching_exponent": "ratio",
    "branching_asymmetry": "ratio",
}
"""Quantities of a map of vessels, in the order in which they are given."""
MOST_COVERED = 0.5
"""A mask that covers more of the visible field than this is no map of vessels."""


class VesselMap:
    """One map of vessels and its centreline, or why it cannot be measured."""

    def __init__(self, of: str, mask: Mask | None, field: Region) -> None:
        self.of, self.noun, self.mask = of, NOUNS[of], mask
        self.problem = self._problem(field)
        self.line: Centreline | None = None
        self.forks: Branchings | None = None
        if mask is not None and not self.problem:
            self.line = centreline(mask)
            self.forks = branchings(self.line)

    def _problem(self, field: Region) -> str:
        if self.mask is None:
            return f"no mask of the {self.noun} was given"
        count, visible = np.count_nonzero(self.mask), np.count_nonzero(field.visible)
        if count == 0:
            return f"no {self.noun} were found in the photograph"
        if visible == 0:
            return "the field of view is empty"
        if count > MOST_COVERED * visible:
            share = 100 * count / visible
            return f"the mask of the {self.noun} covers {share:.0f} % of the visible field"
        return ""

    def readings(self, region: Region | str, where: str) -> Iterator[Reading]:
        """Yield every quantity in a region, or the reason why there is no such region."""
        problem = self.problem or (region if isinstance(region, str) else "")
        if (
            isinstance(region, str)
            or problem
            or self.line is None
            or self.forks is None
            or self.mask is None
        ):
            yield from self._none(problem, where)
            return
        part = region.cut(self.mask)
        if not part.any():
            yield from self._none(f"no {self.noun} lie in {WHERE_WORDS[where]}", where)
            return
        values = self._values(self.line, part, region) | self._branching(self.forks, region)
        for name, (value, reason) in values.items():
            note = ""
            if name == "vessel_density" and where == "whole" and region.visible.all():
                note = "share of the whole frame, as no field of view was given"
            yield Reading(name, value, KINDS[name], reason, self.of, where, note)

    def _none(self, reason: str, where: str) -> Iterator[Reading]:
        for name, kind in KINDS.items():
            yield Reading(name, None, kind, reason, self.of, where)

    def _values(
        self, line: Centreline, part: Mask, region: Region
    ) -> dict[str, tuple[float | None, str]]:
        inside = region.holds(line.points)
        winding = tortuosity(line, inside)
        visible = np.count_nonzero(region.visible)
        length = float(line.step_px[inside].sum())
        clear = f"of no {self.noun} are both walls clear"
        too_small = f"the {self.noun} extend over less than {SMALLEST_EXTENT_PX} px"
        too_short = f"no piece of the {self.noun} is {SHORTEST_PX:.0f} px long"
        no_curve = f"no piece of the {self.noun} is {SHORTEST_CURVED_PX:.0f} px long"
        junctions = int(np.count_nonzero(region.holds(line.junctions))) if length else None
        return {
            "fractal_dimension": (box_dimension(part), too_small),
            "vessel_density": (np.count_nonzero(part) / visible, ""),
            "average_width": (mean_width_px(line, inside), clear),
            "distance_tortuosity": (winding.distance, too_short),
            "squared_curvature_tortuosity": (winding.squared_curvature, no_curve),
            "tortuosity_density": (winding.density, no_curve),
            "vessel_length": (length or None, too_short),
            "junction_count": (junctions, too_short),
        }

    def _branching(self, forks: Branchings, region: Region) -> dict[str, tuple[float | None, str]]:
        held = region.holds(forks.place)
        none = f"no branching of the {self.noun} can be told"
        clear = f"at no branching of the {self.noun} are all walls clear"
        # the median of exponents: where a branch is thin, they run away
        return {
            "branching_angle": (_over(np.mean, forks.angle_deg[held]), none),
            "branching_exponent": (_over(np.median, forks.exponent[held]), clear),
            "branching_asymmetry": (_over(np.mean, forks.asymmetry[held]), clear),
        }


def _over(summary: Callable[[Floats], Any], values: Floats) -> float | None:
    """A summary of the values that are known; None where none is."""
    known = values[np.isfinite(values)]
    return float(summary(known)) if len(known) else None


def equivalents(
    arteries: VesselMap, veins: VesselMap, zone: Region | str, where: str, scale: Scale | None
) -> Iterator[Reading]:
    """Yield CRAE, CRVE and their ratio in a zone, by Hubbard's and by Knudtson's rule."""
    rules: tuple[tuple[str, Callable[[str], Combine]], ...] = (
        ("hubbard", lambda name: hubbard_arteriole if name == "crae" else hubbard_venule),
        ("knudtson", lambda name: knudtson(0.88 if name == "crae" else 0.95)),
    )
    widths = {"crae": _crossing(arteries, zone, where), "crve": _crossing(veins, zone, where)}
    for rule, combine in rules:
        found = {}
        for name, crossing in widths.items():
            value, reason = _equivalent(crossing, rule, combine(name), scale)
            found[name] = value
            yield Reading(f"{name}_{rule}", value, "width", reason, where=where)
        missing = " and ".join(name.upper() for name, value in found.items() if value is None)
        artery, vein = found["crae"], found["crve"]
        ratio = artery / vein if artery is not None and vein else None
        yield Reading(
            f"avr_{rule}", ratio, "ratio", f"{missing} could not be measured", where=where
        )


def _crossing(vessels: VesselMap, zone: Region | str, where: str) -> list[Floats] | str:
    """Widths of the vessels on each circle through the zone that enough of them cross, or why not.

    They must be enough on half of the circles.
    """
    if vessels.problem or vessels.line is None:
        return vessels.problem
    if isinstance(zone, str):
        return zone
    circles = crossing_widths_px(vessels.line, zone)
    usual = sorted(len(widths) for widths in circles)[len(circles) // 2]
    if usual < WIDEST:
        return f"{usual} {vessels.noun} cross {WHERE_WORDS[where]}, {WIDEST} are needed"
    return [widths for widths in circles if len(widths) >= WIDEST]


def _equivalent(
    circles: list[Floats] | str, rule: str, combine: Combine, scale: Scale | None
) -> tuple[float | None, str]:
    """The mean equivalent over the circles, pixels, or the reason why there is none."""
    if isinstance(circles, str):
        return None, circles
    if rule == "hubbard" and scale is None:
        return None, "Hubbard's rule is in micrometres, and no scale was given"
    unit = scale.um_per_px if rule == "hubbard" and scale is not None else 1.0
    found = [central_equivalent(widths[:WIDEST] * unit, combine) for widths in circles]
    mean = np.mean([trunk for trunk in found if trunk is not None])
    if not np.isfinite(mean):
        return None, f"the vessels are too narrow for Hubbard's rule: check the scale, {scale}"
    return float(mean) / unit, ""
