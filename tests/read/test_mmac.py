"""MMAC: categories, outlines of one kind, and the refraction of an eye."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import LabelError
from fundoscope.read.label_files import read_rows
from fundoscope.read.mmac import (
    read_mmac_grades,
    read_mmac_lesions,
    read_mmac_refractions,
)
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Measured, Record

HEADER3 = "image,spherical_equivalent,age,sex,height,weight,fold\n"


def refractions(folder: Path, rows: str, **options: object) -> list[Record | LeftOut]:
    (folder / "mmac_task3_train.csv").write_text(HEADER3 + rows, encoding="utf-8")
    return list(read_mmac_refractions(SourceRequest(folder, **{"labels_only": True, **options})))


def test_the_sources_are_registered() -> None:
    assert sources.get("mmac1") is read_mmac_grades
    assert sources.get("mmac2") is read_mmac_lesions
    assert sources.get("mmac3") is read_mmac_refractions


def test_a_category_is_a_level_of_meta_pm(tmp_path: Path) -> None:
    labels = tmp_path / "MMAC_task_1.csv"
    labels.write_text("image,myopic_maculopathy_grade\nmmac_task_1_val_0001.png,4\n")
    (record,) = read_mmac_grades(SourceRequest(tmp_path, labels=[labels], labels_only=True))
    assert record.key == "mmac1/val/mmac_task_1_val_0001"
    assert record.grades == (Grade("meta_pm", 4, "MMAC task 1 label of this photograph"),)
    assert (record.photograph.patient, record.age_years, record.sex) == (None, None, None)


def test_the_full_columns_of_task_1_are_known(tmp_path: Path) -> None:
    labels = tmp_path / "mmac_1.csv"
    labels.write_text(
        "image,myopic_maculopathy_grade,age,sex,height,weight,data_center\n"
        "mmac_task_1_train_0001.png,0,57,male,174.5,83.7,1\n"
    )
    (record,) = read_mmac_grades(SourceRequest(tmp_path, labels_only=True))
    assert record.photograph.patient == "57-male-174.5-83.7"


def test_a_category_beyond_4_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "mmac_1.csv"
    labels.write_text("image,myopic_maculopathy_grade\nx_train_1.png,5\n")
    with pytest.raises(LabelError, match="line 2, column 'myopic_maculopathy_grade'"):
        list(read_mmac_grades(SourceRequest(tmp_path, labels_only=True)))


def test_a_refraction_is_measured_in_dioptres(tmp_path: Path) -> None:
    (record,) = refractions(tmp_path, "mmac_task_3_train_0001.png,-0.125,57,male,174.5,83.7,0\n")
    assert record.measurements == (
        Measured("spherical_equivalent", -0.125, "D", tool="refraction recorded in MMAC task 3"),
    )
    assert (record.age_years, record.sex) == (57, "male")


def test_height_and_weight_are_the_persons_and_not_stored(tmp_path: Path) -> None:
    (record,) = refractions(tmp_path, "mmac_task_3_train_0001.png,0,57,male,174.5,83.7,0\n")
    assert record.photograph.width_px is record.photograph.height_px is None
    assert len(record.measurements) == 1


def test_pixels_in_the_height_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="column 'height'"):
        refractions(tmp_path, "mmac_task_3_train_0001.png,0,57,male,800,83.7,0\n")


def test_a_person_is_told_by_age_sex_height_and_weight(tmp_path: Path) -> None:
    one, other, stranger = refractions(
        tmp_path,
        "a_train_1.png,0,57,male,174.5,83.7,0\n"
        "a_train_2.png,1,57.0,Male,174.50,83.7,4\n"
        "a_train_3.png,1,57,male,,83.7,4\n",
    )
    assert one.photograph.patient == other.photograph.patient == "57-male-174.5-83.7"
    assert stranger.photograph.patient is None


def test_the_real_refractions_make_591_groups_of_at_most_two_eyes(real_data: Path) -> None:
    labels = [real_data / "labels" / "mmac_task3_train_5fold.csv"]
    found = list(
        read_mmac_refractions(SourceRequest(real_data / "labels", labels=labels, labels_only=True))
    )
    records = [r for r in found if isinstance(r, Record)]
    sizes = Counter(Counter(r.photograph.patient for r in records).values())
    assert len(records) == 992
    assert sizes == {2: 401, 1: 190}
    values = [m.value for r in records for m in r.measurements if isinstance(m, Measured)]
    assert (min(values), max(values)) == (-10, 2.875)


def test_the_published_fold_would_part_318_of_401_pairs(real_data: Path) -> None:
    labels = real_data / "labels" / "mmac_task3_train_5fold.csv"
    fold = {row.cells["image"].removesuffix(".png"): row.cells["fold"] for row in read_rows(labels)}
    folds = defaultdict(list)
    for r in read_mmac_refractions(
        SourceRequest(real_data / "labels", labels=[labels], labels_only=True)
    ):
        if isinstance(r, Record):
            folds[r.photograph.patient].append(fold[r.photograph.id])
    assert sum(len(set(pair)) == 2 for pair in folds.values()) == 318


def outline(file: Path, *pixels: tuple[int, int]) -> None:
    mask = np.zeros((20, 40), np.uint8)
    for row, col in pixels:
        mask[row, col] = 255
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(file)


def lesions(folder: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_mmac_lesions(SourceRequest(folder, **options)))


def test_a_mask_bears_its_photographs_name(tmp_path: Path) -> None:
    name = "mmac_task_2_train_LC_0001.png"
    outline(tmp_path / "1. Lacquer Cracks" / "1. Images" / "1. Training Set" / name)
    outline(
        tmp_path / "1. Lacquer Cracks" / "2. Groundtruths" / "1. Training Set" / name,
        (5, 10),
        (5, 11),
    )
    (record,) = lesions(tmp_path)
    assert record.key == "mmac2/train/mmac_task_2_train_LC_0001"
    assert record.photograph.file == f"1. Lacquer Cracks/1. Images/1. Training Set/{name}"
    (lesion,) = record.lesions
    assert (lesion.kind, lesion.box) == ("lacquer_crack", (0.25, 0.25, 0.3, 0.3))


def test_nothing_is_said_of_the_other_two_kinds(tmp_path: Path) -> None:
    outline(tmp_path / "Fuchs Spot" / "masks" / "a_FS_1.png", (1, 1))
    (record,) = lesions(tmp_path, labels_only=True)
    assert [total.kind for total in record.lesion_totals] == ["fuchs_spot"]
    assert record.findings == ()


def test_an_empty_outline_is_a_real_zero(tmp_path: Path) -> None:
    outline(tmp_path / "Choroidal Neovascularization" / "masks" / "a.png")
    (record,) = lesions(tmp_path, labels_only=True)
    (total,) = record.lesion_totals
    assert (total.kind, total.count) == ("choroidal_neovascularisation", 0)


def test_masks_may_lie_apart_from_the_photographs(tmp_path: Path) -> None:
    outline(tmp_path / "masks_only" / "Lacquer Cracks" / "x_val_1.png", (0, 0))
    outline(tmp_path / "photos" / "x_val_1.png")
    outline(tmp_path / "photos" / "x_val_2.png")
    record, extra = lesions(tmp_path / "masks_only", photographs=tmp_path / "photos")
    assert record.key == "mmac2/val/x_val_1"
    assert (extra.what, extra.name) == ("photograph without label", "x_val_2.png")


def test_a_mask_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    outline(tmp_path / "m.png", (0, 0))
    with pytest.raises(LabelError, match="_LC_, _CNV_ or _FS_"):
        lesions(tmp_path, labels=[tmp_path / "m.png"], labels_only=True)


def test_a_folder_without_masks_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="Lacquer Cracks"):
        lesions(tmp_path)
