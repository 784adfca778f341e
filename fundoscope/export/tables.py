"""Dialogues as Parquet tables, written a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fundoscope.export.placed import Add, Placed, row_with_provenance
from fundoscope.export.whole_files import Delivery

ROW_GROUP_ROWS = 1000
_TEXTS = ("dataset", "split", "key", "patient", "eye", "track", "language", "engine", "model")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "image")]
    + [("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])))]
    + [(name, pa.string()) for name in _TEXTS]
    + [("prompt_version", pa.string()), ("seed", pa.int64())]
)


@contextmanager
def parquet(delivery: Delivery) -> Iterator[Add]:
    """Write Parquet tables: dialogues with their provenance, photographs by path."""
    tables: dict[str, tuple[pq.ParquetWriter, list[dict[str, Any]]]] = {}

    with ExitStack() as stack:

        def add(placed: Placed) -> None:
            if placed.name not in tables:
                stream = delivery.open(f"{placed.name}.parquet")
                writer = pq.ParquetWriter(stream, SCHEMA, compression="zstd")
                tables[placed.name] = stack.enter_context(writer), []
            writer, rows = tables[placed.name]
            rows.append(row_with_provenance(placed))
            if len(rows) == ROW_GROUP_ROWS:
                _write_row_group(writer, rows)

        yield add
        for writer, rows in tables.values():
            if rows:
                _write_row_group(writer, rows)


def _write_row_group(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> None:
    writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
    rows.clear()
