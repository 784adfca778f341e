"""The word lists and rules of `consultation_words/`, loaded once and ready to use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Kind = Literal[
    "doctor", "person", "hospital", "phone", "account", "address", "place", "date",
    "id_number", "email", "url", "price", "old_age",
]  # fmt: skip
"""What is hidden. `old_age` is an age over 89, which is rare enough to point at a person."""

CJK = "\u4e00-\u9fff"
"""The common Chinese characters, as a range of a regular expression."""

_PART = re.compile("«([a-z_]+)»")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A stretch of a text that tells who, where or when."""

    kind: Kind
    start: int
    end: int


@cache
def words(name: str) -> dict[str, Any]:
    """Return one file of `consultation_words/`, by its stem."""
    file = files("fundoscope") / "converse" / "consultation_words" / f"{name}.yaml"
    loaded = yaml.load(
        file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return dict(loaded)


@cache
def word_set(file: str, key: str) -> frozenset[str]:
    """Return a list of words as a set."""
    return frozenset(word_list(file, key))


@cache
def word_list(file: str, key: str) -> tuple[str, ...]:
    """Return a list of words, longest first, so that an alternation finds the longest.

    In the file it is a YAML list, or a text with `|` between the words, or with blanks.
    """
    entry = words(file)[key]
    if isinstance(entry, str):
        entry = entry.split("|") if "|" in entry else entry.split()
    stripped = {str(word).strip() for word in entry} - {""}
    return tuple(sorted(stripped, key=lambda word: (-len(word), word)))


def alternatives(file: str, key: str) -> str:
    """Return a list of words as a pattern that matches any of them."""
    return "|".join(map(re.escape, word_list(file, key)))


def compiled(pattern: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    """Return a rule with each «part» filled in, parts of parts included."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: parts[match[1]], pattern)
    return re.compile(pattern, re.MULTILINE)
