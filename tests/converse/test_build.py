"""The main job: resume, repeat, kill; the same bytes whatever happened on the way."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.errors import ConfigError
from fundoscope.export.run_files import write_run_files
from fundoscope.ledger import Ledger
from fundoscope.records import record_to_json
from fundoscope.testing import synthetic_records

TRACKS = ("instruction", "alignment")


def records_file(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"".join(record_to_json(r) + b"\n" for r in synthetic_records(count))
    (folder / "records.jsonl").write_bytes(lines)
    return folder


def job(root: Path, **more: object) -> Job:
    return Job(source="records", root=root, labels_only=True, tracks=TRACKS, **more)  # type: ignore[arg-type]


def test_every_dialogue_of_the_composer_is_kept(tmp_path: Path) -> None:
    report = build(job(records_file(tmp_path / "set", 50)), tmp_path / "run")
    assert (report.tally.kept, report.tally.rejected) == (50 * 2 * 2, 0)


def test_done_again_it_makes_nothing(tmp_path: Path) -> None:
    root = records_file(tmp_path / "set", 20)
    build(job(root), tmp_path / "run")
    assert build(job(root), tmp_path / "run").composed == 0


def test_only_what_changed_is_asked_again(tmp_path: Path) -> None:
    root = records_file(tmp_path / "set", 20)
    build(job(root), tmp_path / "run")
    records_file(tmp_path / "set", 25)
    assert build(job(root), tmp_path / "run").composed == 5 * 4
    assert build(job(root, seed=1), tmp_path / "run").composed == 25 * 4


def test_a_file_that_is_no_image_is_left_out_with_its_reason(tmp_path: Path) -> None:
    photographs = tmp_path / "set"
    photographs.mkdir()
    Image.new("RGB", (40, 30), "red").save(photographs / "good.png")
    (photographs / "bad.png").write_text("<html>not found</html>")
    (photographs / "labels.csv").write_text("image,icdr\ngood.png,1\nbad.png,2\ngone.png,0\n")
    report = build(
        Job(source="table", root=photographs, labels=(photographs / "labels.csv",)),
        tmp_path / "run",
    )
    assert report.tally.records == 1
    with Ledger(tmp_path / "run") as ledger:
        assert sorted((x.what, x.name) for x in ledger.left_out()) == [
            ("label without photograph", "gone.png"),
            ("unreadable photograph", "bad.png"),
        ]
        (record,) = ledger.records()
        assert (record.photograph.width_px, record.photograph.height_px) == (40, 30)


def test_a_source_that_gives_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,icdr\ngone.png,0\n")
    with pytest.raises(ConfigError, match="gave no record; 1 things were left out"):
        build(Job(source="table", root=tmp_path, labels=(tmp_path / "labels.csv",)), tmp_path / "r")


def test_unknown_sources_tracks_and_engines_offer_the_nearest(tmp_path: Path) -> None:
    root = records_file(tmp_path / "set", 1)
    with pytest.raises(ConfigError, match="did you mean 'odir'"):
        build(Job(source="odri", root=root), tmp_path / "r")
    with pytest.raises(ConfigError, match="did you mean 'composer'"):
        build(Job(source="records", root=root, engine="composr"), tmp_path / "r")
    with pytest.raises(ConfigError, match="did you mean 'alignment'"):
        build(Job(source="records", root=root, tracks=("alignement",)), tmp_path / "r")


CHILD = """
import sys
from pathlib import Path
import fundoscope.converse.build as b
from fundoscope.config import Job
b.COMMIT_EVERY_S = 0.02
b.build(Job(source="records", root=Path(sys.argv[1]), labels_only=True,
            tracks=("instruction", "alignment")), Path(sys.argv[2]))
"""


def start(root: Path, run: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(root), str(run)])


def test_killed_at_ten_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    root = records_file(tmp_path / "set", 400)
    started = time.monotonic()
    assert start(root, tmp_path / "whole").wait() == 0
    whole_s = time.monotonic() - started
    moments = random.Random()
    for _ in range(10):
        child = start(root, tmp_path / "killed")
        try:
            child.wait(timeout=moments.uniform(0.3, 0.9) * whole_s)
            shutil.rmtree(tmp_path / "killed")  # it was done before the kill: begin anew
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
    assert start(root, tmp_path / "killed").wait() == 0
    for run in ("whole", "killed"):
        write_run_files(tmp_path / run)
    for name in ("dialogues.jsonl", "records.jsonl", "rejects.jsonl", "left_out.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    with Ledger(tmp_path / "killed") as ledger:
        assert ledger.tally().kept == 400 * 4
