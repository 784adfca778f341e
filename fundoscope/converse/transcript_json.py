"""A conversation in a model's JSON, whatever its shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from fundoscope.converse.transcript_roles import PLAIN, Speaker, role_line, speaker_named

Said = tuple[Speaker, object]
"""Who spoke, and what: text, unless the model wrote something else."""

_START = re.compile(r"[\[{]\s*+[\[{\"]")
_MOST_STARTS = 8
_DEEPEST = 6
_WHO = ("from", "role", "speaker", "发言人", "角色")
_WHAT = ("value", "content", "text", "message", "utterance", "内容")
_DECODER = json.JSONDecoder(strict=False)  # a real line break inside a string is still text


class BrokenJson(ValueError):
    """JSON that begins like a conversation and does not end."""


def may_hold_json(text: str, end: int) -> bool:
    """Return whether an object or a list of them begins before `end`."""
    return _START.search(text, 0, end) is not None


def said_in_json(text: str) -> list[Said] | None:
    """Return who said what in the JSON of a text; None where there is none.

    Raises
    ------
    BrokenJson
        If the text holds the beginning of an object and it cannot be read.
    """
    broken = False
    for start in islice(_START.finditer(text), _MOST_STARTS):
        try:
            values = _values(text, start.start())
        except (ValueError, RecursionError):
            broken = broken or '"' in start.group() or "{" in start.group()
            continue
        if said := list(_said(values, 0)):
            return said
        if isinstance(values[0], list | dict) and not _is_numbers(values[0]):
            return []
    if broken:
        raise BrokenJson
    return None


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, int | float | list) for part in value)


def _values(text: str, start: int) -> list[object]:
    """Return the JSON value at `start` and those right behind it (JSON Lines)."""
    value, end = _DECODER.raw_decode(text, start)
    values = [value]
    while isinstance(value, dict):
        while end < len(text) and text[end] in " \t\r\n,":
            end += 1
        if not text.startswith("{", end):
            break
        value, end = _DECODER.raw_decode(text, end)
        values.append(value)
    return values


def _said(value: object, depth: int) -> Iterator[Said]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        yield from _said_by(value, depth)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        texts = [part for part in value if isinstance(part, str)]
        if texts and len(texts) == len(value):
            yield from _said_in_texts(texts)
            return
        for part in value:
            yield from _said(part, depth + 1)


def _said_in_texts(texts: Sequence[str]) -> Iterator[Said]:
    """Yield who said what in `["User: ...", "Assistant: ..."]`, or in a bare pair."""
    roles = [role for text in texts if (role := role_line(text)) is not None]
    if len(roles) == len(texts):
        yield from ((role.speaker, role.text) for role in roles)
    elif len(texts) == 2:
        yield from (("question", texts[0]), ("answer", texts[1]))


def _said_by(value: Mapping[str, object], depth: int) -> Iterator[Said]:
    who = next((value[key] for key in _WHO if isinstance(value.get(key), str)), None)
    what = next((key for key in _WHAT if key in value), None)
    if who is not None and what is not None:
        if named := speaker_named(str(who)):
            yield named[0], _text_of(value[what], named[0])
        return
    named_keys = [(speaker_named(key), said) for key, said in value.items()]
    if sum(named is not None for named, _ in named_keys) >= 2:
        yield from ((named[0], _text_of(said, named[0])) for named, said in named_keys if named)
        return
    for part in value.values():
        yield from _said(part, depth + 1)


def _text_of(content: object, speaker: Speaker) -> object:
    """Return the text of a content, put together of its parts and without the speaker's name."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(part for part in parts if isinstance(part, str)) or None
    if isinstance(content, str) and (role := role_line(content)) is not None:
        return role.text if (role.speaker, role.family) == (speaker, PLAIN) else content
    return content
