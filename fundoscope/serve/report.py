"""A report on photographs as data: typed, documented, the same for the same photographs.

What a model such as OphGLM writes as a structured report, with the origin of each line: quality,
conditions suspected, lesions with their places, every quantity or the reason why it has no value,
what was not looked for, and what is known of the conditions suspected. Pages, PDF and FHIR are
made from this and say no more.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fundoscope.records import Box, Eye, Language

Answer = Literal["suspected", "undecided", "not_suspected"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Suspicion(_Part):
    """What a network makes of one condition in one photograph: never a diagnosis."""

    term: str
    """Condition of `fundoscope.terms`."""
    words: str
    """Its name in the language of the report."""
    answer: Answer
    """`undecided` where the probability lies between the two thresholds."""
    probability: Share
    suspected_from: Share
    not_suspected_below: Share
    auc: float | None = None
    """Area under the ROC curve of the network on held-out photographs."""
    auc_interval_95: tuple[float, float] | None = None
    source: str
    """Network and version."""


class Boxed(_Part):
    """A box round one lesion, or several that lie close together."""

    box: Box
    """x_min, y_min, x_max, y_max, 0 to 1, of the full photograph."""
    count: int
    place: str
    """Where in the photograph, in the language of the report."""


class LesionKind(_Part):
    """All that was outlined of one kind; a count of 0 is not the absence of the lesion."""

    term: str
    words: str
    count: int
    area_percent: float
    """Share of the photograph."""
    boxes: tuple[Boxed, ...] = ()
    unboxed: int = 0
    source: str


class Quantity(_Part):
    """One quantity: a value with its unit, or the reason why there is none."""

    name: str
    """Quantity of `fundoscope.terms`."""
    words: str
    group: str
    """`whole`, `zone_b`, `zone_c`, `calibre_b`, `calibre_c`, `disc`, `fovea`, `grid`, `lesions`."""
    of: str = ""
    where: str = ""
    value: float | None = None
    """Rounded to the digits that mean something; None where it was not measured."""
    text: str = ""
    """The value as it is shown, without its unit."""
    unit: str = ""
    """Unit as in `fundoscope.terms.UNIT_WORDS`."""
    repeatability: float | None = None
    """Expected difference between two measurements of one eye, in `unit`."""
    repeatability_text: str = ""
    scale: str = ""
    """Where millimetres came from."""
    tool: str = ""
    reason: str = ""
    """Why it was not measured, in English; empty where it was."""
    reason_words: str = ""
    """The same in the language of the report."""


class QualityPart(_Part):
    """How good the photograph is, as the network sees it."""

    grade: Literal["good", "usable", "reject"]
    probabilities: dict[str, Share]
    reasons: tuple[str, ...] = ()
    source: str


class PhotographPart(_Part):
    """All that is reported of one photograph."""

    number: int
    """From 1, in the order given."""
    sha256: str
    """Of the file's bytes: which photograph it was, without its name."""
    width_px: int
    height_px: int
    eye: Eye | None = None
    visit: str = ""
    kind: str
    quality: QualityPart
    refused: str = ""
    """Why nothing was measured, in English; empty where something was."""
    refused_words: str = ""
    scale: str = ""
    """Millimetres a pixel and their origin; empty where none is known."""
    conditions: tuple[Suspicion, ...] = ()
    lesions: tuple[LesionKind, ...] = ()
    quantities: tuple[Quantity, ...] = ()


class Compared(_Part):
    """One quantity of two photographs."""

    name: str
    words: str
    of: str = ""
    where: str = ""
    texts: tuple[str, str]
    """Both values as shown, without their unit."""
    unit: str
    difference: float
    """Second less first."""
    difference_text: str
    beyond_repeatability: bool | None
    """None where the repeatability of either is not known."""


class Cited(_Part):
    """A fact with its source."""

    id: str
    condition: str
    condition_words: str
    urgent: bool
    """Whether it says how urgent the condition is."""
    words: str
    source: str
    year: int
    url: str = ""
    guideline: str = ""


class Network(_Part):
    """A network that looked, and the terms of what it learned from."""

    name: str
    version: str
    licence: str


class Report(_Part):
    """A report on one or several photographs of one person, or of nobody known."""

    format: Literal["fundoscope report 1"] = "fundoscope report 1"
    language: Language
    disclaimer: str
    status: Literal["preliminary"] = "preliminary"
    """Nobody read it: a report by software alone is never final."""
    photographs: tuple[PhotographPart, ...]
    comparison: tuple[Compared, ...] = ()
    """Where two photographs show both eyes or two visits, and their units agree."""
    facts: tuple[Cited, ...] = ()
    not_looked_for: tuple[str, ...] = ()
    """Sentences: what the report does not speak of."""
    conditions_not_looked_for: tuple[str, ...] = ()
    """Terms of the vocabulary that no network looks for."""
    networks: tuple[Network, ...] = ()
    fundoscope_version: str


def report_json(report: Report) -> bytes:
    """Return the report as JSON, UTF-8; `Report.model_json_schema()` describes it."""
    return report.model_dump_json(indent=1).encode() + b"\n"
