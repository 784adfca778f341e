"""Drawn photographs as if they had been looked at by networks that never err: for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.scale import Scale
from fundoscope.measure.survey import survey
from fundoscope.perceive.conditions import Answer, Conditions
from fundoscope.perceive.perceiving import Perceived
from fundoscope.perceive.quality import Quality
from fundoscope.perceive.views import View
from fundoscope.phantoms import Phantom, draw_phantom
from fundoscope.records import Eye
from fundoscope.serve.assistant import Assistant
from fundoscope.serve.replies import Seen
from fundoscope.serve.shown_photographs import labelled
from fundoscope.serve.shown_records import record_of

LESIONS: Mapping[str, int] = {"microaneurysm": 5, "haemorrhage": 3, "hard_exudate": 6}
CONDITIONS: Mapping[str, tuple[float, Answer]] = {
    "diabetic_retinopathy": (0.71, "present"),
    "age_related_macular_degeneration": (0.2, "uncertain"),
    "glaucoma": (0.02, "absent"),
    "normal_fundus": (0.4, "present"),
}
"""Probability and answer; an eye that looks normal and suspicious at once, as networks allow."""
TOO_POOR = "the photograph is too poor to be judged: blur, contrast"


def seen_phantom(
    seed: int = 11,
    *,
    size_px: int = 512,
    lesions: Mapping[str, int] = LESIONS,
    eye: Eye | None = "left",
    visit: str = "",
    mm_per_px: float | None = None,
    cup: bool = True,
    refused: bool = False,
    repeats: int = 0,
) -> Seen:
    """Return a drawn photograph with its true outlines, measured.

    Parameters
    ----------
    lesions : how many of each kind are drawn.
    mm_per_px : scale, where one is known.
    cup : whether the cup is outlined.
    refused : whether it is too poor to be measured.
    repeats : as `survey` has it.
    """
    phantom = draw_phantom(seed, size_px, dict(lesions), eye=eye)
    masks = MaskSet("phantom", refused=TOO_POOR) if refused else _masks(phantom, mm_per_px, cup)
    found = _perceived(phantom, refused)
    sha256 = hashlib.sha256(phantom.photograph.tobytes()).hexdigest()
    record = record_of(found, masks, survey(masks, repeats=repeats), sha256)
    return labelled(Seen(sha256, found, masks, record, seconds=0.5), eye, visit)


def _masks(phantom: Phantom, mm_per_px: float | None, cup: bool) -> MaskSet:
    return MaskSet(
        "phantom",
        vessels=phantom.vessels,
        arteries=phantom.arteries,
        veins=phantom.veins,
        disc=phantom.disc,
        cup=phantom.cup if cup else None,
        fovea=phantom.fovea,
        lesions=phantom.lesions,
        field_of_view=phantom.field_of_view,
        scale=None if mm_per_px is None else Scale(mm_per_px, "from the user"),
    )


def _perceived(phantom: Phantom, refused: bool) -> Perceived:
    shares = {"good": 0.05, "usable": 0.15, "reject": 0.8} if refused else {
        "good": 0.9, "usable": 0.08, "reject": 0.02,
    }  # fmt: skip
    severities = {"blur": 0.7, "contrast": 0.4, "illumination": 0.0, "field": 0.0}
    quality = Quality(
        grade="reject" if refused else "good",
        probabilities=shares,
        reasons=("blur", "contrast") if refused else (),
        severities=severities,
        kind="retina",
        kind_probabilities={"retina": 1.0},
    )
    judged = Conditions(
        {term: p for term, (p, _) in CONDITIONS.items()},
        {term: answer for term, (_, answer) in CONDITIONS.items()},
    )
    return Perceived(
        name="phantom",
        view=View(phantom.photograph),
        quality=quality,
        kind="macula_centred",
        conditions=None if refused else judged,
        refused=TOO_POOR if refused else "",
    )


class PhantomAssistant(Assistant):
    """The assistant, for whom every photograph is the drawn one that its first byte chooses.

    It looks without a network, and answers as ever. A file that begins with `no photograph` is
    refused as the real one refuses it.
    """

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return a drawn photograph: `reject...` is too poor, whatever else is fine."""
        raw = photograph if isinstance(photograph, bytes) else photograph.read_bytes()
        if raw.startswith(b"no photograph"):
            return super().look(raw, eye, visit)
        seed = 11 + hashlib.sha256(raw).digest()[0] % 8
        return seen_phantom(seed, eye=eye, visit=visit, refused=raw.startswith(b"reject"))
