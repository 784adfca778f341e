"""Chinese names: by the title behind, the introduction before, or the shape of the name itself.

The rules stand in `rules_zh.yaml`, the characters that names are made of in `names_zh.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope import terms
from fundoscope.converse.deidentify_words import (
    CJK,
    Hidden,
    alternatives,
    compiled,
    word_set,
    words,
)

_SURE = 2
"""A longer candidate behind an introduction may begin like an everyday word: 金银凤."""


@cache
def _parts() -> dict[str, str]:
    """Return what the parts of the rules stand for."""
    names = words("names_zh")
    compounds = alternatives("names_zh", "compound_surnames")
    common = str(names["common_surnames"])
    return {
        **words("rules_zh")["parts"],
        "cjk": CJK,
        "edge": rf"(?=$|[^{CJK}])",
        "surname": f"(?:{compounds}|[{names['surnames']}])",
        "common": f"(?:{compounds}|[{common}])",
        "given": f"[{names['given']}]",
        "loose": str(names["loose_given"]),
        "unusual": f"(?![{names['given_stop']}])[{CJK}]",
        "small": "".join(c for c in common if c not in str(names["no_surname_after_small"])),
        "no_lead": str(names["no_surname_lead"]),
        "relative": alternatives("names_zh", "relatives"),
        "doctor_title": alternatives("names_zh", "doctor_titles"),
        "person_title": alternatives("names_zh", "person_titles"),
    }


@cache
def _titles() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    rules = words("rules_zh")["titles"]
    with_given, alone, led = (compiled(rules[k], _parts()) for k in ("with_given", "alone", "led"))
    return with_given, alone, led


@cache
def _persons() -> tuple[re.Pattern[str], ...]:
    return tuple(compiled(pattern, _parts()) for pattern in words("rules_zh")["persons"])


def chinese_names(text: str) -> Iterator[Hidden]:
    """Yield the names of doctors and of everyone else in a Chinese text."""
    with_given, alone, led = _titles()
    for match in with_given.finditer(text):
        if _may_be_name(text, match.start("name"), match["name"], titled=True):
            yield Hidden("doctor", *match.span("name"))
    for match in alone.finditer(text):
        if _surname_stands(text, match.start("name"), match["name"]):
            yield Hidden("doctor", *match.span("name"))
    for match in led.finditer(text):
        yield Hidden("doctor", *match.span("name"))
    for pattern in _persons():
        position = 0
        while candidate := pattern.search(text, position):
            start, end = candidate.span("name")
            anchored = start > candidate.start() and len(candidate["name"]) > _SURE
            if end > start and _may_be_name(text, start, candidate["name"], titled=anchored):
                yield Hidden("person", start, end)
                position = end
            else:
                position = candidate.start() + 1  # a false start must not swallow what follows


def _may_be_name(text: str, start: int, name: str, titled: bool) -> bool:
    """Whether a candidate is neither a word of every day nor a piece of a term."""
    sure = titled and all(character in words("names_zh")["given"] for character in name[1:])
    if name in _stopped() or (not sure and name[:2] in word_set("names_zh", "not_names")):
        return False
    if (
        titled
        and not (sure and len(name) > _SURE)
        and not _surname_stands(text, start, name[0], strict=False)
    ):
        return False
    before = text[start - 1 : start]
    if before and not titled and before + name[0] in _joined():
        return False
    around = text[max(0, start - 8) : start + len(name) + 8]
    return not any(
        term in around
        and text.find(term, max(0, start - 8)) < start + len(name)
        and text.find(term, max(0, start - 8)) + len(term) > start
        for term in _terms()
    )


def _surname_stands(text: str, start: int, surname: str, strict: bool = True) -> bool:
    """Whether a surname before a title is one: 王医生, but not 主任医生 or 感谢医生."""
    rules = words("names_zh")
    if len(surname) > 1:
        return True
    before = text[start - 1 : start]
    if surname == "向":
        return not _to_a_doctor().match(text, start + 1)
    if strict and surname in rules["never_before_title"] and before not in tuple("谢找是叫"):
        return False
    return not (before and before in str(rules["no_surname_after"].get(surname) or ""))


@cache
def _to_a_doctor() -> re.Pattern[str]:
    titles, verbs = (alternatives("names_zh", key) for key in ("doctor_titles", "to_a_doctor"))
    return re.compile(f"(?:{titles})们?(?:{verbs})")


@cache
def _terms() -> tuple[str, ...]:
    """Chinese names of the vocabulary: no piece of one is a person."""
    families = (
        terms.conditions(),
        terms.lesions(),
        terms.anatomy(),
        terms.modalities(),
        terms.systemic(),
    )
    return tuple(
        name for family in families for term in family.values() for name in term.zh if len(name) > 1
    )


@cache
def _stopped() -> frozenset[str]:
    return word_set("names_zh", "not_names") | word_set("names_zh", "relatives")


@cache
def _joined() -> frozenset[str]:
    """Words of two characters that end like a surname: 感谢, 通常, 提高, ..."""
    rules = words("names_zh")["no_surname_after"]
    return frozenset(
        before + surname
        for surname, befores in rules.items()
        if len(str(surname)) == 1
        for before in str(befores or "")
    )
