"""What a question may be answered with, and what was read from an answer.

A space says which labels there are. It never says which one is right: that is the task's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fundoscope import terms
from fundoscope.errors import ConfigError, nearest
from fundoscope.records import Box

Outcome = Literal["decided", "abstained", "contradictory"]
FindingStatus = Literal["present", "absent", "suspected", "abstained", "contradictory"]
BoxConvention = Literal["normalised", "pixels", "0-1000", "percent"]
UnitError = Literal["", "missing", "other", "implausible"]


@dataclass(frozen=True, slots=True)
class YesNo:
    """Whether `term` is present: labels `yes` and `no`, and `suspected` if that is asked for.

    The question must be worded so that a bare "yes" means that the term is there. For "is this
    fundus normal?" the term is `normal_fundus`.
    """

    term: str
    suspected: bool = False
    """Whether a hedged answer is a label; otherwise it abstains."""

    def __post_init__(self) -> None:
        terms.term(self.term)


@dataclass(frozen=True, slots=True)
class Levels:
    """A level of a named grading scale: labels are its levels, as int."""

    scale: str

    def __post_init__(self) -> None:
        terms.scale(self.scale)


@dataclass(frozen=True, slots=True)
class Findings:
    """Several terms at once: the label is a `FoundTerms`."""

    terms: tuple[str, ...]
    suspected: bool = False

    def __post_init__(self) -> None:
        for term in self.terms:
            terms.term(term)


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a photograph: `good`, `usable`, `reject`; or `gradable`, `ungradable`."""

    binary: bool = False


@dataclass(frozen=True, slots=True)
class EyeSide:
    """Side of the eye: `left` or `right`."""


@dataclass(frozen=True, slots=True)
class Options:
    """One of several options: the label is its letter."""

    options: tuple[tuple[str, str], ...]
    """(letter, text) in the order shown; letters are single capitals."""

    def __post_init__(self) -> None:
        letters = [letter for letter, _ in self.options]
        if len(set(letters)) != len(letters) or not all(
            len(letter) == 1 and "A" <= letter <= "Z" for letter in letters
        ):
            raise ConfigError(
                f"options need different single capital letters, got {letters}",
                mend="letter them A, B, C, ...",
            )


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes in a photograph: the label is a `FoundBoxes`."""

    size: tuple[int, int] | None = None
    """(width, height) of the photograph in pixels, as the model saw its coordinates."""
    convention: BoxConvention | None = None
    """What the prompt asked for; without it, numbers that fit two conventions abstain."""
    form: Literal["xyxy", "xywh"] = "xyxy"
    """Order of four bare numbers; named keys (x, y, width, height) speak for themselves."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value of one quantity: the label is a `Value` in `unit`."""

    quantity: str
    unit: str
    of: str = ""
    """`all`, `arteries` or `veins`; empty where the question leaves it open."""
    where: str = ""
    """`whole`, `zone_b` or `zone_c`; empty where the question leaves it open."""

    def __post_init__(self) -> None:
        terms.quantity(self.quantity)
        if self.unit not in terms.UNIT_WORDS:
            raise ConfigError(
                f"no unit {self.unit!r} is known", mend=nearest(self.unit, terms.UNIT_WORDS)
            )


Space = YesNo | Levels | Findings | Quality | EyeSide | Options | Boxes | Number


@dataclass(frozen=True, slots=True)
class FoundTerms:
    """What an answer says of several terms; a term that it does not mention is not listed."""

    statuses: tuple[tuple[str, FindingStatus], ...]

    def status_of(self, term: str) -> FindingStatus | Literal["not_mentioned"]:
        """Return what was said of a term."""
        return dict(self.statuses).get(term, "not_mentioned")


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """Boxes of the full photograph, 0 to 1, and the convention they were written in.

    No boxes and an empty convention: the answer says that there is nothing to box.
    """

    boxes: tuple[Box, ...]
    convention: BoxConvention | Literal[""]


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the unit that was asked for; of a range, its middle with `low` and `high`."""

    value: float
    low: float
    high: float
    unit_error: UnitError = ""
    """`missing`: no unit was said; `other`: a unit of something else; `implausible`: with the unit
    that was said the value cannot be. In all three cases the number stands as it was written."""


Label = str | int | FoundTerms | FoundBoxes | Value


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from an answer."""

    label: Label | None
    """None unless decided."""
    outcome: Outcome
    words: str = ""
    """The words that decided, or that kept it from being decided; empty where there are none."""


def decided(label: Label, words: str) -> Reading:
    """Return a reading with a label."""
    return Reading(label, "decided", " ".join(words.split()))


def abstained(words: str = "") -> Reading:
    """Return a reading without a label."""
    return Reading(None, "abstained", " ".join(words.split()))


def contradictory(words: str) -> Reading:
    """Return a reading of an answer that says one thing and its opposite."""
    return Reading(None, "contradictory", " ".join(words.split()))


def space_from(entry: Mapping[str, Any]) -> Space:
    """Return the space that a mapping describes: `kind` and the fields of its class.

    Raises
    ------
    ConfigError
        If the kind or a field is unknown.
    TermError
        If a term, scale or quantity is not in the vocabulary.
    """
    fields = {key: _frozen(value) for key, value in entry.items() if key != "kind"}
    kind = str(entry.get("kind", ""))
    if kind not in _KINDS:
        raise ConfigError(f"no answer space is called {kind!r}", mend=nearest(kind, _KINDS))
    try:
        space: Space = _KINDS[kind](**fields)
    except TypeError as problem:
        raise ConfigError(
            f"answer space {kind!r}: {problem}", mend="see fundoscope.evaluate.answer_spaces"
        ) from problem
    return space


_KINDS: Mapping[str, Any] = {
    "yes_no": YesNo, "levels": Levels, "findings": Findings, "quality": Quality, "eye": EyeSide,
    "options": Options, "boxes": Boxes, "number": Number,
}  # fmt: skip


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(value.items())
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
