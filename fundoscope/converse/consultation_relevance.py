"""How much a text is about the fundus: names of the vocabulary and a short list, weighed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from fundoscope import terms
from fundoscope.converse.deidentify_words import word_set, words
from fundoscope.records import Language

THRESHOLD = 3.0
"""Least score of a dialogue about the fundus: one of its conditions, or "retina", or two lesser words.
Chosen by reading, not by a labelled set; see docs/consultations.md."""

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
    return frozenset(
        id for id, (exact, loose) in _patterns(language).items()
        if (exact and exact.search(text)) or (loose and loose.search(text))
    )  # fmt: skip


@cache
def _weights() -> Mapping[str, float]:
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities())
    found = {term.id: _KIND_WEIGHT[term.kind] for family in families for term in family.values()}
    found |= {id: float(entry["weight"]) for id, entry in words("relevance")["words"].items()}
    return found | {id: float(weight) for id, weight in words("relevance")["vocabulary"].items()}


@cache
def _patterns(
    language: Language,
) -> Mapping[str, tuple[re.Pattern[str] | None, re.Pattern[str] | None]]:
    """Return two patterns an id: abbreviations as written, and words in any case."""
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities())
    names: dict[str, set[str]] = {
        term.id: set(term.names(language)) for family in families for term in family.values()
    }
    for id, entry in words("relevance")["words"].items():
        names.setdefault(id, set()).update(entry[language])
    return {
        id: (
            _pattern([n for n in of if _exact(n)], 0),
            _pattern([n for n in of if not _exact(n)], re.IGNORECASE),
        )
        for id, of in names.items()
        if _weights()[id] > 0
    }


def _exact(name: str) -> bool:
    """Whether a name is an abbreviation, such as DR, which "dr" is not."""
    return name.isascii() and name.isupper() and len(name) <= 5


def _pattern(names: list[str], flags: int) -> re.Pattern[str] | None:
    if not names:
        return None
    parts = [
        # "DR. Smith" is a doctor
        rf"(?<![A-Za-z]){re.escape(name)}s?(?![A-Za-z]{'|[.]' if name == 'DR' else ''})"
        if name.isascii()
        else re.escape(name)
        for name in sorted(names, key=len, reverse=True)
    ]
    return re.compile("|".join(parts), flags)
