"""The gate: is this a fundus photograph, of which kind, and good enough to be measured?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Field, Pixels, seen
from fundoscope.perceive.frames import frame_of_field
from fundoscope.perceive.runtime import model, standardised

Grade = Literal["good", "usable", "reject"]
GRADES: tuple[Grade, ...] = ("good", "usable", "reject")
_SURROUNDINGS = 1 / 20
"""Standard deviation of the neighbourhood, of the frame's width."""
_BLACK_LEVEL = 12.0
"""Grey levels added to the surroundings: in the dark, noise is no contrast."""
Kind = Literal["retina", "ultra_wide", "not_a_fundus_photograph"]


@dataclass(frozen=True)
class Quality:
    """How good one photograph is, why not better, and what it is of."""

    grade: Grade
    """Good only where that is probable enough, reject where it is likelier than not."""
    probabilities: Mapping[str, float]
    """By grade; they sum to 1."""
    reasons: tuple[str, ...]
    """Of `blur`, `illumination`, `field`, `contrast`, the worst first; none where it is good."""
    severities: Mapping[str, float]
    """By reason, 0 to 1: how much of a structure's contrast is lost over the field."""
    kind: Kind
    kind_probabilities: Mapping[str, float]


def judge_quality(pixels: Pixels, field: Field) -> Quality:
    """Return quality and kind of a photograph.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, 3)
    field : Field
        Where the eye was photographed, from `find_field`.
    """
    network = model("quality")
    inputs, outputs = network.manifest["input"], network.manifest["outputs"]
    frame = frame_of_field(field, pixels.shape[:2], inputs["field_px"])
    said = network.run(standardised(quality_picture(frame.cut(pixels))))
    severities, grades, kinds = (
        dict(zip(outputs[name], map(float, values[0]), strict=True))
        for name, values in zip(("severities", "quality", "kind"), said, strict=True)
    )
    grade = _grade(grades, network.manifest["good_from"])
    reasons = () if grade == "good" else _reasons(severities, network.manifest["reason_from"])
    kind: Kind = "retina"
    if kinds["not_a_fundus_photograph"] >= network.manifest["not_a_fundus_photograph_from"]:
        kind = "not_a_fundus_photograph"
    elif kinds["ultra_wide"] >= network.manifest["ultra_wide_from"]:
        kind = "ultra_wide"
    return Quality(grade, grades, reasons, severities, kind, kinds)


def quality_picture(cut: Pixels) -> npt.NDArray[np.uint8]:
    """Return six channels of a frame, shape (N, N, 6): its plain colours, and local contrast.

    Contrast is Weber's, each colour's difference from its surroundings as a share of them, coded
    as 128 + 300 times it. `even_light` would not do: it makes hazy and clear vessels alike.
    """
    size = len(cut)
    inside = seen(cut, Field((size - 1) / 2, (size - 1) / 2, size / 2)).astype(np.float32)
    colours = cut.astype(np.float32)
    spread = size * _SURROUNDINGS
    share = cv2.GaussianBlur(inside, (0, 0), spread)[..., None] + 1e-3
    mean = cv2.GaussianBlur(colours * inside[..., None], (0, 0), spread) / share
    contrast = (colours - mean) / (mean + _BLACK_LEVEL) * inside[..., None]
    return np.dstack([cut, np.clip(128 + 300 * contrast, 0, 255).astype(np.uint8)])


def _grade(probabilities: Mapping[str, float], good_from: float) -> Grade:
    """Return good only where that is probable enough, reject where it is likelier than not."""
    if probabilities["good"] >= good_from:
        return "good"
    return "reject" if probabilities["reject"] >= 0.5 else "usable"


def _reasons(severities: Mapping[str, float], least: float) -> tuple[str, ...]:
    """Return the reasons that matter, the worst first; always one."""
    ranked = sorted(severities, key=lambda reason: -severities[reason])
    return tuple(reason for reason in ranked if severities[reason] >= least) or (ranked[0],)
