"""AutoMorph's values as measurements of a record: each with its unit, or the reason why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from fundoscope import __version__, terms
from fundoscope.measure.automorph_definitions import automorph_columns, automorph_features
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.read.automorph_columns import Key, quantity_of
from fundoscope.records import Measured, Unmeasured

TOOL = "fundoscope, by AutoMorph's definitions"
NO_SCALE = "by AutoMorph's definitions nothing is measured without a scale"
NO_DISC = "no optic disc that passes AutoMorph's test"
NO_SEGMENT = "no vessel segment is long enough"
NO_BOXES = "too little vessel, or nothing else"
NO_SKELETON = "there is vessel, but none of its skeleton, to divide by"
FEW_SEGMENTS = "fewer than six vessel segments are long enough"
NO_CALIBRE = "CRAE or CRVE could not be measured"


def automorph_measurements(masks: MaskSet) -> Iterator[Measured | Unmeasured]:
    """Yield every value of `automorph_features` under its name in the vocabulary.

    What AutoMorph fills with -1, a blank, a ratio of failed calibres, or the 0 of a tree without
    a long segment is Unmeasured.
    """
    columns = automorph_columns()
    names = quantity_of(Path("Macular_Features.csv"), columns, "features")
    values = automorph_features(masks)
    by_name = {names[column]: values[column] for column in columns}
    for key, value in by_name.items():
        id, of, where = key
        reason = _reason(masks, key, by_name)
        if reason or value is None:
            yield Unmeasured(id, reason or NO_BOXES, tool=TOOL, of=of, where=where)
        else:
            yield Measured(
                id, value, terms.quantity(id).unit, TOOL, __version__, of, where, str(masks.scale)
            )


def _reason(masks: MaskSet, key: Key, values: Mapping[Key, float | None]) -> str:
    """Return why a value is no measurement, or nothing."""
    id, of, where = key
    value = values[key]
    if masks.scale is None:
        return NO_SCALE
    if where != "whole" and values["disc_height", "", ""] is None:
        return NO_DISC
    if id.startswith("avr_"):
        calibres = (id.replace("avr", calibre) for calibre in ("crae", "crve"))
        return NO_CALIBRE if any(values[c, of, where] is None for c in calibres) else ""
    maps = {"all": masks.vessels, "arteries": masks.arteries, "veins": masks.veins}
    tree = {"crae": "arteries", "crve": "veins"}.get(id.split("_")[0], of)
    if tree and maps[tree] is None:
        return f"no mask of {'vessels' if tree == 'all' else tree}"
    if value is None:
        return NO_BOXES if values["vessel_density", tree, where] is None else FEW_SEGMENTS
    if math.isinf(value):
        return NO_SKELETON
    if "tortuosity" in id and values["distance_tortuosity", of, where] == 0:
        return NO_SEGMENT
    return ""
