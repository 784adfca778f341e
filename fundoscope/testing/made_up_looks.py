"""Photographs as if looked at, without any network: a record and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.perceive.conditions import Answer, Conditions
from fundoscope.perceive.perceiving import Kind, Perceived
from fundoscope.perceive.quality import Grade as QualityGrade
from fundoscope.perceive.quality import Quality
from fundoscope.perceive.runtime import model
from fundoscope.perceive.views import View
from fundoscope.records import Eye, Finding, Grade, Photograph, Record
from fundoscope.serve.replies import Seen
from fundoscope.serve.shown_records import MODALITIES, QUALITY_SCALE

WHY = {
    "reject": "the photograph is too poor to be judged: blur, contrast",
    "ultra_wide": "it is defined for a field of 30 to 60 degrees; this photograph is ultra-wide",
    "not_a_fundus_photograph": "this is not a fundus photograph",
}


def made_up_look(
    record: Record | None = None,
    *,
    probabilities: Mapping[str, float] | None = None,
    quality: QualityGrade = "good",
    kind: Kind = "macula_centred",
    eye: Eye | None = None,
    visit: str = "",
    name: str = "0",
) -> Seen:
    """Return a photograph as if looked at.

    Parameters
    ----------
    record : what is known of it; where None, what the probabilities suspect.
    probabilities : of the condition network, by term; what is left out is 0.01.
    quality, kind : as the quality network would have it; a photograph that is refused for them
        has no conditions, and its record no measurements.
    """
    refused = WHY.get(quality) or WHY.get(kind, "")
    reasons = () if quality == "good" else ("blur", "contrast")
    found = Perceived(
        name=name,
        view=View(np.zeros((32, 48, 3), np.uint8)),
        quality=Quality(quality, {quality: 0.9}, reasons, {}, "retina", {"retina": 1.0}),
        kind=kind,
        conditions=None if refused else _conditions(probabilities or {}),
        refused=refused,
    )
    suspects = _record(found, name)
    if record is not None and not record.findings and probabilities:
        record = replace(record, findings=suspects.findings)
    record = record or suspects
    side = eye or record.photograph.eye
    record = replace(record, photograph=replace(record.photograph, eye=side))
    masks = MaskSet(name, refused=refused)
    return Seen(f"{name:0>64}", found, masks, record, eye=side, visit=visit)


def _conditions(given: Mapping[str, float]) -> Conditions:
    manifest = model("conditions").manifest
    probabilities = {term: given.get(term, 0.01) for term in manifest["outputs"]}
    answers = {t: _answer(p, manifest["thresholds"][t]) for t, p in probabilities.items()}
    return Conditions(probabilities, answers)


def _answer(probability: float, bounds: Mapping[str, float]) -> Answer:
    if probability >= bounds["present"]:
        return "present"
    return "absent" if probability < bounds["absent"] else "uncertain"


def _record(found: Perceived, name: str) -> Record:
    levels: Sequence[QualityGrade] = ("good", "usable", "reject")
    modality = MODALITIES.get(found.kind, "colour_fundus_photograph")
    answers = found.conditions.answers if found.conditions else {}
    return Record(
        Photograph("shown", "all", name, modality=modality),
        grades=(Grade(QUALITY_SCALE, levels.index(found.quality.grade), "made up"),)
        if modality
        else (),
        findings=tuple(
            Finding(term, "suspected", "made up")
            for term, answer in answers.items()
            if answer == "present" and term != "normal_fundus"
        ),
    )
