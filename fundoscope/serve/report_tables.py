"""A report's quantities as tables that fit a page: one row a quantity, one column a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fundoscope import terms
from fundoscope.serve.report import Quantity
from fundoscope.serve.report_words import Words

GROUPS = (
    "calibre_b", "calibre_c", "disc", "fovea", "whole", "zone_b", "zone_c", "grid", "lesions",
    "other",
)  # fmt: skip
"""In the order in which they are shown."""
MOST_NAMED = 6
"""Quantities named for one reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity, with its value for each column; None where it was not measured."""

    words: str
    unit: str
    cells: tuple[Quantity | None, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """What was not measured for one reason."""

    reason: str
    names: tuple[str, ...]
    more: int = 0
    every: bool = False
    """Whether nothing in the table was measured."""


@dataclass(frozen=True, slots=True)
class Table:
    """Quantities that belong together."""

    group: str
    title: str
    columns: tuple[str, ...]
    """Headings: vessel types, kinds of lesion, or one for a single value."""
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]


def tables_of(quantities: Sequence[Quantity], words: Words) -> tuple[Table, ...]:
    """Return the tables of one photograph, those without any quantity left out."""
    found = []
    for group in GROUPS:
        members = [q for q in quantities if q.group == group]
        if members:
            found.append(_table(group, members, words))
    return tuple(found)


def unit_text(unit: str) -> str:
    """Return a unit as it is shown."""
    return terms.UNIT_WORDS.get(unit, unit)


def value_text(quantity: Quantity) -> str:
    """Return a value with its repeatability, without its unit: `1.610 ± 0.004`."""
    if not quantity.repeatability_text:
        return quantity.text
    return f"{quantity.text} ± {quantity.repeatability_text}"


def _table(group: str, members: Sequence[Quantity], words: Words) -> Table:
    placed = [_place(q, words) for q in members]
    columns = tuple(dict.fromkeys(column for column, _ in placed))
    rows = []
    for label in dict.fromkeys(label for _, label in placed):
        measured = {
            column: q
            for q, (column, its) in zip(members, placed, strict=True)
            if its == label and q.value is not None
        }
        if measured:
            unit = unit_text(next(iter(measured.values())).unit)
            rows.append(Row(label, unit, tuple(measured.get(column) for column in columns)))
    missing = tuple(_missing(members, bool(rows)))
    return Table(group, words(f"group_{group}"), columns, tuple(rows), missing)


def _place(quantity: Quantity, words: Words) -> tuple[str, str]:
    """Return the column and the row of a quantity, as they are headed."""
    if quantity.group == "lesions":
        kind = next(kind for kind in terms.lesions() if quantity.name.startswith(kind))
        row = words(f"row_{quantity.name.removeprefix(kind + '_')}")
        return terms.term(kind).names(words.language)[0], row
    return words(quantity.of or "value"), quantity.words


def _missing(members: Sequence[Quantity], any_measured: bool) -> Iterator[Missing]:
    missing = [q for q in members if q.value is None]
    reasons = dict.fromkeys(q.reason_words for q in missing)
    for reason in reasons:
        names = tuple(dict.fromkeys(q.words for q in missing if q.reason_words == reason))
        every = not any_measured and len(reasons) == 1
        yield Missing(reason, names[:MOST_NAMED], max(0, len(names) - MOST_NAMED), every)
