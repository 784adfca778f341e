"""What was outlined in a photograph, as layers to be laid over it one by one.

A layer is a picture that is clear where nothing was found, shapes with a place, or both. Pages
lay them over the photograph, the PDF report draws them; all in the photograph's own pixels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from fundoscope.measure.disc import Outline, cup_in, outline
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.overlay import DISC_COLOUR, LESION_COLOURS, OTHER_LESION, VESSEL_COLOURS
from fundoscope.measure.place_readings import grid_of
from fundoscope.measure.skeleton import Mask
from fundoscope.measure.survey import regions
from fundoscope.measure.zones import Region
from fundoscope.serve.replies import Seen

Colour = tuple[int, int, int]
LayerName = Literal[
    "vessels", "artery_vein", "disc_cup", "fovea", "lesions", "zones", "grid"
]  # fmt: skip
LAYERS: tuple[LayerName, ...] = (
    "vessels", "artery_vein", "disc_cup", "fovea", "lesions", "zones", "grid",
)  # fmt: skip
LAYER_OF: Mapping[str, LayerName] = {
    "arteries": "artery_vein", "veins": "artery_vein", "all": "vessels",
    "disc": "disc_cup", "cup": "disc_cup", "optic_disc": "disc_cup", "optic_cup": "disc_cup",
    "macula": "fovea", "zone_b": "zones", "zone_c": "zones", "etdrs": "grid", "etdrs_grid": "grid",
    **dict.fromkeys(LESION_COLOURS, "lesions"),
}  # fmt: skip
"""The layer that shows a structure, a group of vessels, a zone or a lesion."""
LARGEST_PX = 1600
"""Longer side of the photograph as pages show it."""
ZONE_COLOUR: Colour = (255, 255, 255)
GRID_COLOUR: Colour = (190, 215, 255)
FOVEA_COLOUR: Colour = (120, 255, 240)
CUP_COLOUR: Colour = (255, 160, 90)


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle; its centre (row, col) and radius in pixels of the photograph."""

    centre: tuple[float, float]
    radius_px: float
    colour: Colour
    words: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """Points (row, col) joined in turn; closed where it is an outline."""

    points: tuple[tuple[float, float], ...]
    colour: Colour
    closed: bool = False
    words: str = ""
    """What it outlines, such as `microaneurysm`; a term where there is one."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One thing that can be shown or hidden."""

    name: LayerName
    picture: Image.Image | None = None
    """Clear but where the layer has something; of the size of `shown_pixels`."""
    shapes: tuple[Ring | Path, ...] = ()


def shown_pixels(seen: Seen) -> npt.NDArray[np.uint8]:
    """Return the photograph as pages show it, uint8, shape (h, w, 3), RGB, at most LARGEST_PX."""
    pixels = seen.perceived.view.pixels
    height, width = _shown_size(pixels.shape[:2])
    if (height, width) == pixels.shape[:2]:
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def layers_of(seen: Seen) -> tuple[Layer, ...]:
    """Return the layers that have something to show, in the order of `LAYERS`.

    None for a photograph in which nothing may be measured: an outline in it would be taken for
    a finding.
    """
    masks = seen.masks
    if masks.refused or masks.shape is None:
        return ()
    disc = outline(masks.disc, "optic disc")
    found = (
        Layer("vessels", _coloured(masks.shape, [(masks.vessels, VESSEL_COLOURS["vessels"])])),
        Layer("artery_vein", _coloured(masks.shape, _artery_vein(masks))),
        Layer("disc_cup", shapes=tuple(_disc_and_cup(masks, disc))),
        Layer("fovea", shapes=tuple(_fovea(masks))),
        Layer("lesions", shapes=tuple(_lesions(masks))),
        Layer("zones", shapes=tuple(_zones(masks, disc))),
        Layer("grid", shapes=tuple(_grid(masks, disc))),
    )
    return tuple(layer for layer in found if layer.picture or layer.shapes)


