"""The word lists of `consultation_words/`, loaded once and ready to look up."""

from __future__ import annotations

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
    """Return a list of words as a set; blank-separated, `|`-separated or a YAML list."""
    return frozenset(word_list(file, key))


@cache
def word_list(file: str, key: str) -> tuple[str, ...]:
    """Return a list of words, longest first, so that an alternation finds the longest."""
    entry = words(file)[key]
    if isinstance(entry, str):
        entry = entry.split("|") if "|" in entry else entry.split()
    else:
        entry = (
            [part for line in entry for part in str(line).split(" ")]
            if _has_blanks(file, key)
            else [str(word) for word in entry]
        )
    return tuple(
        sorted({word.strip() for word in entry if word.strip()}, key=lambda w: (-len(w), w))
    )


def _has_blanks(file: str, key: str) -> bool:
    """Whether the entries of a list are themselves lines of blank-separated words."""
    return (file, key) == ("names_zh", "not_names")


def overlaps(start: int, end: int, spans: list[Hidden]) -> bool:
    """Whether a stretch touches any of the spans."""
    return any(start < span.end and span.start < end for span in spans)
