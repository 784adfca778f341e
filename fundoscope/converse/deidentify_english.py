"""English-language names: by title, introduction, relation, greeting, farewell, then by lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope.converse.deidentify_words import (
    Hidden,
    Kind,
    alternatives,
    compiled,
    word_list,
    word_set,
    words,
)

_PARTICLE = r"(?:van|von|der|den|de|del|da|dos|di|la|le|bin|bint|ibn|al|el|ter|ten|st\.)"
_TOKEN = r"(?:[A-Z](?:'|’)?[A-Za-zÀ-ÖØ-öø-ÿ]*(?:[-'’][A-Za-zÀ-ÖØ-öø-ÿ]+)*)"
_INITIAL = r"[A-Z]\."
_FURTHER = rf"\s(?:{_INITIAL}|(?:{_PARTICLE}\s){{0,2}}{_TOKEN}|{_PARTICLE}\s{_TOKEN})"
_CAPITALS = rf"(?:{_INITIAL}\s?){{0,2}}{_TOKEN}(?:{_FURTHER}){{0,3}}"
_PARTICLED = rf"(?:{_PARTICLE}\s){{1,2}}{_TOKEN}"
_LOWER = r"[a-z]{2,}(?:['’-][a-z]+)?"


@cache
def _anchored() -> tuple[tuple[Kind, bool, re.Pattern[str]], ...]:
    """Return kind, whether small letters may be a name, and the rule (`rules_en.yaml`)."""
    parts = {
        "name": rf"(?P<name>{_PARTICLED}|{_CAPITALS})",
        "either": rf"(?P<name>{_PARTICLED}|{_CAPITALS}|{_LOWER}(?:\s{_LOWER})?)",
        "lower": _LOWER,
        "relative": alternatives("names_en", "relatives"),
        "doctor_title": alternatives("names_en", "titles_doctor"),
        "person_title": alternatives("names_en", "titles_person"),
    }
    return tuple(
        (rule["kind"], rule["lower"], compiled(rule["pattern"], parts))
        for rule in words("rules_en")["anchored"]
    )


def english_names(text: str) -> Iterator[Hidden]:
    """Yield the names of doctors and of everyone else in an English text."""
    for kind, lower, pattern in _anchored():
        position = 0
        while match := pattern.search(text, position):
            titled = bool(_TITLE.search(text, match.start(), match.start("name")))
            trimmed = _trimmed(match["name"], lower, titled)
            if trimmed:
                start = match.start("name") + trimmed[0]
                yield Hidden(kind, start, match.start("name") + trimmed[1])
            position = max(match.start() + 1, match.start("name"))
    yield from _listed(text)


_TITLE = re.compile(
    r"(?:\b(?:[Dd]r|Prof|[Mm]rs?|[Mm]s|Miss)\.?|\bProfessor|\bDoctor"
    r"|(?i:name is|name's|name:?|named|patient:))\s+$"
)


def _trimmed(name: str, lower: bool, titled: bool = False) -> tuple[int, int] | None:
    """Return where in a candidate the name stands, words of every day cut off at both ends."""
    words = list(re.finditer(r"\S+", name))
    kept = []
    for word in words:
        plain = word[0].strip(".,'’")
        if re.fullmatch(_INITIAL, word[0]):
            kept.append(word)
            continue
        if (
            titled
            and not kept
            and plain.istitle()
            and plain not in word_set("names_en", "never_behind_title")
        ):
            kept.append(word)
            continue
        if kept and plain in word_set("names_en", "surnames_that_are_words"):
            kept.append(word)
            break
        if not kept and _month_as_name(word, words):
            kept.append(word)
            continue
        if _is_no_name(plain, lower):
            if kept:
                break
            if not plain.istitle() or plain in word_set("names_en", "eponyms"):
                return None  # "Dr said", "patient Stargardt": nothing behind it is a name either
            continue
        if plain.islower() and not lower and not _is_particle(plain):
            break
        kept.append(word)
    while kept and (_is_particle(kept[-1][0]) or not kept[-1][0].strip(".,'’")):
        kept.pop()
    if all(re.fullmatch(_INITIAL, word[0]) for word in kept):
        return None
    return (kept[0].start(), kept[-1].end()) if kept else None


def _month_as_name(word: re.Match[str], words: list[re.Match[str]]) -> bool:
    """Whether an everyday word opens a name, since a name follows: "April Quispe"."""
    following = [other[0].strip(".,'’") for other in words if other.start() > word.end()]
    return (
        word[0] in word_set("names_en", "surnames_that_are_words")
        and bool(following)
        and following[0].istitle()
        and not _is_no_name(following[0], lower=False)
    )


def _is_particle(word: str) -> bool:
    return re.fullmatch(_PARTICLE, word) is not None


def _is_no_name(word: str, lower: bool) -> bool:
    if word in word_set("names_en", "common"):
        return word not in word_set("names_en", "surnames")
    if word.islower():
        return not _is_particle(word) and (not lower or word in _lower_stop())
    if len(word) > 1 and word.isupper() and word.title() not in _known():
        return True  # OCT, AMD, IOP
    return word in word_set("names_en", "eponyms") and word not in _known()


@cache
def _lower_stop() -> frozenset[str]:
    return word_set("names_en", "lower_stop") | frozenset(
        w.lower() for w in word_set("names_en", "common")
    )


@cache
def _known() -> frozenset[str]:
    return word_set("names_en", "given") | word_set("names_en", "surnames")


def _listed(text: str) -> Iterator[Hidden]:
    """Yield names that the lists know, wherever they stand."""
    position = 0
    while match := _ONE_OR_TWO.search(text, position):
        said = re.sub(r"['’]s$", "", match[0])
        first, *others = said.split()
        start, end = match.start(), match.start() + len(said)
        last = others[-1] if others else ""
        position = start + len(first)  # the second word may open a name: "Ask Mary Smith"
        if _is_medical(first, text, start):
            continue
        if _known_first(first, last):
            hides_last = not last or _may_be_last(last)
            yield Hidden("person", start, end if hides_last else start + len(first))
        elif last and _unknown_pair(first, last, text, start):
            yield Hidden("person", start, end)
    for match in _small_letters().finditer(text):
        yield Hidden("person", *match.span("name"))


@cache
def _small_letters() -> re.Pattern[str]:
    """Return a rule for known given names in small letters, behind a relation or a greeting."""
    given = "|".join(name.lower() for name in word_list("names_en", "given"))
    relatives = alternatives("names_en", "relatives")
    return re.compile(
        rf"\b(?i:my (?:{relatives}),?|i am|i'm|im|this is|dear|hi|hello|hey|thanks|regards),? "
        rf"(?P<name>(?:{given}))\b"
    )


_ONE_OR_TWO = re.compile(
    rf"(?<![\w'’-]){_TOKEN}(?:\s(?:{_INITIAL}\s)?(?:{_PARTICLE}\s){{0,2}}{_TOKEN})?(?:['’]s\b)?"
)


def _known_first(first: str, last: str) -> bool:
    """Whether the first of one or two words opens a name."""
    surnames, loose = word_set("names_en", "surnames"), word_set("names_en", "ambiguous_given")
    return first in word_set("names_en", "given") or (
        last in surnames and (first in loose or first in surnames)
    )


def _may_be_last(last: str) -> bool:
    """Whether a word behind a given name is part of the name."""
    surnames = word_set("names_en", "surnames") | word_set("names_en", "surnames_that_are_words")
    everyday = word_set("names_en", "common") | word_set("names_en", "eponyms")
    return last in surnames or last not in everyday


def _unknown_pair(first: str, last: str, text: str, start: int) -> bool:
    """Whether two capitalised words are neither of every day nor of medicine: likely a name."""
    known = word_set("names_en", "common") | word_set("names_en", "eponyms")
    mixed = all(len(word) > 1 and not word.isupper() for word in (first, last))
    may_end = last not in known or last in word_set("names_en", "surnames")
    return mixed and first not in known and may_end and not _STUDY.match(text, start)


_STUDY = compiled(
    r"(?:[A-Z][\w'’-]+\s){1,5}(?:«bodies»)", {"bodies": alternatives("names_en", "public_bodies")}
)


def _is_medical(word: str, text: str, start: int) -> bool:
    """Whether a name is an eponym here: "Bell's palsy", "Graves disease", "Charles Bonnet"."""
    if word not in word_set("names_en", "eponyms"):
        return word in word_set("names_en", "common")
    return _EPONYMOUS.match(text, start) is not None or word not in _known()


_EPONYMOUS = compiled(
    r"(?:[A-Z][\w'’-]+[\s-]){1,4}(?:«bearers»)",
    {"bearers": alternatives("names_en", "eponyms_name")},
)
