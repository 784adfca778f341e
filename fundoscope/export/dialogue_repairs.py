"""One row of dialogues from elsewhere, mended without inventing what nobody said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fundoscope.errors import DialogueError
from fundoscope.export.dialogue_turns import (
    CHINESE_ROLES,
    LINE_ROLE,
    ROLES,
    Said,
    image_of,
    is_text_only,
    object_of,
    role_name_in,
    row_bytes,
    turns_of,
)
from fundoscope.verify.style import IMAGE


@dataclass(frozen=True, slots=True)
class Repaired:
    """A row in LLaVA's shape, and what was mended."""

    row: dict[str, Any]
    repairs: tuple[str, ...]


def as_llava(row: object) -> dict[str, Any]:
    """Return a row in LLaVA's shape with nothing mended; what it holds beside stays.

    Raises
    ------
    DialogueError
        If its turns, image or id cannot be told.
    """
    row, turns = object_of(row), turns_of(row)
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise DialogueError("no id", mend="run `fix` on the file first")
    return _row(row, row["id"], [(turn.role, turn.text) for turn in turns])


def repaired(row: object, name: str) -> Repaired:
    """Return a row in LLaVA's shape and in our house style.

    Parameters
    ----------
    row : object
        As read.
    name : str
        The id where it has none.

    Raises
    ------
    DialogueError
        If it cannot be mended without inventing what nobody said.
    """
    row, turns = object_of(row), turns_of(row)
    repairs: list[str] = []
    if "conversations" not in row:
        repairs.append("messages made conversations")
    elif any(turn.named != turn.role for turn in turns):
        repairs.append("role names")
    id = row.get("id")
    if id is None or id == "":
        id = name
        repairs.append("id given")
    elif not isinstance(id, str):
        id = str(id)
        repairs.append("id made a text")
    kept = dict(row)
    if turns[0].role == "system":
        if "system" in row:
            raise DialogueError("two system texts", mend="see which one is meant")
        kept["system"] = turns[0].text
        turns = turns[1:]
        repairs.append("system turn kept beside the dialogue")
    spoken, mended = _mended_turns(turns, "" if is_text_only(row) else IMAGE)
    return Repaired(_row(kept, id, spoken), (*repairs, *mended))


def _mended_turns(turns: list[Said], image: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the turns mended, the first of them ending with `image` if that says anything."""
    repairs = []
    placed = bool(turns) and turns[0].text.endswith(f"\n{IMAGE}")
    if image and (not placed or sum(turn.text.count(IMAGE) for turn in turns) != 1):
        repairs.append("<image> placed")
    bare = [(turn.role, turn.text.replace(IMAGE, "")) for turn in turns]
    parted = [part for role, text in bare for part in _parted(role, text)]
    if parted != [(role, text.strip()) for role, text in bare]:
        repairs.append("role names taken out of texts")
    elif any(turn.text != turn.text.strip() for turn in turns):
        repairs.append("blanks trimmed")
    answered = _answered(parted)
    if len(answered) < len(parted):
        repairs.append("unanswered question dropped")
    merged = _merged(answered)
    if len(merged) < len(answered):
        repairs.append("turns of one side merged")
    _refuse_unmended(merged)
    first = (merged[0][0], f"{merged[0][1]}\n{image}" if image else merged[0][1])
    return [first, *merged[1:]], repairs


def _parted(role: str, text: str) -> list[tuple[str, str]]:
    """Part a text at lines that begin with a role's name: they were turns once."""
    before, *marked = LINE_ROLE.split(text.strip())
    parts = [(role, before.strip())] if before.strip() or not marked else []
    for word, said in zip(marked[::2], marked[1::2], strict=True):
        who = CHINESE_ROLES.get(word) or ROLES[word.lower()]
        if not parts and who != role:
            raise DialogueError(
                f"a turn of {role} begins with the name {word!r}", mend="see who said it"
            )
        parts.append((who, said.strip()))
    return parts


def _answered(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return turns up to the last answer that says something."""
    n = len(turns)
    while n and (turns[n - 1][0] == "human" or not turns[n - 1][1]):
        n -= 1
    return turns[:n]


def _merged(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    merged: list[tuple[str, str]] = []
    for role, text in turns:
        if not text:
            raise DialogueError("an empty turn inside the dialogue", mend="drop the row")
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n{text}")
        else:
            merged.append((role, text))
    return merged


def _refuse_unmended(turns: list[tuple[str, str]]) -> None:
    if not turns:
        raise DialogueError("no question has an answer", mend="drop the row")
    if turns[0][0] != "human":
        raise DialogueError("the dialogue does not begin with a question", mend="drop the row")
    for role, text in turns:
        if role == "system":
            raise DialogueError("a system turn inside the dialogue", mend="drop the row")
        if named := role_name_in(text):
            raise DialogueError(f"a role name inside a text: {named!r}", mend="see who said it")
        if IMAGE in text:
            raise DialogueError(f"{IMAGE} inside {IMAGE}", mend="drop the row")


def _row(row: Mapping[str, Any], id: str, turns: list[tuple[str, str]]) -> dict[str, Any]:
    ours = {"id", "image", "images", "conversations", "messages"}
    made = {
        "id": id,
        **({} if is_text_only(row) else {"image": image_of(row)}),
        "conversations": [{"from": role, "value": text} for role, text in turns],
        **{name: value for name, value in row.items() if name not in ours},
    }
    row_bytes(made)
    return made
