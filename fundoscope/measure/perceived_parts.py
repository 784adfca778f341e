"""Lesions and places of a perceived photograph, as its record holds them."""

from __future__ import annotations

from collections.abc import Iterator

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.perceive.runtime import model
from fundoscope.read.masks import lesion_boxes, mask_box
from fundoscope.records import Box, Lesion, LesionTotal, Structure


def boxed_lesions(
    masks: MaskSet, most_boxes: int, *, zeros: bool = False
) -> tuple[tuple[Lesion, ...], tuple[LesionTotal, ...]]:
    """Return the lesions that were outlined, boxed, and the total of each kind.

    Parameters
    ----------
    most_boxes : of one kind
    zeros : whether a kind that was not found has a total of 0. A network that finds none is no
        reader who looked for it: such a total must not reach a dialogue.
    """
    boxed: list[Lesion] = []
    totals = []
    for kind, mask in masks.lesions.items():
        boxes, total = lesion_boxes(mask, kind, model("lesions").version, most_boxes)
        if total.count or zeros:
            boxed += boxes
            totals.append(total)
    return tuple(boxed), tuple(totals)


def boxed_places(masks: MaskSet, shape: tuple[int, int]) -> Iterator[Structure]:
    """Yield the disc's box, and the fovea's: one disc diameter, about its size, round its point.

    Parameters
    ----------
    shape : (H, W) of the photograph, pixels
    """
    disc = mask_box(masks.disc) if masks.disc is not None else None
    if disc is None:
        return
    yield Structure("optic_disc", disc, model("disc_cup").version)
    if masks.fovea is not None:
        yield Structure("fovea", _around(masks.fovea, disc, shape), model("places").version)


def _around(point: tuple[float, float], disc: Box, shape: tuple[int, int]) -> Box:
    """Return a box as high as the disc around a point (row, col), within the photograph."""
    height, width = shape
    half_px = (disc[3] - disc[1]) * height / 2
    row, col = point
    return (
        round(max(col - half_px, 0) / width, 4),
        round(max(row - half_px, 0) / height, 4),
        round(min(col + half_px, width) / width, 4),
        round(min(row + half_px, height) / height, 4),
    )
