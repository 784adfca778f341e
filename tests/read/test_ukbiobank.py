"""UK Biobank: no label of the eye, and none of the person is stated."""

from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.read.ukbiobank import read_ukbiobank
from fundoscope.records import LeftOut, Record


def read(folder: Path, *names: str, labels: tuple[Path, ...] = ()) -> list[Record | LeftOut]:
    for name in names:
        (folder / name).touch()
    return list(read_ukbiobank(SourceRequest(folder, labels=labels)))


def test_the_source_is_registered() -> None:
    assert sources.get("ukbiobank") is read_ukbiobank


def test_the_field_tells_the_eye(tmp_path: Path) -> None:
    left, right = read(tmp_path, "1000012_21015_0_0.png", "1000012_21016_1_0.png")
    assert (left.photograph.eye, right.photograph.eye) == ("left", "right")
    assert left.photograph.patient == right.photograph.patient == "1000012"
    assert right.key == "ukbiobank/all/1000012_21016_1_0"


def test_a_record_says_nothing_of_disease(tmp_path: Path) -> None:
    (record,) = read(tmp_path, "1000012_21015_0_0.png")
    assert (record.grades, record.findings, record.notes) == ((), (), ())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1000012_20227_0_0.png", "field 20227 is neither 21015"),
        ("eye.png", "not EID_FIELD_VISIT_ARRAY"),
    ],
)
def test_a_name_that_does_not_fit_is_left_out(tmp_path: Path, name: str, reason: str) -> None:
    (left_out,) = read(tmp_path, name)
    assert isinstance(left_out, LeftOut)
    assert reason in left_out.reason


def test_a_diagnosis_of_the_person_is_only_a_note(tmp_path: Path) -> None:
    cohort = tmp_path / "dementia.csv"
    cohort.write_text("eid,vascular_dementia,date\n1000012,1,\n1000020,0,2001\n")
    (record,) = read(tmp_path, "1000012_21015_0_0.png", labels=(cohort,))
    assert record.notes == ("cohort: vascular_dementia = 1",)
    assert record.findings == record.grades == ()
    assert record.origin == ("dementia.csv:2",)


def test_a_cohort_without_eid_is_refused(tmp_path: Path) -> None:
    cohort = tmp_path / "dementia.csv"
    cohort.write_text("id,dementia\n1,1\n")
    with pytest.raises(LabelError, match="'eid'"):
        read(tmp_path, "1000012_21015_0_0.png", labels=(cohort,))
