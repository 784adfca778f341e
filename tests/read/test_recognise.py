"""A label file is known by its header."""

from pathlib import Path

import pytest

from fundoscope.errors import LabelError
from fundoscope.measure.all_sources import sources
from fundoscope.phantoms import LABELS as PHANTOM_LABELS
from fundoscope.read.recognise import HEADERS, recognise


def test_only_sources_that_ship_are_recognised() -> None:
    assert set(HEADERS) <= set(sources.names())
    assert {"table", "records", "phantoms"} <= set(sources.names())


def test_messidors_sheets_are_told_from_idrid_by_name(tmp_path: Path) -> None:
    text = "Image name,Retinopathy grade,Risk of macular edema \n"
    (tmp_path / "Annotation_Base11.csv").write_text(text)
    (tmp_path / "training labels.csv").write_text(text)
    assert recognise(tmp_path / "Annotation_Base11.csv") == "messidor"
    assert recognise(tmp_path / "training labels.csv") == "idrid"


def test_phantoms_are_told_from_a_table_by_their_masks(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(",".join(PHANTOM_LABELS))
    assert recognise(tmp_path / "labels.csv") == "table"
    (tmp_path / "lesions").mkdir()
    assert recognise(tmp_path / "labels.csv") == "phantoms"


def test_a_table_with_an_image_column_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,modality,quality,disease,vascular,notes\n")
    assert recognise(tmp_path / "t.csv") == "table"


def test_a_grade_of_mmac_goes_before_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,myopic_maculopathy_grade\n")
    assert recognise(tmp_path / "t.csv") == "mmac1"


def test_messidor_2_is_not_taken_for_aptos(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id_code,diagnosis,adjudicated_dme,adjudicated_gradable\n")
    assert recognise(tmp_path / "t.csv") == "messidor2"
    (tmp_path / "t.csv").write_text("id_code,diagnosis\n")
    assert recognise(tmp_path / "t.csv") == "aptos"


def test_our_own_records_are_known_by_their_suffix(tmp_path: Path) -> None:
    assert recognise(tmp_path / "records.jsonl") == "records"


def test_an_unknown_header_lists_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("photo,grade\n")
    with pytest.raises(LabelError, match="idrid: Image name, Retinopathy grade"):
        recognise(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("labels/a._IDRiD_Disease_Grading_Training_Labels.csv", "idrid"),
        ("labels/eyepacs_trainLabels.csv", "eyepacs"),
        ("labels/eyeq_test.csv", "eyepacs"),
        ("labels/messidor_data.csv", "messidor2"),
        ("labels/mmac_task3_train_5fold.csv", "mmac3"),
        ("labels/odir_full_df.csv", "odir"),
        ("labels/odir_patient.csv", "odir"),
        ("labels/rfmid_train.csv", "rfmid"),
        ("ODIR5K/labels.csv", "odir"),
    ],
)
def test_real_label_files_are_known(real_data: Path, file: str, source: str) -> None:
    assert recognise(real_data / file) == source
