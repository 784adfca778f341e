"""What a sentence speaks of: terms, other medical words, numbers with units, denials, strength."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.records import Language
from fundoscope.verify.claims import mentioned

_KINDS = ("term", "level", "scale", "quantity", "modality")
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_UNITS = {
    "%": ("%", "％", "per cent", "percent"),
    "year": ("years", "year", "年", "岁"), "month": ("months", "month", "个月", "月"),
    "week": ("weeks", "week", "周"), "day": ("days", "day", "天", "日"),
    "hour": ("hours", "hour", "小时"), "minute": ("minutes", "minute", "分钟"),
    "um": ("micrometres", "micrometers", "microns", "µm", "μm", "微米"),
    "mmHg": ("mmhg", "毫米汞柱"), "mm": ("millimetres", "millimetre", "mm", "毫米"),
    "D": ("dioptres", "dioptre", "diopters", "屈光度"), "degree": ("degrees", "degree", "°", "度"),
    "mg": ("mg", "毫克"),
}  # fmt: skip
_UNIT = "|".join(re.escape(word) for words in _UNITS.values() for word in words)
_VALUE = re.compile(
    rf"(?<![A-Za-z\d.])({_NUMBER})[\s-]*(?:({_UNIT})|(?=(?:to|and|or|－|–|—|-|～|~|至|到|或|和)[\s-]*{_NUMBER}))?",
    re.IGNORECASE,
)
_UP_TO_TWENTY = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen twenty"""
_SPELT = {word: str(value) for value, word in enumerate(_UP_TO_TWENTY.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80",
    "ninety": "90", "hundred": "100", "half": "half", "third": "third", "quarter": "quarter",
    "twice": "twice", "double": "twice", "tenth": "tenth", "million": "million",
}  # fmt: skip
_PLAIN_ONES = {"one", "two", "third"}
"""Words that count nothing as often as they count."""
_SPELT_ZH = re.compile(
    r"(?:百分之[一二三四五六七八九十百]+|[一二两三四五六七八九十]+(?:年|个月|周|天|小时|岁|倍|成|级|期|分之[一二三四五六七八九十]+)|一半|半数)"
)
_LETTERS = re.compile(r"[a-z][a-z-]*[a-z]")
_CLAUSES = re.compile(
    r"[,;:，；：()（）]|\b(?:but|which|that|while|whereas|although|because|since|so|until)\b"
    r"|\b(?:and|or)\b(?=\s+(?:no|not|without|never|is|are|was|were|can|may|does|has|have)\b)"
    r"|但|而|并|且|因为|所以"
)
"""Where a denial ends. One before "A or B" reaches both; "and no B" begins anew."""
_STOP_WORDS = """this that these those with from have been were which when where there their they
then than into over under about also more most some such only very much many other others another
each what while being because between through during after before often usually typically people
person patient patients condition disease does done make makes made them it's its would should could
might must will shall upon whose whom both here just like well even ever since until"""
_STOP = frozenset(_STOP_WORDS.split())


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one sentence."""

    terms: tuple[str, ...]
    """Terms of the vocabulary, as often as they are named."""
    concepts: frozenset[int]
    numbers: tuple[tuple[str, str], ...]
    """(value, unit) in order, the unit empty where there is none."""
    spelt: frozenset[str]
    endings: frozenset[str]
    sides: frozenset[tuple[int, int]]
    strong: frozenset[int]
    hedged: bool
    clauses: tuple[tuple[frozenset[str], bool], ...]
    """Content words of each clause, and whether it denies."""
    denies: bool

    @property
    def asserted(self) -> frozenset[str]:
        """Content words of clauses that assert."""
        return frozenset().union(*(words for words, denies in self.clauses if not denies))

    @property
    def denied(self) -> frozenset[str]:
        """Content words of clauses that deny."""
        return frozenset().union(*(words for words, denies in self.clauses if denies))

    @property
    def words(self) -> frozenset[str]:
        """Content words, denied or not: stems in English, pairs of characters in Chinese."""
        return self.denied | self.asserted

    @property
    def medical(self) -> bool:
        """Whether anything medical is said, or any number."""
        return bool(self.terms or self.concepts or self.numbers or self.spelt or self.endings)


@lru_cache(maxsize=16_384)
def read_sentence(text: str, language: Language) -> Reading:
    """Return what a sentence speaks of."""
    lowered = text.lower()
    for one, other in _data()["alike"]:
        lowered = lowered.replace(one, other)
    clauses = _clauses_of(lowered, language)
    return Reading(
        terms=tuple(
            word.id
            for mention in mentioned(text, language)
            for kind in _KINDS
            if (word := mention.of_kind(kind))
        ),
        concepts=frozenset(_found(_groups("concepts"), lowered)),
        numbers=tuple(_numbers(lowered)),
        spelt=frozenset(_spelt(lowered, language)),
        endings=frozenset(_endings(lowered, language)),
        sides=frozenset(_sides(lowered)),
        strong=frozenset(_found(_groups("strong"), lowered)),
        hedged=bool(_found(_groups("hedges"), lowered)),
        clauses=tuple((words, denies) for words, denies, _ in clauses),
        denies=any(cue for _, _, cue in clauses),
    )


def concept_name(index: int) -> str:
    """Return the first word of a group of `concepts`."""
    return str(_data()["concepts"][index][0]).rstrip("*")


def side_name(side: tuple[int, int]) -> str:
    """Return the first word of one side of `opposites`."""
    return str(_data()["opposites"][side[0]][side[1]][0]).rstrip("*")


def strong_name(index: int) -> str:
    """Return the first word of a group of `strong`."""
    return str(_data()["strong"][index][0]).rstrip("*")


@cache
def _data() -> dict[str, Any]:
    file = files("fundoscope") / "verify" / "knowledge_words.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


@cache
def _groups(kind: str) -> tuple[re.Pattern[str], ...]:
    return tuple(_pattern(words) for words in _data()[kind])


@cache
def _opposites() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    return tuple((_pattern(one), _pattern(other)) for one, other in _data()["opposites"])


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Return what finds any of some words: stems and whole words in English, as is in Chinese."""
    parts = []
    for word in sorted(map(str, words), key=len, reverse=True):
        lowered = word.lower()
        if not re.match(r"[a-z]", lowered) or re.search(r"[^\x00-\x7f]", lowered):
            parts.append(re.escape(lowered))
        elif lowered.endswith("*"):
            parts.append(rf"(?<![a-z]){lowered[:-1]}[a-z]*")
        else:
            parts.append(rf"(?<![a-z]){lowered}(?:e?s)?(?![a-z])")
    return re.compile("|".join(parts))


def _found(groups: Sequence[re.Pattern[str]], text: str) -> set[int]:
    return {index for index, pattern in enumerate(groups) if pattern.search(text)}


def _sides(text: str) -> set[tuple[int, int]]:
    return {
        (index, side)
        for index, pair in enumerate(_opposites())
        for side, pattern in enumerate(pair)
        if pattern.search(text)
    }


def _numbers(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    ranges: list[int] = []
    for match in _VALUE.finditer(text):
        value = match[1].replace(",", "").rstrip(".")
        unit = next((u for u, words in _UNITS.items() if (match[2] or "").lower() in words), "")
        found.append((value, unit))
        if (
            not unit
            and text[match.end() :]
            .lstrip(" -")
            .startswith(("to", "and", "or", "－", "–", "—", "～", "~", "至", "到", "或", "和"))
        ) or (not unit and re.match(r"[\s]*-[\s]*\d", text[match.end() - 1 :])):
            ranges.append(len(found) - 1)
    for index in reversed(ranges):  # "6 to 12 months": both are months
        if index + 1 < len(found):
            found[index] = (found[index][0], found[index + 1][1])
    return found


def _spelt(text: str, language: Language) -> set[str]:
    if language == "zh":
        return set(_SPELT_ZH.findall(text))
    return {
        _SPELT[word]
        for word in _LETTERS.findall(text)
        for word in word.split("-")
        if word in _SPELT and word not in _PLAIN_ONES
    }


def _endings(text: str, language: Language) -> set[str]:
    if language == "en":
        endings = tuple(_data()["endings_en"])
        return {word for word in _LETTERS.findall(text) if len(word) > 5 and word.endswith(endings)}
    found = set()
    for ending in _data()["endings_zh"]:
        for match in re.finditer(ending, text):
            found.add(text[max(0, match.start() - 2) : match.end()])
    return found


@cache
def _negations() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return _pattern(_data()["negations"]), _pattern(_data()["not_negations"])


def _clauses_of(text: str, language: Language) -> list[tuple[frozenset[str], bool, bool]]:
    """Return content words of each clause, whether it denies, and whether a denial stands in it.

    The whole clause is denied, for "A is not seen in B" and "B shows no A" deny the same; two
    denials assert.
    """
    denying, harmless = _negations()
    text = harmless.sub(lambda match: "\0" * len(match[0]), text)
    found = []
    for clause in _CLAUSES.split(text):
        cues = len(denying.findall(clause))
        words = frozenset(content_words(denying.sub(" ", clause), language))
        if words:
            found.append((words, cues % 2 == 1, cues > 0))
    return found


def content_words(text: str, language: Language) -> list[str]:
    """Return stems of the words that carry meaning; in Chinese every pair of characters."""
    if language == "zh":
        characters = re.findall(r"[\u4e00-\u9fff]+", text)
        return [run[i : i + 2] for run in characters for i in range(len(run) - 1)]
    words = [w for w in _LETTERS.findall(text) if len(w) > 3 and w not in _STOP]
    return [_stem(word) for word in words]


def _stem(word: str) -> str:
    for ending in (
        "ation",
        "ments",
        "ment",
        "ness",
        "ings",
        "ing",
        "ied",
        "ies",
        "ed",
        "es",
        "ly",
        "s",
        "e",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
