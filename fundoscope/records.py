"""What is known of one photograph, and by whom: the words that every stage shares.

Points are (row, col) in pixels; boxes are (x_min, y_min, x_max, y_max), normalised to the full
photograph. Nothing here computes: stages do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from fundoscope.errors import ReadError

Eye = Literal["left", "right"]
Sex = Literal["female", "male"]
Status = Literal["present", "suspected", "absent", "not_assessed"]
Language = Literal["en", "zh"]
Box = tuple[float, float, float, float]
"""(x_min, y_min, x_max, y_max), 0 to 1, of the full photograph."""

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One retinal photograph and the key by which everything knows it.

    `dataset/split/id` is unique; an id alone is not (RFMiD and IDRiD restart theirs in each split).
    """

    dataset: str
    split: str
    """`train`, `val`, `test`, or `all` where the source has no splits."""
    id: str
    file: str = ""
    """Path as read, POSIX style; empty when only labels are at hand."""
    eye: Eye | None = None
    patient: str | None = None
    """Whoever shares this stays in one split. None where the source does not tell."""
    modality: str = "colour_fundus_photograph"
    """Kind of picture; empty where the record is about a condition and has no picture."""
    width_px: int | None = None
    height_px: int | None = None
    sha256: str = ""
    """Of the file's bytes; empty until the photograph was looked at."""
    perceptual_hash: str = ""
    """256 bits as 64 hexadecimal digits; near for near-duplicates (`read.photographs`)."""

    def __post_init__(self) -> None:
        for name, part in (("dataset", self.dataset), ("split", self.split), ("id", self.id)):
            if not part or "/" in part:
                raise ReadError(
                    f"a photograph's {name} must be non-empty and hold no '/', got {part!r}",
                    mend="give the photograph another name",
                )

    @property
    def key(self) -> str:
        """`dataset/split/id`."""
        return f"{self.dataset}/{self.split}/{self.id}"


@dataclass(frozen=True, slots=True)
class Grade:
    """A level on a named scale; a level without its scale means nothing."""

    scale: str
    """A scale of `fundoscope.terms`, such as `icdr` (0-4) or `messidor_dr` (0-3)."""
    level: int
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition or sign that someone looked for; what is not listed was not looked for."""

    term: str
    status: Status
    source: str


@dataclass(frozen=True, slots=True)
class Lesion:
    """One box of lesions of one kind."""

    kind: str
    box: Box
    area_fraction: float
    """Share of the photograph's pixels that the outlined lesions in the box cover."""
    source: str
    count: int = 1
    """How many outlined lesions were merged into this box."""


@dataclass(frozen=True, slots=True)
class LesionTotal:
    """All lesions of one kind, those without a box of their own included; 0 is a real zero."""

    kind: str
    count: int
    area_fraction: float
    source: str
    unboxed: int = 0
    """How many of them were too small for a box when boxes had to be few."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A part of the anatomy with its place, such as the optic disc."""

    term: str
    box: Box
    source: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity with its unit and the tool that gave it."""

    name: str
    """A quantity of `fundoscope.terms`, such as `crae_knudtson`."""
    value: float
    unit: str
    tool: str
    version: str = ""
    of: str = ""
    """`all`, `arteries` or `veins`, for quantities of vessels."""
    where: str = ""
    """`whole`, `zone_b`, `zone_c`, or empty where no zone applies."""
    scale: str = ""
    """Where millimetres came from, such as `0.006 mm/px from the user`."""
    repeatability: float | None = None
    """Expected difference between two measurements of one eye, in `unit`."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A quantity that could not be measured, and why. Never -1, 0 or NaN."""

    name: str
    reason: str
    tool: str = ""
    of: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError(f"Unmeasured({self.name!r}) needs a reason")


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one photograph."""

    photograph: Photograph
    grades: tuple[Grade, ...] = ()
    findings: tuple[Finding, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    lesion_totals: tuple[LesionTotal, ...] = ()
    structures: tuple[Structure, ...] = ()
    measurements: tuple[Measured | Unmeasured, ...] = ()
    age_years: float | None = None
    sex: Sex | None = None
    notes: tuple[str, ...] = ()
    """Free text as its author wrote it: kept, never turned into a statement."""
    licence: str = "not stated"
    origin: tuple[str, ...] = ()
    """`file:line` of every label row that this record was read from."""
    topic: str = ""
    """Term that the record is about where there is no photograph; empty where there is one."""

    @property
    def key(self) -> str:
        """`dataset/split/id` of the photograph."""
        return self.photograph.key


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was read and not used, with the reason; counted and listed, never dropped."""

    what: Literal[
        "label without photograph",
        "photograph without label",
        "unreadable photograph",
        "duplicate",
        "ungradable",
        "no label value",
        "row without record",
        "consultation",
        "record without knowledge",
    ]
    name: str
    reason: str
    origin: str = ""


Aspect = Literal[
    "modality",
    "eye",
    "quality",
    "grade",
    "finding",
    "measurement",
    "lesion_count",
    "lesion_area",
    "lesion_box",
    "structure",
    "knowledge",
]
UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact of a record in no language: word it in any, read it back, and get it again."""

    aspect: Aspect
    term: str
    value: str | int | float | Box
    unit: str = ""
    scale: str = ""
    of: str = ""
    where: str = ""
    """A zone, or the place of a box in the photograph."""
    source: str = field(default="", compare=False)
    decimals: int | None = field(default=None, compare=False)
    """Digits after the point that are said, where the value's repeatability allows fewer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: str
    aspects: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    """Ids of the facts of `fundoscope.knowledge` that the answer says."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns about one photograph, with what is needed to make them again."""

    key: str
    track: str
    language: Language
    turns: tuple[Turn, ...]
    engine: str
    prompt_version: str
    seed: int
    model: str = ""

    @property
    def id(self) -> str:
        """Unique over sources, splits, tracks and languages."""
        return f"{self.key}/{self.track}/{self.language}"


Judgement = Literal["supported", "contradicted", "unsupported"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a text says, read back as a statement, with the words that said it."""

    statement: Statement
    words: str
    decimals: int = 0
    """Digits after the point with which a number was said."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim held against the record."""

    claim: Claim
    judgement: Judgement
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a conversation is kept, and what decided."""

    kept: bool
    reason: str = ""
    judged: tuple[Judged, ...] = ()
    turn: int | None = None
    """Index of the turn that decided, from 0."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation and the record of the photograph that it is about."""

    record: Record
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Reject:
    """A conversation that was not kept."""

    record: Record
    conversation: Conversation | None
    """None where the engine's answer could not be read as one."""
    reason: str
    raw: str = ""
    """The engine's own words, where they could not be read."""


@cache
def _record_adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def record_to_json(record: Record) -> bytes:
    """Return a record as one line of JSON, keys in the order of the class."""
    return _record_adapter().dump_json(record, exclude_defaults=True)


def record_from_json(line: bytes | str) -> Record:
    """Return the record of one line of JSON.

    Raises
    ------
    ReadError
        If the line is not JSON or not a record.
    """
    try:
        return _record_adapter().validate_json(line)
    except ValueError as problem:
        raise ReadError(
            f"not a record: {str(problem).splitlines()[0]}",
            mend="use a records.jsonl written by fundoscope",
        ) from problem


def measured(record: Record) -> Iterator[Measured]:
    """Yield the quantities of a record that have a value."""
    return (m for m in record.measurements if isinstance(m, Measured))
