"""What the API tells of one photograph: perceived, measured, described."""

from __future__ import annotations

import base64

from fundoscope.describe.statements import statements
from fundoscope.describe.wording import sentences
from fundoscope.perceive.perceiving import Kind
from fundoscope.perceive.quality import Grade as QualityGrade
from fundoscope.records import UNMEASURED, Box, Eye, Language, Measured
from fundoscope.serve.looked import Looked
from fundoscope.serve.replies import DISCLAIMER
from fundoscope.serve.shapes import Asked, Given, Visit

Point = tuple[float, float]
CODES: dict[str, dict[int, str]] = {
    "vessels": {255: "vessel"},
    "artery_vein": {1: "artery", 2: "vein", 3: "crossing"},
    "disc_cup": {1: "rim", 2: "cup"},
    "lesions": {1: "microaneurysm", 2: "haemorrhage", 3: "hard_exudate", 4: "soft_exudate"},
    "field_of_view": {255: "inside"},
}
"""What the grey levels of a layer mean; 0 is nothing."""


class PhotographRequest(Asked):
    """One photograph, as JSON; or a form with the file under `photograph` and the same fields."""

    photograph: str
    """A data URL, `data:image/jpeg;base64,...`."""
    eye: Eye | None = None
    visit: Visit = ""
    language: Language = "en"
    """Language of sentences and of the disclaimer."""


class About(Given):
    """What every answer about a photograph begins with."""

    sha256: str
    width_px: int
    height_px: int
    kind: Kind
    refused: str
    """Why nothing may be measured in it; empty where it may."""
    eye: Eye | None
    visit: str
    disclaimer: str


class QualityShape(Given):
    """How good the photograph is."""

    grade: QualityGrade
    reasons: tuple[str, ...]
    probabilities: dict[str, float]


class LayerShape(Given):
    """One layer: a PNG of the photograph's own pixels, grey levels are codes."""

    name: str
    codes: dict[int, str]
    png: str
    """Base64."""


class PerceivedShape(About):
    """What was seen in a photograph; no layer where nothing may be measured."""

    quality: QualityShape
    disc: Point | None
    fovea: Point | None
    conditions: dict[str, float]
    """Probabilities; what is not there was not judged. None of them is a diagnosis."""
    layers: tuple[LayerShape, ...]
    seconds: float
    """How long looking and measuring took, when it was first done."""


class QuantityShape(Given):
    """One quantity: a value with its unit, or the reason why there is none."""

    name: str
    of: str
    where: str
    value: float | None
    unit: str
    repeatability: float | None
    scale: str
    tool: str
    version: str
    reason: str


class MeasuredShape(About):
    """Every quantity of a photograph."""

    quantities: tuple[QuantityShape, ...]


class StatementShape(Given):
    """One statement of the record, and the sentence that says it."""

    id: str
    aspect: str
    term: str
    value: str | int | float | Box
    unit: str
    scale: str
    of: str
    where: str
    source: str
    words: str


class DescribedShape(About):
    """A photograph in statements and sentences."""

    language: Language
    text: str
    statements: tuple[StatementShape, ...]


def _about(looked: Looked, language: Language) -> dict[str, object]:
    seen = looked.seen
    photograph = seen.record.photograph
    return {
        "sha256": seen.sha256,
        "width_px": photograph.width_px,
        "height_px": photograph.height_px,
        "kind": seen.perceived.kind,
        "refused": seen.perceived.refused,
        "eye": seen.eye,
        "visit": seen.visit,
        "disclaimer": DISCLAIMER[language],
    }


def perceived_shape(looked: Looked, language: Language) -> PerceivedShape:
    """Return what was seen in a photograph as it is sent."""
    seen = looked.seen
    found = seen.perceived
    return PerceivedShape.model_validate(
        _about(looked, language)
        | {
            "quality": QualityShape(
                grade=found.quality.grade,
                reasons=found.quality.reasons,
                probabilities=dict(found.quality.probabilities),
            ),
            "disc": found.places.disc if found.places else None,
            "fovea": found.places.fovea if found.places else None,
            "conditions": dict(found.conditions.probabilities) if found.conditions else {},
            "layers": tuple(
                LayerShape(name=name, codes=CODES[name], png=base64.b64encode(png).decode())
                for name, png in looked.layers
            ),
            "seconds": seen.seconds,
        }
    )


def measured_shape(looked: Looked, language: Language) -> MeasuredShape:
    """Return every quantity of a photograph as it is sent; missing is null, never 0."""
    quantities = tuple(
        QuantityShape(
            name=quantity.name,
            of=quantity.of,
            where=quantity.where,
            value=quantity.value if isinstance(quantity, Measured) else None,
            unit=quantity.unit if isinstance(quantity, Measured) else "",
            repeatability=quantity.repeatability if isinstance(quantity, Measured) else None,
            scale=quantity.scale if isinstance(quantity, Measured) else "",
            tool=quantity.tool,
            version=quantity.version if isinstance(quantity, Measured) else "",
            reason="" if isinstance(quantity, Measured) else quantity.reason,
        )
        for quantity in looked.seen.record.measurements
    )
    return MeasuredShape.model_validate(_about(looked, language) | {"quantities": quantities})


def described_shape(looked: Looked, language: Language) -> DescribedShape:
    """Return a photograph's statements; ids are those of an answer's evidence."""
    said = statements(looked.seen.record)
    known = [each for each in said if each.value != UNMEASURED]
    return DescribedShape.model_validate(
        _about(looked, language)
        | {
            "language": language,
            "text": ("" if language == "zh" else " ").join(sentences(known, language)),
            "statements": tuple(
                StatementShape(
                    id=f"s{number}",
                    aspect=each.aspect,
                    term=each.term,
                    value=each.value,
                    unit=each.unit,
                    scale=each.scale,
                    of=each.of,
                    where=each.where,
                    source=each.source,
                    words=sentences([each], language)[0],
                )
                for number, each in enumerate(said)
            ),
        }
    )
