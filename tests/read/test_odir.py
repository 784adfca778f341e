"""ODIR: each eye says what its own keywords say."""

from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from fundoscope import terms
from fundoscope.errors import LabelError
from fundoscope.read.annotators_keywords import keywords
from fundoscope.read.odir import read_odir
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Finding, Grade, LeftOut, Record

PATIENT = (
    "ID,Patient Age,Patient Sex,Left-Fundus,Right-Fundus,"
    "Left-Diagnostic Keywords,Right-Diagnostic Keywords,N,D,G,C,A,H,M,O\n"
)
SOURCE = "ODIR-5K annotators' keywords of this eye"


def read(folder: Path, text: str, **options: object) -> list[Record | LeftOut]:
    file = folder / "full_df.csv"
    file.write_text(text, encoding="utf-8")
    return list(read_odir(SourceRequest(folder, labels=[file], **{"labels_only": True, **options})))


def record(folder: Path, left: str) -> Record:
    found = read(folder, PATIENT + f"7,50,Male,7_left.jpg,7_right.jpg,{left},cataract{',0' * 8}\n")
    assert isinstance(found[0], Record)
    return found[0]


def said(record: Record) -> dict[str, str]:
    return {f.term: f.status for f in record.findings}


def test_the_source_is_registered() -> None:
    assert sources.get("odir") is read_odir


def test_the_patients_columns_say_nothing_of_an_eye(tmp_path: Path) -> None:
    row = "0,69,Female,0_left.jpg,0_right.jpg,cataract,normal fundus,0,0,0,1,0,0,0,0\n"
    left, right = read(tmp_path, PATIENT + row)
    assert said(left) == {"cataract": "present"}
    assert said(right) == {"normal_fundus": "present"}


def test_eye_patient_sex_age_and_origin_are_kept(tmp_path: Path) -> None:
    row = "0,69,Female,0_left.jpg,0_right.jpg,cataract,normal fundus,0,0,0,1,0,0,0,0\n"
    left, right = read(tmp_path, PATIENT + row)
    assert (left.photograph.eye, right.photograph.eye) == ("left", "right")
    assert left.photograph.patient == right.photograph.patient == "0"
    assert (left.key, left.sex, left.age_years) == ("odir/train/0_left", "female", 69)
    assert left.origin == ("full_df.csv:2",)


def test_a_full_width_comma_parts_keywords(tmp_path: Path) -> None:
    eye = record(tmp_path, "laser spot，moderate non proliferative retinopathy")
    assert said(eye) == {"laser_scar": "present", "diabetic_retinopathy": "present"}
    assert eye.grades == (Grade("clinical_dr", 2, SOURCE),)


@pytest.mark.parametrize(
    ("keyword", "level"),
    [
        ("mild nonproliferative retinopathy", 1),
        ("moderate non proliferative retinopathy", 2),
        ("severe nonproliferative retinopathy", 3),
        ("proliferative diabetic retinopathy", 4),
        ("severe proliferative diabetic retinopathy", 4),
    ],
)
def test_a_severity_word_is_a_level(tmp_path: Path, keyword: str, level: int) -> None:
    assert record(tmp_path, keyword).grades == (Grade("clinical_dr", level, SOURCE),)


def test_plain_diabetic_retinopathy_has_no_level(tmp_path: Path) -> None:
    eye = record(tmp_path, "diabetic retinopathy")
    assert eye.grades == ()
    assert eye.findings == (Finding("diabetic_retinopathy", "present", SOURCE),)


def test_a_suspected_severity_is_suspected_and_ungraded(tmp_path: Path) -> None:
    eye = record(tmp_path, "suspected moderate non proliferative retinopathy")
    assert eye.grades == ()
    assert said(eye) == {"diabetic_retinopathy": "suspected"}


@pytest.mark.parametrize("words", ["suspected glaucoma，glaucoma", "glaucoma，suspected glaucoma"])
def test_what_is_present_is_not_merely_suspected(tmp_path: Path, words: str) -> None:
    assert said(record(tmp_path, words)) == {"glaucoma": "present"}


def test_a_repeated_keyword_is_one_finding(tmp_path: Path) -> None:
    assert len(record(tmp_path, "drusen，drusen").findings) == 1


def test_lens_dust_leaves_a_normal_fundus_normal(tmp_path: Path) -> None:
    eye = record(tmp_path, "lens dust，normal fundus")
    assert said(eye) == {"lens_dust": "present", "normal_fundus": "present"}


def test_an_eye_cannot_be_normal_and_diseased(tmp_path: Path) -> None:
    row = f"7,50,Male,7_left.jpg,7_right.jpg,normal fundus，drusen,cataract{',0' * 8}\n"
    left = read(tmp_path, PATIENT + row)[0]
    assert isinstance(left, LeftOut)
    assert (left.what, left.name) == ("no label value", "7_left.jpg")
    assert "normal fundus and drusen" in left.reason


def test_a_file_without_fundus_makes_no_record(tmp_path: Path) -> None:
    row = f"7,50,Male,7_left.jpg,7_right.jpg,no fundus image,anterior segment image{',0' * 8}\n"
    assert [o.what for o in read(tmp_path, PATIENT + row)] == ["row without record"] * 2


