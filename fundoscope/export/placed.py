"""A dialogue with its place in an export, and how every format words its turns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundoscope.errors import DialogueError
from fundoscope.export.whole_files import Delivery
from fundoscope.records import Conversation, Dialogue
from fundoscope.verify.style import IMAGE


@dataclass(frozen=True, slots=True)
class Placed:
    """A dialogue, the split that it goes to and where a trainer finds its photograph."""

    dialogue: Dialogue
    split: str
    image: str
    """What the file says of the photograph's place: prefix and path; empty where the dialogue is
    about a condition and has no photograph."""
    folder: Path | None = None
    """The run's folder of photographs, where it is known."""
    copy: int = 1
    """From 2 on where a run's weight repeats it."""

    @property
    def id(self) -> str:
        """`dataset/split/id/track/language`, with the official split; `#2` for the second copy."""
        id = self.dialogue.conversation.id
        return id if self.copy == 1 else f"{id}#{self.copy}"

    @property
    def has_photograph(self) -> bool:
        """Whether it is about a photograph, and not about a condition alone."""
        return bool(self.dialogue.record.photograph.modality)

    @property
    def images(self) -> list[str]:
        """The photograph's place as a list, of one or none."""
        return [self.image] if self.has_photograph else []

    @property
    def name(self) -> str:
        """Name without suffix of the file that it goes to."""
        return f"{self.split}.{self.dialogue.conversation.track}"


Add = Callable[[Placed], None]
Format = Callable[[Delivery], AbstractContextManager[Add]]


def said(placed: Placed) -> list[tuple[str, str]]:
    """Return what was asked and answered in turn, without `<image>`.

    Raises
    ------
    DialogueError
        If there is no turn, an empty text, an `<image>` in a text, or an alignment dialogue of
        more than one turn or about no photograph.
    """
    conversation = placed.dialogue.conversation
    turns = [(turn.question.strip(), turn.answer.strip()) for turn in conversation.turns]
    problem = ""
    if not turns or not all(text for turn in turns for text in turn):
        problem = "a dialogue without turns, or with an empty text"
    elif any(IMAGE in text for turn in turns for text in turn):
        problem = f"a text holds {IMAGE}, which trainers replace by a photograph"
    elif conversation.track == "alignment" and len(turns) != 1:
        problem = f"an alignment dialogue has {len(turns)} turns, LLaVA takes exactly one"
    elif conversation.track == "alignment" and not placed.has_photograph:
        problem = f"an alignment dialogue without a photograph, LLaVA wants its {IMAGE}"
    if problem:
        raise DialogueError(problem, where=placed.id, mend="build it again, verified")
    return turns


def from_and_value(placed: Placed) -> list[dict[str, str]]:
    """Return LLaVA's turns: `from` human and gpt, `<image>` at the first question's end.

    A dialogue without a photograph has no `<image>`.
    """
    turns = [
        {"from": who, "value": text}
        for turn in said(placed)
        for who, text in zip(("human", "gpt"), turn, strict=True)
    ]
    if placed.has_photograph:
        turns[0]["value"] += f"\n{IMAGE}"
    return turns


def llava_row(placed: Placed) -> dict[str, Any]:
    """Return LLaVA's row: id, image (none where there is no photograph), conversations."""
    image = {"image": placed.image} if placed.has_photograph else {}
    return {"id": placed.id, **image, "conversations": from_and_value(placed)}


def facts_said(conversation: Conversation) -> dict[str, list[list[str]]]:
    """Return the ids of the facts that each turn says under `facts`; nothing where none does."""
    said = [list(turn.facts) for turn in conversation.turns]
    return {"facts": said} if any(said) else {}


def row_with_provenance(placed: Placed) -> dict[str, Any]:
    """Return LLaVA's row and where it came from: photograph, person, engine, prompt, seed."""
    photograph, conversation = placed.dialogue.record.photograph, placed.dialogue.conversation
    return {
        "image": None,  # a table has the column in every row
        **llava_row(placed),
        "dataset": photograph.dataset,
        "split": placed.split,
        "key": photograph.key,
        "patient": photograph.patient,
        "eye": photograph.eye,
        "track": conversation.track,
        "language": conversation.language,
        "engine": conversation.engine,
        "model": conversation.model,
        "prompt_version": conversation.prompt_version,
        "seed": conversation.seed,
        **facts_said(conversation),
    }
