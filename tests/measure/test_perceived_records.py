"""A folder that was perceived becomes records, and they become faithful dialogues."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope import Job, build
from fundoscope.errors import LabelError
from fundoscope.export.run_files import write_run_files
from fundoscope.export.verified_files import verify_dialogues
from fundoscope.measure.perceived_records import read_perceived
from fundoscope.perceive.mask_files import perceive_photographs
from fundoscope.phantoms import write_phantoms
from fundoscope.read.sources import SourceRequest
from fundoscope.records import LeftOut, Measured, Record, Unmeasured


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    folder = write_phantoms(tmp_path_factory.mktemp("drawn"), 2, size_px=384) / "photographs"
    dark = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(dark, (250, 200), 180, (4, 6, 10), -1)
    cv2.imwrite(str(folder / "dark.png"), dark)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def perceived(photographs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("perceived")
    perceive_photographs(sorted(photographs.iterdir()), folder)
    return folder


def test_each_photograph_has_a_record_and_the_unreadable_is_left_out(
    photographs, perceived
) -> None:
    things = list(read_perceived(SourceRequest(perceived, photographs=photographs)))
    left = [thing for thing in things if isinstance(thing, LeftOut)]
    assert [thing.name for thing in left if thing.what == "unreadable photograph"] == ["broken"]
    assert len([thing for thing in things if isinstance(thing, Record)]) == 3


def test_nothing_is_called_absent_or_present_by_a_network(perceived) -> None:
    for record in read_perceived(SourceRequest(perceived)):
        if isinstance(record, Record):
            assert {finding.status for finding in record.findings} <= {"suspected"}
            assert all(total.count > 0 for total in record.lesion_totals)


def test_a_photograph_too_poor_has_reasons_and_no_number(perceived) -> None:
    records = [r for r in read_perceived(SourceRequest(perceived)) if isinstance(r, Record)]
    (dark,) = [r for r in records if r.photograph.id == "dark"]
    assert dark.measurements
    assert all(isinstance(m, Unmeasured) for m in dark.measurements)
    assert dark.lesions == ()
    others = [m for r in records if r is not dark for m in r.measurements]
    assert any(isinstance(m, Measured) for m in others)


def test_the_dialogues_of_perceived_photographs_are_faithful(
    photographs, perceived, tmp_path
) -> None:
    job = Job(source="perceived", root=perceived, photographs=photographs)
    report = build(job, tmp_path / "run")
    assert report.tally.kept == 6  # three photographs in two languages
    assert report.tally.rejected == 0
    write_run_files(tmp_path / "run")
    checked = verify_dialogues(tmp_path / "run/dialogues.jsonl", tmp_path / "run")
    assert checked.faithful == 6


def test_a_folder_without_the_table_is_refused(tmp_path) -> None:
    with pytest.raises(LabelError, match="no such file"):
        list(read_perceived(SourceRequest(tmp_path)))