def jpeg(pixels: npt.NDArray[np.uint8], quality: int = 88) -> bytes:
    """Return pixels as a JPEG file, without any word about where they came from."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def png(picture: Image.Image) -> bytes:
    """Return a layer's picture as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=False)
    return stream.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """Return a file as an address that needs no server; `kind` such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _shown_size(shape: Sequence[int]) -> tuple[int, int]:
    shrink = min(1.0, LARGEST_PX / max(shape[0], shape[1]))
    return max(1, round(shape[0] * shrink)), max(1, round(shape[1] * shrink))


def _artery_vein(masks: MaskSet) -> list[tuple[Mask | None, Colour]]:
    return [(masks.veins, VESSEL_COLOURS["veins"]), (masks.arteries, VESSEL_COLOURS["arteries"])]


def _coloured(
    shape: tuple[int, int], masks: Sequence[tuple[Mask | None, Colour]]
) -> Image.Image | None:
    """Return masks painted over each other on a clear ground; None where all are empty."""
    height, width = _shown_size(shape)
    codes = np.zeros((height, width), np.uint8)
    for code, (mask, _) in enumerate(masks, 1):
        if mask is not None:
            small = cv2.resize(
                mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA
            )
            codes[small >= 0.4] = code
    if not codes.any():
        return None
    picture = Image.frombytes("P", (width, height), codes.tobytes())
    picture.putpalette([0, 0, 0, *(part for _, colour in masks for part in colour)])
    picture.info["transparency"] = 0
    return picture


def _outlines(mask: Mask, colour: Colour, words: str) -> Iterator[Path]:
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(found, key=lambda c: tuple(c[0, 0])):
        points = tuple((float(y), float(x)) for x, y in contour[:, 0].tolist())
        yield Path(points, colour, closed=True, words=words)


def _disc_and_cup(masks: MaskSet, disc: Outline | str) -> Iterator[Path]:
    if isinstance(disc, Outline):
        yield from _outlines(disc.mask, DISC_COLOUR, "optic_disc")
    cup = cup_in(disc, masks.cup)
    if isinstance(cup, Outline):
        yield from _outlines(cup.mask, CUP_COLOUR, "optic_cup")


def _fovea(masks: MaskSet) -> Iterator[Path]:
    if masks.fovea is None or masks.shape is None:
        return
    (row, col), arm = masks.fovea, 0.02 * max(masks.shape)
    yield Path(((row - arm, col), (row + arm, col)), FOVEA_COLOUR, words="fovea")
    yield Path(((row, col - arm), (row, col + arm)), FOVEA_COLOUR, words="fovea")


def _lesions(masks: MaskSet) -> Iterator[Path]:
    for kind, mask in masks.lesions.items():
        yield from _outlines(mask, LESION_COLOURS.get(kind, OTHER_LESION), kind)


def _zones(masks: MaskSet, disc: Outline | str) -> Iterator[Ring]:
    """The inner border that zones B and C share, then the outer border of each."""
    found = regions(masks, disc)
    zones = [z for name in ("zone_b", "zone_c") if isinstance(z := found[name], Region)]
    if zones:
        yield Ring(zones[0].centre, zones[0].inner_px, ZONE_COLOUR)
    for zone in zones:
        yield Ring(zone.centre, zone.outer_px, ZONE_COLOUR, words=zone.name)


def _grid(masks: MaskSet, disc: Outline | str) -> Iterator[Ring | Path]:
    grid = grid_of(masks, disc)
    if isinstance(grid, str):
        return
    for radius in grid.radii_px:
        yield Ring(grid.fovea, radius, GRID_COLOUR)
    row, col = grid.fovea
    inner, outer = (radius * np.sqrt(0.5) for radius in (grid.radii_px[0], grid.radii_px[2]))
    for down, right in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        ends = tuple((float(row + r * down), float(col + r * right)) for r in (inner, outer))
        yield Path(ends, GRID_COLOUR)
