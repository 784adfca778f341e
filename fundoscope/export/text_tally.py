"""How often each text occurs: exact, however many different texts there are.

Counts lie in a private temporary SQLite file that vanishes when it is closed, so that a million
different questions cost disk, not memory.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_TABLE = """CREATE TABLE texts (
    family TEXT NOT NULL, text TEXT NOT NULL, count INTEGER NOT NULL, example TEXT NOT NULL,
    alike INTEGER NOT NULL, names TEXT NOT NULL, PRIMARY KEY (family, text)) WITHOUT ROWID"""
_ADD = """INSERT INTO texts VALUES (:family, :text, 1, :example, 1, json_array(:name))
    ON CONFLICT (family, text) DO UPDATE SET count = count + 1,
    alike = alike AND example = excluded.example,
    names = CASE WHEN json_array_length(names) < :most THEN json_insert(names, '$[#]', :name)
            ELSE names END"""
NAMES = 5
"""Most names that are remembered of one text."""

_QUOTED = re.compile(r"(?<!\w)(['\"]).*?\1(?!\w)")
_WITH_DIGITS = re.compile(r"[\w./-]*\d[\w./-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Counted:
    """A text, or texts of one shape, and how often it occurred."""

    text: str
    """As it was said where all were alike; else their shape, with `…` where they differ."""
    count: int
    example: str
    """The first that was met, word for word."""
    names: tuple[str, ...]
    """The first names that it was met with, at most `NAMES`."""


class TextTally:
    """Counts of texts by family; get one from `text_tally`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.execute(_TABLE)

    def add(self, family: str, text: str, *, name: str = "", by_shape: bool = False) -> None:
        """Count a text once more; `by_shape` counts what differs in quotes and numbers as one."""
        key = shape(text) if by_shape else text
        row = {"family": family, "text": key, "example": text, "name": name, "most": NAMES}
        self._db.execute(_ADD, row)

    def commonest(self, family: str, most: int = -1) -> list[Counted]:
        """Return the texts of a family, the commonest first; all of them unless told."""
        rows = self._db.execute(
            "SELECT text, count, example, alike, names FROM texts WHERE family = ?"
            " ORDER BY count DESC, text LIMIT ?",
            (family, most),
        )
        return [
            Counted(example if alike else text, count, example, tuple(json.loads(names)))
            for text, count, example, alike, names in rows
        ]

    def distinct(self, family: str) -> int:
        """Return how many different texts a family has."""
        query = "SELECT count(*) FROM texts WHERE family = ?"
        return int(self._db.execute(query, (family,)).fetchone()[0])

    def total(self, family: str) -> int:
        """Return how often texts of a family were counted."""
        query = "SELECT coalesce(sum(count), 0) FROM texts WHERE family = ?"
        return int(self._db.execute(query, (family,)).fetchone()[0])

    def families(self) -> list[str]:
        """Return the families that hold a text, sorted."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT family FROM texts ORDER BY 1")]


@contextmanager
def text_tally() -> Iterator[TextTally]:
    """Give an empty tally, and remove its temporary file in the end."""
    db = sqlite3.connect("", isolation_level=None)  # "" is a temporary file, not memory
    try:
        db.execute("BEGIN")
        yield TextTally(db)
    finally:
        db.close()


def shape(text: str) -> str:
    """Return a text with `…` in place of what is quoted or holds a digit.

    Examples
    --------
    >>> shape("contradicted: haemorrhage is absent ('a haemorrhage')")
    'contradicted: haemorrhage is absent (…)'
    >>> shape("no photograph 17 of the split train")
    'no photograph … of the split train'
    """
    return _WITH_DIGITS.sub("…", _QUOTED.sub("…", text))
