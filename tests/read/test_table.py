"""A user's table: mapped by name, every word of it known or refused."""

from pathlib import Path

import openpyxl
import pytest

from fundoscope.errors import LabelError
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.read.table import read_table
from fundoscope.records import Finding, Grade, LeftOut, Measured, Record, Unmeasured

SAMPLE = (
    "image,modality,quality,disease,vascular,notes\n"
    "sample_001.png,Color fundus photograph,Good,Mild diabetic retinopathy,"
    '"fractal dimension 1.47; vessel density 0.32; tortuosity 0.18",'
    "Few scattered microaneurysms near the posterior pole\n"
    "sample_002.png,Color fundus photograph,Adequate,No obvious retinal abnormality,"
    '"fractal dimension 1.53; vessel density 0.35; tortuosity 0.15",'
    "Macula and optic disc are visible\n"
)
SOURCE = "user table"


def read(folder: Path, text: str, **options: object) -> list[Record | LeftOut]:
    (folder / "mine.csv").write_text(text, encoding="utf-8")
    return list(read_table(SourceRequest(folder, **{"labels_only": True, **options})))


def disease(folder: Path, text: str) -> Record:
    (record,) = read(folder, f'image,disease\na.png,"{text}"\n')
    assert isinstance(record, Record)
    return record


def said(record: Record) -> dict[str, str]:
    return {f.term: f.status for f in record.findings}


def vascular(folder: Path, text: str) -> tuple[Measured | Unmeasured, ...]:
    (record,) = read(folder, f'image,vascular\na.png,"{text}"\n')
    assert isinstance(record, Record)
    return record.measurements


def test_the_source_is_registered() -> None:
    assert sources.get("table") is read_table


def test_the_sample_columns_work_as_they_are(tmp_path: Path) -> None:
    one, two = read(tmp_path, SAMPLE)
    assert one.key == "mine/all/sample_001"
    assert one.photograph.modality == "colour_fundus_photograph"
    assert one.grades == (
        Grade("stated_quality", 0, SOURCE),
        Grade("clinical_dr", 1, SOURCE),
    )
    assert one.findings == (Finding("diabetic_retinopathy", "present", SOURCE),)
    assert one.notes == ("Few scattered microaneurysms near the posterior pole",)
    assert one.measurements == (
        Measured("fractal_dimension", 1.47, "1", tool=SOURCE, of="all", where="whole"),
        Measured("vessel_density", 0.32, "1", tool=SOURCE, of="all", where="whole"),
        Measured("tortuosity", 0.18, "1", tool=SOURCE, of="all", where="whole"),
    )
    assert two.grades == (Grade("stated_quality", 1, SOURCE),)
    assert said(two) == {"abnormality": "absent"}


def test_notes_are_never_findings(tmp_path: Path) -> None:
    one, _ = read(tmp_path, SAMPLE)
    assert "microaneurysm" not in said(one)


def test_a_workbook_reads_as_its_csv(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    from_csv = read(tmp_path / "csv", "image,age,disease\n007.png,60,drusen\n")
    book = openpyxl.Workbook()
    book.active.append(["image", "age", "disease"])
    book.active.append(["007.png", 60, "drusen"])
    book.save(tmp_path / "mine.xlsx")
    (record,) = read_table(SourceRequest(tmp_path, labels_only=True))
    assert record.origin == ("mine.xlsx:2",)
    assert (record.findings, record.age_years) == (from_csv[0].findings, from_csv[0].age_years)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("AMD; drusen", {"age_related_macular_degeneration": "present", "drusen": "present"}),
        ("drusen and epiretinal membrane", {"drusen": "present", "epiretinal_membrane": "present"}),
        ("suspected glaucoma", {"glaucoma": "suspected"}),
        ("no diabetic retinopathy, BRVO", {
            "diabetic_retinopathy": "absent", "branch_retinal_vein_occlusion": "present"}),
        ("疑似青光眼，无糖尿病视网膜病变", {
            "glaucoma": "suspected", "diabetic_retinopathy": "absent"}),
        ("黄斑裂孔、玻璃膜疣", {"macular_hole": "present", "drusen": "present"}),
        ("tessellated fundus", {"tessellated_fundus": "present"}),
        ("hard exudates", {"hard_exudate": "present"}),
        ("possible severe NPDR", {"diabetic_retinopathy": "suspected"}),
        ("normal", {"normal_fundus": "present"}),
        ("diffuse atrophy of the choroid and retina", {"diffuse_chorioretinal_atrophy": "present"}),
    ],
)  # fmt: skip
def test_a_disease_text_is_read_part_by_part(
    tmp_path: Path, text: str, findings: dict[str, str]
) -> None:
    record = disease(tmp_path, text)
    assert said(record) == findings
    assert record.grades == ()


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("moderate NPDR", ("clinical_dr", 2)),
        ("增殖期糖尿病视网膜病变", ("clinical_dr", 4)),
        ("no apparent diabetic retinopathy", ("clinical_dr", 0)),
        ("patchy chorioretinal atrophy", ("meta_pm", 3)),
    ],
)
def test_severity_words_are_a_level_of_their_scale(
    tmp_path: Path, text: str, grade: tuple[str, int]
) -> None:
    assert disease(tmp_path, text).grades == (Grade(*grade, SOURCE),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("glaukoma", "did you mean 'glaucoma'"),
        ("drusen; no drusen", "present and absent"),
        ("no abnormality; drusen", "'abnormality' is said to be absent, and 'drusen' present"),
        ("normal fundus; drusen", "said to be normal"),
        ("mild NPDR; severe NPDR", "two levels of 'clinical_dr'"),
        ("no severe NPDR", "says nothing of the others"),
        ("vascular dementia", "no condition is called 'vascular dementia'"),
    ],
)
def test_a_disease_text_that_cannot_be_read_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(LabelError, match=reason) as error:
        disease(tmp_path, text)
    assert "mine.csv, line 2, column 'disease'" in str(error.value)


