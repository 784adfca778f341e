"""How a phantom looks: ground, disc, vessels, lesions and camera, in RGB from 0 to 255.

The painters change the canvas in place. Nothing here moves an outline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.phantom_lesions import DRAWN_AT_PX
from fundoscope.phantom_shapes import Blob, Ellipse, Floats, Mask, stroke_distances
from fundoscope.phantom_vessels import Layout, Segment, Vessel

Quality = Literal[0, 1, 2]
"""good, usable, reject"""


BLOOD: Mapping[Vessel, tuple[tuple[float, float, float], float]] = {
    "artery": ((0.82, 0.46, 0.40), 0.26),
    "vein": ((0.62, 0.34, 0.30), 0.07),
}
"""Share of the light that a vessel lets pass, and the strength of its reflex."""


@dataclass(frozen=True)
class Tree:
    """All vessels of one kind on the grid."""

    vessel: Vessel
    mask: Mask
    ink: Floats
    """0 to 1: how much of a pixel is vessel, weaker in narrow vessels and towards the walls."""
    reflex: Floats
    """0 to 1: the streak of light along the middle of a wide vessel."""

    @classmethod
    def of(cls, segments: tuple[Segment, ...], vessel: Vessel, size_px: int) -> Tree:
        """Lay the segments of one kind on the grid, anti-aliased."""
        distance = np.full(size_px * size_px, np.inf, np.float32)
        ink = np.zeros(size_px * size_px, np.float32)
        reflex = np.zeros(size_px * size_px, np.float32)
        for segment in segments:
            if segment.vessel == vessel:
                index, outside, radius = stroke_distances(segment.points, segment.width_px, size_px)
                np.minimum.at(distance, index, outside.astype(np.float32))
                from_middle = np.clip(outside / radius + 1, 0, 1)
                depth = 0.7 + 0.3 * np.sqrt(1 - from_middle**2)
                strength = np.clip(0.3 + radius / 5, 0, 1) * depth
                covered = np.clip(0.5 - outside, 0, 1) * strength
                np.maximum.at(ink, index, covered.astype(np.float32))
                streak = np.exp(-((from_middle / 0.33) ** 2)) * np.clip(radius - 1.2, 0, 1)
                np.maximum.at(reflex, index, streak.astype(np.float32))
        shape = (size_px, size_px)
        return cls(
            vessel, (distance <= 0).reshape(shape), ink.reshape(shape), reflex.reshape(shape)
        )

    def paint(self, canvas: Floats) -> None:
        """Darken the canvas as blood does: green most, red least."""
        passed, shine = BLOOD[self.vessel]
        seen = _blurred(self.ink, 0.45)
        streak = shine * self.reflex * seen
        for channel, (share, gleam) in enumerate(zip(passed, (0.6, 1.6, 1.2), strict=True)):
            canvas[..., channel] *= (1 - seen * (1 - share)) * (1 + streak * gleam)


GROUNDS = ((232, 104, 44), (212, 88, 30), (238, 138, 96), (184, 74, 24), (230, 90, 60))
"""Colours of lighter and darker fundi, RGB."""


def paint_ground(rng: np.random.Generator, layout: Layout, fovea: tuple[float, float]) -> Floats:
    """The fundus without disc and vessels: colour, choroid, macula, uneven light."""
    size = layout.size_px
    one, other = rng.choice(len(GROUNDS), 2, replace=False)
    colour = GROUNDS[one] + rng.uniform(0, 0.5) * np.subtract(GROUNDS[other], GROUNDS[one])
    grain = _noise(rng, size, {3: 0.045, 7: 0.035, 16: 0.02, 60: 0.012, size // 4: 0.012})
    tint = _noise(rng, size, {4: 0.05, 12: 0.03})
    streaks = _choroid(rng, size) * rng.uniform(0.02, 0.1)
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    macula = np.hypot(rows - fovea[0], (cols - fovea[1]) * 0.9) / layout.disc_diameter_px
    streaks *= 1 - 0.8 * np.exp(-((macula / 1.3) ** 2))  # pigment hides the choroid there
    wide, small = np.exp(-((macula / 0.62) ** 2)), np.exp(-((macula / 0.2) ** 2))
    tilt = rng.uniform(-0.1, 0.1, 2) / layout.radius_px
    down, right = rows - layout.centre[0], cols - layout.centre[1]
    fall = 1 - rng.uniform(0.22, 0.4) * (np.hypot(down, right) / layout.radius_px) ** 2.6
    light = (1 + grain + streaks) * (fall + tilt[0] * down + tilt[1] * right)
    # channel by channel: over the last axis of (H, W, 3) numpy takes twice as long
    hues = (1.0, 1 + tint + 0.5 * streaks, 1 + 1.4 * tint)
    depths = ((0.22, 0.12), (0.34, 0.18), (0.30, 0.10))
    channels = [
        light * hue * (1 - wide * far) * (1 - small * near) * full
        for hue, (far, near), full in zip(hues, depths, colour, strict=True)
    ]
    return np.stack(channels, axis=2).astype(np.float32)


def _noise(rng: np.random.Generator, size_px: int, strengths: Mapping[int, float]) -> Floats:
    """Smooth noise: for each number of cells a side, its standard deviation."""
    total = np.zeros((size_px, size_px), np.float32)
    for cells, strength in strengths.items():
        coarse = rng.standard_normal((cells, cells)).astype(np.float32) * strength
        total += cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return total


def _choroid(rng: np.random.Generator, size_px: int) -> Floats:
    """Winding light bands, as of choroidal vessels seen through thin pigment; 0 to 1."""
    field = _noise(rng, size_px, {14: 1.0, 30: 0.35})
    bands: Floats = np.exp(-((field / 0.22) ** 2)) - 0.25
    where = np.clip(0.5 + _noise(rng, size_px, {4: 0.6}), 0, 1)
    return _blurred(bands, size_px / 300) * where


DISC_COLOURS = ((240, 250, 255), (148, 184, 236), (82, 108, 196))
"""Red, green, blue of the nasal rim, the temporal rim and the cup."""


def paint_disc(
    canvas: Floats, rng: np.random.Generator, layout: Layout, disc: Ellipse, cup: Ellipse
) -> None:
    """Add the glow about the disc, its pale face with a soft rim, and the paler cup."""
    size, diameter = layout.size_px, layout.disc_diameter_px
    outside = disc.distance(size)
    glow = 0.13 * np.exp(-np.clip(outside, 0, None) / (0.35 * diameter))
    share = _soft(outside, 0.035 * diameter)
    of_cup = 0.85 * _soft(cup.distance(size), 0.05 * diameter)
    mottle = 1 + _noise(rng, size, {size // 12: 0.02})
    cols = np.arange(size, dtype=np.float32)
    to_temple = np.clip(layout.temple * (cols - layout.disc[1]) / diameter + 0.5, 0, 1)
    for channel, (warm, pale, bright) in enumerate(DISC_COLOURS):
        seen = canvas[..., channel]
        seen *= 1 + glow * (0.6 if channel == 0 else 1.0)
        face = warm + to_temple * (pale - warm) + rng.uniform(-6, 6)
        seen += share * (face * mottle - seen)
        seen += of_cup * (bright - seen)


def _soft(outside: Floats, softness_px: float) -> Floats:
    """1 inside, 0 outside, one half on the outline."""
    return 1 / (1 + np.exp(np.clip(outside / softness_px, -30, 30)))


PAINT = {
    "microaneurysm": ((0.62, 0.32, 0.36), 0.5),
    "haemorrhage": ((0.60, 0.28, 0.34), 0.9),
    "hard_exudate": ((250, 224, 118), 0.6),
    "soft_exudate": ((236, 212, 168), 3.2),
}
"""Dark lesions: share of the light that passes; bright ones: their colour. Then softness, px."""


def paint_lesions(canvas: Floats, kind: str, blobs: list[Blob]) -> Mask:
    """Paint lesions of one kind and return their exact mask."""
    size = len(canvas)
    mask = np.zeros((size, size), bool)
    colour, softness = PAINT[kind]
    scale = size / DRAWN_AT_PX
    for blob in blobs:
        reach = math.ceil(blob.reach_px + 5 * softness * scale) + 1
        row, col = round(blob.centre[0]), round(blob.centre[1])
        box = (
            slice(max(0, row - reach), min(size, row + reach + 1)),
            slice(max(0, col - reach), min(size, col + reach + 1)),
        )
        rows, cols = np.mgrid[box].astype(float)
        outside = blob.distance(rows, cols)
        mask[box] |= outside <= 0
        share = _soft(outside, softness * scale)[..., None]
        if max(colour) <= 1:
            canvas[box] *= 1 - share * (1 - np.array(colour))
        else:
            canvas[box] += 0.88 * share * (np.array(colour) - canvas[box])
    return mask


def expose(
    canvas: Floats,
    rng: np.random.Generator,
    layout: Layout,
    from_centre: Floats,
    quality: Quality,
) -> npt.NDArray[np.uint8]:
    """Blur, dim or veil as the quality asks, add the sensor's noise, and close the field."""
    scale = layout.size_px / DRAWN_AT_PX
    seen = _blurred(canvas, 0.55 * scale)
    if quality == 1:
        seen = _worsen_a_little(seen, rng, layout, scale)
    elif quality == 2:
        seen = _worsen_much(seen, rng, layout, scale)
    seen = seen + rng.standard_normal(seen.shape, dtype=np.float32) * 1.8
    edge = np.clip((layout.radius_px - from_centre) / (2.5 * scale), 0, 1)
    dark = rng.uniform(0, 4, 3).astype(np.float32)  # the frame is never quite black
    return np.clip(dark + edge[..., None] * (seen - dark), 0, 255).round().astype(np.uint8)


