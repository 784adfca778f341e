"""Photographs as too strong a flash, or light at the rim, would have given them."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Field

Bytes = npt.NDArray[np.uint8]

_RED_MEDIAN = (0.85, 1.5)
"""Median of red in an over-exposed eye, of the most that a pixel holds: beyond 1 it is flat."""
_GLARE_COLOUR = (0.85, 0.9, 0.75)
_GLARE_REACH = (0.35, 0.9)
"""How far from the rim glare is seen, of the field's radius."""
_AWAY_DEG = 60.0
"""Glare begins at least so far from the disc, as seen from the middle of the field."""


def harshly_lit(pixels: Bytes, field: Field, disc: tuple[float, float], name: str) -> Bytes:
    """Return a photograph over-exposed, or with glare at the rim of its field.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, 3)
    field : its field of view
    disc : (row, col), which glare spares
    name : decides which of the two, and how strong
    """
    chance = np.random.default_rng(zlib.crc32(name.encode()))
    if chance.random() < 0.6:
        return _over_exposed(pixels, field, chance)
    return _with_glare(pixels, field, disc, chance)


def _over_exposed(pixels: Bytes, field: Field, chance: np.random.Generator) -> Bytes:
    half = round(0.6 * field.radius_px)
    rows = slice(max(0, round(field.row) - half), round(field.row) + half)
    cols = slice(max(0, round(field.col) - half), round(field.col) + half)
    red = max(8.0, float(np.median(pixels[rows, cols, 0])))
    gain = 255 * chance.uniform(*_RED_MEDIAN) / red * np.exp(chance.normal(0, 0.12, 3))
    values = pixels * gain.astype(np.float32)
    # a sensor's shoulder: what is very bright loses its shades before it is cut
    soft = np.where(values > 180, 180 + 75 * (1 - np.exp(-(values - 180) / 75)), values)
    return np.clip(soft if chance.random() < 0.5 else values, 0, 255).astype(np.uint8)


def _with_glare(
    pixels: Bytes, field: Field, disc: tuple[float, float], chance: np.random.Generator
) -> Bytes:
    to_disc = np.arctan2(disc[0] - field.row, disc[1] - field.col)
    apart = np.deg2rad(chance.uniform(_AWAY_DEG, 360 - _AWAY_DEG))
    down, right = np.sin(to_disc + apart), np.cos(to_disc + apart)
    rows, cols = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    toward = ((rows - field.row) * down + (cols - field.col) * right) / field.radius_px
    reach = chance.uniform(*_GLARE_REACH)
    share = np.clip((toward - (1 - reach)) / reach, 0, 1) ** chance.uniform(0.7, 2)
    glare = 255 * np.array(_GLARE_COLOUR) * np.exp(chance.normal(0, 0.12, 3))
    inside = pixels.max(axis=2, keepdims=True) > 10
    strong = (chance.uniform(0.5, 1) * share)[..., None] * inside
    return np.clip(pixels * (1 - strong) + glare * strong, 0, 255).astype(np.uint8)