@pytest.mark.parametrize(
    ("word", "level"),
    [("good", 0), ("Adequate", 1), ("acceptable", 1), ("poor", 2), ("良好", 0), ("不合格", 2)],
)
def test_quality_words(tmp_path: Path, word: str, level: int) -> None:
    (record,) = read(tmp_path, f"image,quality\na.png,{word}\n")
    assert record.grades == (Grade("stated_quality", level, SOURCE),)


def test_an_unknown_quality_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="column 'quality'"):
        read(tmp_path, "image,quality\na.png,lovely\n")


def test_an_empty_cell_says_nothing(tmp_path: Path) -> None:
    (record,) = read(tmp_path, "image,quality,disease,vascular,notes,age,icdr\na.png,,,,,,\n")
    assert (record.grades, record.findings, record.measurements) == ((), (), ())
    assert (record.notes, record.age_years) == ((), None)


def test_zero_is_a_value(tmp_path: Path) -> None:
    (record,) = read(tmp_path, "image,icdr,vessel_density\na.png,0,0\n")
    assert record.grades == (Grade("icdr", 0, SOURCE),)
    assert isinstance(record.measurements[0], Measured)


def test_vessels_and_zone_are_read_from_a_quantitys_name(tmp_path: Path) -> None:
    values = vascular(
        tmp_path, "arterial fractal dimension in zone B 1.2; 静脉平均血管宽度: 90 微米"
    )
    assert [(v.name, v.of, v.where) for v in values] == [
        ("fractal_dimension", "arteries", "zone_b"),
        ("average_width", "veins", "whole"),
    ]


def test_vascular_density_is_of_all_vessels(tmp_path: Path) -> None:
    (value,) = vascular(tmp_path, "vascular density 0.1")
    assert (value.name, value.of) == ("vessel_density", "all")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CRAE 150", "unit 'none'"),
        ("CRAE 150 px", "unit 'px'"),
        ("vessel density 32 %", "unit '%'"),
        ("vessel happiness 3", "no quantity is called 'vessel happiness'"),
        ("fractal dimension high", "is not `name value"),
        ("fractal dimension 1.4; FD 1.5", "'fractal_dimension' once"),
    ],
)
def test_a_quantity_that_cannot_be_read_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        vascular(tmp_path, text)


def test_an_impossible_value_is_not_measured(tmp_path: Path) -> None:
    (value,) = vascular(tmp_path, "fractal dimension -1")
    assert isinstance(value, Unmeasured)
    assert "-1, outside the plausible 0.2 to 2" in value.reason


def test_a_quantity_may_have_its_own_column(tmp_path: Path) -> None:
    (record,) = read(tmp_path, "image,crae_knudtson\na.png,150.5\n")
    assert record.measurements == (Measured("crae_knudtson", 150.5, "um", tool=SOURCE),)


def test_columns_are_mapped_and_ignored(tmp_path: Path) -> None:
    text = "photo,DR level,who,site,operator\na.png,2,p1,3,x\n"
    columns = {"image": "photo", "icdr": "DR level", "patient": "who", "ignored": "site, operator"}
    (record,) = read(tmp_path, text, columns=columns)
    assert record.grades == (Grade("icdr", 2, SOURCE),)
    assert record.photograph.patient == "p1"


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="did you mean 'disease'"):
        read(tmp_path, "image,diseases\na.png,drusen\n")


def test_a_mapping_to_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="'photos', which is mapped to 'image'"):
        read(tmp_path, "photo\na.png\n", columns={"image": "photos"})


def test_a_table_without_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="a column 'image'"):
        read(tmp_path, "disease\ndrusen\n")


def test_a_photograph_cannot_come_twice(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="each photograph once"):
        read(tmp_path, "image\na.png\na.png\n")


def test_photographs_of_one_name_in_two_folders_keep_two_ids(tmp_path: Path) -> None:
    one, two = read(tmp_path, "image\nx/IMG_1.2.png\ny/IMG_1.2.png\n")
    assert (one.photograph.id, two.photograph.id) == ("x_IMG_1.2", "y_IMG_1.2")


def test_eye_sex_and_split_are_read_in_both_languages(tmp_path: Path) -> None:
    one, two = read(tmp_path, "image,eye,sex,split\na.png,OD,F,training\nb.png,左眼,男,test\n")
    assert (one.photograph.eye, one.sex, one.photograph.split) == ("right", "female", "train")
    assert (two.photograph.eye, two.sex, two.photograph.split) == ("left", "male", "test")


def test_two_levels_of_one_scale_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="'clinical_dr'"):
        read(tmp_path, "image,clinical_dr,disease\na.png,2,mild NPDR\n")


def test_rows_and_photographs_without_each_other_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").touch()
    record, missing, extra = read(tmp_path, "image\na.png\nc.png\n", labels_only=False)
    assert record.photograph.file == "a.png"
    assert (missing.what, missing.name) == ("label without photograph", "c.png")
    assert (extra.what, extra.name) == ("photograph without label", "b.png")
