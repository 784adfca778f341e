"""What is seen in one photograph, looked at once: enough to answer any question about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
from pydantic import TypeAdapter, ValidationError

from fundoscope import __version__
from fundoscope.errors import PhotographError
from fundoscope.measure.disc import eye_side, outline
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.perceived import masks_of, stated_scale
from fundoscope.measure.perceived_parts import boxed_lesions, boxed_places
from fundoscope.measure.perceived_records import QUALITY_SCALE
from fundoscope.measure.survey import survey
from fundoscope.perceive.conditions import Answer
from fundoscope.perceive.perceiving import Kind, Perceived, perceive_photograph
from fundoscope.perceive.quality import GRADES
from fundoscope.perceive.runtime import model
from fundoscope.records import (
    Eye,
    Grade,
    Photograph,
    Record,
)

FORMAT = 1
"""Of what is kept on disk; raised when a field changes."""
MOST_BOXES = 100
"""Boxes of one kind of lesion."""
_NETWORKS = ("quality", "vessels", "places", "disc_cup", "lesions", "conditions")
Side = Literal["file", "disc and fovea"]


@dataclass(frozen=True)
class Sighting:
    """One photograph as the networks see it and the tools measure it."""

    record: Record
    """Lesions, structures, quality and measurements. Of a kind of lesion that was looked for and
    not found the total is 0."""
    kind: Kind
    conditions: Mapping[str, float]
    """Calibrated probability of each condition that the network knows; empty where it was not
    asked."""
    judged: Mapping[str, Answer]
    """What the network makes of it: `uncertain` between its two thresholds."""
    lesion_certainty: Mapping[str, float]
    """Of the surest piece of each kind, 0 to 1; not calibrated."""
    quality: Mapping[str, float]
    """Probability of each grade."""
    eye_by: Side | None = None
    """What told `record.photograph.eye`."""
    refused: str = ""
    """Why nothing may be measured or said of it, in English; empty where it may."""


def sighting(photograph: Path, folder: Path | None = None) -> Sighting:
    """Return what is seen in a photograph.

    Parameters
    ----------
    folder : where sightings are kept, by the hash of the photograph's bytes and the versions of
        the networks; what lies there is not looked at again. None keeps nothing.

    Raises
    ------
    PhotographError
        If the file is missing, broken, too large or no image.
    """
    kept = None if folder is None else folder / f"{_sha256(photograph)[:32]}-{_versions()}.json"
    if kept is not None and kept.is_file() and (known := _read(kept)) is not None:
        return known
    seen = _seen(photograph)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(_adapter().dump_json(seen))
        partial.replace(kept)
    return seen


def _sha256(photograph: Path) -> str:
    try:
        with photograph.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise PhotographError(
            f"the file cannot be read: {problem.strerror}",
            where=photograph.name,
            mend="check the path",
        ) from problem


@cache
def _versions() -> str:
    told = [str(FORMAT), __version__, *(model(name).version for name in _NETWORKS)]
    return hashlib.sha256("|".join(told).encode()).hexdigest()[:8]


@cache
def _adapter() -> TypeAdapter[Sighting]:
    return TypeAdapter(Sighting)


def _read(kept: Path) -> Sighting | None:
    try:
        return _adapter().validate_json(kept.read_bytes())
    except ValidationError:
        return None  # of a killed process on a file system that renames before it writes


def _seen(photograph: Path) -> Sighting:
    cv2.setNumThreads(1)  # processes, not threads, share the work
    found = perceive_photograph(photograph)
    masks = masks_of(found, None if found.refused else stated_scale(found))
    eye, by = _eye(found, masks)
    return Sighting(
        record=_record(found, masks, eye),
        kind=found.kind,
        conditions=dict(found.conditions.probabilities) if found.conditions else {},
        judged=dict(found.conditions.answers) if found.conditions else {},
        lesion_certainty=dict(found.lesions.certainty) if found.lesions else {},
        quality=dict(found.quality.probabilities),
        eye_by=by,
        refused=found.refused,
    )


def _eye(found: Perceived, masks: MaskSet) -> tuple[Eye | None, Side | None]:
    """Return which eye it is and what told it; the file outweighs the picture."""
    if found.file_facts.eye:
        return found.file_facts.eye, "file"
    side = eye_side(outline(masks.disc, "optic disc"), masks.fovea)
    return side, "disc and fovea" if side else None


def _record(found: Perceived, masks: MaskSet, eye: Eye | None) -> Record:
    height, width = found.view.shape
    lesions, totals = boxed_lesions(masks, MOST_BOXES, zeros=True)
    grade = Grade(QUALITY_SCALE, GRADES.index(found.quality.grade), model("quality").version)
    return Record(
        photograph=Photograph("seen", "all", "photograph", eye=eye, width_px=width,
                              height_px=height),
        grades=(grade,),
        lesions=lesions,
        lesion_totals=totals,
        structures=tuple(boxed_places(masks, (height, width))),
        measurements=survey(masks),
    )  # fmt: skip
