"""Tables of measurements: AutoMorph's two, and a tidy one with a line for every value."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundoscope.measure.automorph_definitions import automorph_columns
from fundoscope.measure.automorph_disc import Group
from fundoscope.records import Measured, Unmeasured
from fundoscope.tables import Columns, whole, write_table

AUTOMORPH_TABLES: Mapping[Group, str] = {
    "macular": "Macular_Features.csv",
    "disc": "Disc_Features.csv",
}
TIDY: Columns = {
    **dict.fromkeys(("photograph", "name", "of", "where"), "text"),
    "value": "number",
    **dict.fromkeys(("unit", "tool", "version", "scale"), "text"),
    "repeatability": "number",
    "reason": "text",
}


@dataclass(frozen=True)
class AutomorphRow:
    """AutoMorph's values of one photograph."""

    photograph: str
    group: Group
    features: Mapping[str, float | None]


def write_automorph_tables(rows: Iterable[AutomorphRow], folder: Path) -> dict[Group, int]:
    """Write `Macular_Features.csv` and `Disc_Features.csv`; return how many rows each has.

    Both are written, each with AutoMorph's 73 columns; a table without a photograph has its header
    alone. Rows stand in the order in which they come, named `photograph.png` as AutoMorph names
    them; None is a blank.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[Group, int] = dict.fromkeys(AUTOMORPH_TABLES, 0)
    with ExitStack() as stack:
        writers = {}
        for group, name in AUTOMORPH_TABLES.items():
            partial = stack.enter_context(whole(folder / name))
            stream = stack.enter_context(partial.open("w", encoding="utf-8", newline=""))
            writers[group] = csv.writer(stream, lineterminator="\n")
            writers[group].writerow(["Name", *automorph_columns()])
        for row in rows:
            values = (row.features[column] for column in automorph_columns())
            cells = ["" if value is None else repr(float(value)) for value in values]
            writers[row.group].writerow([f"{row.photograph}.png", *cells])
            counts[row.group] += 1
    return counts


def write_tidy(
    measurements: Iterable[tuple[str, Iterable[Measured | Unmeasured]]], file: Path
) -> int:
    """Write a line for every value of every photograph; return how many.

    Parameters
    ----------
    measurements : pairs of a photograph's name or key and its measurements; taken one at a time.
    file : `.csv` or `.parquet`. Its columns are photograph, name, of, where, value, unit, tool,
        version, scale, repeatability and reason; where there is no value there is a reason.

    Raises
    ------
    ConfigError
        If the file's suffix is neither.
    """
    lines = (_line(name, value) for name, values in measurements for value in values)
    return write_table(lines, TIDY, file)


def _line(photograph: str, value: Measured | Unmeasured) -> dict[str, Any]:
    return {column: getattr(value, column, None) for column in TIDY} | {"photograph": photograph}
