"""The answers that were furthest from the truth, each with a small copy of its photograph."""

from __future__ import annotations

import base64
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from fundoscope.errors import PhotographError
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Value
from fundoscope.evaluate.box_metrics import intersections_over_unions
from fundoscope.evaluate.items import Scored
from fundoscope.read.photographs import read_pixels
from fundoscope.records import Box

WORST = 12
SIDE_PX = 320
"""Longest side of a photograph in the report."""
ABSTAINED, CONTRADICTORY, WRONG = 0.2, 0.5, 1.0
"""How bad an outcome is at least; a wrong label adds how far off it is."""


def badness(one: Scored) -> float:
    """Return how bad an answer is, 0 to 2.

    0 right, or no answer; 0.2 no decision; 0.5 contradictory; from 1 a wrong label. What that adds
    is the chance that the predictor gave it, or its distance from the truth on a scale, or the
    share of the findings that are wrong. Of a value it is the relative error, of boxes twice what
    the best of them lacks of an overlap.
    """
    if one.reading is None:
        return 0.0
    if one.reading.outcome != "decided":
        return ABSTAINED if one.reading.outcome == "abstained" else CONTRADICTORY
    truth, label = one.item.truth, one.reading.label
    match truth, label:
        case FoundBoxes(), FoundBoxes():
            return 2 * (1 - _best_overlap(truth.boxes, label.boxes))
        case Value(), Value():
            return min(2.0, abs(label.value - truth.value) / (abs(truth.value) or 1.0))
    off = _off(one)
    return WRONG + off if off else 0.0


def _off(one: Scored) -> float:
    """Return how far off a label is, 0 to 1; 0 where it is right."""
    truth, label = one.item.truth, one.reading.label if one.reading else None
    match truth, label:
        case FoundTerms(), FoundTerms():
            wrong = [_opposite(status, label.status_of(term)) for term, status in truth.statuses]
            return sum(wrong) / max(len(wrong), 1)
        case int(), int():
            return min(1.0, abs(label - truth) / 4)
        case str(), str():
            sure = one.prediction.probabilities.get(label, 0.5) if one.prediction else 0.5
            return max(sure, 0.01) if label != truth else 0.0
    return 0.0


def _opposite(status: str, said: str) -> bool:
    return {status, said} == {"present", "absent"}


def _best_overlap(truth: Sequence[Box], said: Sequence[Box]) -> float:
    if not truth or not said:
        return float(not truth and not said)
    return float(intersections_over_unions(truth, said).max())


def worst_cases(
    scored: Sequence[Scored], form_of: Callable[[Scored], str], most: int = WORST
) -> list[Scored]:
    """Return the worst answers, worst first; different photographs and forms before more of one.

    Equal ones are drawn by a hash of their names: the same for everyone, and no order of files.
    """
    left = [(badness(one), one) for one in scored]
    left = sorted(
        ((bad, one) for bad, one in left if bad > 0), key=lambda pair: (-pair[0], _draw(pair[1]))
    )[: 50 * most]
    chosen: list[Scored] = []
    keys: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    while left and len(chosen) < most:
        best = min(left, key=lambda pair: (keys[pair[1].item.key], forms[form_of(pair[1])]))
        left.remove(best)
        chosen.append(best[1])
        keys[best[1].item.key] += 1
        forms[form_of(best[1])] += 1
    return sorted(chosen, key=lambda one: (-badness(one), _draw(one)))


def _draw(one: Scored) -> str:
    return hashlib.sha256(one.item.id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SmallPhotograph:
    """A photograph as the report holds it, or why it does not."""

    jpeg_base64: str = ""
    width_px: int = 1
    height_px: int = 1
    missing: str = ""


def small_photograph(file: Path) -> SmallPhotograph:
    """Return a copy of at most `SIDE_PX` a side, without any metadata of the original."""
    try:
        pixels = read_pixels(file)
    except PhotographError:
        return SmallPhotograph(missing="the photograph cannot be read")
    height, width = pixels.shape[:2]
    by = min(1.0, SIDE_PX / max(height, width))
    size = (max(1, round(width * by)), max(1, round(height * by)))
    small = Image.fromarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    packed = io.BytesIO()
    small.save(packed, "JPEG", quality=80, optimize=True)
    return SmallPhotograph(base64.b64encode(packed.getvalue()).decode(), *size)
