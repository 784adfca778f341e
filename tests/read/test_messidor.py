"""Messidor and Messidor-2: two scales, errata, duplicates and what cannot be graded."""

from collections import Counter
from pathlib import Path

import pytest
import xlwt

from fundoscope.errors import LabelError
from fundoscope.read.messidor import DUPLICATES, ERRATA, read_messidor, read_messidor2
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Record

HEADER = (
    "Image name",
    "Ophthalmologic department",
    "Retinopathy grade",
    "Risk of macular edema ",  # the blank is in the original
)
LARIBOISIERE = "Service Ophtalmologie Lariboisière"


def sheet(path: Path, *rows: tuple[str, float, float], header: tuple[str, ...] = HEADER) -> Path:
    book = xlwt.Workbook()
    page = book.add_sheet("Base")
    for column, name in enumerate(header):
        page.write(0, column, name)
    for line, (name, grade, risk) in enumerate(rows, start=1):
        for column, value in enumerate((name, LARIBOISIERE, grade, risk)):
            page.write(line, column, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(str(path))
    return path


def read(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_messidor(SourceRequest(root, **options)))


def read2(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_messidor2(SourceRequest(root, **options)))


def test_the_sources_are_registered() -> None:
    assert sources.get("messidor") is read_messidor
    assert sources.get("messidor2") is read_messidor2


def test_the_third_column_is_the_grade_and_the_second_the_hospital(tmp_path: Path) -> None:
    sheet(tmp_path / "Annotation_Base11.xls", ("20051019_38557_0100_PP.tif", 3, 1))
    (tmp_path / "Base11").mkdir()
    (tmp_path / "Base11" / "20051019_38557_0100_PP.tif").touch()
    (record,) = read(tmp_path)
    assert record.key == "messidor/all/20051019_38557_0100_PP"
    assert record.photograph.file == "Base11/20051019_38557_0100_PP.tif"
    assert record.grades == (
        Grade("messidor_dr", 3, "messidor Annotation_Base11"),
        Grade("dme_risk", 1, "messidor Annotation_Base11"),
    )


def test_a_messidor_grade_is_never_icdr(tmp_path: Path) -> None:
    sheet(tmp_path / "Annotation Base12.xls", ("a.tif", 2, 0))
    (record,) = read(tmp_path, labels_only=True)
    assert {grade.scale for grade in record.grades} == {"messidor_dr", "dme_risk"}


def test_grade_4_is_not_on_the_scale(tmp_path: Path) -> None:
    sheet(tmp_path / "Annotation_Base11.xls", ("a.tif", 4, 0))
    with pytest.raises(LabelError, match=r"one of \[0, 1, 2, 3\]"):
        read(tmp_path, labels_only=True)


@pytest.mark.parametrize(
    "id, grade",
    [
        ("20051020_64007_0100_PP", 3),
        ("20051020_63936_0100_PP", 1),
        ("20051020_63045_0100_PP", 0),
        ("20060523_48477_0100_PP", 3),
    ],
)
def test_the_errata_correct_a_grade_and_say_so(tmp_path: Path, id: str, grade: int) -> None:
    sheet(tmp_path / "Annotation_Base11.xls", (f"{id}.tif", 2, 2))
    (record,) = read(tmp_path, labels_only=True)
    assert record.grades == (
        Grade("messidor_dr", grade, "messidor Annotation_Base11 with ADCIS erratum"),
        Grade("dme_risk", 2, "messidor Annotation_Base11"),
    )


def test_there_are_four_errata_and_thirteen_duplicates() -> None:
    assert len(ERRATA) == 4 and len(DUPLICATES) == 13
    assert "20051202_55582_0400_PP" in DUPLICATES and "20051205_32981_0400_PP" in DUPLICATES


def test_the_duplicates_of_base33_are_left_out_and_their_photographs_accounted_for(
    tmp_path: Path,
) -> None:
    names = [f"{id}.tif" for id in sorted(DUPLICATES)]
    sheet(tmp_path / "Annotation_Base33.xls", *((name, 0, 0) for name in names))
    for name in names:
        (tmp_path / name).touch()
    left = read(tmp_path)
    assert [x.what for x in left] == ["duplicate"] * 13
    assert left[0].reason == "declared a duplicate by ADCIS"


def test_a_sheet_without_the_grade_is_refused_by_its_columns(tmp_path: Path) -> None:
    sheet(tmp_path / "Annotation_Base11.xls", header=HEADER[:2])
    with pytest.raises(LabelError, match="Retinopathy grade"):
        read(tmp_path)


def test_no_sheet_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="annotation_base"):
        read(tmp_path)


