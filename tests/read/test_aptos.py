"""APTOS 2019: ICDR grades, no patients, a test file without labels."""

from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.read.aptos import read_aptos
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Record

TRAIN = "id_code,diagnosis\n000c1434d8d7,2\n001639a390f0,4\n0024cdab0c1e,1\n"  # three real rows


def lay(root: Path, *photographs: str, **tables: str) -> Path:
    for name in photographs:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


def read(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_aptos(SourceRequest(root, **options)))


def test_the_source_is_registered() -> None:
    assert sources.get("aptos") is read_aptos


def test_a_graded_photograph_is_a_record(tmp_path: Path) -> None:
    lay(tmp_path, "train_images/001639a390f0.png", train=TRAIN)
    (record,) = [r for r in read(tmp_path) if isinstance(r, Record)]
    assert record.key == "aptos/train/001639a390f0"
    assert record.photograph.file == "train_images/001639a390f0.png"
    assert record.grades == (Grade("icdr", 4, "aptos train.csv"),)
    assert record.origin == ("train.csv:3",)
    assert record.photograph.patient is None and record.photograph.eye is None


def test_a_row_without_photograph_is_left_out_with_its_reason(tmp_path: Path) -> None:
    lay(tmp_path, "train_images/001639a390f0.png", "train_images/unknown.png", train=TRAIN)
    left = [x for x in read(tmp_path) if isinstance(x, LeftOut)]
    assert [(x.what, x.name, x.origin) for x in left] == [
        ("label without photograph", "train/000c1434d8d7", "train.csv:2"),
        ("label without photograph", "train/0024cdab0c1e", "train.csv:4"),
        ("photograph without label", "train_images/unknown.png", ""),
    ]


def test_labels_only_gives_a_record_of_each_row(tmp_path: Path) -> None:
    records = read(lay(tmp_path, train=TRAIN), labels_only=True)
    assert [r.photograph.file for r in records] == ["", "", ""]


def test_the_test_file_has_no_diagnosis_which_is_not_grade_0(tmp_path: Path) -> None:
    lay(tmp_path, "test_images/0005cfc8afb6.png", test="id_code\n0005cfc8afb6\n")
    (left,) = read(tmp_path)
    assert (left.what, left.name) == ("no label value", "test/0005cfc8afb6")


def test_an_empty_diagnosis_is_no_label_value(tmp_path: Path) -> None:
    (left,) = read(lay(tmp_path, train="id_code,diagnosis\na,\n"), labels_only=True)
    assert left.what == "no label value"


def test_the_resized_copy_tells_its_split_by_file(tmp_path: Path) -> None:
    lay(
        tmp_path,
        train_1="id_code,diagnosis\na,0\n",
        valid="id_code,diagnosis\nb,1\n",
        test="id_code,diagnosis\nc,2\n",
    )
    keys = [record.key for record in read(tmp_path, labels_only=True)]
    assert keys == ["aptos/test/c", "aptos/train/a", "aptos/val/b"]


def test_a_photograph_in_two_files_is_one_record_and_a_duplicate(tmp_path: Path) -> None:
    lay(tmp_path, train="id_code,diagnosis\na,3\n", train_1="id_code,diagnosis\na,3.0\n")
    record, left = read(tmp_path, labels_only=True)
    assert record.origin == ("train.csv:2",)
    assert (left.what, left.origin) == ("duplicate", "train_1.csv:2")


def test_two_files_that_disagree_are_an_error_naming_both(tmp_path: Path) -> None:
    lay(tmp_path, train="id_code,diagnosis\na,3\n", train_1="id_code,diagnosis\na,2\n")
    with pytest.raises(LabelError) as error:
        read(tmp_path, labels_only=True)
    assert "train_1.csv, line 2" in str(error.value) and "train.csv:2" in str(error.value)


@pytest.mark.parametrize("grade", ["5", "-1", "1.5", "severe"])
def test_a_grade_that_icdr_does_not_have_is_refused(tmp_path: Path, grade: str) -> None:
    lay(tmp_path, train=f"id_code,diagnosis\na,{grade}\n")
    with pytest.raises(LabelError, match="expected one of") as error:
        read(tmp_path, labels_only=True)
    assert (error.value.line, error.value.column) == (2, "diagnosis")


def test_another_table_is_refused_by_its_columns(tmp_path: Path) -> None:
    lay(tmp_path, train="image,level\n10_left,0\n")
    with pytest.raises(LabelError) as error:
        read(tmp_path)
    assert "image, level" in error.value.found and "id_code" in error.value.expected


def test_no_label_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"train\.csv"):
        read(tmp_path)


def test_label_files_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("id_code,diagnosis\na,0\n")
    (record,) = read(tmp_path, labels=[tmp_path / "mine.csv"], labels_only=True)
    assert record.key == "aptos/all/a"
