"""What was measured, drawn on the photograph: zones, vessels, widths, junctions, lesions.

Arterioles are red, venules blue, vessels of unknown kind green; where widths are told a bar runs
from wall to wall; junctions are rings, and at branchings short lines show the directions between
which the angle was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import PhotographError
from fundoscope.measure.branching import Branchings, branchings
from fundoscope.measure.centreline import Centreline, centreline
from fundoscope.measure.disc import Outline, cup_in, outline
from fundoscope.measure.lesion_measures import lesions_of
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.place_readings import grid_of
from fundoscope.measure.skeleton import Floats, Mask
from fundoscope.measure.survey import regions
from fundoscope.measure.zones import Region

Canvas = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
"""Red, green, blue."""

VESSEL_COLOURS: Mapping[str, Colour] = {
    "vessels": (60, 200, 90), "arteries": (240, 50, 60), "veins": (70, 120, 255),
}  # fmt: skip
LESION_COLOURS: Mapping[str, Colour] = {
    "microaneurysm": (255, 120, 255), "haemorrhage": (200, 40, 40),
    "hard_exudate": (255, 220, 40), "soft_exudate": (120, 235, 235),
}  # fmt: skip
OTHER_LESION: Colour = (255, 160, 60)
ZONE_COLOUR: Colour = (250, 250, 250)
DISC_COLOUR: Colour = (255, 225, 120)
GRID_COLOUR: Colour = (150, 150, 150)
WIDTH_EVERY_PX = 12
"""One bar of width for so many pixels of vessel."""
LARGE_PX = 1000
"""Photographs of at least this side are drawn as they are, smaller ones at twice their size."""
SHIFT = 4
"""Binary digits after the point of the places that are drawn."""


def draw_overlay(masks: MaskSet, photograph: Canvas | None, out: Path) -> Path:
    """Draw what is measured on a photograph, and write it.

    Parameters
    ----------
    masks : MaskSet
    photograph : uint8 array, shape (H, W, 3), RGB, or None
        None draws on the masks, dimmed.
    out : Path
        A PNG or JPEG file; its folder is made.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    PhotographError
        If there is no mask to draw, or the photograph has another size than the masks.
    """
    if masks.shape is None:
        raise PhotographError(
            f"photograph {masks.name!r} has no mask to draw", mend="give at least one mask"
        )
    if photograph is not None and photograph.shape[:2] != masks.shape:
        height, width = masks.shape
        raise PhotographError(
            f"the photograph is {photograph.shape[1]} x {photograph.shape[0]}, "
            f"its masks are {width} x {height}",
            where=f"photograph {masks.name!r}",
            mend="pass the photograph at the size of its masks",
        )
    canvas = overlay(masks, photograph)
    out.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(out.suffix or ".png", np.ascontiguousarray(canvas[..., ::-1]))
    assert done, f"cv2 could not encode {out.name}"
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(encoded.tobytes())
    partial.replace(out)
    return out


def overlay(masks: MaskSet, photograph: Canvas | None = None) -> Canvas:
    """Return the drawing, uint8, shape (H, W, 3), RGB; small photographs at twice their size."""
    assert masks.shape is not None
    pen = _Pen.on(_dimmed(masks) if photograph is None else photograph)
    disc = outline(masks.disc, "optic disc")
    cup = cup_in(disc, masks.cup)
    _draw_grid(pen, masks, disc)
    for region in regions(masks, disc).values():
        if isinstance(region, Region) and region.name != "whole":
            for radius in (region.inner_px, region.outer_px):
                pen.circle(region.centre, radius, ZONE_COLOUR)
    for found in (disc, cup):
        if isinstance(found, Outline):
            pen.outline(found.mask, DISC_COLOUR)
    for name, mask in _vessel_masks(masks).items():
        _draw_vessels(pen, centreline(mask), VESSEL_COLOURS[name])
    for kind, mask in masks.lesions.items():
        _draw_lesions(pen, mask, LESION_COLOURS.get(kind, OTHER_LESION))
    if masks.fovea is not None:
        pen.cross(masks.fovea, ZONE_COLOUR)
    return pen.canvas


def _vessel_masks(masks: MaskSet) -> dict[str, Mask]:
    """Arteries and veins where they are told apart, else all vessels."""
    apart = {"arteries": masks.arteries, "veins": masks.veins}
    given = {name: mask for name, mask in apart.items() if mask is not None and mask.any()}
    if not given and masks.vessels is not None:
        given = {"vessels": masks.vessels}
    return given


def _dimmed(masks: MaskSet) -> Canvas:
    assert masks.shape is not None
    canvas = np.zeros((*masks.shape, 3), np.uint8)
    if masks.field_of_view is not None:
        canvas[masks.field_of_view] = 14
    for name in ("vessels", "arteries", "veins"):
        mask = getattr(masks, name)
        if mask is not None:
            canvas[mask] = np.maximum(canvas[mask], np.array(VESSEL_COLOURS[name]) // 3)
    return canvas


class _Pen:
    """Draws at places (row, col) of the photograph, with a fraction of a pixel."""

    def __init__(self, canvas: Canvas, scale: int) -> None:
        self.canvas, self.scale = canvas, scale

    @classmethod
    def on(cls, photograph: Canvas) -> _Pen:
        scale = 1 if max(photograph.shape[:2]) >= LARGE_PX else 2
        grown = photograph.repeat(scale, axis=0).repeat(scale, axis=1)
        return cls(np.ascontiguousarray(grown), scale)

    def _at(self, points: Floats) -> npt.NDArray[np.int32]:
        drawn = (np.asarray(points)[..., ::-1] + 0.5) * self.scale - 0.5
        return np.rint(drawn * 2**SHIFT).astype(np.int32)

    def lines(self, ways: list[Floats], colour: Colour, thick: int = 1) -> None:
        cv2.polylines(
            self.canvas, [self._at(way) for way in ways], False, colour, thick, cv2.LINE_AA, SHIFT
        )

    def circle(self, centre: tuple[float, float], radius_px: float, colour: Colour) -> None:
        col, row = self._at(np.array(centre)).tolist()
        radius = round(radius_px * self.scale * 2**SHIFT)
        cv2.circle(self.canvas, (col, row), radius, colour, 1, cv2.LINE_AA, SHIFT)

    def outline(self, mask: Mask, colour: Colour) -> None:
        large = mask.view(np.uint8).repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        found, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.canvas, found, -1, colour, 1, cv2.LINE_AA)

    def cross(self, place: tuple[float, float], colour: Colour) -> None:
        row, col = place
        self.lines([np.array([[row - 6, col], [row + 6, col]])], colour)
        self.lines([np.array([[row, col - 6], [row, col + 6]])], colour)

    def box(self, corners: Floats, colour: Colour) -> None:
        (top, left), (bottom, right) = corners
        ring = [[top, left], [top, right], [bottom, right], [bottom, left], [top, left]]
        self.lines([np.array(ring)], colour)


def _draw_vessels(pen: _Pen, line: Centreline, colour: Colour) -> None:
    pale: Colour = (colour[0] // 2 + 127, colour[1] // 2 + 127, colour[2] // 2 + 127)
    pen.lines(width_bars(line), pale)
    ways = [line.points[a:b] for a, b in zip(line.first[:-1], line.first[1:], strict=True)]
    pen.lines(ways, colour)
    for place in line.junctions:
        pen.circle((place[0], place[1]), 2.5, ZONE_COLOUR)
    _draw_angles(pen, branchings(line))


def width_bars(line: Centreline) -> list[Floats]:
    """Return the bars from wall to wall that are drawn, each two points (row, col), (2, 2)."""
    steps = np.arange(len(line.points)) - np.repeat(line.first[:-1], np.diff(line.first))
    shown = np.flatnonzero((steps % WIDTH_EVERY_PX == WIDTH_EVERY_PX // 2) & line.clear)
    shown = shown[np.isfinite(line.width_px[shown])]
    normal = np.column_stack([line.tangent[shown, 1], -line.tangent[shown, 0]])
    half = normal * line.width_px[shown, None] / 2
    return list(np.stack([line.points[shown] - half, line.points[shown] + half], axis=1))


def _draw_angles(pen: _Pen, forks: Branchings, length_px: float = 14.0) -> None:
    for place, ways in zip(forks.place, forks.directions, strict=True):
        for way in ways[1:]:
            pen.lines([np.stack([place, place + length_px * way])], (255, 255, 90))


def _draw_lesions(pen: _Pen, mask: Mask, colour: Colour) -> None:
    for corners in lesions_of(mask).boxes:
        pen.box(corners, colour)


def _draw_grid(pen: _Pen, masks: MaskSet, disc: Outline | str) -> None:
    grid = grid_of(masks, disc)
    if isinstance(grid, str):
        return
    for radius in grid.radii_px:
        pen.circle(grid.fovea, radius, GRID_COLOUR)
    inner, outer = np.array(grid.radii_px[::2]) * np.sqrt(0.5)
    for down, right in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        way = np.array([down, right])
        pen.lines([np.array(grid.fovea) + np.array([inner * way, outer * way])], GRID_COLOUR)
