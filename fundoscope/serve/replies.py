"""What passes between whoever asks and the assistant: photographs seen, messages, replies.

Every window (chat page, API, terminal, review) speaks these words and adds none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.perceive.perceiving import Perceived
from fundoscope.records import Box, Eye, Language, Record

Source = Literal["statement", "fact", "photograph"]
DISCLAIMER: dict[Language, str] = {
    "en": "Research use; not a medical device.",
    "zh": "仅供研究使用，不是医疗器械。",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that an answer rests on."""

    kind: Source
    id: str
    """`s12` of the record's statements, a fact's id, or `photograph`."""
    words: str
    """The statement or fact as a sentence, in the language of the answer."""
    photograph: int = 0
    """Which photograph of the conversation, from 0."""
    term: str = ""
    value: float | None = None
    unit: str = ""
    repeatability: float | None = None
    """Expected difference between two measurements of one eye, in `unit`."""
    tool: str = ""
    box: Box | None = None
    """Where it lies: (x_min, y_min, x_max, y_max), 0 to 1, of the full photograph."""
    layer: str = ""
    """Layer of the picture that shows it, such as `vessels`; empty where none does."""
    source: str = ""
    """Title and publisher of a fact."""
    year: int | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its evidence."""

    text: str
    language: Language
    evidence: tuple[Evidence, ...] = ()
    engine: str = "offline"
    """`offline`, or the language model whose draft passed."""
    notice: str = ""
    """What the page must say beside it, such as a draft that did not pass; empty where nothing."""
    urgent: bool = False
    """Whether it begins with the advice to seek care now."""
    refused: str = ""
    """Why the question was not answered as asked; empty where it was."""
    topics: tuple[str, ...] = ()
    """Aspects and facets that were answered: what a follow-up can refer to."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One photograph, looked at and measured once; nothing of its file's name or header is kept."""

    sha256: str
    """Of the file's bytes; the cache's key."""
    perceived: Perceived
    masks: MaskSet
    record: Record
    eye: Eye | None = None
    """As the asker or the file stated it."""
    visit: str = ""
    """Label of the visit where two of one eye are shown, such as `2024`; empty otherwise."""
    seconds: float = field(default=0.0, compare=False)
    """How long looking and measuring took."""


class Answerer(Protocol):
    """What the windows need of the assistant."""

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return what is seen in a photograph; from the cache where its bytes were seen before."""

    def reply(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Reply:
        """Return the answer to the last message; its own language where none is asked for."""

    def stream(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Iterator[str | Reply]:
        """Yield the answer piece by piece, then the whole reply."""
