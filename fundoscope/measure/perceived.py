"""From photographs to measurements: what is perceived in each, as masks to be measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fundoscope.errors import PhotographError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.overlay import draw_overlay
from fundoscope.measure.scale import Scale, scale_from_disc, scale_from_field_of_view
from fundoscope.measure.survey import survey
from fundoscope.measure.tables import write_tidy
from fundoscope.perceive.mask_files import write_masks
from fundoscope.perceive.perceiving import Perceived, perceive_photograph
from fundoscope.processes import mapped
from fundoscope.records import Measured, Unmeasured

ScaleOf = Callable[[Perceived], Scale | None]
"""How a photograph gets its scale: `stated_scale`, `given_scale`, `scale_by_field` and the like."""


def stated_scale(found: Perceived) -> Scale | None:
    """Return the scale that the file states, as DICOM may; without one widths stay in pixels."""
    stated = found.file_facts.mm_per_px
    return None if stated is None else Scale(stated, "from the DICOM file")


def given_scale(found: Perceived, scale: Scale) -> Scale:
    """Return the scale that the user gave, for photographs of one camera."""
    return scale


def scale_by_field(found: Perceived, degrees_across: float) -> Scale:
    """Return the scale from the camera's field of view, its circle as found in the photograph."""
    return scale_from_field_of_view(degrees_across, round(2 * found.view.field.radius_px))


def scale_by_disc(found: Perceived) -> Scale | None:
    """Return the scale that takes the optic disc as a ruler; None where no disc was found."""
    if found.disc_cup is None:
        return None
    rows = np.flatnonzero(found.disc_cup.disc.any(axis=1))
    return scale_from_disc(float(rows[-1] - rows[0] + 1))


def masks_of(found: Perceived, scale: Scale | None = None) -> MaskSet:
    """Return what was perceived as masks to be measured; a refused photograph keeps its reason."""
    if found.refused:
        return MaskSet(found.name, refused=found.refused)
    assert found.vessels and found.lesions and found.places
    disc = found.disc_cup
    nothing = ~found.view.inside & found.view.inside
    return MaskSet(
        name=found.name,
        vessels=found.vessels.vessels,
        arteries=found.vessels.arteries,
        veins=found.vessels.veins,
        disc=disc.disc if disc else nothing,
        cup=disc.cup if disc and disc.cup.any() else None,  # not told is not "none"
        fovea=found.places.fovea,
        lesions=found.lesions.masks,
        field_of_view=found.view.inside,
        scale=scale,
    )


def measure_photographs(
    photographs: Sequence[Path],
    out: Path,
    *,
    scale_of: ScaleOf = stated_scale,
    repeats: int = 0,
    jobs: int = 1,
    overlays: Path | None = None,
    masks: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Measure photographs, everything in them perceived first; return how many were refused.

    Parameters
    ----------
    photographs : files of different stems (`read.photograph_lists`)
    out : `.csv` or `.parquet`; one row a photograph and quantity, with unit, tool and reason. A
        photograph that cannot be read or judged has rows too, each with the reason.
    scale_of : how a photograph gets its millimetres a pixel.
    repeats : as `survey` has it.
    overlays : folder for a picture of each photograph's zones, centrelines and widths.
    masks : folder to keep the masks in, as `fundoscope perceive` writes them.
    progress : called with 1 after each photograph.
    """
    refused = 0

    def rows() -> Iterator[tuple[str, tuple[Measured | Unmeasured, ...]]]:
        nonlocal refused
        work = partial(
            _measured, scale_of=scale_of, repeats=repeats, overlays=overlays, masks=masks
        )
        for name, values, why_not in mapped(work, photographs, jobs):
            refused += bool(why_not)
            if progress:
                progress(1)
            yield name, values

    if overlays:
        overlays.mkdir(parents=True, exist_ok=True)
    write_tidy(rows(), out)
    return refused


def _measured(
    path: Path, scale_of: ScaleOf, repeats: int, overlays: Path | None, masks: Path | None
) -> tuple[str, tuple[Measured | Unmeasured, ...], str]:
    cv2.setNumThreads(1)  # processes, not threads, share the work
    try:
        found = perceive_photograph(path)
    except PhotographError as problem:
        refused = f"the photograph cannot be read: {problem.what}"
        return path.stem, survey(MaskSet(path.stem, refused=refused)), refused
    outlined = masks_of(found, None if found.refused else scale_of(found))
    if masks:
        write_masks(found, masks)
    if overlays and not found.refused:
        draw_overlay(outlined, found.view.pixels, overlays / f"{found.name}.png")
    return path.stem, survey(outlined, repeats=repeats), found.refused
