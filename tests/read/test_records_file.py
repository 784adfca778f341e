"""Records written are records read."""

from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.read.records_file import read_records
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Finding, Photograph, Record, record_to_json

RECORDS = [
    Record(Photograph("d", "train", "1"), findings=(Finding("drusen", "absent", "s"),)),
    Record(Photograph("d", "test", "1"), notes=("a\nb，c",)),
]


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(map(record_to_json, RECORDS)) + b"\n\n")
    assert list(sources.get("records")(SourceRequest(tmp_path))) == RECORDS


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(record_to_json(RECORDS[0]) + b"\n{}\n")
    with pytest.raises(LabelError, match=r"records.jsonl, line 2"):
        list(read_records(SourceRequest(tmp_path)))


def test_a_key_cannot_come_twice(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(record_to_json(RECORDS[0]) + b"\n" + record_to_json(RECORDS[0]))
    with pytest.raises(LabelError, match="the key 'd/train/1' again"):
        list(read_records(SourceRequest(tmp_path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no such file"):
        list(read_records(SourceRequest(tmp_path, labels=[tmp_path / "none.jsonl"])))
