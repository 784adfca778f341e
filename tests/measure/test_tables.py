import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fundoscope.errors import ConfigError
from fundoscope.measure.automorph_definitions import automorph_columns
from fundoscope.measure.tables import AutomorphRow, write_automorph_tables, write_tidy
from fundoscope.records import Measured, Unmeasured

Measurements = list[tuple[str, list[Measured | Unmeasured]]]
TWO: Measurements = [
    ("set/all/a", [Measured("average_width", 81.25, "um", "fundoscope", "1", "veins", "zone_b",
                            "0.014 mm/px from the user", 0.5)]),
    ("set/all/b", [Unmeasured("cdr_vertical", "no optic disc, no cup", tool="fundoscope")]),
]  # fmt: skip


def _row(name: str, group: str) -> AutomorphRow:
    features: dict[str, float | None] = dict.fromkeys(automorph_columns(), 0.1)
    features["CDR_vertical"] = None
    return AutomorphRow(name, group, features)  # type: ignore[arg-type]


def test_automorphs_two_tables_have_its_columns_blanks_and_names(tmp_path: Path) -> None:
    counts = write_automorph_tables([_row("a", "macular"), _row("b", "macular")], tmp_path)
    assert counts == {"macular": 2, "disc": 0}
    lines = (tmp_path / "Macular_Features.csv").read_text().splitlines()
    header, first, second = (line.split(",") for line in lines)
    assert header == ["Name", *automorph_columns()]
    assert len(header) == 73
    assert first[:7] == ["a.png", "0.1", "0.1", "0.1", "0.1", "", "0.1"]
    assert second[0] == "b.png"
    assert (tmp_path / "Disc_Features.csv").read_text().splitlines() == [",".join(header)]


def test_a_tidy_csv_has_a_line_for_every_value_or_reason(tmp_path: Path) -> None:
    assert write_tidy(TWO, tmp_path / "new" / "table.csv") == 2
    with (tmp_path / "new" / "table.csv").open(encoding="utf-8") as table:
        first, second = csv.DictReader(table)
    assert first == {
        "photograph": "set/all/a", "name": "average_width", "of": "veins", "where": "zone_b",
        "value": "81.25", "unit": "um", "tool": "fundoscope", "version": "1",
        "scale": "0.014 mm/px from the user", "repeatability": "0.5", "reason": "",
    }  # fmt: skip
    assert second["value"] == ""
    assert second["reason"] == "no optic disc, no cup"


def test_a_tidy_parquet_keeps_numbers_and_nulls(tmp_path: Path) -> None:
    assert write_tidy(TWO, tmp_path / "table.parquet") == 2
    table = pq.read_table(tmp_path / "table.parquet")
    assert table.column("value").to_pylist() == [81.25, None]
    assert table.column("reason").to_pylist() == [None, "no optic disc, no cup"]


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_of_nothing_is_a_table(tmp_path: Path, name: str) -> None:
    assert write_tidy([], tmp_path / name) == 0
    assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_that_fails_leaves_the_old_one_whole(tmp_path: Path, name: str) -> None:
    def broken() -> Iterator[tuple[str, list[Measured | Unmeasured]]]:
        yield TWO[0]
        raise RuntimeError("the masks end here")

    (tmp_path / name).write_text("old")
    with pytest.raises(RuntimeError):
        write_tidy(broken(), tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_automorphs_tables_that_fail_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_automorph_tables([AutomorphRow("a", "disc", {})], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.xlsx'") as caught:
        write_tidy([], tmp_path / "table.xlsx")
    assert ".csv" in str(caught.value)
