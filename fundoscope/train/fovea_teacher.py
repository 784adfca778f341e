"""Fovea positions to learn from, found by anatomy where nobody marked them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError
from fundoscope.perceive.views import View

TAUGHT_FILE = "taught_places.jsonl"
CLEAR_ENOUGH = 1.8
"""Least clearness of a spot that is taught: of 41 foveas marked by eye, the one that was more
than half a disc off had 2.0, the next worst 1.7."""
CERTAIN_ENOUGH = 0.6
"""Least certainty of the disc from which the fovea was sought."""
_LOOKED_AT_PX = 320
_DISTANCE_DISCS = (2.0, 3.1)
"""Disc centre to fovea; BIOMARKERS.md has about 2.5 disc diameters."""
_USUAL_DISTANCE_DISCS = 2.5
_BELOW_DEG = (-14.0, 24.0)
_USUAL_BELOW_DEG = 6.0


@dataclass(frozen=True)
class TaughtFovea:
    """A darkest spot where anatomy expects the fovea."""

    row: float
    """Pixels of the photograph."""
    col: float
    clearness: float
    """How much darker than its ring it is, in deviations of the searched region."""


@dataclass(frozen=True)
class TaughtPlaces:
    """Disc and fovea of one photograph, found and not marked; pixels of the photograph."""

    photograph: str
    """Below the folder of data, POSIX style."""
    disc: tuple[float, float]
    disc_across_px: float
    disc_certainty: float
    fovea: tuple[float, float]
    clearness: float


def read_taught(file: Path) -> list[TaughtPlaces]:
    """Return what was taught, the clear ones only.

    Raises
    ------
    ConfigError
        If nothing was taught yet.
    """
    if not file.exists():
        raise ConfigError(
            "no foveas have been taught yet",
            where=str(file),
            mend="run `fundoscope train teach-places` after the task disc_places",
        )
    rows = [TaughtPlaces(**json.loads(line)) for line in file.read_text().splitlines()]
    return [
        row
        for row in rows
        if row.clearness >= CLEAR_ENOUGH and row.disc_certainty >= CERTAIN_ENOUGH
    ]


def fovea_by_anatomy(
    view: View, disc: tuple[float, float], disc_across_px: float
) -> TaughtFovea | None:
    """Return the fovea as the darkest round spot 2 to 3 disc diameters temporal of the disc.

    Both sides of the disc are searched; vessels are closed over first, and spots far from the
    usual distance and angle have to be darker.

    Parameters
    ----------
    view : View
    disc : (row, col), pixels of the photograph
    disc_across_px : float
    """
    frame = view.frame(_LOOKED_AT_PX)
    across = disc_across_px * frame.scale
    green = frame.cut(view.pixels)[..., 1].astype(np.float32)
    inside = frame.cut(view.inside)
    darkness = _spot_darkness(green, inside, across)
    row, col = frame.point_there(*disc)
    prior = _expectation(darkness.shape, row, col, across)
    prior[~_well_inside(inside, across / 2)] = -np.inf
    searched = prior > -np.inf
    if not searched.any():
        return None
    merit = np.where(searched, darkness + prior, -np.inf)
    place = np.unravel_index(int(merit.argmax()), merit.shape)
    spread = float(darkness[searched].std()) or 1.0
    clearness = float(darkness[place] - np.median(darkness[searched])) / spread
    own = frame.point_back(float(place[0]), float(place[1]))
    return TaughtFovea(own[0], own[1], clearness)


def _spot_darkness(
    green: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], across: float
) -> npt.NDArray[np.float32]:
    """Return how much darker a spot of a third of a disc is than its wider surroundings."""
    size = 2 * max(1, round(0.08 * across)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    open_ground = cv2.morphologyEx(green, cv2.MORPH_CLOSE, kernel)
    weight = inside.astype(np.float32)

    def mean(reach: float) -> npt.NDArray[np.float32]:
        share = np.maximum(cv2.GaussianBlur(weight, (0, 0), reach), np.float32(1e-3))
        return np.asarray(cv2.GaussianBlur(open_ground * weight, (0, 0), reach) / share, np.float32)

    wide = mean(0.9 * across)
    return np.asarray(10 * (wide - mean(0.22 * across)) / np.maximum(wide, 4), np.float32)


def _expectation(
    shape: tuple[int, ...], row: float, col: float, across: float
) -> npt.NDArray[np.float32]:
    """Return the log of how likely each place is, -inf where the fovea cannot be."""
    rows, cols = np.indices(shape, dtype=np.float32)
    distance = np.hypot(rows - row, cols - col) / across
    below = np.rad2deg(np.arctan2(rows - row, np.abs(cols - col)))
    away = ((distance - _USUAL_DISTANCE_DISCS) / 0.5) ** 2 + ((below - _USUAL_BELOW_DEG) / 10) ** 2
    possible = (distance > _DISTANCE_DISCS[0]) & (distance < _DISTANCE_DISCS[1])
    possible &= (below > _BELOW_DEG[0]) & (below < _BELOW_DEG[1])
    return np.where(possible, -0.06 * away, -np.inf).astype(np.float32)


def _well_inside(inside: npt.NDArray[np.bool_], margin: float) -> npt.NDArray[np.bool_]:
    padded = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    deep: npt.NDArray[np.bool_] = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1] > margin
    return deep
