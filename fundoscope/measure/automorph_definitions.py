"""What AutoMorph measures in one photograph, by its own definitions, so that studies compare.

Its -1 and its blanks are None here. Ours are elsewhere in this room; where they differ, theirs
count full boxes as empty, divide by the whole square, and compare calibres of segments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from fundoscope.measure.automorph_grid import SIDE_PX, on_automorph_grid
from fundoscope.measure.automorph_segments import (
    Floats,
    Segments,
    cut_at_junctions,
    distance_tortuosity,
    segment_widths_px,
    segments_of,
    squared_curvature_tortuosity,
    tortuosity_density,
)
from fundoscope.measure.mask_folders import Mask, MaskSet

Group = Literal["disc", "macular"]
Zone = Literal["", "_zone_b", "_zone_c"]
Values = dict[str, float]
FAILED = -1.0
"""What AutoMorph writes where something failed; a blank in the end, but AVR is taken before."""

DISC_NAMES = (
    "Disc_height", "Disc_width", "Cup_height", "Cup_width", "CDR_vertical", "CDR_horizontal",
)  # fmt: skip
VESSEL_NAMES = (
    "Fractal_dimension", "Vessel_density", "Average_width",
    "Distance_tortuosity", "Squared_curvature_tortuosity", "Tortuosity_density",
)  # fmt: skip
PREFIXES: Mapping[str, str] = {"all": "", "arteries": "Artery_", "veins": "Vein_"}
CALIBRES: Mapping[str, str] = {"arteries": "CRAE", "veins": "CRVE"}
FORMULAE = ("Hubbard", "Knudtson")
ZONE_RADII: Mapping[Zone, tuple[int, int]] = {"_zone_b": (2, 3), "_zone_c": (2, 5)}
"""Inner radius, left out, and outer radius, taken in, in radii of the disc."""
LARGEST_DISC_PX = SIDE_PX / 3
FARTHEST_CENTRE = 0.1
"""Of the side: a disc farther from the middle makes a macular photograph."""
BOX_SIDES_PX = (512, 256, 128, 64, 32, 16, 8, 4)
WIDEST = 6


def columns() -> tuple[str, ...]:
    """Return the names of AutoMorph's values, in the order of its tables, `Name` left out."""
    names = [*DISC_NAMES]
    names += [prefix + name for prefix in PREFIXES.values() for name in VESSEL_NAMES]
    for zone in ZONE_RADII:
        for of, prefix in PREFIXES.items():
            names += [prefix + name + zone for name in VESSEL_NAMES]
            names += [f"{CALIBRES[of]}_{f}{zone}" for f in FORMULAE if of in CALIBRES]
        names += [f"AVR_{formula}{zone}" for formula in FORMULAE]
    return tuple(names)


def automorph_features(masks: MaskSet) -> dict[str, float | None]:
    """Return AutoMorph's values of one photograph, by column, in the order of its tables.

    None stands for its -1, NaN and blanks: everything in micrometres and more without a scale,
    all of a map that is missing, empty or full, disc and zones without a valid disc, calibres
    with fewer than six segments. An AVR is None only where its zone or both its calibres are
    blank for want of a disc: elsewhere it is a ratio that may hold a -1 (1.0 where both failed).

    Parameters
    ----------
    masks : MaskSet
        Taken as they are at 912 x 912 pixels, where AutoMorph works; else brought there first
        (`automorph_grid`). Skeletons are computed where none are given.
    """
    masks = on_automorph_grid(masks)
    disc = disc_of(masks)
    values = dict(zip(DISC_NAMES, disc_values(disc, masks), strict=True)) if disc else {}
    trees = {of: _tree(masks, of) for of in PREFIXES}
    um_per_px = masks.scale.um_per_px if masks.scale else math.nan
    for of, tree in trees.items():
        values |= _named(whole_values(tree, um_per_px) if tree else None, of, "")
    for zone, radii in ZONE_RADII.items() if disc and masks.scale else ():
        ring = ring_around(disc, radii)
        for of, tree in trees.items():
            values |= zone_values(tree, ring, um_per_px, of, zone)
        for formula in FORMULAE:
            crae, crve = values[f"CRAE_{formula}{zone}"], values[f"CRVE_{formula}{zone}"]
            values[f"AVR_{formula}{zone}"] = crae / crve
    return {name: _or_blank(values.get(name, FAILED)) for name in columns()}


def _or_blank(value: float) -> float | None:
    return None if value == FAILED or math.isnan(value) else value