GOOGLE = "image_id,adjudicated_dr_grade,adjudicated_dme,adjudicated_gradable\n"
COPY = "id_code,diagnosis,adjudicated_dme,adjudicated_gradable\n"


@pytest.mark.parametrize("header", [GOOGLE, COPY])
def test_both_layouts_of_messidor2_give_three_grades(tmp_path: Path, header: str) -> None:
    (tmp_path / "messidor_data.csv").write_text(header + "20051020_43832_0100_PP.png,1,0,1\n")
    (tmp_path / "20051020_43832_0100_PP.tif").touch()
    (record,) = read2(tmp_path)
    assert record.key == "messidor2/all/20051020_43832_0100_PP"
    assert record.photograph.file == "20051020_43832_0100_PP.tif"
    assert [(g.scale, g.level) for g in record.grades] == [
        ("icdr", 1),
        ("messidor2_dme", 0),
        ("gradable", 1),
    ]


def test_what_is_not_gradable_has_no_other_grade(tmp_path: Path) -> None:
    (tmp_path / "messidor_data.csv").write_text(GOOGLE + "IM002385.jpg,,,0\n")
    (record,) = read2(tmp_path, labels_only=True)
    assert record.grades == (Grade("gradable", 0, "messidor2 messidor_data.csv"),)


def test_a_grade_of_what_is_not_gradable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "messidor_data.csv").write_text(GOOGLE + "IM002385.jpg,0,,0\n")
    with pytest.raises(LabelError, match="adjudicated_gradable is 0") as error:
        read2(tmp_path, labels_only=True)
    assert error.value.column == "adjudicated_dr_grade"


def test_a_gradable_row_without_grade_is_refused(tmp_path: Path) -> None:
    (tmp_path / "messidor_data.csv").write_text(GOOGLE + "IM002385.jpg,,0,1\n")
    with pytest.raises(LabelError, match="a value"):
        read2(tmp_path, labels_only=True)


@pytest.mark.parametrize(
    "pairing",
    ["Left;Right\nIM0001.JPG;IM0002.JPG\n", "left,right\nIM0001.png,IM0002.png\n"],
)
def test_the_pairing_sheet_tells_eye_and_patient(tmp_path: Path, pairing: str) -> None:
    rows = "IM0001.JPG,0,0,1\nIM0002.JPG,0,0,1\nIM0003.JPG,0,0,1\n"
    (tmp_path / "messidor_data.csv").write_text(GOOGLE + rows)
    (tmp_path / "messidor-2.csv").write_text(pairing)
    left, right, alone = (r.photograph for r in read2(tmp_path, labels_only=True))
    assert (left.eye, right.eye) == ("left", "right")
    assert left.patient == right.patient == "IM0001"
    assert (alone.eye, alone.patient) == (None, None)


def test_the_pairing_sheet_may_be_given_with_the_labels(tmp_path: Path) -> None:
    (tmp_path / "grades.csv").write_text(GOOGLE + "IM0002.JPG,0,0,1\n")
    (tmp_path / "eyes.csv").write_text("Left;Right\n;IM0002.JPG\n")
    given = [tmp_path / "eyes.csv", tmp_path / "grades.csv"]
    (record,) = read2(tmp_path, labels=given, labels_only=True)
    assert (record.photograph.eye, record.photograph.patient) == ("right", "IM0002")


def test_a_photograph_in_two_pairs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "messidor_data.csv").write_text(GOOGLE + "a.png,0,0,1\n")
    (tmp_path / "messidor-2.csv").write_text("Left,Right\na.png,b.png\na.png,c.png\n")
    with pytest.raises(LabelError, match="no other pair"):
        read2(tmp_path, labels_only=True)


def test_another_table_is_refused_by_its_columns(tmp_path: Path) -> None:
    (tmp_path / "messidor_data.csv").write_text("image,level\na,0\n")
    with pytest.raises(LabelError, match="image_id"):
        read2(tmp_path)


def test_the_real_labels_of_messidor2_keep_their_counts(real_data: Path) -> None:
    records = read2(real_data / "labels", labels_only=True)
    assert len(records) == len({record.key for record in records}) == 1_744
    levels = Counter((g.scale, g.level) for record in records for g in record.grades)
    assert [levels["icdr", n] for n in range(5)] == [1_017, 270, 347, 75, 35]
    assert levels["messidor2_dme", 1] == 151
    assert levels["gradable", 1] == 1_744
