"""Answers that give a level of a named scale: in words, or in numbers with their scale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope import terms
from fundoscope.evaluate.answer_book import book
from fundoscope.evaluate.answer_says import Heard, hear
from fundoscope.evaluate.answer_spaces import Levels, Reading, abstained, contradictory, decided
from fundoscope.evaluate.answer_terms import what_is_said
from fundoscope.evaluate.answer_text import sentences

_WRITTEN = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7,
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6,
}  # fmt: skip
_NUMBER = (
    r"(\d{1,3}(?!\d|\.\d)|zero|one|two|three|four|five|six|seven|iii|ii|iv|vi|v|i"
    r"|[零〇一二两三四五六七])"
)
_NO_UNIT = (
    r"(?![a-z\d]|\s*(?:%|percent|[-\s]?years?\b|quadrants?|haemorr|hemorr|micro"
    r"|岁|个|处|期|象限|\.\d))"
)
_GRADE = (
    r"(?:dr |dme )?(?:grades?|graded|levels?|stages?|category|class|score|severity"
    r"|icdr|messidor|meta pm"
    r"|\bc|\br|等级|分级|级别|评级|分类|风险|严重程度)"
)
_MARKED = re.compile(
    rf"{_GRADE}(?: level| grade| scale| dr| risk)?(?:\s*(?:is|of|as|:|=|为|是|属于)\s*:?)?"
    rf"\s*第?{_NUMBER}{_NO_UNIT}",
    re.ASCII,
)
_COUNTED = re.compile(rf"(?<![\da-z.一二三四五六七]){_NUMBER}\s*[级类](?!别)", re.ASCII)
_SAID = re.compile(rf"\b(?:is|as|are)\s+(?:an? )?{_NUMBER}{_NO_UNIT}(?=\s*(?:$|[.,;:()\n\-]))")
_OF_ALL = re.compile(r"(?<![\d.])(\d)\s*(?:/|out of|of)\s*(\d)(?![\d.])")
_ALONE = re.compile(rf"\s*第?{_NUMBER}{_NO_UNIT}\s*(?:$|[.,;:()\n]|-\s|\s[-–]\s)")
_VALUE = re.compile(rf"[:=]\s*{_NUMBER}{_NO_UNIT}\s*(?:$|[.,;()\n]|-\s|\s[-–]\s)")
_RANGE = re.compile(
    rf"{_NUMBER}\s*[级类]?\s*(?:-|–|~|to|or|and|至|到|或)\s*(?:grade |level |category )?"
    rf"{_NUMBER}(?!\.?\d|%)\s*[级类]?",
    re.ASCII,
)
_BETWEEN = re.compile(r"between|介于|之间")
_SPOKEN = re.compile(
    r"(?:go for|go with|settle on|call it|rate it|say|\bpick|判为?|评为|定为)\s*(?:an? )?"
    rf"{_NUMBER}{_NO_UNIT}"
    r"(?=\s*(?:$|[.,;:()\n级类-]))",
    re.ASCII,
)
_LEGEND = re.compile(
    r"(?:where|with|\bin which|其中|[,，]|的分级中)?[,\s]*\b0\s*(?:is|=|means|being|为|是|代表)"
    r"[^;。\n]*?4\s*(?:is|=|means|being|为|是|代表)[^,;。.\n]*[,;]?",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|\brather than|不是|并非|而非|而不是)\s*(?:an? |the |a dr )?$"
)
_BOUND_BEFORE = re.compile(
    r"(?:\bthan|\bat least|\bat most|\babove|\bbelow|比|至少|超过|高于|低于)\s*$"
)
_BOUND_BEHIND = re.compile(r"\s*(?:or (?:more|worse|above|higher)|以上|及以上)")
_OTHER_SCALES = re.compile(
    r"\betdrs\b|\bairlie|\bscottish\b|\bdrss\b|[ⅠⅡⅢⅣⅤⅥiv一二三四五六\d]+\s*期"
)


def read_level(text: str, space: Levels) -> Reading:
    """Return the level of the space's scale that an answer gives.

    Numbers on another scale, numbers that the scale does not have, ranges and bounds abstain. That
    the scale's condition is absent is level 0.
    """
    scale = terms.scale(space.scale)
    text = _LEGEND.sub(" ", text)
    heard = hear(text, book())
    low = text.lower()
    spoken, doubted = _levels_in_words(heard, space.scale)
    numbers, foreign, ranged = _levels_in_numbers(low, space.scale, heard)
    if numbers - set(scale.levels) or ranged:
        return abstained(text)
    found = spoken | numbers
    if _is_absent(heard, space.scale):
        found.add(0)
    if doubted or ((foreign or heard.unsure) and not found):
        return abstained(text)
    if len(found) > 1:
        return contradictory(text)
    return decided(found.pop(), text[:200]) if found else abstained("")


def _levels_in_words(heard: Heard, scale: str) -> tuple[set[int], bool]:
    """Return the levels said in words, and whether any is doubted."""
    spoken: set[int] = set()
    doubted = False
    for one in heard.said:
        if one.word.kind not in ("level", "severity") or one.status == "absent":
            doubted |= (
                one.word.kind == "term"
                and one.word.id in _graded(scale)
                and one.status not in ("present", "absent")
            )
        elif one.word.id in (scale, terms.scale(scale).words_of):
            doubted |= one.status != "present"
            spoken.add(one.word.level)
    return spoken, doubted


@cache
def _graded(scale: str) -> frozenset[str]:
    return frozenset({terms.scale(scale).term})


def _is_absent(heard: Heard, scale: str) -> bool:
    """Whether the answer denies what the scale grades."""
    known = terms.scale(scale)
    if known.present_from != 1:
        return False
    term = "hard_exudate" if scale == "dme_risk" else known.term
    return any(status == "absent" for _, status in what_is_said(heard, term)) or (
        "no" in heard.lead and not heard.said
    )


def _levels_in_numbers(text: str, scale: str, heard: Heard) -> tuple[set[int], bool, bool]:
    """Return the numbers that grade, whether another scale is named, and whether it is a range."""
    levels = terms.scale(scale).levels
    text = text.replace("meta-pm", "meta pm")
    found: set[int] = set()
    foreign = ranged = False
    for start, sentence in sentences(text):
        if any(begin <= start < end for begin, end in heard.unsure_in):
            ranged = ranged or bool(list(_numbers(sentence)))
            continue
        if _names_another(sentence, scale):
            foreign = True
            continue
        for match in _RANGE.finditer(sentence):
            ends = {_value(match.group(1)), _value(match.group(2))}
            if ends == {min(levels), max(levels)}:
                sentence = sentence.replace(match.group(), " ")
            elif _grades_range(sentence, match):
                ranged = True
        for number, bounded in _numbers(sentence):
            ranged |= bounded
            found.add(number)
    return found, foreign, ranged


def _grades_range(sentence: str, match: re.Match[str]) -> bool:
    """Whether a range is one of grades: marked as such, or all that the sentence says."""
    if "and" in match.group() and not _BETWEEN.search(sentence):
        return False
    marked = re.search(_GRADE + r"\s*(?:between )?$", sentence[: match.start()])
    return bool(
        marked
        or re.search("[级类]", match.group())
        or re.match(r"[级类]", sentence[match.end() :].strip())
        or match.group().strip() == sentence.strip(" .。\n")
    )


def _names_another(sentence: str, scale: str) -> bool:
    if _OTHER_SCALES.search(sentence):
        return True
    own = {scale, terms.scale(scale).words_of}
    named = {
        word.id
        for mention in book().find(sentence.replace("-", " "))
        for word in mention.words
        if word.kind == "scale"
    }
    return bool(named) and not named & own


def _numbers(sentence: str) -> Iterator[tuple[int, bool]]:
    """Yield (number, whether it only bounds the grade) of what is not denied."""
    for match in _OF_ALL.finditer(sentence):
        yield int(match.group(1)), False
        sentence = sentence.replace(match.group(), " ")
    for pattern in (_MARKED, _COUNTED, _SAID, _VALUE, _SPOKEN):
        for match in pattern.finditer(sentence):
            before = sentence[: match.start()]
            if not _DENIED_BEFORE.search(before):
                bounded = bool(
                    _BOUND_BEFORE.search(before) or _BOUND_BEHIND.match(sentence, match.end())
                )
                yield _value(match.group(1)), bounded
    if alone := _ALONE.match(sentence):
        yield _value(alone.group(1)), False


def _value(written: str) -> int:
    return _WRITTEN[written] if written in _WRITTEN else int(written)
