"""How much a text is about the fundus: names of the vocabulary and a short list, weighed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from fundoscope import terms
from fundoscope.converse.deidentify_words import word_set, words
from fundoscope.records import Language

THRESHOLD = 3.0
"""Least score of a dialogue about the fundus: a condition, "retina", or two lesser words.
Chosen by reading, not by a labelled set; see docs/consultations.md."""

_LONGEST_ABBREVIATION = 5
_KIND_WEIGHT: Mapping[str, float] = {"condition": 3, "lesion": 2, "anatomy": 2, "modality": 2}


def relevance(texts: Iterable[str], language: Language) -> float:
    """Return the summed weights of the distinct terms of texts; 0 where none is of the fundus.

    Examples
    --------
    >>> relevance(["黄斑水肿要打针吗？"], "zh") >= THRESHOLD
    True
    >>> relevance(["胃出血要打针吗？"], "zh")
    0.0
    """
    found = named("\n".join(texts), language)
    if not found - word_set("relevance", "not_of_the_fundus_alone"):
        return 0.0
    return float(sum(_weights()[id] for id in found))


def named(text: str, language: Language) -> frozenset[str]:
    """Return the ids of what a text names, of the vocabulary and of the list, weight above 0."""
    # substrings first: most dialogues name nothing, and 300 patterns took 20 times as long
    lowered = text.lower()
    found = set()
    for name, id, exact, pattern in _names(language):
        said = text if exact else lowered
        if id not in found and name in said and (pattern is None or pattern.search(said)):
            found.add(id)
    return frozenset(found)


@cache
def _weights() -> Mapping[str, float]:
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities())
    found = {term.id: _KIND_WEIGHT[term.kind] for family in families for term in family.values()}
    found |= {id: float(entry["weight"]) for id, entry in words("relevance")["words"].items()}
    return found | {id: float(weight) for id, weight in words("relevance")["vocabulary"].items()}


@cache
def _names(language: Language) -> tuple[tuple[str, str, bool, re.Pattern[str] | None], ...]:
    """Return name, id, whether case counts, and the pattern that gives a Latin name its borders."""
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities())
    pairs = {
        (name, term.id)
        for family in families
        for term in family.values()
        for name in term.names(language)
    }
    for id, entry in words("relevance")["words"].items():
        pairs |= {(str(name), id) for name in entry[language]}
    return tuple(
        (name if _exact(name) else name.lower(), id, _exact(name), _bordered(name))
        for name, id in sorted(pairs)
        if _weights()[id] > 0
    )


def _exact(name: str) -> bool:
    """Whether a name is an abbreviation, such as DR, which "dr" is not."""
    return name.isascii() and name.isupper() and len(name) <= _LONGEST_ABBREVIATION


def _bordered(name: str) -> re.Pattern[str] | None:
    if not name.isascii():
        return None  # Chinese characters have no word borders
    written = re.escape(name if _exact(name) else name.lower())
    doctor = "|[.]" if name == "DR" else ""  # "DR. Smith" is a doctor
    return re.compile(rf"(?<![A-Za-z]){written}s?(?![A-Za-z]{doctor})")
