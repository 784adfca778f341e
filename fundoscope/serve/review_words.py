"""What may be sent to the review page's server: unknown fields and unprintable text are refused."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_TEXT_CHARACTERS = 8_000
"""Of a question or an answer; reading longer ones back while somebody types takes seconds."""
MOST_REASON_CHARACTERS = 1_000
MOST_NAME_CHARACTERS = 64

REASONS = (
    "a finding is wrong",
    "a number is wrong",
    "a place is wrong",
    "it says what nobody found",
    "it leaves out what matters",
    "the question gives the answer away",
    "it is badly worded",
    "the photograph cannot be judged",
)
"""Offered for a rejection by the keys 1 to 8; 9 is in one's own words."""


def _printable(text: str) -> str:
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs") and character not in "\n\t":
            raise ValueError("holds a character that is no text")
    return text


def _name(text: str) -> str:
    """Return a reviewer's name, spaces and accents written one way."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise ValueError("a reviewer has a name")
    return _printable(name)


Text = Annotated[str, Field(max_length=MOST_TEXT_CHARACTERS), AfterValidator(_printable)]
Reason = Annotated[
    str, Field(max_length=MOST_REASON_CHARACTERS), AfterValidator(lambda s: _printable(s).strip())
]
Name = Annotated[str, Field(max_length=MOST_NAME_CHARACTERS), AfterValidator(_name)]
Id = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_printable)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class TurnSaid(_Said):
    """One turn in other words."""

    of: Annotated[int, Field(ge=0, lt=100)]
    """Index of the turn that it was."""
    question: Text
    answer: Text


class Draft(_Said):
    """Words to hold against the record while they are typed."""

    id: Id
    turns: Annotated[list[TurnSaid], Field(max_length=100)]


class ActSaid(_Said):
    """An act as the page sends it."""

    who: Annotated[Name, Field(alias="as")]
    id: Id
    version: Annotated[str, Field(max_length=64)]
    what: Literal["accept", "edit", "reject", "undo"]
    saw: Annotated[int, Field(ge=0, lt=2**62)]
    token: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    role: Literal["review", "adjudicate"] = "review"
    reason: Reason = ""
    turns: Annotated[list[TurnSaid], Field(max_length=100)] = []
    over: Annotated[list[int], Field(max_length=100)] = []


class Entry(_Said):
    """Somebody at the door."""

    token: Annotated[str, Field(max_length=1_000)]
