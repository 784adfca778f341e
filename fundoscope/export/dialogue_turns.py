"""One row of dialogues from elsewhere: who says what in it, and about which photograph."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fundoscope.errors import DialogueError
from fundoscope.verify.style import IMAGE

ROLES = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt", "system": "system"}
"""Our name of each role, by the names that trainers give it."""
CHINESE_ROLES = {"用户": "human", "助手": "gpt"}
LINE_ROLE = re.compile(
    r"^[ \t]*\**(user|human|assistant|gpt|用户|助手)\**[ \t]*[:：]\**[ \t]*", re.IGNORECASE | re.M
)
"""A line that begins with a role's name: a turn once, swallowed by the one before."""
_INNER_ROLE = re.compile(
    r"(?<![A-Za-z])(User|USER|Human|HUMAN|Assistant|ASSISTANT|GPT)\**[ \t]*[:：]"
)


@dataclass(frozen=True, slots=True)
class Said:
    """One turn as its row has it."""

    role: str
    """`human`, `gpt` or `system`."""
    named: str
    """How the row names the role."""
    text: str
    """With one `<image>` for each image part."""
    in_parts: bool = False


def turns_of(row: object) -> list[Said]:
    """Return the turns of a row, whatever its dialect.

    Raises
    ------
    DialogueError
        If it has none that can be told.
    """
    key, turns = _turn_list(object_of(row))
    return [_said(key, number, turn) for number, turn in enumerate(turns, start=1)]


def object_of(row: object) -> dict[str, Any]:
    """Return a row that is an object; DialogueError where it is none."""
    if not isinstance(row, dict):
        raise DialogueError(f"the row is {shown(row)}, not an object", mend="drop it")
    return row


def turns_key(row: Mapping[str, Any]) -> str:
    """Return the name under which a row holds its turns."""
    return "conversations" if "conversations" in row else "messages"


def _turn_list(row: Mapping[str, Any]) -> tuple[str, list[Any]]:
    key = turns_key(row)
    if key not in row:
        raise DialogueError("neither conversations nor messages", mend="drop the row")
    if not isinstance(row[key], list) or not row[key]:
        raise DialogueError(
            f"{key} is {shown(row[key])}, not a list of turns",
            mend="drop the row: whoever wrote it could not read the answer of its engine",
        )
    return key, row[key]


def _said(key: str, number: int, turn: object) -> Said:
    who, what = ("from", "value") if key == "conversations" else ("role", "content")
    if not isinstance(turn, dict) or who not in turn or what not in turn:
        raise DialogueError(f"turn {number} has no {who!r} and {what!r}", mend="drop the row")
    named = turn[who]
    role = ROLES.get(named.strip().lower()) if isinstance(named, str) else None
    if role is None:
        raise DialogueError(
            f"turn {number} is said by {shown(named)}", mend="name it human or gpt, or drop it"
        )
    if isinstance(turn[what], list):
        return Said(role, named, _text_of_parts(number, turn[what]), in_parts=True)
    if not isinstance(turn[what], str):
        raise DialogueError(f"turn {number} says {shown(turn[what])}", mend="drop the row")
    return Said(role, named, turn[what])


def _text_of_parts(number: int, parts: list[Any]) -> str:
    texts = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image":
            texts.append(IMAGE)
        else:
            raise DialogueError(f"turn {number} has the part {shown(part)}", mend="drop the row")
    return "\n".join(texts)


def image_of(row: Mapping[str, Any]) -> str:
    """Return the one photograph of a row, from `image` or from `images` of one.

    Raises
    ------
    DialogueError
        If there is none, or several.
    """
    image = row.get("image", row.get("images"))
    if isinstance(image, list):
        if len(image) > 1:
            raise DialogueError(f"{len(image)} images, one is expected", mend="drop the row")
        image = image[0] if image else None
    if not isinstance(image, str) or not image.strip():
        raise DialogueError("no image", mend="add the photograph's path, or drop the row")
    return image


def is_text_only(row: Mapping[str, Any]) -> bool:
    """Whether a row names no photograph and no text of it holds `<image>`: it is about none."""
    if "image" in row or row.get("images"):
        return False
    try:
        return not any(IMAGE in turn.text for turn in turns_of(row))
    except DialogueError:
        return False


def role_name_in(text: str) -> str:
    """Return the role's name that a text still holds, with its colon; empty where none."""
    found = LINE_ROLE.search(text.strip()) or _INNER_ROLE.search(text)
    return found[0].strip() if found else ""


def row_bytes(row: object) -> bytes:
    """Return a row as JSON in UTF-8, the same for equal rows.

    Raises
    ------
    DialogueError
        If a text holds half a character, which UTF-8 cannot say.
    """
    try:
        return json.dumps(row, ensure_ascii=False, sort_keys=True).encode()
    except UnicodeEncodeError as problem:
        raise DialogueError(
            "a text holds half a character (a lone surrogate)", mend="drop the row"
        ) from problem


def shown(value: object) -> str:
    """Return a value as an error may show it, cut to 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
