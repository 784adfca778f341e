"""All that is read off disc, cup, fovea and lesions, and off vessels field by field of the grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fundoscope import terms
from fundoscope.errors import ConfigError, nearest
from fundoscope.measure.disc import Outline, eye_side, fovea_distance, rim_widths_px
from fundoscope.measure.grid import FIELDS, LEAST_VISIBLE, OUTSIDE, QUADRANTS, RINGS, Grid
from fundoscope.measure.lesion_measures import Lesions, lesions_of
from fundoscope.measure.mask_folders import LESION_CODES, MaskSet
from fundoscope.measure.readings import Kind, Reading
from fundoscope.measure.skeleton import Ints, Mask
from fundoscope.measure.vessel_readings import VesselMap
from fundoscope.measure.zones import Region

NO_FOVEA = "the place of the fovea is not known"
NO_SIDE = "which eye it is cannot be told without disc and fovea"


def disc_readings(
    disc: Outline | str, cup: Outline | str, fovea: tuple[float, float] | None
) -> Iterator[Reading]:
    """Yield the sizes of disc and cup, their ratios, the rim, and where the fovea lies."""
    yield from _sizes("disc", disc)
    yield from _sizes("cup", cup)
    problem = next((part for part in (disc, cup) if isinstance(part, str)), "")
    for name, size in (
        ("cdr_vertical", "height_px"),
        ("cdr_horizontal", "width_px"),
        ("cdr_area", "area_px"),
    ):
        value = None if problem else getattr(cup, size) / getattr(disc, size)
        yield Reading(name, value, "ratio", problem)
    yield from _rim(disc, cup, problem, fovea)
    yield from _fovea(disc, fovea)


def _sizes(name: str, found: Outline | str) -> Iterator[Reading]:
    missing = isinstance(found, str)
    for size in ("height", "width", "area"):
        value = None if missing else getattr(found, f"{size}_px")
        kind: Kind = "area" if size == "area" else "width"
        yield Reading(f"{name}_{size}", value, kind, found if isinstance(found, str) else "")


def _rim(
    disc: Outline | str, cup: Outline | str, problem: str, fovea: tuple[float, float] | None
) -> Iterator[Reading]:
    widths: dict[str, float] = {}
    if isinstance(disc, Outline) and isinstance(cup, Outline):
        seen = rim_widths_px(disc, cup)
        widths = {"inferior": seen["below"], "superior": seen["above"]}
        eye = eye_side(disc, fovea)
        if eye is not None:
            nose, temple = ("left", "right") if eye == "left" else ("right", "left")
            widths |= {"nasal": seen[nose], "temporal": seen[temple]}
    for quadrant in ("inferior", "superior", "nasal", "temporal"):
        yield Reading(f"rim_width_{quadrant}", widths.get(quadrant), "width", problem or NO_SIDE)


def _fovea(disc: Outline | str, fovea: tuple[float, float] | None) -> Iterator[Reading]:
    reason = disc if isinstance(disc, str) else NO_FOVEA
    distance = angle = None
    if isinstance(disc, Outline) and fovea is not None:
        distance, angle = fovea_distance(disc, fovea)
    yield Reading("fovea_disc_distance", distance, "disc_diameters", reason)
    yield Reading("fovea_disc_angle", angle, "angle", reason)


def grid_of(masks: MaskSet, disc: Outline | str) -> Grid | str:
    """Return the ETDRS grid of a photograph, or why there is none."""
    if masks.fovea is None:
        return NO_FOVEA
    diameter = disc.diameter_px if isinstance(disc, Outline) else None
    per_px = masks.scale.mm_per_px if masks.scale else None
    grid = Grid.around(masks.fovea, eye_side(disc, masks.fovea), per_px, diameter)
    return grid or "neither a scale nor a disc tells how large the ETDRS grid is"


class FieldShares:
    """Which pixels of the photograph lie in which field of the grid, and how many are visible."""

    def __init__(self, grid: Grid, field: Region) -> None:
        self.grid = grid
        height, width = field.visible.shape
        reach = grid.radii_px[-1] + 1
        (self.top, bottom), (self.left, right) = (
            (max(0, int(middle - reach)), min(side, int(middle + reach) + 2))
            for middle, side in zip(grid.fovea, (height, width), strict=True)
        )
        rows, cols = np.mgrid[self.top : max(bottom, self.top), self.left : max(right, self.left)]
        points = np.column_stack([rows.ravel(), cols.ravel()])
        self.of_pixel: Ints = grid.field(points).reshape(rows.shape)
        self.visible = self._counts(field.visible)

    def _counts(self, mask: Mask) -> Ints:
        height, width = self.of_pixel.shape
        part = mask[self.top : self.top + height, self.left : self.left + width]
        found = self.of_pixel[part]
        return np.bincount(found[found != OUTSIDE], minlength=len(FIELDS))

    def density(self, mask: Mask) -> Iterator[tuple[str, float | None, str]]:
        """Yield the share of every field that a mask covers, or why it cannot be told."""
        counts, areas = self._counts(mask), self.grid.areas_px()
        for index, name in enumerate(FIELDS):
            visible = self.visible[index]
            if not self.grid.known(name):
                yield name, None, NO_SIDE
            elif visible < LEAST_VISIBLE * areas[name] or not visible:
                share = 100 * visible / areas[name]
                yield name, None, f"{share:.0f} % of it lies inside the field of view"
            else:
                yield name, counts[index] / visible, ""


def grid_readings(maps: list[VesselMap], grid: Grid | str, field: Region) -> Iterator[Reading]:
    """Yield the density of vessels in every field of the ETDRS grid."""
    shares = None if isinstance(grid, str) else FieldShares(grid, field)
    for vessels in maps:
        problem = vessels.problem or (grid if isinstance(grid, str) else "")
        if problem or shares is None or vessels.mask is None:
            for name in FIELDS:
                yield Reading(f"vessel_density_{name}", None, "ratio", problem, vessels.of)
            continue
        for name, value, reason in shares.density(vessels.mask):
            yield Reading(f"vessel_density_{name}", value, "ratio", reason, vessels.of)


def lesion_readings(
    masks: MaskSet, disc: Outline | str, grid: Grid | str, field: Region
) -> Iterator[Reading]:
    """Yield count, area, distance to the fovea and counts by ring and quadrant, kind by kind.

    A kind that was looked for and not found has a count and an area of 0: real zeros. Counts by
    place are those of diabetic retinopathy, for which the grid was drawn.

    Raises
    ------
    ConfigError
        If a mask is of no lesion that the vocabulary knows.
    """
    for kind, mask in masks.lesions.items():
        if kind not in terms.lesions():
            raise ConfigError(
                f"no lesion called {kind!r} is in the vocabulary",
                where=f"photograph {masks.name!r}",
                mend=nearest(kind, terms.lesions()),
            )
        lesions = lesions_of(mask, masks.fovea)
        visible = np.count_nonzero(field.visible)
        area = 100 * lesions.area_px / visible if visible else None
        yield Reading(f"{kind}_count", lesions.count, "count")
        yield Reading(f"{kind}_area", area, "percent", "the field of view is empty")
        yield _distance(kind, lesions, disc, masks.fovea)
        if kind in LESION_CODES.values():
            yield from _by_place(kind, lesions, grid)


def _distance(
    kind: str, lesions: Lesions, disc: Outline | str, fovea: tuple[float, float] | None
) -> Reading:
    name, value, reason = f"{kind}_fovea_distance", None, ""
    if fovea is None:
        reason = NO_FOVEA
    elif isinstance(disc, str):
        reason = disc
    elif not lesions.count:
        reason = "there is no such lesion"
    else:
        value = float(lesions.distances_px(fovea).min()) / disc.diameter_px
    return Reading(name, value, "disc_diameters", reason)


def _by_place(kind: str, lesions: Lesions, grid: Grid | str) -> Iterator[Reading]:
    if isinstance(grid, str):
        for place in (*RINGS, *QUADRANTS):
            yield Reading(f"{kind}_count_{place}", None, "count", grid)
        return
    ring = grid.ring(lesions.centres)
    quadrant = grid.quadrant(lesions.centres)[ring != OUTSIDE]
    for index, place in enumerate(RINGS):
        yield Reading(f"{kind}_count_{place}", int(np.sum(ring == index)), "count")
    for index, place in enumerate(QUADRANTS):
        value = int(np.sum(quadrant == index)) if grid.known(place) else None
        yield Reading(f"{kind}_count_{place}", value, "count", NO_SIDE)
