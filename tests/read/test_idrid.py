"""IDRiD: grades and outlines, numbered independently of each other."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import LabelError, PhotographError
from fundoscope.read.idrid import read_idrid_grades, read_idrid_outlines
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Finding, Grade, LeftOut, LesionTotal, Record, Structure

TRAIN_LABELS = "a. IDRiD_Disease Grading_Training Labels.csv"
TEST_LABELS = "b. IDRiD_Disease Grading_Testing Labels.csv"
HEADER = "Image name,Retinopathy grade,Risk of macular edema"
OUTLINES = "IDRiD outlines of this photograph"


def read(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_idrid_grades(SourceRequest(root, **options)))


def outlined(root: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_idrid_outlines(SourceRequest(root, **options)))


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="")
    return path


def picture(path: Path, pixels: list[list[int]] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(pixels or [[0] * 4] * 2, np.uint8)).save(path)
    return path


def graded_set(root: Path) -> Path:
    """Both splits in the original layout, IDRiD_001 in each."""
    grading = root / "B. Disease Grading"
    labels = grading / "2. Groundtruths"
    text(labels / TRAIN_LABELS, HEADER + ",,,,,,,,,\r\nIDRiD_001,3,2,,,,,,,,,\r\n")
    text(labels / TEST_LABELS, HEADER + "\r\nIDRiD_001,4,0\r\n")
    for split in ("a. Training Set", "b. Testing Set"):
        picture(grading / "1. Original Images" / split / "IDRiD_001.jpg")
    return root


# --- grading


def test_the_sources_are_registered() -> None:
    assert sources.get("idrid") is read_idrid_grades
    assert sources.get("idrid-segmentation") is read_idrid_outlines


def test_idrid_001_of_both_splits_are_two_photographs_with_their_own_grades(
    tmp_path: Path,
) -> None:
    train, test = read(graded_set(tmp_path))
    assert (train.key, test.key) == (
        "idrid_grading/train/IDRiD_001",
        "idrid_grading/test/IDRiD_001",
    )
    assert train.photograph.file.endswith("a. Training Set/IDRiD_001.jpg")
    assert test.photograph.file.endswith("b. Testing Set/IDRiD_001.jpg")
    assert [(g.scale, g.level) for g in train.grades] == [("icdr", 3), ("dme_risk", 2)]
    assert [(g.scale, g.level) for g in test.grades] == [("icdr", 4), ("dme_risk", 0)]


def test_oedema_0_is_a_risk_grade_and_no_finding(tmp_path: Path) -> None:
    # "no hard exudates apparent" says nothing of fluid, thickening or exudation elsewhere
    _, test = read(graded_set(tmp_path))
    assert test.grades[1] == Grade("dme_risk", 0, f"idrid {TEST_LABELS}")
    assert test.findings == () and test.lesion_totals == ()


def test_a_training_photograph_never_takes_a_testing_label(tmp_path: Path) -> None:
    graded_set(tmp_path)
    folder = tmp_path / "B. Disease Grading" / "1. Original Images" / "a. Training Set"
    records = read(tmp_path, photographs=folder)
    assert [x.key for x in records if isinstance(x, Record)] == ["idrid_grading/train/IDRiD_001"]
    (left,) = [x for x in records if isinstance(x, LeftOut)]
    assert (left.what, left.name) == ("label without photograph", "test/IDRiD_001")


def test_the_other_parts_of_the_set_do_not_disturb(tmp_path: Path) -> None:
    graded_set(tmp_path)
    images = "1. Original Images/a. Training Set"
    picture(tmp_path / "C. Localization" / images / "IDRiD_001.jpg")  # the graded one once more
    picture(tmp_path / "A. Segmentation" / images / "IDRiD_01.jpg")
    assert [type(x) for x in read(tmp_path)] == [Record, Record]


def test_blanks_around_a_header_do_not_count(tmp_path: Path) -> None:
    text(tmp_path / TRAIN_LABELS, HEADER + " \nIDRiD_001 ,3,2\n")
    (record,) = read(tmp_path, labels_only=True)
    assert record.photograph.id == "IDRiD_001"


def test_a_label_file_of_no_split_is_refused(tmp_path: Path) -> None:
    labels = text(tmp_path / "labels.csv", HEADER + "\nIDRiD_001,3,2\n")
    with pytest.raises(LabelError, match="Training or Testing"):
        read(tmp_path, labels=[labels])


def test_another_table_is_refused_by_its_columns(tmp_path: Path) -> None:
    text(tmp_path / TRAIN_LABELS, "id_code,diagnosis\na,0\n")
    with pytest.raises(LabelError, match="Image name"):
        read(tmp_path)


def test_the_real_label_files_keep_their_counts(real_data: Path) -> None:
    records = read(real_data / "labels", labels_only=True)
    levels = Counter((r.photograph.split, g.scale, g.level) for r in records for g in r.grades)
    assert [levels["train", "icdr", n] for n in range(5)] == [134, 20, 136, 74, 49]
    assert [levels["test", "icdr", n] for n in range(5)] == [34, 5, 32, 19, 13]
    assert [levels["train", "dme_risk", n] for n in range(3)] == [177, 41, 195]
    assert [levels["test", "dme_risk", n] for n in range(3)] == [45, 10, 48]
    assert len({record.key for record in records}) == 413 + 103


# --- outlines


def test_a_coded_mask_gives_boxes_totals_and_the_disc(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "IDRiD_01.jpg")
    picture(tmp_path / "lesions" / "IDRiD_01.png", [[1, 0, 5, 5], [0, 0, 5, 5]])
    (record,) = outlined(tmp_path)
    assert record.key == "idrid_segmentation/train/IDRiD_01"
    assert record.photograph.file == "images/IDRiD_01.jpg"
    (lesion,) = record.lesions
    assert (lesion.kind, lesion.box, lesion.area_fraction) == (
        "microaneurysm",
        (0.0, 0.0, 0.25, 0.5),
        1 / 8,
    )
    assert record.structures == (Structure("optic_disc", (0.5, 0.0, 1.0, 1.0), OUTLINES),)
    assert record.origin == ("IDRiD_01.png",)


def test_a_kind_without_pixels_in_a_coded_mask_is_a_real_zero(tmp_path: Path) -> None:
    picture(tmp_path / "lesions" / "IDRiD_01.png", [[1, 0], [0, 0]])
    (record,) = outlined(tmp_path, labels_only=True)
    assert LesionTotal("soft_exudate", 0, 0.0, OUTLINES) in record.lesion_totals
    assert len(record.lesion_totals) == 4
    assert record.findings == () and record.structures == ()


def test_a_kind_without_a_mask_of_its_own_was_not_outlined_which_is_not_zero(
    tmp_path: Path,
) -> None:
    part = tmp_path / "A. Segmentation"
    masks = part / "2. All Segmentation Groundtruths" / "a. Training Set"
    picture(part / "1. Original Images" / "a. Training Set" / "IDRiD_01.jpg")
    picture(masks / "1. Microaneurysms" / "IDRiD_01_MA.tif", [[255, 0, 255, 0], [0, 0, 0, 0]])
    picture(masks / "3. Hard Exudates" / "IDRiD_01_EX.tif")
    picture(masks / "5. Optic Disc" / "IDRiD_01_OD.tif", [[0, 0, 0, 0], [0, 1, 1, 0]])
    (record,) = outlined(tmp_path)
    assert {total.kind: total.count for total in record.lesion_totals} == {
        "microaneurysm": 2,
        "hard_exudate": 0,  # a mask without pixels: looked for
    }
    assert record.findings == (
        Finding("haemorrhage", "not_assessed", OUTLINES),
        Finding("soft_exudate", "not_assessed", OUTLINES),
    )
    assert record.structures == (Structure("optic_disc", (0.25, 0.5, 0.75, 1.0), OUTLINES),)


def test_the_split_is_that_of_the_number(tmp_path: Path) -> None:
    for number in ("54", "55", "81"):
        picture(tmp_path / "lesions" / f"IDRiD_{number}.png")
    splits = [record.photograph.split for record in outlined(tmp_path, labels_only=True)]
    assert splits == ["train", "test", "test"]


def test_photographs_and_masks_without_each_other_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "IDRiD_01.jpg")
    picture(tmp_path / "lesions" / "IDRiD_02.png")
    assert [(x.what, x.name) for x in outlined(tmp_path)] == [
        ("label without photograph", "train/IDRiD_02"),
        ("photograph without label", "images/IDRiD_01.jpg"),
    ]


def test_masks_beside_the_photographs_are_not_reported_as_photographs(tmp_path: Path) -> None:
    picture(tmp_path / "IDRiD_01.jpg")
    picture(tmp_path / "IDRiD_01_MA.tif")
    assert [type(x) for x in outlined(tmp_path)] == [Record]


def test_a_code_that_is_none_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "lesions" / "IDRiD_01.png", [[0, 6]])
    with pytest.raises(LabelError, match="code 6"):
        outlined(tmp_path, labels_only=True)


def test_a_number_above_81_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "lesions" / "IDRiD_82.png")
    with pytest.raises(LabelError, match="01 to 81"):
        outlined(tmp_path, labels_only=True)


def test_two_outlines_of_one_kind_are_refused_naming_both(tmp_path: Path) -> None:
    picture(tmp_path / "lesions" / "IDRiD_01.png")
    picture(tmp_path / "more" / "IDRiD_01_MA.tif")
    with pytest.raises(LabelError) as error:
        outlined(tmp_path, labels_only=True)
    assert "IDRiD_01.png" in str(error.value) and "IDRiD_01_MA.tif" in str(error.value)


def test_a_mask_of_another_aspect_than_its_photograph_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "IDRiD_01.jpg")
    picture(tmp_path / "lesions" / "IDRiD_01.png", [[0, 0], [0, 0]])
    with pytest.raises(PhotographError, match="2 x 2 pixels does not fit"):
        outlined(tmp_path)


def test_no_mask_says_what_was_looked_for(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "IDRiD_01.jpg")
    with pytest.raises(LabelError, match="IDRiD_01_MA"):
        outlined(tmp_path)


def test_masks_may_be_given_as_files_or_folders(tmp_path: Path) -> None:
    picture(tmp_path / "shown" / "IDRiD_01.jpg")
    picture(tmp_path / "drawn" / "IDRiD_01.png", [[1, 0, 0, 0], [0, 0, 0, 0]])
    for given in (tmp_path / "drawn", tmp_path / "drawn" / "IDRiD_01.png"):
        (record,) = outlined(tmp_path, labels=[given], photographs=tmp_path / "shown")
        assert record.lesion_totals[0].count == 1


def test_grades_and_outlines_of_one_number_are_never_joined(tmp_path: Path) -> None:
    graded_set(tmp_path)
    picture(tmp_path / "A. Segmentation" / "images" / "IDRiD_01.jpg")
    picture(tmp_path / "A. Segmentation" / "lesions" / "IDRiD_01.png")
    (drawn,) = outlined(tmp_path)
    assert drawn.grades == ()
    for record in read(tmp_path):
        assert record.lesion_totals == () and record.key != drawn.key


@pytest.mark.parametrize("folder, count", [("IDRiD", 14), ("IDRiD_1024", 24)])
def test_the_real_outlines_add_up_to_their_pixels(real_data: Path, folder: str, count: int) -> None:
    records = outlined(real_data / folder)
    assert len(records) == count and all(isinstance(record, Record) for record in records)
    for record in records[:3]:
        assert len(record.structures) == 1  # every one of these shows its disc
        codes = np.asarray(Image.open(real_data / folder / "lesions" / record.origin[0]))
        for code, total in enumerate(record.lesion_totals, start=1):
            boxes = [lesion for lesion in record.lesions if lesion.kind == total.kind]
            assert len(boxes) <= 10
            assert total.area_fraction == pytest.approx((codes == code).mean())
            assert sum(lesion.count for lesion in boxes) + total.unboxed == total.count


def test_the_haemorrhages_of_a_real_photograph_are_those_of_scipy(real_data: Path) -> None:
    from scipy import ndimage

    record = next(iter(read_idrid_outlines(SourceRequest(real_data / "IDRiD"))))
    codes = np.asarray(Image.open(real_data / "IDRiD" / "lesions" / "IDRiD_01.png"))
    _, count = ndimage.label(codes == 2, structure=np.ones((3, 3)))
    assert {t.kind: t.count for t in record.lesion_totals}["haemorrhage"] == count == 15
