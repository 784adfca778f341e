"""What `fundoscope measure` wrote comes back on the records, units and reasons included."""

from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.measure.tables import write_tidy
from fundoscope.read.automorph import FeatureTable
from fundoscope.read.measurement_tables import is_measurement_table, join_measurements
from fundoscope.records import LeftOut, Measured, Photograph, Record, Unmeasured

CALIBRE = Measured(
    *("crae_knudtson", 155.528, "um", "fundoscope", "0.1.0"),
    where="zone_b",
    scale="0.006 mm/px from the user",
    repeatability=3.2,
)
NO_DISC = Unmeasured("cdr_vertical", "no optic disc was found", "fundoscope")


def record(split: str = "train") -> Record:
    return Record(Photograph("set", split, "a", file="folder/a.jpg"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two quantities of photograph a, one of photograph b."""
    file = tmp_path / "measured.csv"
    write_tidy([("a", [CALIBRE, NO_DISC]), ("b", [CALIBRE])], file)
    return file


def test_values_and_reasons_come_back_as_they_were(table: Path) -> None:
    assert is_measurement_table(table)
    joined, left = join_measurements([record()], [FeatureTable(table)])
    assert isinstance(joined, Record)
    assert joined.measurements == (CALIBRE, NO_DISC)
    assert isinstance(left, LeftOut) and left.name == "b"


def test_a_table_of_one_split_stays_there(table: Path) -> None:
    joined, *_ = join_measurements([record("test")], [FeatureTable(table, "train")])
    assert isinstance(joined, Record) and joined.measurements == ()


def test_an_unknown_quantity_is_named_by_line(table: Path) -> None:
    table.write_text(table.read_text().replace("cdr_vertical", "cdr_vertikal"))
    with pytest.raises(LabelError, match="did you mean 'cdr_vertical'") as problem:
        list(join_measurements([record()], [FeatureTable(table)]))
    assert problem.value.line == 3
