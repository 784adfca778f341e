"""RFMiD: 45 codes, three splits whose ids restart."""

from collections import Counter
from pathlib import Path

import pytest

from fundoscope import terms
from fundoscope.errors import LabelError
from fundoscope.read.rfmid import TERMS, read_rfmid
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import LeftOut, Record

HEADER = "\ufeffID,Disease_Risk," + ",".join(TERMS) + "\n"


def row(id: int, *present: str, risk: int | None = None) -> str:
    at_risk = int(bool(present)) if risk is None else risk
    return f"{id},{at_risk}," + ",".join(str(int(c in present)) for c in TERMS) + "\n"


def read(folder: Path, **options: object) -> list[Record | LeftOut]:
    return list(read_rfmid(SourceRequest(folder, **options)))


def said(record: Record) -> dict[str, str]:
    return {f.term: f.status for f in record.findings}


def test_the_source_is_registered() -> None:
    assert sources.get("rfmid") is read_rfmid


def test_there_are_45_codes_each_of_the_vocabulary() -> None:
    assert len(TERMS) == len(set(TERMS.values())) == 45
    assert set(TERMS.values()) <= terms.conditions().keys() | terms.lesions().keys()


def test_every_code_is_present_or_absent(tmp_path: Path) -> None:
    (tmp_path / "rfmid_train.csv").write_text(HEADER + row(1, "DR", "CWS"), encoding="utf-8")
    (record,) = read(tmp_path, labels_only=True)
    present = {term for term, status in said(record).items() if status == "present"}
    assert present == {"abnormality", "diabetic_retinopathy", "soft_exudate"}
    assert Counter(said(record).values()) == {"present": 3, "absent": 43}


def test_mh_st_and_rt_are_not_what_they_look_like() -> None:
    assert (TERMS["MH"], TERMS["ST"], TERMS["RT"]) == (
        "media_haze",
        "optociliary_shunt",
        "retinal_traction",
    )
    assert TERMS["MHL"] == "macular_hole"


def test_no_risk_is_not_a_healthy_fundus(tmp_path: Path) -> None:
    (tmp_path / "rfmid_train.csv").write_text(HEADER + row(1), encoding="utf-8")
    (record,) = read(tmp_path, labels_only=True)
    assert said(record)["abnormality"] == "absent"
    assert "normal_fundus" not in said(record)


def test_no_severity_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "rfmid_train.csv").write_text(HEADER + row(1, "DR"), encoding="utf-8")
    (record,) = read(tmp_path, labels_only=True)
    assert record.grades == ()


def test_a_code_without_risk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rfmid_train.csv").write_text(HEADER + row(1, "DN", risk=0), encoding="utf-8")
    with pytest.raises(LabelError, match="line 2, column 'DN'"):
        read(tmp_path, labels_only=True)


def test_an_unknown_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rfmid_train.csv").write_text(HEADER.strip() + ",XYZ\n", encoding="utf-8")
    with pytest.raises(LabelError, match="unknown column 'XYZ'"):
        read(tmp_path, labels_only=True)


def test_ids_restart_so_each_split_finds_its_own_photographs(tmp_path: Path) -> None:
    names = {"Training": "a", "Validation": "b", "Testing": "c"}
    for (split, letter), code in zip(names.items(), ("DR", "DN", "MH"), strict=True):
        folder = tmp_path / f"{letter}. {split} Set"
        folder.mkdir()
        (folder / "1.png").touch()
        labels = folder / f"{letter}. RFMiD_{split}_Labels.csv"
        labels.write_text(HEADER + row(1, code), encoding="utf-8")
    found = {r.key: r for r in read(tmp_path) if isinstance(r, Record)}
    assert {key: r.photograph.file for key, r in found.items()} == {
        "rfmid/train/1": "a. Training Set/1.png",
        "rfmid/val/1": "b. Validation Set/1.png",
        "rfmid/test/1": "c. Testing Set/1.png",
    }
    assert said(found["rfmid/val/1"])["drusen"] == "present"
    assert said(found["rfmid/train/1"])["drusen"] == "absent"


def test_an_id_that_comes_twice_is_reported_or_refused(tmp_path: Path) -> None:
    labels = tmp_path / "rfmid_train.csv"
    labels.write_text(HEADER + row(1, "DR") + row(1, "DR"), encoding="utf-8")
    _, repeated = read(tmp_path, labels_only=True)
    assert (repeated.what, repeated.name) == ("duplicate", "train/1")
    labels.write_text(HEADER + row(1, "DR") + row(1, "DN"), encoding="utf-8")
    with pytest.raises(LabelError, match=r"as in rfmid_train\.csv:2"):
        read(tmp_path, labels_only=True)


def test_labels_of_one_split_never_take_photographs_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "Training_Set"
    folder.mkdir()
    (folder / "1.png").touch()
    labels = tmp_path / "RFMiD_Validation_Labels.csv"
    labels.write_text(HEADER + row(1, "DR"), encoding="utf-8")
    missing, extra = read(tmp_path)
    assert (missing.what, missing.name) == ("label without photograph", "val/1")
    assert (extra.what, extra.name) == ("photograph without label", "Training_Set/1.png")


def test_the_evaluation_set_is_the_validation_split(tmp_path: Path) -> None:
    folder = tmp_path / "Evaluation_Set"
    folder.mkdir()
    (folder / "7.png").touch()
    labels = folder / "RFMiD_Validation_Labels.csv"
    labels.write_text(HEADER + row(7, "DR"), encoding="utf-8")
    (record,) = read(tmp_path)
    assert record.key == "rfmid/val/7"


def test_a_file_that_does_not_tell_its_split_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(HEADER + row(1), encoding="utf-8")
    with pytest.raises(LabelError, match="training, validation or testing"):
        read(tmp_path, labels=[labels], labels_only=True)


def test_the_real_training_labels_count_as_published(real_data: Path) -> None:
    labels = [real_data / "labels" / "rfmid_train.csv"]
    found = read(real_data / "RFMiD", labels=labels, labels_only=True)
    present = Counter(f.term for r in found for f in r.findings if f.status == "present")
    assert len(found) == 1920
    assert (present["abnormality"], present["media_haze"], present["macular_hole"]) == (
        1519,
        317,
        11,
    )
    assert present["optic_disc_pit_maculopathy"] == present["haemorrhagic_retinopathy"] == 0
    several = sum(sum(f.status == "present" for f in r.findings) > 2 for r in found)
    assert several == 458  # the abnormality itself, and at least two codes


def test_six_real_photographs_lie_flat_in_one_folder(real_data: Path) -> None:
    found = read(real_data / "RFMiD", labels=[real_data / "labels" / "rfmid_train.csv"])
    files = [r.photograph.file for r in found if isinstance(r, Record)]
    assert files == [f"images/{n}.jpg" for n in range(1, 7)]
    assert sum(isinstance(o, LeftOut) for o in found) == 1914
