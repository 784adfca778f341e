"""The ETDRS grid around the fovea: a centre, an inner and an outer ring, each ring in four.

Its radii are 0.5, 1.5 and 3 mm where the scale is known. Else they are a third of a disc diameter,
one and two, as the grid was first drawn, with a disc taken as 1.5 mm.

References
----------
Early Treatment Diabetic Retinopathy Study report 10, 1991, Ophthalmology 98, 786-806.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fundoscope.measure.skeleton import Floats, Ints
from fundoscope.records import Eye

RADII_MM = (0.5, 1.5, 3.0)
GRID_DISC_MM = 1.5
RINGS = ("centre", "inner", "outer")
QUADRANTS = ("superior", "nasal", "inferior", "temporal")
FIELDS = ("centre", *(f"{ring}_{side}" for ring in RINGS[1:] for side in QUADRANTS))
OUTSIDE = -1
LEAST_VISIBLE = 0.5
"""A field of which less lies inside the field of view is not measured."""


@dataclass(frozen=True)
class Grid:
    """The ETDRS grid on a photograph."""

    fovea: tuple[float, float]
    """(row, col)."""
    radii_px: tuple[float, float, float]
    eye: Eye | None
    """None where it is not known; then nasal and temporal are not told apart."""

    @classmethod
    def around(
        cls,
        fovea: tuple[float, float],
        eye: Eye | None,
        mm_per_px: float | None,
        disc_diameter_px: float | None,
    ) -> Grid | None:
        """Return the grid, or None where neither scale nor disc gives its size."""
        if mm_per_px is None:
            if disc_diameter_px is None:
                return None
            mm_per_px = GRID_DISC_MM / disc_diameter_px
        a, b, c = (radius / mm_per_px for radius in RADII_MM)
        return cls(fovea, (a, b, c), eye)

    def ring(self, points: Floats) -> Ints:
        """Return 0, 1 or 2 for the ring of each point (row, col), OUTSIDE beyond the grid."""
        away = np.hypot(points[:, 0] - self.fovea[0], points[:, 1] - self.fovea[1])
        ring = np.searchsorted(self.radii_px, away)
        return np.where(ring == len(RINGS), OUTSIDE, ring)

    def quadrant(self, points: Floats) -> Ints:
        """Return the quadrant of each point: 0 above, 1 towards the nose, 2 below, 3 the temple.

        Where the eye is not known, 1 is the left of the photograph and 3 the right.
        """
        down, right = points[:, 0] - self.fovea[0], points[:, 1] - self.fovea[1]
        nasal_is_left = self.eye != "right"
        aside = np.where((right < 0) == nasal_is_left, 1, 3)
        return np.where(np.abs(down) >= np.abs(right), np.where(down < 0, 0, 2), aside)

    def field(self, points: Floats) -> Ints:
        """Return the index in FIELDS of each point, OUTSIDE beyond the grid."""
        ring = self.ring(points)
        return np.where(ring > 0, 1 + 4 * (ring - 1) + self.quadrant(points), ring)

    def areas_px(self) -> Mapping[str, float]:
        """Return the area of every field, in and out of sight."""
        a, b, c = (np.pi * radius**2 for radius in self.radii_px)
        sizes = [a, *[(b - a) / 4] * 4, *[(c - b) / 4] * 4]
        return dict(zip(FIELDS, sizes, strict=True))

    def known(self, field: str) -> bool:
        """Whether a field can be told: nasal and temporal ones need the eye's side."""
        return self.eye is not None or not field.endswith(("nasal", "temporal"))
