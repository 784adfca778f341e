"""Answers that give a value: its number, its unit, a range; errors of unit apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from fundoscope import terms
from fundoscope.evaluate.answer_book import book
from fundoscope.evaluate.answer_says import Heard, hear
from fundoscope.evaluate.answer_spaces import (
    Number,
    Reading,
    UnitError,
    Value,
    abstained,
    contradictory,
    decided,
)
from fundoscope.evaluate.answer_text import sentences
from fundoscope.records import LANGUAGES, Language
from fundoscope.verify.lexicon import normalised

_COUNTS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
]  # fmt: skip
_WORDS = {word: n for n, word in enumerate(_COUNTS)} | {
    word: n for n, word in enumerate("零一二三四五六七八九十")
}
_WORDS |= {"两": 2, "十一": 11, "十二": 12, "十三": 13, "十五": 15, "二十": 20}
_SPELT = re.compile(
    r"\b("
    + "|".join(sorted(_COUNTS, key=len, reverse=True))
    + r")\b(?! (?:of (?!them)|eye|image|photograph))"
    r"|(十[一二三五]|二十|[零两一二三四五六七八九十])(?=\s*(?:处|个|枚|微|出|硬|软)|\s*[。.]?\s*$)"
)
_UNIT = (
    r"(?:μm|um\b|microns?\b|micromet(?:er|re)s?\b|微米|mm2|mm\b|毫米|px\b|pixels?\b|像素|°|deg(?:rees?)?\b"
    r"|度|%|percent\b|per cent\b|dd\b|d\b|diopt(?:er|re)s?\b)"
)
_VALUE = re.compile(
    r"(?<![\w.])(?P<a>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{0,12}\.?\d{1,12})\s*(?P<ua>" + _UNIT + r")?"
    r"(?:\s*(?P<joint>-|–|~|to|and|至|到|:|/|或|or)\s*(?P<b>\d{0,12}\.?\d{1,12}))?"
    r"\s*(?P<ub>" + _UNIT + r")?(?!\.?\d)",
    re.ASCII,
)  # fmt: skip
_UNITS = {
    "μm": "um", "um": "um", "micron": "um", "microns": "um", "micrometer": "um",
    "micrometers": "um", "micrometre": "um", "micrometres": "um", "微米": "um", "mm": "mm",
    "毫米": "mm", "mm2": "mm2", "px": "px", "pixel": "px", "pixels": "px", "像素": "px", "°": "deg",
    "deg": "deg", "degree": "deg", "degrees": "deg", "度": "deg", "%": "%", "percent": "%",
    "per cent": "%", "dd": "DD", "d": "D", "diopter": "D", "diopters": "D", "dioptre": "D",
    "dioptres": "D",
}  # fmt: skip
_FACTORS = {("mm", "um"): 1000.0, ("um", "mm"): 0.001, ("%", "1"): 0.01, ("1", "%"): 100.0}
_BOUND = re.compile(
    r"(?:less than|greater than|more than|fewer than|below|above|under|over|at least|at most|up to"
    r"|exceed(?:s|ing)?|>|<|≥|≤|小于|大于|低于|高于|超过|至少|至多|不到|不超过)\s*$"
)
_ASIDE = re.compile(
    r"\bnormal\b|\breference\b|\bwhere up to|\bvalues (?:above|below)|\bsuspicious|正常|参考|可疑"
    r"|\bconfidence|\bprobab|置信|概率|得分(?!形)|\bscore\b|\bage[d:\s]|年龄"
)
_MINUS = re.compile(r"(?<![\w.])[-−]$")
_NO_MEASURE = re.compile(
    r"\s*(?:[-\s]*years?\b|\s*岁|\s*%?\s*(?:confidence|sure|certain)|\s*的?(?:置信|把握))"
)
_SPLIT = re.compile(r"[;()\n]|,(?!\d)")
_HEDGED = re.compile(r"\b(?:may|might|could be|possibly|perhaps|maybe)\b|可能|也许|或许|大概是吧")
_SYNONYMS = {
    "cdr_vertical": (
        "c/d ratio", "c/d", "cup/disc", "cup disc ratio", "cup/disk", "c d ratio", "杯/盘",
        "杯盘比值",
    ),
    "avr_knudtson": ("a/v ratio", "a/v", "动静脉比值"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Said:
    low: float
    high: float
    unit: str
    bound: bool
    either: bool


def read_number(text: str, space: Number) -> Reading:
    """Return the value of the space's quantity that an answer gives.

    A bound ("below 0.5") is no value and abstains; two values are contradictory; a number that
    belongs to another quantity, an age or a confidence is passed over.
    """
    low = normalised_numbers(text)
    found: list[_Said] = []
    counted = space.quantity.endswith("_count")
    context = _Context()
    for _, sentence in sentences(low):
        if counted:
            for part in _SPLIT.split(sentence):
                if not _ASIDE.search(part):
                    found += _counts(part, space)
        else:
            found += _values(sentence, space, context)
    if _HEDGED.search(low) or any(one.either or one.bound for one in found):
        return abstained(text)
    values = {_value(one, space) for one in found}
    if not values and counted and _none(hear(text, book()), space):
        values = {Value(0.0, 0.0, 0.0)}
    if len(values) > 1:
        return contradictory(text)
    return decided(values.pop(), text[:200]) if values else abstained()


def normalised_numbers(text: str) -> str:
    """Return a text in lower case with percentages in figures."""
    return re.sub(r"百分之\s*(\d+(?:\.\d+)?)", r"\1%", text.lower())


def _none(heard: Heard, space: Number) -> bool:
    lesion = space.quantity.removesuffix("_count")
    denied = any(
        o.status == "absent" and o.word.id in (lesion, "normal_fundus") for o in heard.said
    )
    return denied or (heard.lead == ["no"] and not heard.said)


@cache
def _quantity_names() -> tuple[re.Pattern[str], dict[str, str]]:
    owners: dict[str, str] = {}
    for id, quantity in terms.quantities().items():
        for language in LANGUAGES:
            for name in quantity.names(language):
                owners.setdefault(_comparable(name), id)
    for id, names in _SYNONYMS.items():
        for name in names:
            owners.setdefault(name, id)
    for word in ("disc area", "视盘面积", "cup area"):
        owners.setdefault(word, "disc_area")
    longest = sorted(owners, key=len, reverse=True)
    pattern = "|".join(
        rf"\b{re.escape(name)}\b" if name.isascii() and name[-1].isalnum() else re.escape(name)
        for name in longest
    )
    return re.compile(pattern, re.ASCII), owners


def _comparable(name: str) -> str:
    return name.lower().replace("（", "(").replace("）", ")").replace("-", " ")


def _values(sentence: str, space: Number, context: _Context) -> Iterator[_Said]:
    """Yield the numbers of a sentence that belong to the space's quantity."""
    pattern, owners = _quantity_names()
    plain = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", sentence)
    names = [(m.start(), m.end(), owners[m.group()]) for m in pattern.finditer(plain)]
    aside = _asides(plain, [(start, end) for start, end, _ in names])
    for match in _VALUE.finditer(plain):
        at = match.start()
        if any(start <= at < end for start, end, _ in names) or any(a <= at < b for a, b in aside):
            continue
        if _NO_MEASURE.match(plain, match.end("a")) or _NO_MEASURE.match(plain, match.end()):
            continue
        before = [owner for start, _, owner in names if start <= at]
        owner = before[-1] if before else names[0][2] if names else space.quantity
        if owner == space.quantity and context.fits(plain, at, space):
            yield _said(match, plain, space)
    context.pass_over(plain)