def _worsen_a_little(
    seen: Floats, rng: np.random.Generator, layout: Layout, scale: float
) -> Floats:
    if rng.random() < 0.5:
        return _blurred(seen, rng.uniform(1.8, 2.4) * scale)
    return seen * _shade(rng, layout, 0.55)[..., None]


def _worsen_much(seen: Floats, rng: np.random.Generator, layout: Layout, scale: float) -> Floats:
    fault = rng.integers(3)
    if fault == 0:
        return _blurred(seen, rng.uniform(7, 11) * scale) * 0.9
    if fault == 1:
        return seen * (0.3 * _shade(rng, layout, 0.8))[..., None]
    veil = np.array((168, 140, 108), np.float32) * (0.9 + 0.3 * _shade(rng, layout, 0.4))[..., None]
    blurred = _blurred(seen, 4 * scale)
    return blurred + rng.uniform(0.74, 0.84) * (veil - blurred)


def _shade(rng: np.random.Generator, layout: Layout, depth: float) -> Floats:
    """Light that falls off to one side: 1 down to 1 - depth."""
    angle = rng.uniform(0, 2 * math.pi)
    rows, cols = np.ogrid[: layout.size_px, : layout.size_px]
    down, right = (rows - layout.centre[0]), (cols - layout.centre[1])
    along = (down * math.sin(angle) + right * math.cos(angle)).astype(np.float32)
    return 1 - depth * _soft(0.1 - along / layout.radius_px, 0.22)


def _blurred(pixels: Floats, sigma_px: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_px), np.float32)
