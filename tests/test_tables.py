"""Tables on disk: both kinds hold the same, and a missing extra says how to get it."""

import csv
import importlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fundoscope.errors import ConfigError, MissingExtra
from fundoscope.tables import Columns, ParquetRows, write_table

COLUMNS: Columns = {"name": "text", "count": "whole", "value": "number", "profile": "numbers"}
ROWS = [
    {"name": "一", "count": 1, "value": 0.1, "profile": [1.0, 2.25]},
    {"name": "two", "count": 2, "value": None, "profile": []},
]


def test_a_csv_holds_numbers_as_json_and_nothing_for_none(tmp_path: Path) -> None:
    assert write_table(iter(ROWS), COLUMNS, tmp_path / "deep/t.csv") == 2
    first, second = csv.DictReader((tmp_path / "deep/t.csv").read_text("utf-8").splitlines())
    assert (first["name"], json.loads(first["profile"])) == ("一", [1.0, 2.25])
    assert second["value"] == ""


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    assert write_table(iter(ROWS), COLUMNS, tmp_path / "t.parquet") == 2
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == ROWS


def test_rows_are_grouped_and_none_are_lost(tmp_path: Path) -> None:
    with ParquetRows(tmp_path / "t.parquet", COLUMNS, group_rows=2) as table:
        for number in range(5):
            table.add(ROWS[0] | {"count": number})
    read = pq.ParquetFile(tmp_path / "t.parquet")
    assert read.num_row_groups == 3
    assert [row["count"] for row in read.read().to_pylist()] == [0, 1, 2, 3, 4]


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.xlsx'"):
        write_table(ROWS, COLUMNS, tmp_path / "t.xlsx")


def test_without_pyarrow_the_extra_is_named_and_the_old_table_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    file = tmp_path / "t.parquet"
    write_table(ROWS, COLUMNS, file)
    before = file.read_bytes()
    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtra) as refused:
        write_table(ROWS, COLUMNS, file)
    assert "fundoscope[parquet]" in str(refused.value)
    assert file.read_bytes() == before
