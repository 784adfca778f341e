"""What lesions and the cup tell of conditions, by eyes that the classifier learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fundoscope.perceive.conditions import evidence_in
from fundoscope.perceive.disc import find_places, outline_disc
from fundoscope.perceive.lesions import find_lesions
from fundoscope.perceive.views import View
from fundoscope.read.odir import read_odir
from fundoscope.read.photographs import read_pixels
from fundoscope.read.sources import SourceRequest
from fundoscope.records import Record
from fundoscope.train.condition_eyes import CONDITIONS, Eyes, Floats

_LESIONS, _CUP = slice(0, 12), slice(12, 14)
TOLD_BY: Mapping[str, slice] = {
    "diabetic_retinopathy": _LESIONS,
    "age_related_macular_degeneration": _LESIONS,  # drusen look like exudates
    "normal_fundus": _LESIONS,
    "glaucoma": _CUP,
}
"""Conditions that findings tell, and by which parts of the evidence."""
EVIDENCE_FILE = "conditions.findings.jsonl"
_REGULARITY = 0.3
"""Inverse strength of the penalty on weights (scikit-learn's `C`)."""


@dataclass(frozen=True, eq=False)
class FindingsLine:
    """How much each part of `evidence_in` speaks for a condition."""

    weights: npt.NDArray[np.float64]
    """Shape (14,)."""
    offset: float


def evidence_of(eyes: Eyes, odir: Path, work: Path) -> Floats:
    """Return what the shipped networks find in each eye, shape (n, 14).

    It is looked for once, a second an eye, and kept line by line in the folder `work`.
    """
    file = work / EVIDENCE_FILE
    known = _read_evidence(file)
    files = {
        record.key: record.photograph.file
        for record in read_odir(SourceRequest(odir))
        if isinstance(record, Record) and record.photograph.file
    }
    with file.open("a") as out:
        for name in eyes.names:
            if name not in known:
                known[name] = _evidence_in(odir / files[name])
                out.write(json.dumps({"eye": name, "evidence": known[name]}) + "\n")
                out.flush()
    return np.array([known[name] for name in eyes.names], np.float32)


def _read_evidence(file: Path) -> dict[str, list[float]]:
    """Return what is kept; a line that was cut while it was written does not count."""
    known: dict[str, list[float]] = {}
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        known[row["eye"]] = row["evidence"]
    return known


def _evidence_in(photograph: Path) -> list[float]:
    view = View(read_pixels(photograph))
    outlined = outline_disc(view, find_places(view))
    lesions = find_lesions(view, outlined.disc if outlined else None)
    return [round(float(value), 5) for value in evidence_in(view, lesions, outlined)]


def findings_lines(eyes: Eyes, evidence: Floats, fold: int) -> Mapping[str, FindingsLine]:
    """Return the line of each condition that findings tell, by eyes of all folds but one."""
    from sklearn.linear_model import LogisticRegression

    lines = {}
    for term, parts in TOLD_BY.items():
        column = list(CONDITIONS).index(term)
        learned = (eyes.folds() != fold) & (eyes.known[:, column] > 0)
        fitted = LogisticRegression(C=_REGULARITY, max_iter=1000)
        fitted.fit(evidence[learned, parts], eyes.truth[learned, column])
        weights = np.zeros(evidence.shape[1])
        weights[parts] = fitted.coef_[0]
        lines[term] = FindingsLine(weights, float(fitted.intercept_[0]))
    return lines


def shown_by_findings(lines: Mapping[str, FindingsLine], evidence: Floats) -> Floats:
    """Return what the lines make of evidence (n, 14): shape (n, conditions), 0 where none tells."""
    shown = np.zeros((len(evidence), len(CONDITIONS)), np.float32)
    for term, line in lines.items():
        shown[:, list(CONDITIONS).index(term)] = evidence @ line.weights + line.offset
    return shown