def test_age_one_is_a_placeholder(tmp_path: Path) -> None:
    row = f"7,1,Male,7_left.jpg,7_right.jpg,cataract,cataract{',0' * 8}\n"
    left, _ = read(tmp_path, PATIENT + row)
    assert left.age_years is None
    assert left.notes == ("age 1 in the label file is implausible",)


def test_an_unknown_keyword_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"'catarract'; did you mean 'cataract'") as error:
        record(tmp_path, "catarract")
    assert "full_df.csv, line 2, column 'Left-Diagnostic Keywords'" in str(error.value)


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="unknown column 'Surprise'"):
        read(tmp_path, PATIENT.replace("ID,", "Surprise,ID,") + "\n")


def test_rows_that_differ_about_one_eye_are_refused(tmp_path: Path) -> None:
    row = "7,50,Male,7_left.jpg,7_right.jpg,{},cataract" + ",0" * 8 + "\n"
    with pytest.raises(LabelError, match=r"as in full_df\.csv:2"):
        read(tmp_path, PATIENT + row.format("drusen") + row.format("glaucoma"))


def test_equal_rows_give_one_record_an_eye(tmp_path: Path) -> None:
    row = f"7,50,Male,7_left.jpg,7_right.jpg,drusen,cataract{',0' * 8}\n"
    found = read(tmp_path, PATIENT + row + row)
    assert [o.photograph.id for o in found if isinstance(o, Record)] == ["7_left", "7_right"]
    assert [o.what for o in found if isinstance(o, LeftOut)] == ["duplicate"] * 2


def test_full_df_gives_only_the_eye_of_its_file(tmp_path: Path) -> None:
    text = PATIENT.strip() + ",filepath,labels,target,filename\n"
    text += f"7,50,Male,7_left.jpg,7_right.jpg,drusen,cataract{',0' * 8},a,b,c,7_right.jpg\n"
    (right,) = read(tmp_path, text)
    assert (right.photograph.id, said(right)) == ("7_right", {"cataract": "present"})


def test_the_workbook_is_found_under_its_name_and_photographs_too(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(PATIENT.strip().split(","))
    book.active.append(
        [7, 50, "Male", "7_left.jpg", "7_right.jpg", "drusen", "glaucoma", *([0] * 8)]
    )
    book.save(tmp_path / "ODIR-5K_Training_Annotations(Updated)_V2.xlsx")
    photographs = tmp_path / "Training Images"
    photographs.mkdir()
    (photographs / "7_left.jpg").touch()
    (photographs / "8_left.jpg").touch()
    left, missing, extra = read_odir(SourceRequest(tmp_path))
    assert left.photograph.file == "Training Images/7_left.jpg"
    assert (missing.what, missing.name) == ("label without photograph", "7_right.jpg")
    assert (extra.what, extra.name) == (
        "photograph without label",
        "Training Images/8_left.jpg",
    )


def test_no_label_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"odir\*training\*annotation\*\.xlsx"):
        list(read_odir(SourceRequest(tmp_path)))


def test_every_keyword_means_terms_of_the_vocabulary() -> None:
    known = terms.conditions().keys() | terms.lesions().keys()
    used = {t for k in keywords().values() for t in (*k.present, *k.suspected)}
    assert len(keywords()) == 94
    assert used <= known


def test_the_real_patients_give_one_record_an_eye(real_data: Path) -> None:
    labels = [real_data / "labels" / "odir_patient.csv"]
    found = list(read_odir(SourceRequest(real_data / "labels", labels=labels, labels_only=True)))
    records = [r for r in found if isinstance(r, Record)]
    out = Counter(o.what for o in found if isinstance(o, LeftOut))
    assert len({r.photograph.patient for r in records}) == 3358
    assert len({r.key for r in records}) == len(records) == 6712
    # 3,034 of the 3,358 patients have two equal rows, so two eyes each come again
    assert out == {"row without record": 3, "no label value": 1, "duplicate": 2 * 3034}
    assert sum(r.age_years is None for r in records) == 30  # both eyes of 15 patients
    dusty = [r for r in records if {"normal_fundus", "lens_dust"} <= said(r).keys()]
    assert len(dusty) == 138  # and the one that contradicts itself makes 139


def test_797_real_patients_have_one_normal_eye(real_data: Path) -> None:
    labels = [real_data / "labels" / "odir_patient.csv"]
    normal: dict[str | None, list[bool]] = {}
    for found in read_odir(SourceRequest(real_data / "labels", labels=labels, labels_only=True)):
        if isinstance(found, Record):
            seen = "normal_fundus" in said(found)
            normal.setdefault(found.photograph.patient, []).append(seen)
    assert sum(len(set(eyes)) == 2 for eyes in normal.values()) == 797


def test_the_real_right_eyes_are_read(real_data: Path) -> None:
    labels = [real_data / "labels" / "odir_full_df.csv"]
    found = read_odir(SourceRequest(real_data / "labels", labels=labels, labels_only=True))
    assert Counter(r.photograph.eye for r in found if isinstance(r, Record)) == {"right": 3194}


def test_the_real_eye_table_has_all_its_photographs(real_data: Path) -> None:
    found = list(read_odir(SourceRequest(real_data / "ODIR5K")))
    assert len(found) == 1300
    (left_out,) = [o for o in found if isinstance(o, LeftOut)]
    assert (left_out.what, left_out.name) == ("no label value", "875_left.jpg")
    assert all(r.photograph.split == "all" for r in found if isinstance(r, Record))
