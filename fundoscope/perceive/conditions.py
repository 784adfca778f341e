"""Conditions of the whole photograph: calibrated probabilities, and where to abstain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


def judge_conditions(view: View) -> Conditions:
    """Return the conditions of a photograph."""
    network = model("conditions")
    frame = view.frame(network.manifest["input"]["field_px"])
    said = network.run(standardised(view.lit_and_coloured(frame)))[0][0]
    terms = network.manifest["outputs"]
    probabilities = {term: float(p) for term, p in zip(terms, said, strict=True)}
    return Conditions(
        probabilities,
        {
            term: _answer(p, network.manifest["thresholds"][term])
            for term, p in probabilities.items()
        },
    )


def _answer(probability: float, bounds: Mapping[str, float]) -> Answer:
    if probability >= bounds["present"]:
        return "present"
    return "absent" if probability < bounds["absent"] else "uncertain"
