"""A dialogue with its place in an export, and how every format words its turns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundoscope.errors import DialogueError
from fundoscope.export.whole_files import Delivery
from fundoscope.records import Dialogue
from fundoscope.verify.style import IMAGE


@dataclass(frozen=True, slots=True)
class Placed:
    """A dialogue, the split that it goes to and where a trainer finds its photograph."""

    dialogue: Dialogue
    split: str
    image: str
    """What the file says of the photograph's place: prefix and path."""
    folder: Path | None = None
    """The run's folder of photographs, where it is known."""

    @property
    def id(self) -> str:
        """`dataset/split/id/track/language`, with the official split."""
        return self.dialogue.conversation.id

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
        more than one turn.
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
    if problem:
        raise DialogueError(problem, where=placed.id, mend="build it again, verified")
    return turns


def from_and_value(placed: Placed) -> list[dict[str, str]]:
    """Return LLaVA's turns: `from` human and gpt, `<image>` at the first question's end."""
    turns = [
        {"from": who, "value": text}
        for turn in said(placed)
        for who, text in zip(("human", "gpt"), turn, strict=True)
    ]
    turns[0]["value"] += f"\n{IMAGE}"
    return turns


def llava_row(placed: Placed) -> dict[str, Any]:
    """Return LLaVA's row: id, image, conversations."""
    return {"id": placed.id, "image": placed.image, "conversations": from_and_value(placed)}


def row_with_provenance(placed: Placed) -> dict[str, Any]:
    """Return LLaVA's row and where it came from: photograph, person, engine, prompt, seed."""
    photograph, conversation = placed.dialogue.record.photograph, placed.dialogue.conversation
    return {
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
    }
