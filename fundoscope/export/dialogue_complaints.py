"""What is wrong with one row of dialogues from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from fundoscope.errors import DialogueError
from fundoscope.export.dialogue_turns import (
    Said,
    image_of,
    is_text_only,
    object_of,
    role_name_in,
    row_bytes,
    shown,
    turns_key,
    turns_of,
)
from fundoscope.verify.style import IMAGE

Severity = Literal["error", "warning"]
_NAMES = {
    "conversations": {"human": "human", "gpt": "gpt", "system": "system"},
    "messages": {"human": "user", "gpt": "assistant", "system": "system"},
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong with a row."""

    what: str
    mend: str
    severity: Severity = "error"


def complaints(row: object) -> Iterator[Complaint]:
    """Yield what is wrong with a row, apart from what other rows decide."""
    try:
        row = object_of(row)
        yield from _about_id(row.get("id"))
        text_only = is_text_only(row)
        if not text_only:
            yield from _about_image(row)
        turns = turns_of(row)
        row_bytes(row)
    except DialogueError as problem:
        yield Complaint(problem.what, problem.mend)
    else:
        yield from _about_roles(turns, _NAMES[turns_key(row)])
        yield from _about_texts(turns)
        if not text_only:
            yield from _about_image_places([turn for turn in turns if turn.role != "system"])


def _about_image(row: Mapping[str, Any]) -> Iterator[Complaint]:
    try:
        image_of(row)
    except DialogueError as problem:
        yield Complaint(problem.what, problem.mend)


def _about_id(id: object) -> Iterator[Complaint]:
    if id is None or id == "":
        yield Complaint("no id", "`fix` names it after its file and place")
    elif not isinstance(id, str):
        yield Complaint(f"the id is {shown(id)}, not a text", "`fix` makes it a text")


def _about_roles(turns: list[Said], names: Mapping[str, str]) -> Iterator[Complaint]:
    for number, turn in enumerate(turns, start=1):
        if turn.named != names[turn.role]:
            mend = f"`fix` calls it {names[turn.role]!r}"
            yield Complaint(f"turn {number} is said by {turn.named!r}", mend)
    spoken = [turn.role for turn in turns]
    if spoken[0] == "system":
        spoken = spoken[1:]
    if "system" in spoken:
        yield Complaint("a system turn inside the dialogue", "drop the row")
    if spoken[:1] != ["human"]:
        yield Complaint("the dialogue does not begin with a question", "drop the row")
    if any(a == b for a, b in pairwise(spoken)):
        yield Complaint("two turns of one side in a row", "`fix` merges them")
    if spoken[-1:] != ["gpt"]:
        yield Complaint("the last question has no answer", "`fix` drops it")


def _about_texts(turns: list[Said]) -> Iterator[Complaint]:
    for number, turn in enumerate(turns, start=1):
        bare = turn.text.replace(IMAGE, "")
        if not bare.strip():
            yield Complaint(f"turn {number} is empty", "drop the row")
        named = role_name_in(bare)
        if named and turn.role != "system":
            mend = "`fix` parts the turns, or puts the row into the rejects where it cannot"
            yield Complaint(f"turn {number} holds the role name {named!r}", mend)


def _about_image_places(turns: list[Said]) -> Iterator[Complaint]:
    if not turns:
        return
    first, others = turns[0], turns[1:]
    in_first = first.text.count(IMAGE)
    if in_first != 1 or any(IMAGE in turn.text for turn in others):
        elsewhere = sum(turn.text.count(IMAGE) for turn in others)
        yield Complaint(
            f"{in_first} {IMAGE} in the first question and {elsewhere} elsewhere, expected 1 and 0",
            "`fix` puts one at the end of the first question",
        )
    elif not first.in_parts and not first.text.endswith(f"\n{IMAGE}"):
        what = f"{IMAGE} does not stand on a line of its own at the first question's end"
        yield Complaint(what, "`fix` puts it there", "warning")
