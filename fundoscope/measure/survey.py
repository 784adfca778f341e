"""From the masks of one photograph to every quantity that they can give, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fundoscope.errors import ConfigError
from fundoscope.measure.disc import Outline, cup_in, outline
from fundoscope.measure.mask_folders import LESION_CODES, MaskSet
from fundoscope.measure.place_readings import (
    disc_readings,
    grid_of,
    grid_readings,
    lesion_readings,
)
from fundoscope.measure.readings import TOOL, Reading, Ruler
from fundoscope.measure.repeatability import with_repeatability
from fundoscope.measure.vessel_readings import VesselMap, equivalents
from fundoscope.measure.zones import LEAST_VISIBLE, ZONE_RADII, Region, whole_field, zone
from fundoscope.records import Measured, Unmeasured


def survey(masks: MaskSet, repeats: int = 0) -> tuple[Measured | Unmeasured, ...]:
    """Return every quantity of a photograph, measured or with the reason why not.

    Sizes are in micrometres and millimetres where `masks.scale` is known. Without one, widths are
    in pixels, and lengths and areas in disc diameters (DD), or in pixels where no disc is outlined.

    Parameters
    ----------
    masks : MaskSet
        What is None was not looked for: all that rests on it is Unmeasured.
    repeats : int
        How often the masks are turned, shifted and resized a little and measured again, to give
        each value its repeatability (`fundoscope.measure.repeatability`); 0 leaves it out.

    Raises
    ------
    ConfigError
        If `repeats` is 1 or negative: one repeat tells nothing.
    """
    if repeats < 0 or repeats == 1:
        raise ConfigError(
            f"repeats must be 0 or at least 2, got {repeats}",
            where="a survey",
            mend="8 repeats give a usable figure",
        )
    if masks.refused:
        return _all_refused(masks.refused)
    values = _survey_once(masks)
    return with_repeatability(masks, values, repeats, _survey_once) if repeats else values


def _survey_once(masks: MaskSet) -> tuple[Measured | Unmeasured, ...]:
    disc = outline(masks.disc, "optic disc")
    diameter = disc.diameter_px if isinstance(disc, Outline) else None
    ruler = Ruler(masks.scale, diameter)
    return tuple(ruler.measured(reading) for reading in _readings(masks, disc))


def _all_refused(reason: str) -> tuple[Unmeasured, ...]:
    """Return every quantity that masks could give, Unmeasured for one reason."""
    nothing = MaskSet(
        "", lesions={kind: np.zeros((1, 1), np.bool_) for kind in LESION_CODES.values()}
    )
    return tuple(
        Unmeasured(value.name, reason, tool=TOOL, of=value.of, where=value.where)
        for value in _survey_once(nothing)
    )


def regions(masks: MaskSet, disc: Outline | str) -> dict[str, Region | str]:
    """Return the whole field, zone B and zone C, or why a zone is not there.

    Parameters
    ----------
    masks : MaskSet with at least one mask
    disc : Outline or str
        From `fundoscope.measure.disc.outline`.
    """
    shape = masks.shape or (1, 1)
    found: dict[str, Region | str] = {"whole": whole_field(shape, masks.field_of_view)}
    for name in ZONE_RADII:
        if isinstance(disc, str):
            found[name] = disc
            continue
        ring = zone(name, disc.centre, disc.diameter_px / 2, shape, masks.field_of_view)
        words = f"zone {name[-1].upper()}"
        if ring.share < LEAST_VISIBLE:
            found[name] = f"{100 * ring.share:.0f} % of {words} lies inside the field of view"
        else:
            found[name] = ring
    return found


def _readings(masks: MaskSet, disc: Outline | str) -> Iterator[Reading]:
    places = regions(masks, disc)
    field = places["whole"]
    assert isinstance(field, Region)
    given = {"all": masks.vessels, "arteries": masks.arteries, "veins": masks.veins}
    maps = {of: VesselMap(of, mask, field) for of, mask in given.items()}
    for where, region in places.items():
        for vessels in maps.values():
            yield from vessels.readings(region, where)
        if where != "whole":
            yield from equivalents(maps["arteries"], maps["veins"], region, where, masks.scale)
    yield from disc_readings(disc, cup_in(disc, masks.cup), masks.fovea)
    grid = grid_of(masks, disc)
    yield from grid_readings(list(maps.values()), grid, field)
    yield from lesion_readings(masks, disc, grid, field)