def _asides(text: str, names: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of a sentence whose numbers are none of the eye: ages, normal ranges."""
    cuts = [0]
    for match in _SPLIT.finditer(text):
        if not any(start <= match.start() < end for start, end in names):
            cuts.append(match.end())
    cuts.append(len(text))
    return [(a, b) for a, b in pairwise(cuts) if _ASIDE.search(text[a:b])]


@dataclass(slots=True)
class _Context:
    """The vessels and the zone that the text spoke of last."""

    of: str = ""
    where: str = ""

    def fits(self, text: str, at: int, space: Number) -> bool:
        """Whether the number at `at` is of the vessels and zone that are asked for."""
        if not space.of and not space.where:
            return True
        before = text[:at]
        of = _last(before, terms.VESSELS) or self.of
        where = _last(before, terms.ZONES) or self.where
        return (not space.of or (of or "all") == space.of) and (
            not space.where or (where or "whole") == space.where
        )

    def pass_over(self, sentence: str) -> None:
        """Keep what the sentence spoke of last."""
        self.of = _last(sentence, terms.VESSELS) or self.of
        self.where = _last(sentence, terms.ZONES) or self.where


def _last(text: str, table: Mapping[str, Mapping[Language, tuple[str, ...]]]) -> str:
    """Return the entry of a table whose name stands last in a text."""
    found = [
        (text.rfind(name.lower()) + len(name), id)
        for id, names in table.items()
        for language in LANGUAGES
        for name in names[language]
        if name.lower() in text
    ]
    return max(found)[1] if found else ""


def _said(match: re.Match[str], text: str, space: Number) -> _Said:
    first = float(match.group("a").replace(",", ""))
    if terms.quantity(space.quantity).plausible[0] < 0 and _MINUS.search(
        text[max(0, match.start() - 2) : match.start()]
    ):
        first = -first
    joint, second = match.group("joint"), match.group("b")
    unit = match.group("ub") or match.group("ua") or ""
    low = high = first
    either = joint in ("or", "或")
    if second:
        if joint in (":", "/") and float(second):
            low = high = first / float(second)
        else:
            low, high = sorted((first, float(second)))
    known = _UNITS.get(unit, "")
    return _Said(
        low,
        high,
        known,
        bool(_BOUND.search(text[max(0, match.start() - 20) : match.start()])),
        either,
    )


def _value(one: _Said, space: Number) -> Value:
    """Return a value in the unit asked for, or as written with what is wrong with its unit."""
    low, high = one.low, one.high
    error: UnitError = ""
    unit = one.unit or ("1" if space.unit == "1" else "")
    if unit != space.unit:
        factor = _FACTORS.get((unit, space.unit))
        if not unit:
            error = "missing"
        elif factor is None:
            error = "other"
        else:
            least, most = terms.quantity(space.quantity).plausible
            if least <= low * factor and high * factor <= most:
                low, high = low * factor, high * factor
            else:
                error = "implausible"
    low, high = float(f"{low:.6g}"), float(f"{high:.6g}")
    return Value(float(f"{(low + high) / 2:.6g}"), low, high, error)


def _counts(part: str, space: Number) -> Iterator[_Said]:
    """Yield the numbers that count the space's lesion."""
    asked = space.quantity.removesuffix("_count")
    plain = normalised(part)
    plain = _SPELT.sub(lambda m: str(_WORDS[m.group(1) or m.group(2)]), plain)
    lesions = [
        (mention.start, mention.end, word.id)
        for mention in book().find(plain)
        for word in mention.words
        if word.kind == "term" and word.id in terms.lesions()
    ]
    for match in re.finditer(
        r"(?<![\w.])(\d{1,9})(?!\d|\.\d|\s*%|\s*years?|\s*岁)", plain, re.ASCII
    ):
        behind = [id for start, _, id in lesions if 0 <= start - match.end() <= 12]
        before = [id for _, end, id in lesions if end <= match.start()]
        owner = behind[0] if behind else before[-1] if before else asked
        if owner == asked:
            number = float(match.group(1))
            bound = bool(_BOUND.search(plain[max(0, match.start() - 20) : match.start()]))
            yield _Said(number, number, "", bound, False)
