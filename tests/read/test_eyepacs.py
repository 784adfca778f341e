"""EyePACS and EyeQ: two files about one eye, joined into one record."""

from collections import Counter
from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.read.eyepacs import read_eyepacs
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Record

TRAIN = "image,level\n10_left,0\n10_right,1\n13_left,4\n"
EYEQ = ",image,quality,DR_grade\n0,10_left.jpeg,2,0\n"


def lay(root: Path, *photographs: str, **tables: str) -> Path:
    for name in photographs:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


def read(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_eyepacs(SourceRequest(root, **options)))


def test_the_source_is_registered() -> None:
    assert sources.get("eyepacs") is read_eyepacs


def test_patient_and_eye_come_from_the_name(tmp_path: Path) -> None:
    lay(tmp_path, "train/10_left.jpeg", "train/010_right.png", trainLabels=TRAIN)
    record = read(tmp_path)[0]
    assert record.key == "eyepacs/train/10_left"
    assert (record.photograph.patient, record.photograph.eye) == ("10", "left")
    assert record.photograph.file == "train/10_left.jpeg"
    assert record.grades == (Grade("icdr", 0, "eyepacs trainLabels.csv"),)


def test_eyeq_is_joined_by_name_though_its_first_column_is_a_number(tmp_path: Path) -> None:
    # the trap: row number as index, names with .jpeg, so every look-up misses silently
    lay(tmp_path, trainLabels=TRAIN, Label_EyeQ_train=EYEQ)
    records = {record.photograph.id: record for record in read(tmp_path, labels_only=True)}
    assert len(records) == 3
    both = records["10_left"]
    assert both.grades == (
        Grade("icdr", 0, "eyepacs trainLabels.csv"),
        Grade("eyeq", 2, "eyeq Label_EyeQ_train.csv"),
    )
    assert both.origin == ("trainLabels.csv:2", "Label_EyeQ_train.csv:2")
    assert "CC BY-NC-SA" in both.licence and "CC BY-NC-SA" not in records["10_right"].licence
    assert [grade.scale for grade in records["10_right"].grades] == ["icdr"]


def test_eyeq_alone_will_do(tmp_path: Path) -> None:
    lay(tmp_path, eyeq_test=",image,quality,DR_grade\n0,1_right.jpeg,1,3\n")
    (record,) = read(tmp_path, labels_only=True)
    assert record.key == "eyepacs/test/1_right"
    assert [(g.scale, g.level) for g in record.grades] == [("icdr", 3), ("eyeq", 1)]


def test_the_split_of_eyeq_wins(tmp_path: Path) -> None:
    lay(tmp_path, trainLabels="image,level\n10_left,0\n", eyeq_test=EYEQ)
    (record,) = read(tmp_path, labels_only=True)
    assert record.photograph.split == "test"


def test_the_solution_is_the_test_split(tmp_path: Path) -> None:
    lay(tmp_path, retinopathy_solution="image,level,Usage\n1_left,0,Private\n")
    (record,) = read(tmp_path, labels_only=True)
    assert record.key == "eyepacs/test/1_left"


def test_a_grade_on_which_the_two_disagree_is_an_error_naming_both(tmp_path: Path) -> None:
    lay(tmp_path, trainLabels="image,level\n10_left,2\n", eyeq_train=EYEQ)
    with pytest.raises(LabelError) as error:
        read(tmp_path, labels_only=True)
    assert "eyeq_train.csv, line 2" in str(error.value)
    assert "trainLabels.csv:2" in str(error.value)


def test_a_photograph_in_both_files_of_eyeq_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="test"):
        read(lay(tmp_path, eyeq_train=EYEQ, eyeq_test=EYEQ), labels_only=True)


def test_a_copy_of_the_labels_gives_no_second_record(tmp_path: Path) -> None:
    copy = "Unnamed: 0,image,level\n0,10_left,0\n"
    lay(tmp_path, trainLabels="image,level\n10_left,0\n", trainLabels_cropped=copy)
    assert [type(x).__name__ for x in read(tmp_path, labels_only=True)] == ["Record", "LeftOut"]


@pytest.mark.parametrize("name", ["10", "10_centre", "x_left", "10_left_2"])
def test_a_name_that_is_no_eyes_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabelError, match="10_left"):
        read(lay(tmp_path, trainLabels=f"image,level\n{name},0\n"), labels_only=True)


def test_another_table_is_refused_by_its_columns(tmp_path: Path) -> None:
    lay(tmp_path, trainLabels="id_code,diagnosis\na,0\n")
    with pytest.raises(LabelError, match="image,level or image,quality,DR_grade"):
        read(tmp_path)


def test_eyeq_of_an_unknown_split_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, quality=EYEQ)
    with pytest.raises(LabelError, match="train or test"):
        read(tmp_path, labels=[tmp_path / "quality.csv"], labels_only=True)


@pytest.fixture(scope="module")
def real_records(real_data: Path) -> list[Record]:
    return [x for x in read(real_data / "labels", labels_only=True) if isinstance(x, Record)]


def test_the_real_label_files_keep_their_counts(real_records: list[Record]) -> None:
    records = real_records
    assert len(records) == len({record.key for record in records}) == 35_126 + 16_249
    told = [r for r in records if r.origin[0].startswith("eyepacs_trainLabels")]
    assert len({r.photograph.patient for r in told}) == 17_563
    icdr = Counter(g.level for r in told for g in r.grades if g.scale == "icdr")
    assert [icdr[level] for level in range(5)] == [25_810, 2_443, 5_292, 873, 708]
    quality = Counter(
        (r.photograph.split, g.level) for r in records for g in r.grades if g.scale == "eyeq"
    )
    assert [quality["train", q] for q in range(3)] == [8_347, 1_876, 2_320]
    assert [quality["test", q] for q in range(3)] == [8_471, 4_558, 3_220]


def test_no_patient_of_the_real_files_is_in_two_splits(real_records: list[Record]) -> None:
    patients: dict[str, set[str | None]] = {"train": set(), "test": set()}
    for record in real_records:
        patients[record.photograph.split].add(record.photograph.patient)
    assert patients["train"] & patients["test"] == set()
    assert len(patients["test"]) == 12_048


def test_real_photographs_are_found(real_data: Path) -> None:
    seen = read(real_data / "labels", photographs=real_data / "EyePACS")
    records = {r.photograph.id for r in seen if isinstance(r, Record)}
    assert records == {f"{n}_{eye}" for n in (10, 13, 15, 16) for eye in ("left", "right")}
    left = [x.name for x in seen if isinstance(x, LeftOut) and x.what[0] == "p"]
    assert left == ["images/116_right.jpeg", "images/373_left.jpeg", "images/605_left.jpeg"]
