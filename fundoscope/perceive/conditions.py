"""Conditions of the whole photograph: calibrated probabilities, and where to abstain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fundoscope.perceive.lesions import Lesions
from fundoscope.perceive.runtime import model, standardised
from fundoscope.perceive.views import View

Answer = Literal["present", "absent", "uncertain"]


@dataclass(frozen=True)
class Conditions:
    """What the photograph as a whole suggests; a probability is no diagnosis."""

    probabilities: Mapping[str, float]
    """By term, such as `diabetic_retinopathy`; calibrated on photographs not learned from."""
    answers: Mapping[str, Answer]
    """`uncertain` between the two thresholds of the manifest: the network abstains."""


def judge_conditions(view: View, lesions: Lesions) -> Conditions:
    """Return the conditions of a photograph; lesions that are seen in it count for some.

    Parameters
    ----------
    view : View
    lesions : what `find_lesions` found in it.
    """
    network = model("conditions")
    frame = view.frame(network.manifest["input"]["field_px"])
    said = network.run(standardised(view.lit_and_coloured(frame)))[0][0]
    terms = network.manifest["outputs"]
    probabilities = {term: float(p) for term, p in zip(terms, said, strict=True)}
    evidence = lesions.evidence(view.inside)
    for term, line in network.manifest.get("by_lesions", {}).items():
        probabilities[term] = with_lesions(probabilities[term], evidence, line)
    return Conditions(
        probabilities,
        {
            term: _answer(p, network.manifest["thresholds"][term])
            for term, p in probabilities.items()
        },
    )


def with_lesions(
    probability: float, evidence: npt.NDArray[np.float32], line: Mapping[str, Any]
) -> float:
    """Return a probability made of the network's and of the evidence of lesions, both weighed."""
    near = min(max(probability, 1e-6), 1 - 1e-6)
    logit = line["network"] * math.log(near / (1 - near)) + line["offset"]
    return 1 / (1 + math.exp(-(logit + float(np.dot(line["lesions"], evidence)))))


def _answer(probability: float, bounds: Mapping[str, float]) -> Answer:
    if probability >= bounds["present"]:
        return "present"
    return "absent" if probability < bounds["absent"] else "uncertain"
