"""Tables that `fundoscope measure` wrote, joined to the records of any source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fundoscope import terms
from fundoscope.errors import LabelError, nearest
from fundoscope.read.automorph import FeatureTable
from fundoscope.read.label_files import Row, header, read_rows
from fundoscope.records import LeftOut, Measured, Record, Unmeasured

COLUMNS = ("photograph", "name", "of", "where", "value", "unit", "tool", "version", "reason")

_Found = dict[tuple[str, str], list[Measured | Unmeasured]]
"""(split, photograph) -> its quantities."""


def is_measurement_table(file: Path) -> bool:
    """Whether a table has the columns that `fundoscope measure` writes."""
    return file.is_file() and set(COLUMNS) <= set(header(file))


def join_measurements(
    records: Iterable[Record | LeftOut], tables: Sequence[FeatureTable]
) -> Iterator[Record | LeftOut]:
    """Yield records with the quantities that tables give their photographs, by file name.

    Raises
    ------
    LabelError
        If a table names a quantity that the vocabulary does not hold, or a value is no number.
    """
    found = _load(tables)
    taken: set[tuple[str, str]] = set()
    for record in records:
        if isinstance(record, LeftOut):
            yield record
            continue
        name = PurePosixPath(record.photograph.file or record.photograph.id).stem
        keys = [key for key in ((record.photograph.split, name), ("", name)) if key in found]
        taken.update(keys)
        joined = tuple(quantity for key in keys for quantity in found[key])
        yield replace(record, measurements=record.measurements + joined) if joined else record
    for split, name in found:
        if (split, name) not in taken:
            yield LeftOut("row without record", name, "no photograph of the name")


def _load(tables: Sequence[FeatureTable]) -> _Found:
    found: _Found = {}
    for table in tables:
        for row in read_rows(table.file, COLUMNS):
            key = (table.split, row.text("photograph"))
            found.setdefault(key, []).append(_quantity(row))
    return found


def _quantity(row: Row) -> Measured | Unmeasured:
    name = row.text("name")
    if name not in terms.quantities():
        raise LabelError(
            row.file,
            line=row.line,
            column="name",
            found=repr(name),
            expected="a quantity of the vocabulary",
            mend=nearest(name, terms.quantities()),
        )
    place = {"of": row.cells["of"], "where": row.cells["where"]}
    if (reason := row.text_or_none("reason")) is not None:
        return Unmeasured(name, reason, row.cells["tool"], **place)
    repeatability = row.text_or_none("repeatability")
    return Measured(
        name,
        row.number("value"),
        row.text("unit"),
        row.text("tool"),
        row.cells["version"],
        scale=row.cells.get("scale", ""),
        repeatability=None if repeatability is None else row.number("repeatability", low=0),
        **place,
    )
