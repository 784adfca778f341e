"""A folder of masks to a table of measurements: streamed, over processes where asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2

from fundoscope.measure.automorph_definitions import automorph_features
from fundoscope.measure.automorph_disc import automorph_group
from fundoscope.measure.mask_folders import MaskSet, read_mask_folder
from fundoscope.measure.overlay import draw_overlay
from fundoscope.measure.scale import Scale
from fundoscope.measure.survey import survey
from fundoscope.measure.tables import AutomorphRow, write_automorph_tables, write_tidy
from fundoscope.processes import mapped
from fundoscope.records import Measured, Unmeasured

Values = tuple[Measured | Unmeasured, ...]


def measure_folder(
    masks: Path,
    out: Path,
    *,
    scale: Scale | None = None,
    repeats: int = 0,
    jobs: int = 1,
    overlays: Path | None = None,
) -> int:
    """Measure every photograph of a folder of masks; return how many there were.

    Parameters
    ----------
    masks : a folder in our layout or AutoMorph's (`mask_folders`).
    out : `.csv` or `.parquet`; one row a photograph and quantity, with unit, tool and reason.
    scale : millimetres a pixel for all, where the folder does not tell.
    repeats : how many turned, shifted and resized copies give each value its repeatability.
    overlays : folder for a picture of each photograph's zones, centrelines and widths.
    """
    count = 0

    def rows() -> Iterator[tuple[str, Values]]:
        nonlocal count
        scaled = (_with_scale(m, scale) for m in read_mask_folder(masks))
        for name, values in mapped(
            partial(_measured, repeats=repeats, overlays=overlays), scaled, jobs
        ):
            count += 1
            yield name, values

    if overlays:
        overlays.mkdir(parents=True, exist_ok=True)
    write_tidy(rows(), out)
    return count


def measure_as_automorph(
    masks: Path, folder: Path, *, scale: Scale | None = None, jobs: int = 1
) -> int:
    """Write AutoMorph's two tables, by its own definitions; return how many photographs.

    `Macular_Features.csv` and `Disc_Features.csv` hold its 73 columns, -1 and blanks as it
    leaves them, so that old analyses can go on.
    """
    scaled = (_with_scale(m, scale) for m in read_mask_folder(masks))
    found = list(mapped(_automorph_row, scaled, jobs))
    write_automorph_tables(found, folder)
    return len(found)


def _with_scale(masks: MaskSet, scale: Scale | None) -> MaskSet:
    return masks if scale is None or masks.scale else replace(masks, scale=scale)


def _measured(masks: MaskSet, repeats: int, overlays: Path | None) -> tuple[str, Values]:
    cv2.setNumThreads(1)  # processes, not threads, share the work
    if overlays:
        draw_overlay(masks, None, overlays / f"{masks.name}.png")
    return masks.name, survey(masks, repeats=repeats)


def _automorph_row(masks: MaskSet) -> AutomorphRow:
    cv2.setNumThreads(1)
    return AutomorphRow(masks.name, automorph_group(masks), automorph_features(masks))
