"""Lesions of a phantom: how large, how ragged, and where there is room for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fundoscope.errors import ConfigError
from fundoscope.phantom_shapes import Blob, Mask
from fundoscope.phantom_vessels import Layout

LESION_CODES: Mapping[str, int] = {
    "microaneurysm": 1,
    "haemorrhage": 2,
    "hard_exudate": 3,
    "soft_exudate": 4,
}
"""Value of each kind in a written lesion mask, as IDRiD codes them."""
DRAWN_AT_PX = 768
"""Sizes of lesions and blurs are stated for a photograph of this side, and scale with it."""
GAP_PX = 3.0
"""Least room between two lesions, so that each stays one connected region of the mask."""
RADII_PX = {
    "microaneurysm": (1.5, 3.0),
    "haemorrhage": (4.0, 20.0),
    "hard_exudate": (1.8, 6.5),
    "soft_exudate": (8.0, 17.0),
}
"""Least and largest radius of a lesion, for a photograph of `DRAWN_AT_PX`."""


def place_lesions(
    rng: np.random.Generator,
    layout: Layout,
    fovea: tuple[float, float],
    wanted: Mapping[str, int],
    vessels: Mask,
) -> dict[str, list[Blob]]:
    """Find room for every lesion: in the field, off the disc, apart from each other."""
    room = _Room(layout, fovea, vessels)
    placed: dict[str, list[Blob]] = {}
    for kind in ("soft_exudate", "haemorrhage", "hard_exudate", "microaneurysm"):
        count = wanted.get(kind, 0)
        clusters = (
            rng.uniform(0, 2 * math.pi, 1 + count // 7),
            rng.uniform(0.6, 1.5, 1 + count // 7),
        )
        placed[kind] = [
            room.place(rng, kind, (clusters[0][n // 7], clusters[1][n // 7])) for n in range(count)
        ]
    return placed


class _Room:
    """Where a lesion may still go."""

    def __init__(self, layout: Layout, fovea: tuple[float, float], vessels: Mask) -> None:
        self.layout, self.fovea, self.scale = layout, fovea, layout.size_px / DRAWN_AT_PX
        self.taken: list[Blob] = []
        # cv2 measures to the nearest zero pixel
        self.from_vessels = cv2.distanceTransform(
            (~vessels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )

    def place(
        self,
        rng: np.random.Generator,
        kind: str,
        cluster: tuple[float, float],
    ) -> Blob:
        """Return a lesion that fits; `cluster` is a direction and a distance from the fovea."""
        for attempt in range(1000):
            shape = self._shape(rng, kind, small=attempt > 300)
            centre = self._centre(rng, kind, cluster, anywhere=attempt > 300)
            blob = Blob(centre, **shape)
            if self._free(blob, kind):
                self.taken.append(blob)
                return blob
        raise ConfigError(
            f"no room for another {kind} beside {len(self.taken)} lesions",
            where="drawing a phantom",
            mend="ask for fewer lesions, or draw a larger photograph",
        )

    def _shape(self, rng: np.random.Generator, kind: str, small: bool) -> dict[str, Any]:
        low, high = RADII_PX[kind]
        share = 0.0 if small else rng.beta(1.0, 2.2)  # most lesions are small
        radius = max(1.0, (low + share * (high - low)) * self.scale)
        if kind == "microaneurysm":
            return {"radius_px": radius}
        deep = {"haemorrhage": 0.16, "hard_exudate": 0.2, "soft_exudate": 0.10}[kind]
        ragged = tuple(
            (waves, _ripple(rng, deep / waves**0.7), float(rng.uniform(0, 2 * math.pi)))
            for waves in (2, 3, 4)
        )
        stretch = float(rng.uniform(1.0, 1.7))
        fits = radius / max(1.0, stretch**0.5 * (1 + sum(abs(s) for _, s, _ in ragged)))
        return {
            "radius_px": max(1.0, low * self.scale * 0.8, fits),
            "stretch": stretch,
            "turn": float(rng.uniform(0, math.pi)),
            "ragged": ragged,
        }

    def _centre(
        self,
        rng: np.random.Generator,
        kind: str,
        cluster: tuple[float, float],
        anywhere: bool,
    ) -> tuple[float, float]:
        diameter, middle = self.layout.disc_diameter_px, self.fovea
        angle = rng.uniform(0, 2 * math.pi)
        if anywhere:
            middle, apart = self.layout.centre, self.layout.radius_px * rng.uniform() ** 0.5
        elif kind == "hard_exudate":
            way = cluster[1] * diameter
            middle = (
                self.fovea[0] + way * math.sin(cluster[0]),
                self.fovea[1] + way * math.cos(cluster[0]),
            )
            apart = abs(rng.normal(0, 0.26)) * diameter
        elif kind == "soft_exudate":
            middle, apart = self.layout.disc, rng.uniform(1.0, 2.6) * diameter
        else:
            apart = rng.uniform(0.35, 3.0) * diameter
        return (
            float(middle[0] + apart * math.sin(angle)),
            float(middle[1] + apart * math.cos(angle)),
        )

    def _from_fovea(self, blob: Blob) -> float:
        """Disc diameters."""
        return math.dist(blob.centre, self.fovea) / self.layout.disc_diameter_px

    def _free(self, blob: Blob, kind: str) -> bool:
        layout, reach, (row, col) = self.layout, blob.reach_px, blob.centre
        if math.dist(blob.centre, layout.centre) + reach > 0.95 * layout.radius_px:
            return False
        if math.dist(blob.centre, layout.disc) - reach < 0.65 * layout.disc_diameter_px:
            return False
        if kind == "soft_exudate" and self._from_fovea(blob) < 0.8:
            return False  # there are no nerve fibres to swell
        clear = self.from_vessels[round(row), round(col)] > reach + 1.5
        if kind in ("microaneurysm", "hard_exudate") and not clear:
            return False  # on a vessel they could not be told apart from it
        return all(
            math.dist(blob.centre, other.centre) > reach + other.reach_px + GAP_PX
            for other in self.taken
        )


def _ripple(rng: np.random.Generator, share: float) -> float:
    """A share of the radius; three of them never reach the centre."""
    return float(np.clip(rng.normal(0, share), -0.25, 0.25))
