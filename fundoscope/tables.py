"""Tables on disk: CSV, or Parquet where that extra is installed; whole or not there."""

from __future__ import annotations

import csv
import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

from fundoscope.errors import ConfigError, MissingExtra, nearest

Kind = Literal["text", "whole", "number", "numbers", "conversation"]
Columns = Mapping[str, Kind]
Row = Mapping[str, Any]
ROW_GROUP_ROWS = 10_000


def write_table(rows: Iterable[Row], columns: Columns, file: Path) -> int:
    """Write rows, taken one at a time; return how many.

    Parameters
    ----------
    columns : name -> kind, in order
    file : `.csv` or `.parquet`; in a CSV file `numbers` are JSON, to two decimals.

    Raises
    ------
    ConfigError
        If the file's suffix is neither.
    MissingExtra
        If it is Parquet and pyarrow is not installed.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    suffix = file.suffix.lower()
    if suffix not in writers:
        raise ConfigError(
            f"a table is written as {' or '.join(writers)}, not as {suffix or 'no suffix'!r}",
            where=str(file),
            mend=nearest(suffix, writers),
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as partial:
        return writers[suffix](rows, columns, partial)


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


def _write_csv(rows: Iterable[Row], columns: Columns, file: Path) -> int:
    lists = [name for name, kind in columns.items() if kind == "numbers"]
    count = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            told = {name: json.dumps([round(value, 2) for value in row[name]]) for name in lists}
            writer.writerow({**row, **told})
            count += 1
    return count


def _write_parquet(rows: Iterable[Row], columns: Columns, file: Path) -> int:
    with ParquetRows(file, columns, ROW_GROUP_ROWS) as table:
        for row in rows:
            table.add(row)
    return table.count


def pyarrow(module: str = "") -> Any:
    """Return pyarrow or a module of it.

    Raises
    ------
    MissingExtra
        If it is not installed: it is larger than all else that tables need.
    """
    try:
        return importlib.import_module(f"pyarrow.{module}" if module else "pyarrow")
    except ImportError as problem:
        raise MissingExtra(
            "Parquet is written with pyarrow, which is not installed",
            mend="pip install 'fundoscope[parquet]', or write another format",
        ) from problem


class ParquetRows:
    """Rows streamed into one Parquet file, zstd, in groups; a context that ends the file.

    Parameters
    ----------
    file : a path, or a stream of bytes
    columns : name -> kind, in order; a row lacks what it does not know
    group_rows : rows of a group; it is what is held in memory
    """

    def __init__(self, file: Path | IO[bytes], columns: Columns, group_rows: int) -> None:
        pa, pq = pyarrow(), pyarrow("parquet")
        turn = pa.struct([("from", pa.string()), ("value", pa.string())])
        kinds = {
            "text": pa.string(),
            "whole": pa.int64(),
            "number": pa.float64(),
            "numbers": pa.list_(pa.float64()),
            "conversation": pa.list_(turn),
        }
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._table = pa.Table
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._group_rows, self._waiting, self.count = group_rows, list[Row](), 0

    def add(self, row: Row) -> None:
        """Add a row; it is written with its group."""
        self._waiting.append(row)
        self.count += 1
        if len(self._waiting) == self._group_rows:
            self._write_group()

    def _write_group(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._waiting, schema=self._schema))
        self._waiting.clear()

    def __enter__(self) -> ParquetRows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and (self._waiting or not self.count):
            self._write_group()
        self._writer.close()
