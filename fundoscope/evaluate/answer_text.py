"""An answer as it is read: without thoughts, Markdown and echoes, and its conclusion apart."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LONGEST = 5_000
"""Characters that are read, thoughts left aside: of a longer answer the two ends."""

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"\A.*</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?([^{}]*)\}")
_FENCE = re.compile(r"```\w*\n?|`")
_TABLE_RULE = re.compile(r"^(?=[^\n]*---)[ \t:|-]+$", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.+?)\|[ \t]*$", re.MULTILINE)
_LINE_MARK = re.compile(
    r"^[ \t]*(?:#+[ \t]*|>[ \t]*|[-*•][ \t]+|\d{1,2}[.)、][ \t]+)+", re.MULTILINE
)
_STRESS = re.compile(r"\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_QUOTES = str.maketrans({**dict.fromkeys('"“”「」『』'), "’": "'"})
_SHORT_FORMS = (
    (re.compile(r"\bcan'?t\b|\bcan not\b", re.IGNORECASE), "cannot"),
    (re.compile(r"\bwon't\b", re.IGNORECASE), "will not"),
    (re.compile(r"n't\b", re.IGNORECASE), " not"),
    (re.compile(r"\bi\.e\.", re.IGNORECASE), "ie"),
    (re.compile(r"\be\.g\.", re.IGNORECASE), "eg"),
)
_STRONG = re.compile(
    r"(?:\b(?:(?:my |the )?(?:final |correct |best )*(?:answer|choice|conclusion|verdict)"
    r"|(?:final|overall) (?:grade|impression|rating|assessment|diagnosis))"
    r"(?: (?:is|would be|must be)\b\s*[:,]?|\s*:|\s*=)"
    r"|\bi(?: would|'d|'ll| will)? answer\b:?"
    r"|\b(?:conclusion|rating)\s*\n"
    r"|^a\s*:|\?\s*a\s*:"
    r"|(?:最终|正确|我的)?(?:答案|结论|分级结果|最终分级|总体评价)\s*(?:应该?)?\s*(?:[是为]\s*:?|:|\n)|答\s*:)",
    re.IGNORECASE | re.MULTILINE,
)
_WEAK = re.compile(
    r"\b(?:therefore|thus|hence|consequently|in conclusion|to conclude|in summary|overall"
    r"|which means|which makes (?:it|this))\b[,:]?"
    r"|(?:^|[,;.]\s+)so\b[,:]?(?! (?:far|that|called|not|no)\b)"
    r"|因此|所以|综上所述|综上|总体而言|总的来说|总之|由此可知|可知|(?:^|[,;。\n])故",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"(?:[^.!?。！\n]|\.(?=\d)|(?<=\b[a-zA-Z])\.(?=[a-zA-Z]))+[.!?。！\n]*")
_TAG_QUESTION = re.compile(r",\s*(?:right|correct|ok|isn't it|对吧|是吧|对吗)\s*\?", re.IGNORECASE)
_TOPIC = re.compile(
    r"(?:^|(?<=[.。!\n]))"
    r"(\s*(?!(?:is|are|does|do|has|can|which|what|any)\b)[A-Za-z-]+(?: [A-Za-z-]+){0,3}"
    r"|\s*(?!.{0,10}(?:是否|有无|有没有|是不是|能否|什么|哪|几|多少|怎|如何))[一-鿿]{2,12}(?<![吗呢]))\?(?=\s*\S)",
    re.IGNORECASE,
)
"""A topic put as a question ("Glaucoma? None.")."""
_ASKS = re.compile(r"\?\s*$|[吗呢]\s*[。.]?\s*$")
_NOT_LABELS = {
    "confidence", "score", "probability", "reason", "reasoning", "explanation", "rationale",
    "置信度", "概率", "理由", "解释", "原因",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, cleaned; `parts` are what stands behind its marks of a conclusion."""

    whole: str
    """Sentences that assert; case kept."""
    written: str
    """Everything but thoughts, notations kept: for boxes."""
    strong: tuple[str, ...] = ()
    """Behind "the answer is", `<answer>`, `\\boxed{}`: in order."""
    weak: str = ""
    """Behind the last "therefore"."""


def cleaned(answer: str, question: str = "") -> Answer:
    """Return an answer as it is to be read.

    Thoughts (`<think>`) go, also when they were never ended: what was only thought is no answer.
    """
    written = unicodedata.normalize("NFKC", answer)
    if "</" in written:
        written = _THOUGHT_END.sub("", _THOUGHT.sub("", written))
    elif "<think" in written.lower():
        written = _THOUGHT.sub("", written)
    if not written.strip():
        return Answer("", "")
    marked = []
    if "<" in written or "\\boxed" in written:
        marked = [_plain(text) for text in _TAGGED.findall(written) + _BOXED.findall(written)]
    text = _plain(_shortened(_as_lines(written)))
    if question:
        asked = _asked(question)
        if asked and text.strip().lower().startswith(asked.lower()):
            text = text.strip()[len(asked) :]
    strong = tuple(marked) or tuple(
        part for part in map(_asserted, _STRONG.split(text)[1:]) if part
    )
    whole = _asserted(text)
    weak = ""
    for match in _WEAK.finditer(whole):
        weak = whole[match.end() :]
    return Answer(whole, written, strong, weak.strip())


def _shortened(text: str) -> str:
    """Return the beginning and the end of a text that runs away."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"


@lru_cache(maxsize=4096)
def _asked(question: str) -> str:
    return _plain(unicodedata.normalize("NFKC", question)).strip()


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield (start, sentence) of a cleaned text."""
    for match in _SENTENCE.finditer(text):
        yield match.start(), match.group()


def _asserted(text: str) -> str:
    """Return a text without the sentences that ask."""
    if "?" not in text and "吗" not in text and "呢" not in text:
        return text.strip()
    text = _TOPIC.sub(r"\1: ", _TAG_QUESTION.sub(".", text))
    kept = [one for _, one in sentences(text) if not _ASKS.search(one)]
    return "".join(kept).strip()


def _plain(text: str) -> str:
    if "`" in text:
        text = _FENCE.sub("", text)
    if "|" in text:
        text = _TABLE_ROW.sub(_row, _TABLE_RULE.sub("", text))
    if "*" in text or "_" in text:
        text = _STRESS.sub("", text)
    text = _LINE_MARK.sub("", text).translate(_QUOTES)
    if "'" in text or "can" in text.lower() or ".e." in text or ".g." in text:
        for pattern, plain in _SHORT_FORMS:
            text = pattern.sub(plain, text)
    return text


def _row(match: re.Match[str]) -> str:
    return ": ".join(cell.strip() for cell in match.group(1).split("|") if cell.strip())


def _as_lines(text: str) -> str:
    """Return a JSON object as lines `key: value`, anything else as it is."""
    if "{" not in text:
        return text
    bare = _FENCE.sub("", text).strip()
    if not bare.startswith("{"):
        return text
    try:
        loaded = json.loads(bare)
    except (ValueError, RecursionError):
        return text
    if not isinstance(loaded, dict):
        return text
    lines = [
        f"{key.replace('_', ' ')}: {_said(value)}"
        for key, value in loaded.items()
        if key.lower() not in _NOT_LABELS
    ]
    return "\n".join(lines)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
