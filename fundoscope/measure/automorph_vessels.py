"""AutoMorph's values of one vessel tree, in the whole photograph or in a zone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fundoscope.measure.automorph_grid import SIDE_PX
from fundoscope.measure.automorph_segments import (
    Floats,
    Segments,
    distance_tortuosity,
    segment_widths_px,
    squared_curvature_tortuosity,
    tortuosity_density,
)
from fundoscope.measure.mask_folders import Mask

VESSEL_NAMES = (
    "Fractal_dimension", "Vessel_density", "Average_width",
    "Distance_tortuosity", "Squared_curvature_tortuosity", "Tortuosity_density",
)  # fmt: skip
CALIBRES: Mapping[str, str] = {"arteries": "CRAE", "veins": "CRVE"}
FORMULAE = ("Hubbard", "Knudtson")
SMALLEST_BOX_PX = 4
LARGEST_BOX_PX = 512
WIDEST = 6
"""Segments that a central equivalent is combined from."""
FAILED = -1.0
"""What AutoMorph writes where something failed."""


def tree_values(
    vessels: Mask, skeleton: Mask, segments: Segments, um_per_px: float
) -> dict[str, float] | None:
    """Return the six values of a tree; None where AutoMorph would fail.

    Parameters
    ----------
    vessels, skeleton : of the whole photograph, or what a zone holds of them
    segments : of the skeleton, cut
    um_per_px : micrometres per pixel, for the width
    """
    dimension = fractal_dimension(vessels)
    if dimension is None:
        return None
    values = (
        dimension,
        int(np.count_nonzero(vessels)) / SIDE_PX**2,  # of the whole square, whatever the zone
        _ratio(int(np.count_nonzero(vessels)), int(np.count_nonzero(skeleton))) * um_per_px,
        distance_tortuosity(segments),
        squared_curvature_tortuosity(segments),
        tortuosity_density(segments),
    )
    return dict(zip(VESSEL_NAMES, values, strict=True))


def _ratio(area_px: int, length_px: int) -> float:
    """Return the mean width, infinite where a zone holds vessel but none of its skeleton."""
    return area_px / length_px if length_px else math.inf


def fractal_dimension(vessels: Mask) -> float | None:
    """Return the slope of box counts over box sides, minus 1 times; None without a box of a size.

    Sides are halved from 512 to 4 pixels, boxes start at the upper left corner and may reach over
    the edge. A box counts that holds some vessel, but not one that holds nothing else.
    """
    sides = [LARGEST_BOX_PX >> i for i in range((LARGEST_BOX_PX // SMALLEST_BOX_PX).bit_length())]
    counts = _box_counts(vessels)
    if min(counts) == 0:
        return None
    x, y = np.log(sides), np.log(counts)
    x, y = x - x.mean(), y - y.mean()
    return -float(x @ y / (x @ x))


def _box_counts(vessels: Mask) -> list[int]:
    """Return how many boxes are filled in part, for each side from the largest to the smallest."""
    held = np.zeros((2 * LARGEST_BOX_PX, 2 * LARGEST_BOX_PX), dtype=np.uint8)
    held[: vessels.shape[0], : vessels.shape[1]] = vessels
    side, counts = 1, []
    while side < LARGEST_BOX_PX:
        held = held[::2] + held[1::2]
        held = held[:, ::2] + held[:, 1::2]
        side *= 2
        if side == SMALLEST_BOX_PX:
            held = held.astype(np.int32)  # up to here 16 at most, and bytes are faster
        if side >= SMALLEST_BOX_PX:
            counts.append(int(np.count_nonzero((held > 0) & (held < side**2))))
    return counts[::-1]


def central_equivalents(
    segments: Segments, vessels: Mask, um_per_px: float, of: str
) -> dict[str, float]:
    """Return CRAE of arteries or CRVE of veins, micrometres, by formula; FAILED where too few."""
    widths_um = np.sort(segment_widths_px(segments, vessels) * um_per_px)[-WIDEST:]
    return {f"{CALIBRES[of]}_{f}": _central_equivalent(widths_um, of, f) for f in FORMULAE}


def _central_equivalent(widths_um: Floats, of: str, formula: str) -> float:
    """Combine the six widest: outermost with outermost, then again, then with the one left."""
    if len(widths_um) < WIDEST:
        return FAILED
    w = widths_um.tolist()
    a, b, c = sorted(_parent(w[i], w[-1 - i], of, formula) for i in range(3))
    smaller, larger = sorted((_parent(a, c, of, formula), b))
    return _parent(smaller, larger, of, formula)


def _parent(a: float, b: float, of: str, formula: str) -> float:
    """Return the width of the vessel that branches into a and b, a <= b, micrometres.

    NaN where the formula has no answer, for widths that no retina has.
    """
    if formula == "Knudtson":
        return (0.88 if of == "arteries" else 0.95) * math.sqrt(a * a + b * b)
    if of == "arteries":
        squared = 0.87 * a * a + 1.01 * b * b - 0.22 * a * b - 10.76
    else:
        squared = 0.72 * a * a + 0.91 * b * b + 450.05
    return math.sqrt(squared) if squared >= 0 else math.nan
