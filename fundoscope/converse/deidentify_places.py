"""Hospitals, addresses and places, in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope.converse.deidentify_words import (
    CJK,
    Hidden,
    alternatives,
    compiled,
    word_list,
    word_set,
    words,
)


@cache
def _rule(name: str) -> re.Pattern[str]:
    rules = words("rules_places")
    return compiled(rules["rules"][name], {**rules["parts"], "cjk": CJK})


def places(text: str) -> Iterator[Hidden]:
    """Yield hospitals, then addresses, then places, of either language."""
    yield from _chinese_hospitals(text)
    yield from _english_hospitals(text)
    for match in _rule("zh_address").finditer(text):
        kind = _rule("zh_place_kind").search(text, match.start() + 1, match.end())
        yield Hidden(
            "address",
            _after_cut(text, match.start(), kind.start() if kind else match.start()),
            match.end(),
        )
    for match in _rule("en_address").finditer(text):
        yield Hidden("address", *match.span())
    for pattern in _listed():
        for match in pattern.finditer(text):
            yield Hidden("place", *match.span())
    for pattern in (_rule("zh_village_alone"), _rule("zh_county")):
        for match in pattern.finditer(text):
            if not _generic(match[0][:-1]):
                yield Hidden("place", *match.span())
    for match in _rule("en_from").finditer(text):
        words = match["place"].replace(",", "").split()
        harmless = word_set("rules_places", "countries") | word_set("names_en", "common")
        if not match[0].lower().startswith(("live", "living", "we live")):
            harmless |= word_set("names_en", "eponyms")
        if not set(words) & harmless and not words[0].isupper():
            yield Hidden("place", *match.span("place"))


def _chinese_hospitals(text: str) -> Iterator[Hidden]:
    for match in _rule("zh_hospital").finditer(text):
        start = _after_cut(text, match.start(), match.end("run"))
        if start < match.end("run") and not _generic(text[start : match.end("run")]):
            yield Hidden("hospital", start, match.end())
    for match in _rule("zh_short").finditer(text):
        yield Hidden("hospital", *match.span())
    for nickname in word_list("places", "zh_hospital_nicknames"):
        suffix = "" if not nickname.isdigit() else "(?=医院|总院|眼科)"
        for match in re.finditer(rf"{nickname}(?:医院|眼科)?{suffix}", text):
            yield Hidden("hospital", *match.span())


def _after_cut(text: str, start: int, end: int) -> int:
    """Return where a name begins in a run of characters: behind the last word that is no name."""
    kept = [
        (match.start(), match.end())
        for match in _keep_pattern().finditer(text, max(0, start - 4), end + 2)
    ]
    begin = start
    for match in _cut_pattern().finditer(text, start, end):
        if not any(a <= match.start() and match.end() <= b for a, b in kept):
            begin = max(begin, match.end())
    return begin


@cache
def _cut_pattern() -> re.Pattern[str]:
    return re.compile("|".join(word_list("places", "zh_cut_before")))


@cache
def _keep_pattern() -> re.Pattern[str]:
    """Names in which a cutting word is no cut: 成都, 协和, 上海, ..."""
    keys = ("zh_keep_with_hospital", "zh_provinces", "zh_cities")
    return re.compile("|".join(w for key in keys for w in word_list("places", key)))


def _generic(name: str) -> bool:
    """Whether a hospital's name holds nothing but words such as "local", "large", "eye"."""
    pattern = "|".join(word_list("places", "zh_generic_hospital"))
    return re.fullmatch(f"(?:{pattern}|[\\s()（）])*", name) is not None


@cache
def _nicknames() -> re.Pattern[str]:
    named = alternatives("places", "en_hospital_names")
    return re.compile(rf"\b(?:{named})(?:\s(?:Eye\s)?(?:Hospital|Clinic|Institute))?\b")


def _english_hospitals(text: str) -> Iterator[Hidden]:
    generic = word_set("rules_places", "en_generic")
    for match in _rule("en_hospital").finditer(text):
        words = match[0].split()
        start = match.start()
        while len(words) > 1 and words[0] in word_set("names_en", "common") - {
            "Eye",
            "Hospital",
            "Medical",
        }:
            start = text.find(words[1], start + len(words[0]))
            words = words[1:]
        if not all(word in generic or word.lower() in generic for word in words):
            yield Hidden("hospital", start, match.end())
    for match in _rule("en_hospital_short").finditer(text):
        if match[0].split()[0] not in word_set("names_en", "common"):
            yield Hidden("hospital", *match.span())
    for match in _nicknames().finditer(text):
        yield Hidden("hospital", *match.span())
    for match in _rule("en_hospital_lower").finditer(text):
        if match["name"] not in generic and len(match["name"]) > 3:
            yield Hidden("hospital", *match.span())


@cache
def _listed() -> tuple[re.Pattern[str], ...]:
    """Places that are hidden wherever they stand."""
    chinese = "|".join(
        sorted(
            (*word_list("places", "zh_provinces"), *word_list("places", "zh_cities")),
            key=len,
            reverse=True,
        )
    )
    english = "|".join(
        re.escape(name)
        for name in sorted(
            (*word_list("places", "en_cities"), *word_list("places", "en_states")),
            key=len,
            reverse=True,
        )
    )
    return (
        re.compile(
            rf"(?:{chinese})(?!西汀|新碱|霉素|时间)(?:省|市|区|县|自治区)?(?:[{CJK}]{{2}}(?:区|县)(?!别|域|分))?"
        ),
        re.compile(rf"\b(?:{english})\b"),
        re.compile(rf"(?<=\bfrom )(?:{english.lower()})\b|(?<=\bin )(?:{english.lower()})\b"),
    )
