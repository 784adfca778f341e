"""Dialogues as Parquet tables, written a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from fundoscope.export.placed import Add, Placed, row_with_provenance
from fundoscope.export.whole_files import Delivery
from fundoscope.tables import Columns, ParquetRows

ROW_GROUP_ROWS = 1000
COLUMNS: Columns = {
    **dict.fromkeys(("id", "image"), "text"),
    "conversations": "conversation",
    **dict.fromkeys(
        ("dataset", "split", "key", "patient", "eye", "track", "language", "engine", "model"),
        "text",
    ),
    "prompt_version": "text",
    "seed": "whole",
}


@contextmanager
def parquet(delivery: Delivery) -> Iterator[Add]:
    """Write Parquet tables: dialogues with their provenance, photographs by path."""
    tables: dict[str, ParquetRows] = {}

    with ExitStack() as stack:

        def add(placed: Placed) -> None:
            if placed.name not in tables:
                stream = delivery.open(f"{placed.name}.parquet")
                table = ParquetRows(stream, COLUMNS, ROW_GROUP_ROWS)
                tables[placed.name] = stack.enter_context(table)
            tables[placed.name].add(row_with_provenance(placed))

        yield add
