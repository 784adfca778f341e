"""A written folder of phantoms reads back as it was drawn."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.errors import LabelError, PhotographError
from fundoscope.phantoms import LESION_CODES, coded_lesions, draw_phantom, write_phantoms
from fundoscope.read.phantom_set import read_phantoms
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.read.table import read_table
from fundoscope.records import Grade, LeftOut, Measured, Record


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), count=5, seed=2, size_px=256)


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(written, tmp_path / "phantoms"))


def records(folder: Path) -> list[Record]:
    read = list(read_phantoms(SourceRequest(folder)))
    assert [one for one in read if isinstance(one, LeftOut)] == []
    return [one for one in read if isinstance(one, Record)]


def test_it_is_a_source_of_its_own() -> None:
    assert sources.get("phantoms") is read_phantoms


def test_each_photograph_has_its_record(written: Path) -> None:
    read = records(written)
    assert [record.key for record in read] == [
        "phantom/all/phantom_0001_left",
        "phantom/all/phantom_0001_right",
        "phantom/all/phantom_0002_left",
        "phantom/all/phantom_0002_right",
        "phantom/all/phantom_0003_left",
    ]
    for record in read:
        assert (written / record.photograph.file).is_file()
        assert record.photograph.id == f"{record.photograph.patient}_{record.photograph.eye}"
        assert (record.photograph.width_px, record.photograph.height_px) == (256, 256)


def test_lesions_count_as_many_as_the_masks_hold(written: Path) -> None:
    drawn = 0
    for record in records(written):
        file = written / "lesions" / f"{record.photograph.id}.png"
        coded = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        for total in record.lesion_totals:
            mask = coded == LESION_CODES[total.kind]
            count, _ = cv2.connectedComponents(mask.astype(np.uint8))
            assert (total.count, total.area_fraction) == (count - 1, pytest.approx(mask.mean()))
            boxed = sum(lesion.count for lesion in record.lesions if lesion.kind == total.kind)
            assert boxed + total.unboxed == total.count
            drawn += total.count
        assert [total.kind for total in record.lesion_totals] == list(LESION_CODES)
    assert drawn > 20


def test_boxes_are_as_many_as_the_request_allows(written: Path) -> None:
    most = {}
    for allowed in (0, 3):
        read = read_phantoms(SourceRequest(written, max_boxes=allowed))
        boxed = [[b.kind for b in one.lesions] for one in read if isinstance(one, Record)]
        most[allowed] = max(kinds.count(kind) for kinds in boxed for kind in LESION_CODES)
    assert most == {0: 0, 3: 3}


def test_as_many_lesions_come_back_as_were_asked_for(written: Path, tmp_path: Path) -> None:
    asked = {"microaneurysm": 7, "haemorrhage": 4, "hard_exudate": 12, "soft_exudate": 2}
    folder = Path(shutil.copytree(written, tmp_path / "phantoms"))
    mask = coded_lesions(draw_phantom(9, 256, asked))
    cv2.imwrite(str(folder / "lesions" / "phantom_0001_left.png"), mask)
    totals = {total.kind: total.count for total in records(folder)[0].lesion_totals}
    assert totals == asked


def test_the_box_of_the_disc_surrounds_it(written: Path) -> None:
    for record in records(written):
        (disc,) = record.structures
        assert disc.term == "optic_disc"
        left, top, right, bottom = disc.box
        middle = (left + right) / 2
        assert middle < 0.4 if record.photograph.eye == "left" else middle > 0.6
        # 0.118 of the side, by -7 to +7 % and -8 to +8 %
        assert 0.09 < right - left < 0.15 and 0.1 < bottom - top < 0.15


def test_grades_and_measurements_are_those_of_the_table(written: Path) -> None:
    second, third = records(written)[1:3]
    assert second.grades == (
        Grade("stated_quality", 0, "phantom truth"),
        Grade("icdr", 1, "phantom truth"),
    )
    assert third.grades[1].level == 2
    assert [finding.term for finding in second.findings] == ["diabetic_retinopathy"]
    density, ratio = second.measurements
    assert isinstance(density, Measured) and isinstance(ratio, Measured)
    assert (density.name, density.of, density.where) == ("vessel_density", "all", "whole")
    vessels = cv2.imread(str(written / "vessels" / f"{second.photograph.id}.png"))
    assert density.value == pytest.approx((vessels[..., 0] > 0).mean(), abs=1e-6)
    assert 0.2 < ratio.value < 0.6


def test_a_user_may_read_the_same_labels_as_a_table(written: Path) -> None:
    read = [one for one in read_table(SourceRequest(written)) if isinstance(one, Record)]
    for own, phantom in zip(read, records(written), strict=True):
        assert [(g.scale, g.level) for g in own.grades] == [
            (g.scale, g.level) for g in phantom.grades
        ]
        assert [f.term for f in own.findings] == [f.term for f in phantom.findings]


def test_a_photograph_that_is_gone_is_left_out_by_name(folder: Path) -> None:
    (folder / "photographs" / "phantom_0001_right.jpg").unlink()
    left = [one for one in read_phantoms(SourceRequest(folder)) if isinstance(one, LeftOut)]
    assert [(one.what, one.name) for one in left] == [
        ("label without photograph", "phantom_0001_right.jpg")
    ]


def test_a_photograph_without_a_row_is_reported(folder: Path) -> None:
    photographs = folder / "photographs"
    shutil.copy(photographs / "phantom_0001_left.jpg", photographs / "phantom_0009_left.jpg")
    *_, last = read_phantoms(SourceRequest(folder))
    assert isinstance(last, LeftOut) and last.what == "photograph without label"


def test_labels_alone_can_be_read(folder: Path) -> None:
    shutil.rmtree(folder / "photographs")
    read = list(read_phantoms(SourceRequest(folder, labels_only=True)))
    assert [one.photograph.file for one in read if isinstance(one, Record)] == [""] * 5


def test_a_mask_that_is_gone_is_named(folder: Path) -> None:
    (folder / "lesions" / "phantom_0001_left.png").unlink()
    with pytest.raises(PhotographError) as caught:
        list(read_phantoms(SourceRequest(folder)))
    assert "phantom_0001_left.png" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        (",left,", ",middle,", "eye"),
        (",good,", ",fine,", "quality"),
        ("normal fundus", "fine", "disease"),
    ],
)
def test_a_word_that_was_never_written_is_refused(
    folder: Path, old: str, new: str, column: str
) -> None:
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(LabelError) as caught:
        list(read_phantoms(SourceRequest(folder)))
    assert (caught.value.column, caught.value.line) == (column, 2)
