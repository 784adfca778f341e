"""What AutoMorph measures in one photograph, by its own definitions, so that studies compare.

Its -1 and its blanks are None here. It is no model to follow: it counts full boxes as empty,
divides densities by the whole square, and compares calibres of segments, not of vessels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from skimage.morphology import skeletonize

from fundoscope.measure.automorph_disc import DISC_NAMES, disc_of, disc_values, ring_around
from fundoscope.measure.automorph_grid import on_automorph_grid
from fundoscope.measure.automorph_segments import Segments, cut_at_junctions, segments_of
from fundoscope.measure.automorph_vessels import (
    CALIBRES,
    FAILED,
    FORMULAE,
    VESSEL_NAMES,
    central_equivalents,
    tree_values,
)
from fundoscope.measure.mask_folders import Mask, MaskSet

PREFIXES: Mapping[str, str] = {"all": "", "arteries": "Artery_", "veins": "Vein_"}
ZONES: Mapping[str, tuple[int, int]] = {"_zone_b": (2, 3), "_zone_c": (2, 5)}
"""Inner radius, left out, and outer radius, taken in, in radii of the disc."""


def automorph_columns() -> tuple[str, ...]:
    """Return the names of AutoMorph's values, in the order of its tables, `Name` left out."""
    names = [*DISC_NAMES]
    names += [prefix + name for prefix in PREFIXES.values() for name in VESSEL_NAMES]
    for zone in ZONES:
        for of, prefix in PREFIXES.items():
            names += [prefix + name + zone for name in VESSEL_NAMES]
            names += [f"{CALIBRES[of]}_{f}{zone}" for f in FORMULAE if of in CALIBRES]
        names += [f"AVR_{formula}{zone}" for formula in FORMULAE]
    return tuple(names)


def automorph_features(masks: MaskSet) -> dict[str, float | None]:
    """Return AutoMorph's values of one photograph, by column, in the order of its tables.

    None stands for its -1, NaN and blanks: everything where there is no scale; all values of a
    map that is missing, or has no box filled in part at some size, as an empty or a full one;
    disc and zones without a valid disc; calibres with fewer than six segments. It takes AVR before
    it blanks -1, and so do we: 1.0 where both calibres failed, negative where one did.

    Parameters
    ----------
    masks : MaskSet
        Taken as they are at 912 x 912 pixels, where AutoMorph works; else brought there first
        (`automorph_grid`). Skeletons are computed where none are given.
    """
    masks = on_automorph_grid(masks)
    values = _values(masks, masks.scale.um_per_px) if masks.scale else {}
    return {name: _or_blank(values.get(name, FAILED)) for name in automorph_columns()}


def _or_blank(value: float) -> float | None:
    return None if value == FAILED or math.isnan(value) else value


@dataclass(frozen=True, eq=False)
class _Tree:
    """One vessel map, its skeleton, and the skeleton without its junctions."""

    vessels: Mask
    skeleton: Mask
    cut: Mask

    @classmethod
    def of(cls, masks: MaskSet, of: str) -> _Tree | None:
        maps = {"all": masks.vessels, "arteries": masks.arteries, "veins": masks.veins}
        vessels = maps[of]
        if vessels is None:
            return None
        skeleton = masks.automorph_skeletons.get(of)
        if skeleton is None:
            skeleton = skeletonize(vessels)
        return cls(vessels, skeleton, cut_at_junctions(skeleton))

    def segments(self) -> Segments:
        return segments_of(self.cut)

    def within(self, zone: Mask) -> _Tree:
        """Return what a zone holds of the vessels and of the skeleton without its junctions.

        AutoMorph cuts once more; no pixel is left with more than two neighbours to be cut.
        """
        skeleton = self.cut & zone
        return _Tree(self.vessels & zone, skeleton, skeleton)


def _values(masks: MaskSet, um_per_px: float) -> dict[str, float]:
    values: dict[str, float] = {}
    trees = {of: _Tree.of(masks, of) for of in PREFIXES}
    for of, tree in trees.items():
        values |= _tree_values(tree, of, "", um_per_px)
    disc = disc_of(masks)
    if disc is None:
        return values
    values |= disc_values(disc, um_per_px)
    for zone, radii in ZONES.items():
        ring = ring_around(disc, radii)
        for of, tree in trees.items():
            values |= _tree_values(tree.within(ring) if tree else None, of, zone, um_per_px)
        values |= _ratios(values, zone)
    return values


def _tree_values(tree: _Tree | None, of: str, zone: str, um_per_px: float) -> dict[str, float]:
    """Return a tree's values by column; none where AutoMorph would fail."""
    if tree is None:
        return {}
    segments = tree.segments()
    found = tree_values(tree.vessels, tree.skeleton, segments, um_per_px)
    if found is None:
        return {}
    values = {f"{PREFIXES[of]}{name}{zone}": value for name, value in found.items()}
    if zone and of in CALIBRES:
        equivalents = central_equivalents(segments, tree.vessels, um_per_px, of)
        values |= {f"{name}{zone}": value for name, value in equivalents.items()}
    return values


def _ratios(values: Mapping[str, float], zone: str) -> dict[str, float]:
    """Return AVR of a zone, of failed calibres too."""
    return {
        f"AVR_{formula}{zone}": values.get(f"CRAE_{formula}{zone}", FAILED)
        / values.get(f"CRVE_{formula}{zone}", FAILED)
        for formula in FORMULAE
    }
