"""Conditions of the whole photograph: calibrated probabilities, and where to abstain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fundoscope.perceive.disc import DiscCup
from fundoscope.perceive.lesions import Lesions
from fundoscope.perceive.runtime import model, standardised
from fundoscope.perceive.views import View

Answer = Literal["present", "absent", "uncertain"]
_MIDDLE_RATIO = 0.65
"""Between the ratios that we tell of normal eyes of ODIR and of those with glaucoma."""


@dataclass(frozen=True)
class Conditions:
    """What the photograph as a whole suggests; a probability is no diagnosis."""

    probabilities: Mapping[str, float]
    """By term, such as `diabetic_retinopathy`; calibrated on photographs not learned from."""
    answers: Mapping[str, Answer]
    """`uncertain` between the two thresholds of the manifest: the network abstains."""


def judge_conditions(view: View, lesions: Lesions, disc_cup: DiscCup | None) -> Conditions:
    """Return the conditions of a photograph; what else was found in it counts for some.

    Parameters
    ----------
    view : View
    lesions : what `find_lesions` found in it
    disc_cup : what `outline_disc` found in it
    """
    network = model("conditions")
    frame = view.frame(network.manifest["input"]["field_px"])
    said = network.run(standardised(view.lit_and_coloured(frame)))[0][0]
    terms = network.manifest["outputs"]
    probabilities = {term: float(p) for term, p in zip(terms, said, strict=True)}
    evidence = evidence_in(view, lesions, disc_cup)
    for term, line in network.manifest.get("by_findings", {}).items():
        probabilities[term] = with_findings(probabilities[term], evidence, line)
    return Conditions(
        probabilities,
        {
            term: _answer(p, network.manifest["thresholds"][term])
            for term, p in probabilities.items()
        },
    )


def evidence_in(view: View, lesions: Lesions, disc_cup: DiscCup | None) -> npt.NDArray[np.float32]:
    """Return what was found, for conditions to be told by, shape (14,).

    Twelve numbers of `Lesions.evidence`; then tenths of the vertical cup-to-disc ratio above a
    middle one, and 1 where it is told; twice 0 where it is not.
    """
    ratio = disc_cup.vertical_ratio if disc_cup else None
    cup = [0.0, 0.0] if ratio is None else [10 * (ratio - _MIDDLE_RATIO), 1.0]
    return np.concatenate([lesions.evidence(view.inside), np.array(cup, np.float32)])


def with_findings(
    probability: float, evidence: npt.NDArray[np.float32], line: Mapping[str, Any]
) -> float:
    """Return a probability made of the network's and of the evidence of findings, both weighed."""
    near = min(max(probability, 1e-6), 1 - 1e-6)
    logit = line["network"] * math.log(near / (1 - near)) + line["offset"]
    return 1 / (1 + math.exp(-(logit + float(np.dot(line["findings"], evidence)))))


def _answer(probability: float, bounds: Mapping[str, float]) -> Answer:
    if probability >= bounds["present"]:
        return "present"
    return "absent" if probability < bounds["absent"] else "uncertain"
