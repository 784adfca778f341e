"""The record of a photograph that somebody shows: what was perceived and measured, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.perceived_parts import boxed_lesions, boxed_places
from fundoscope.measure.perceived_records import QUALITY_SCALE
from fundoscope.perceive.perceiving import Perceived
from fundoscope.perceive.quality import GRADES
from fundoscope.perceive.runtime import model
from fundoscope.records import (
    Finding,
    Grade,
    Measured,
    Photograph,
    Record,
    Unmeasured,
)

SET, SPLIT = "shown", "all"
MOST_BOXES = 10
"""Boxes of one kind of lesion, as in the records that dialogues are built from."""
MODALITIES = {"not_a_fundus_photograph": "", "ultra_wide": "ultra_widefield_photograph"}
"""By kind of picture; every other kind is a colour fundus photograph."""


def record_of(
    found: Perceived,
    masks: MaskSet,
    measurements: Sequence[Measured | Unmeasured],
    sha256: str,
) -> Record:
    """Return the record of a photograph without labels, as `measure.perceived_records` has it.

    A condition that the network suggests is "suspected"; none is called absent. A photograph in
    which nothing may be measured keeps its quality and the reason, and no lesion. The fovea is
    boxed by one disc diameter, about its anatomical size, around the point that was found.
    """
    height, width = found.view.shape
    lesions, totals = boxed_lesions(masks, MOST_BOXES)
    fundus = found.kind != "not_a_fundus_photograph"
    return Record(
        photograph=Photograph(
            SET,
            SPLIT,
            sha256[:12],
            modality=MODALITIES.get(found.kind, "colour_fundus_photograph"),
            width_px=width,
            height_px=height,
            sha256=sha256,
        ),
        grades=(_quality(found),) if fundus else (),
        findings=tuple(_suspected(found)),
        lesions=lesions,
        lesion_totals=totals,
        structures=tuple(boxed_places(masks, (height, width))),
        measurements=tuple(measurements),
    )


def _quality(found: Perceived) -> Grade:
    return Grade(QUALITY_SCALE, GRADES.index(found.quality.grade), model("quality").version)


def _suspected(found: Perceived) -> Iterator[Finding]:
    for term, answer in found.conditions.answers.items() if found.conditions else ():
        if answer == "present" and term != "normal_fundus":
            yield Finding(term, "suspected", model("conditions").version)
