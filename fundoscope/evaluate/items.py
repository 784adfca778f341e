"""What is asked of a model, what it answered, and what was read from that.

An item is one wording of one question about one photograph, with its right answer. Whoever answers
sees `question`, `photographs` and what was asked before; never the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fundoscope.evaluate.answer_spaces import Label, Reading, Space
from fundoscope.records import Language, Record

FactIds = tuple[str, ...]
"""Facts of `fundoscope.knowledge` that an answer should recall."""
Truth = Label | FactIds


@dataclass(frozen=True, slots=True)
class Item:
    """One wording of one question about one photograph, or about a condition."""

    id: str
    """`asked/language/wording`, unique in its task."""
    asked: str
    """What all wordings of one question share: the record's key, and the form of the question."""
    key: str
    """`dataset/split/id` of the record."""
    patient: str
    """Who is drawn by the bootstrap; the record's key where no patient is known."""
    photographs: tuple[Path, ...]
    """Empty where the question needs none."""
    question: str
    language: Language
    wording: int
    space: Space
    truth: Truth
    before: tuple[str, ...] = ()
    """Questions of the same conversation before this one, in their order."""
    record: Record | None = field(default=None, compare=False, repr=False)
    """All that is known; for scoring (faithfulness), never for answering."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a predictor answered to one item."""

    item: str
    """The item's id."""
    answer: str
    """Its words as they came; empty with an `error`."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Chance of each label of the space (as text: `yes`, `2`, `left`, `A`), where it gives any."""
    error: str = ""
    """Why there is no answer, such as a photograph that cannot be read."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An item, what was answered, and the label that was read."""

    item: Item
    prediction: Prediction | None
    """None where the predictor gave nothing for the item: missing, never wrong in silence."""
    reading: Reading | None
    """By the rules of `answers`; None without an answer."""


class Predictor(Protocol):
    """Whoever answers items."""

    @property
    def name(self) -> str:
        """What stands in the report."""

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield a prediction for each item that can be answered, in any order."""
