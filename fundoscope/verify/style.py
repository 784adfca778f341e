"""The form of a conversation: turns, `<image>`, repetition, questions that know too much."""

from __future__ import annotations

import re
from functools import lru_cache

from fundoscope import terms
from fundoscope.records import Conversation, Language, Turn
from fundoscope.verify.claims import mentioned, numbers_in

IMAGE = "<image>"
"""Where trainers put the photograph: behind the first question, and nowhere else."""
TURN_COUNTS = {"instruction": (3, 6), "alignment": (1, 1), "knowledge": (1, 5)}
"""Fewest and most turns a track may have."""

_GIVEAWAYS = re.compile(
    r"\b(hidden|provided|given) (data|information|metadata|description|record)\b"
    r"|\b(metadata|spreadsheet|label file|ground truth|csv)\b|\bas an ai\b|\blanguage model\b"
    r"|隐藏(的)?(数据|信息)|元数据|标签文件|真值|作为(一个)?(ai|人工智能|语言模型)"
)
_GIVEAWAY_WORDS = (
    "data", "information", "description", "record", "spreadsheet", "label file", "ground truth",
    "csv", "as an ai", "language model", "隐藏", "元数据", "标签文件", "真值", "作为",
)  # fmt: skip
"""One of them stands in every giveaway: a quick look before the pattern."""
_OPEN_QUESTION = re.compile(
    r"\b(is|are|may|might|was|were|do|does|did|can|could|has|have|any|whether|would|what|which|how|if)\b"
    r"|吗|有没有|是否|有无|能否|可否|会不会|是不是|怎么样|如何|什么|哪|几|多少|能不能|呢",
    re.IGNORECASE,
)


def style_problem(conversation: Conversation) -> tuple[int, str] | None:
    """Return the first fault of form as (index of the turn, what), or None."""
    turns = conversation.turns
    low, high = TURN_COUNTS.get(conversation.track, (1, 12))
    if not low <= len(turns) <= high:
        return 0, f"{len(turns)} turns, {conversation.track} has {low} to {high}"
    seen: set[str] = set()
    for index, turn in enumerate(turns):
        general = conversation.track == "knowledge"  # it may name what it asks about
        problem = _turn_problem(turn, conversation.language, general)
        if problem is None and turn.question.strip() in seen:
            problem = "the same question twice"
        if problem is None and index and set(turn.aspects) & set(turns[index - 1].aspects):
            problem = f"the same aspect twice in a row: {turn.aspects[0]}"
        if problem:
            return index, problem
        seen.add(turn.question.strip())
    return None


def _turn_problem(turn: Turn, language: Language, general: bool = False) -> str | None:
    if not turn.question.strip() or not turn.answer.strip():
        return "an empty question or answer"
    if IMAGE in turn.question or IMAGE in turn.answer:
        return f"{IMAGE} in a turn: it is written behind the first question, by the export"
    if general:
        return None
    if _gives_away(turn.answer) or _gives_away(turn.question):
        return "the text speaks of data that the user has not seen"
    leak = question_leak(turn.question, language)
    return f"the question gives away {leak}" if leak else None


def _gives_away(text: str) -> bool:
    text = text.lower()
    return any(word in text for word in _GIVEAWAY_WORDS) and bool(_GIVEAWAYS.search(text))


@lru_cache(maxsize=65_536)
def question_leak(question: str, language: Language) -> str:
    """Return what a question knows that only the record knows, or nothing.

    A question may ask whether a condition is there; it may not hold a number, a grade's words, or
    name a lesion or condition without asking whether it is there.
    """
    if numbers_in(question):
        return f"a number ({numbers_in(question)[0]})"
    for mention in mentioned(question, language):
        if (level := mention.of_kind("level")) and terms.scale(level.id).term not in (
            "quality",
            "gradability",
        ):
            return "a grade"
        word = mention.of_kind("term")
        if word and word.id in {**terms.conditions(), **terms.lesions()}:
            if word.id in ("abnormality", "normal_fundus"):
                continue
            if not _OPEN_QUESTION.search(question):
                return word.id
            if re.search(r"\b(these|those|the) $", question[: mention.start].lower()[-6:]):
                return word.id
    return ""
