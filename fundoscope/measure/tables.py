"""Tables of measurements: AutoMorph's two, and a tidy one with a line for every value."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fundoscope.errors import ConfigError, nearest
from fundoscope.measure.automorph_definitions import automorph_columns
from fundoscope.measure.automorph_disc import Group
from fundoscope.records import Measured, Unmeasured

AUTOMORPH_TABLES: Mapping[Group, str] = {
    "macular": "Macular_Features.csv",
    "disc": "Disc_Features.csv",
}
TIDY = pa.schema(
    [(column, pa.string()) for column in ("photograph", "name", "of", "where")]
    + [("value", pa.float64())]
    + [(column, pa.string()) for column in ("unit", "tool", "version", "scale")]
    + [("repeatability", pa.float64()), ("reason", pa.string())]
)
ROW_GROUP_ROWS = 10_000


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
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if file.suffix.lower() not in writers:
        raise ConfigError(
            f"a table is written as {' or '.join(writers)}, not as {file.suffix or 'no suffix'!r}",
            where=str(file),
            mend=nearest(file.suffix.lower(), writers),
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (_line(name, value) for name, values in measurements for value in values)
    with whole(file) as partial:
        return writers[file.suffix.lower()](lines, partial)


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a temporary name to write to; take the file's own when all went well."""
    partial = file.with_name(f".{file.name}.part")
    try:
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _line(photograph: str, value: Measured | Unmeasured) -> dict[str, Any]:
    line = dict.fromkeys(TIDY.names) | {"photograph": photograph}
    for column in TIDY.names[1:]:
        line[column] = getattr(value, column, None)
    return line


def _write_csv(lines: Iterable[dict[str, Any]], file: Path) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, TIDY.names, lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow(line)
            count += 1
    return count


def _write_parquet(lines: Iterable[dict[str, Any]], file: Path) -> int:
    count, group = 0, []
    with pq.ParquetWriter(file, TIDY, compression="zstd") as writer:
        for line in lines:
            group.append(line)
            count += 1
            if len(group) == ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema=TIDY))
                group = []
        if group or not count:
            writer.write_table(pa.Table.from_pylist(group, schema=TIDY))
    return count
