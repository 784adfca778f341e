"""A model's answer read into turns, whatever form it came in; nothing of an answer is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fundoscope.converse.transcript_json import BrokenJson, may_hold_json, said_in_json
from fundoscope.converse.transcript_roles import (
    PLAIN,
    RoleLine,
    Speaker,
    is_turn_mark,
    role_line,
)
from fundoscope.records import Language, Turn

_REASONS: dict[str, dict[Language, str]] = {
    "empty": {"en": "the answer was empty", "zh": "回复为空"},
    "thought": {
        "en": "the reasoning before the conversation did not end",
        "zh": "对话之前的思考没有结束",
    },
    "no roles": {
        "en": "no line began with User: or Assistant:",
        "zh": "没有以 User: 或 Assistant: 开头的行",
    },
    "broken JSON": {
        "en": "the JSON was cut off or is not valid",
        "zh": "JSON 不完整或格式有误",
    },
    "no turns in JSON": {
        "en": "the JSON held no questions and answers",
        "zh": "JSON 中没有问答",
    },
    "answer first": {
        "en": "answer {turn} has no question before it",
        "zh": "第 {turn} 个回答之前没有问题",
    },
    "no answer": {"en": "question {turn} has no answer", "zh": "第 {turn} 个问题没有回答"},
    "empty question": {"en": "question {turn} was empty", "zh": "第 {turn} 个问题为空"},
    "empty answer": {"en": "answer {turn} was empty", "zh": "第 {turn} 个回答为空"},
    "not text": {"en": "turn {turn} was not text", "zh": "第 {turn} 轮不是文字"},
}
_THOUGHT_ENDS = ("</think>", "</thinking>", "</reasoning>")
_THOUGHT_STARTS = ("<think>", "<thinking>", "<reasoning>")
_BLANK = dict.fromkeys(map(ord, "\ufeff\u200b\u200e\u200f\u2060")) | {
    ord("\u00a0"): " ", ord("\u3000"): " ", ord("\u2028"): "\n", ord("\u2029"): "\n",
}  # fmt: skip
_IMAGE = "<image>"
_RULES = frozenset("-*_=")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»"}
_FAREWELL = re.compile(
    r"[\s*_(（\[>-]*+(?:let me know|i hope (?:this|these) |hope this |feel free to"
    r"|(?:if|should) you(?:'d)? (?:need|would like|want|have|wish)|would you like"
    r"|(?:(?:please )?note:?(?: that)? )?(?:this|these|the|the above|above)(?: \w+){0,3}?"
    r" (?:conversation|dialogue|q&a|question-answer)|\(?end of (?:the )?(?:conversation|dialogue)"
    r"|(?:注：)?(?:以上|本|该).{0,12}(?:对话|问答)|对话(?:到此)?结束|希望(?:这|以上|对您|对你)"
    r"|如(?:果|有|需)您?.{0,6}(?:修改|调整|其他问题)|请告诉我)",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"(?<=[\s.?!。？！])(?=[*_]{0,3}(?:user|human|assistant|gpt|用户|助手)[*_]{0,3}\s?[:：])",
    re.IGNORECASE,
)
"""Where a speaker begins within a line."""
_WRAPPED_AT = 40
"""Characters from which a line may have been broken for its length."""
_LOOKED_AT = 200
_ITEM = re.compile(r"\s*(?:[-*+•|>#]|\d{1,3}[.)、](?!\d)|```|[(（]\d)")
_GOES_ON = re.compile(
    r"(?:[,，、(（]|\b(?:is|are|was|were|of|and|or|at|in|the|a|an|with|to|from|by|about)|[为是约和与及的])$"
)


class Unreadable(Exception):
    """An answer that is no conversation; `reason` can be told to the model that wrote it."""

    def __init__(self, reason: str, kind: str = "") -> None:
        self.reason, self.kind = reason, kind or reason
        super().__init__(reason)


@dataclass(slots=True)
class _Speech:
    """What one speaker said, as it stands in the answer."""

    role: RoleLine
    line: int
    """Index of the line with the name."""
    end: int = 0
    """Index behind its last line."""


def read_transcript(text: str | None, language: Language) -> tuple[Turn, ...]:
    """Return the questions and answers of a model's answer, in order.

    Read are `User:` and `Assistant:` lines under many names in English and Chinese, with Markdown
    and numbering, and JSON of many shapes. Prose before and after is dropped, and so are
    reasoning, code fences around the whole, quotes around a text, and `<image>` at the ends of
    the first question. An answer over several lines is kept whole.

    Raises
    ------
    Unreadable
        If it is not a conversation in which every question has its answer.
    """
    cleaned = _cleaned(text, language)
    try:
        return _turns(_said(cleaned, language), language)
    except Unreadable as problem:
        parted = _INLINE.sub("\n", cleaned) if problem.kind == "no answer" else cleaned
        if parted == cleaned:
            raise
    return _turns(_said(parted, language), language)


def _turns(said: Sequence[tuple[Speaker, object]], language: Language) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    question: str | None = None
    for speaker, spoken in said:
        count = len(turns) + 1
        if not isinstance(spoken, str):
            raise _unreadable("not text", language, count)
        if not turns and speaker == "question":
            spoken = _without_image(spoken.strip())
        spoken = _unquoted(spoken.strip())
        if (speaker == "question") == (question is not None):
            raise _unreadable(
                "no answer" if question is not None else "answer first", language, count
            )
        if not spoken:
            raise _unreadable(f"empty {speaker}", language, count)
        if question is None:
            question = spoken
        else:
            turns.append(Turn(question, spoken))
            question = None
    if question is not None:
        raise _unreadable("no answer", language, len(turns) + 1)
    return tuple(turns)


def _unreadable(kind: str, language: Language, turn: int = 0) -> Unreadable:
    return Unreadable(_REASONS[kind][language].format(turn=turn), kind)


def _cleaned(text: str | None, language: Language) -> str:
    """Return the text without reasoning and odd blanks."""
    text = (text or "").translate(_BLANK) if not (text or "").isascii() else (text or "")
    lowered = text.lower() if "</" in text or "<" in text else ""
    for end in _THOUGHT_ENDS:
        at = lowered.rfind(end)
        if at >= 0:
            text, lowered = text[at + len(end) :], lowered[at + len(end) :]
    if lowered.lstrip().startswith(_THOUGHT_STARTS):
        raise _unreadable("thought", language)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise _unreadable("empty", language)
    if "\n" not in text and "\\n" in text and text[0] not in '{["':
        return text.replace("\\n", "\n")
    return text


def _said(text: str, language: Language) -> Sequence[tuple[Speaker, object]]:
    lines = text.split("\n")
    speeches = _speeches(lines)
    before = sum(len(line) + 1 for line in lines[: speeches[0].line]) if speeches else len(text)
    if not may_hold_json(text, before):
        if speeches:
            return _spoken(lines, speeches, language)
        raise _unreadable("no roles", language)
    try:
        said = said_in_json(text)
    except BrokenJson:
        if speeches:
            return _spoken(lines, speeches, language)
        raise _unreadable("broken JSON", language) from None
    if said:
        return said
    if speeches:
        return _spoken(lines, speeches, language)
    raise _unreadable("no roles" if said is None else "no turns in JSON", language)


def _speeches(lines: Sequence[str]) -> list[_Speech]:
    """Return who speaks from which line to which; what stands before the first is no speech.

    Names such as `Model` or `Answer` may begin a line of an answer: they count only where no
    plainer name for that speaker is used, and then only those of the family met first.
    """
    named = [
        _Speech(role, index)
        for index, line in enumerate(lines)
        if line and (role := role_line(line)) is not None
    ]
    if not all(speech.role.bare for speech in named):
        named = [speech for speech in named if not speech.role.bare]
    families: dict[Speaker, str] = {}
    for speech in named:
        role = speech.role
        if role.family == PLAIN or role.speaker not in families:
            families[role.speaker] = role.family
    speeches = [s for s in named if s.role.family == families[s.role.speaker]]
    for speech, following in pairwise(speeches):
        speech.end = following.line
    if speeches:
        speeches[-1].end = len(lines)
    return speeches


def _spoken(
    lines: Sequence[str], speeches: Sequence[_Speech], language: Language
) -> list[tuple[Speaker, object]]:
    quoted = speeches[0].role.quoted
    said: list[tuple[Speaker, object]] = []
    for speech in speeches:
        below = lines[speech.line + 1 : speech.end]
        if quoted:
            below = [_unquoted_line(line) for line in below]
        if indent := speech.role.indent:
            below = [line[min(indent, len(line) - len(line.lstrip())) :] for line in below]
        spoken = [speech.role.text, *(line.rstrip() for line in below)]
        if speech is speeches[-1]:
            spoken = _without_farewell(spoken)
        said.append((speech.role.speaker, _joined(_framed(spoken, speech.role), language)))
    return said


def _unquoted_line(line: str) -> str:
    bare = line.lstrip()
    return bare[1:].removeprefix(" ") if bare.startswith(">") else line


def _without_farewell(spoken: list[str]) -> list[str]:
    """Drop the end of the fence around the whole, what follows it, and a closing word to us."""
    fences = [i for i, line in enumerate(spoken) if line.lstrip().startswith("```")]
    if len(fences) % 2:
        spoken = spoken[: fences[-1]]
    end = _frame_start(spoken, len(spoken))
    while end > 1 and _FAREWELL.match(spoken[end - 1][:_LOOKED_AT]):
        end = _frame_start(spoken, end - 1)
    return spoken[:end]


def _frame_start(spoken: Sequence[str], end: int) -> int:
    """Return where blank lines, rules and counts of turns behind what was said begin."""
    while end > 1 and (_is_rule(spoken[end - 1]) or is_turn_mark(spoken[end - 1])):
        end -= 1
    return end


def _is_rule(line: str) -> bool:
    bare = line.strip()
    return not bare or (len(bare) >= 3 and bare[0] in _RULES and bare == bare[0] * len(bare))


def _framed(spoken: list[str], role: RoleLine) -> list[str]:
    """Return what was said without its frame: rules, counts, emphasis around the whole line."""
    spoken = spoken[: _frame_start(spoken, len(spoken))]
    if role.unclosed and spoken[-1].endswith(role.unclosed):
        spoken[-1] = spoken[-1].removesuffix(role.unclosed)
    return spoken


def _joined(spoken: Sequence[str], language: Language) -> str:
    """Join lines: a sentence that a line break cuts becomes one line, all else stays as it was."""
    parts: list[str] = []  # lines and what stands between them
    before, fenced = "", False
    for line in spoken:
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line and before and _goes_on(before, line):
            line = line.lstrip()
            parts += ("" if language == "zh" and not line[0].isascii() else " ", line)
            before = line
            continue
        if line or before:
            parts += ("\n", line)
        before = line
    return "".join(parts).strip("\n")


def _goes_on(line: str, following: str) -> bool:
    """Whether a sentence runs over the break between two lines."""
    if _ITEM.match(following[:_LOOKED_AT]) or line.startswith(("|", "#")):
        return False
    wrapped = len(line) >= _WRAPPED_AT and line[-1] not in ".:;!?。：；！？"
    return (wrapped and following.lstrip()[0].islower()) or bool(_GOES_ON.search(line[-20:]))


def _without_image(question: str) -> str:
    """Return a question without the marks for the photograph at its start and its end."""
    start, end = 0, len(question)
    while question[start : start + len(_IMAGE)].lower() == _IMAGE:
        start = _not_blank(question, start + len(_IMAGE), 1)
    while question[max(start, end - len(_IMAGE)) : end].lower() == _IMAGE:
        end = _not_blank(question, end - len(_IMAGE) - 1, -1) + 1
    return question[start:end]


def _not_blank(text: str, at: int, step: int) -> int:
    while 0 <= at < len(text) and text[at].isspace():
        at += step
    return at


def _unquoted(spoken: str) -> str:
    """Return a text without the quotes around the whole of it."""
    closing = _QUOTES.get(spoken[:1])
    inner = spoken[1:-1]
    if closing and len(spoken) > 1 and spoken[-1] == closing and closing not in inner:
        return inner.strip() if spoken[0] not in inner else spoken
    return spoken
