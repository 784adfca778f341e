"""Who speaks in a line of a model's answer: `**User:** ...`, `### 助手`, `Q1: ...`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Speaker = Literal["question", "answer"]
PLAIN = "plain"
"""The family of names that mean nothing but a speaker; the others may be words of an answer."""

_FAMILIES: dict[tuple[Speaker, str], tuple[str, ...]] = {
    ("question", PLAIN): ("user", "human", "the user", "用户", "人类", "使用者"),
    ("question", "question"): ("question", "q", "提问", "问题", "问"),
    ("question", "patient"): ("patient", "questioner", "患者", "病人", "提问者"),
    ("answer", PLAIN): (
        "assistant", "ai assistant", "the assistant", "gpt", "chatgpt", "助手", "助理", "ai助手",
    ),
    ("answer", "answer"): ("answer", "a", "ans", "response", "回答", "答案", "答复", "答"),
    ("answer", "doctor"): ("doctor", "physician", "ophthalmologist", "医生", "医师", "眼科医生"),
    ("answer", "model"): ("model", "ai", "bot", "模型", "机器人"),
}  # fmt: skip
_SPEAKERS: dict[str, tuple[Speaker, str]] = {
    name: family for family, names in _FAMILIES.items() for name in names
}
_LOOKED_AT = 96
"""Characters of a line in which a role must stand: bounds the search, whatever the line holds."""

_NAMES = "|".join(sorted(map(re.escape, _SPEAKERS), key=len, reverse=True)).replace(r"\ ", r"\s+")
_NUMERAL = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
_TURN = (
    rf"(?:(?:turn|round|对话|轮次)\s*#?\s*{_NUMERAL}|第\s*{_NUMERAL}\s*[轮回个]\s*(?:对话|问答)?)"
)
_MARKS = r"(?:[\s#*_>•]|-\s|\d{1,2}\s?[.)、]\s?)*+"
_ROLE = re.compile(
    rf"({_MARKS})(?:{_TURN}\s*[-–—:：.、|]?\s*)?([*_]*)(?:<\||[\[【<])?\s*"
    rf"({_NAMES})(\s*[#_]?\s*{_NUMERAL})?"
    r"(?:\s*[(（][^()（）]{0,30}[)）])?\s*(?:\|>|[\]】>])?([*_]*)\s*([:：.、]?)",
    re.IGNORECASE,
)
_TURN_MARK = re.compile(rf"[\s#*_>(（\[【-]*{_TURN}[\s*_)）\]】:：.-]*", re.IGNORECASE)
_MARKUP = re.compile(r"[#*_\[【<]")
_LISTED = re.compile(r"\s*(?:[-•*]\s+|\d{1,2}\s?[.)、]\s?)?")
_POINTS = (".", "、")
"""They part a name from a text only behind a number: `Q1. ...`."""


class RoleLine(NamedTuple):
    """A line that says who speaks, and what stands behind the name."""

    speaker: Speaker
    family: str
    text: str
    unclosed: str = ""
    """Emphasis that opens before the name and ends behind the text."""
    indent: int = 0
    """Columns of the bullet or number before the name: lines below are set in as far."""
    quoted: bool = False
    bare: bool = False
    """Whether the name alone is the line, neither marked up nor with a colon."""


def speaker_named(name: str) -> tuple[Speaker, str] | None:
    """Return who is meant by a name such as `User`, `gpt`, `Q2` or `助手`, and its family."""
    bare = name[:_LOOKED_AT].strip().lower()
    return _SPEAKERS.get(bare) or _SPEAKERS.get(bare.rstrip("0123456789_# "))


def role_line(line: str) -> RoleLine | None:
    """Return who speaks in a line, or None where it only goes on."""
    head = line[:_LOOKED_AT]
    match = _ROLE.match(head)
    if match is None:
        return None
    marks, opened, name, number, close, colon = match.groups()
    if colon in _POINTS and not number:
        return None
    speaker, family = _SPEAKERS.get(name.lower()) or _SPEAKERS[" ".join(name.lower().split())]
    rest = line[match.end() :].strip()
    if not colon and (rest or not _stands_alone(match, head, family)):
        return None
    if not marks and not opened:
        bare = not colon and _MARKUP.match(head) is None
        return RoleLine(speaker, family, rest, bare=bare)
    quoted = marks.startswith(">")
    indent = _LISTED.match(marks).end()  # type: ignore[union-attr]  # it matches anything
    emphasis = marks[indent:].strip(" #>\t•") + opened
    if close or not emphasis:
        return RoleLine(speaker, family, rest, "", indent, quoted)
    if rest.startswith(emphasis):
        return RoleLine(speaker, family, rest[len(emphasis) :].strip(), "", indent, quoted)
    return RoleLine(speaker, family, rest, emphasis, indent, quoted)


def _stands_alone(match: re.Match[str], head: str, family: str) -> bool:
    """Whether a name without a colon is a heading: it is marked up, or can be nothing else."""
    return family == PLAIN or bool(_MARKUP.search(head, 0, match.start(3)))


def is_turn_mark(line: str) -> bool:
    """Return whether a line only counts turns, such as `**Turn 2**` or `第2轮`."""
    return len(line) <= _LOOKED_AT and _TURN_MARK.fullmatch(line) is not None
