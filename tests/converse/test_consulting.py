"""Consultations as a run."""

import json
from pathlib import Path

import pytest

from fundoscope.converse.consulting import build_consultations
from fundoscope.errors import DialogueError
from fundoscope.export.run_files import write_run_files
from fundoscope.export.runs import export_run
from fundoscope.ledger import Ledger

KEPT = [
    {"role": "patient", "text": "Hello Dr. Quispe, my OCT shows macular oedema of 412 microns."},
    {"role": "doctor", "text": "Macular oedema is often treated with injections. It costs $900."},
]
KNEE = [{"role": "patient", "text": "My knee hurts."}, {"role": "doctor", "text": "Rest it."}]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    rows = [{"id": "1", "turns": KEPT}, {"id": "2", "turns": KNEE}]
    file = tmp_path / "talks.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return file


def test_what_is_kept_is_a_dialogue_without_a_photograph_or_a_name(
    talks: Path, tmp_path: Path
) -> None:
    tally = build_consultations([talks], tmp_path / "run")
    assert (tally.records, tally.kept, tally.left_out) == (1, 1, 1)
    write_run_files(tmp_path / "run")
    row = json.loads((tmp_path / "run" / "dialogues.jsonl").read_text(encoding="utf-8"))
    assert "image" not in row
    said = [turn["value"] for turn in row["conversations"]]
    assert "412 microns" in said[0]
    assert "Quispe" not in json.dumps(row)
    assert "<image>" not in said[0]


def test_what_is_left_out_has_its_reason_and_quotes_nothing(talks: Path, tmp_path: Path) -> None:
    build_consultations([talks], tmp_path / "run")
    with Ledger(tmp_path / "run") as ledger:
        (left,) = ledger.left_out()
    assert left.reason.startswith("not about the fundus")
    assert "knee" not in left.reason


def test_done_again_the_run_is_the_same(talks: Path, tmp_path: Path) -> None:
    first = build_consultations([talks], tmp_path / "run")
    assert build_consultations([talks], tmp_path / "run") == first


def test_it_is_exported_with_growing_history(talks: Path, tmp_path: Path) -> None:
    build_consultations([talks], tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "out", format="history")
    (file,) = (f for f in (tmp_path / "out").glob("*.json") if "consultation" in f.name)
    (row,) = json.loads(file.read_text(encoding="utf-8"))
    assert row["history"] == []
    assert "macular oedema" in row["instruction"]


def test_a_file_of_which_nothing_is_kept_is_an_error_that_tells_where_the_reasons_are(
    tmp_path: Path,
) -> None:
    file = tmp_path / "knees.jsonl"
    file.write_text(json.dumps({"id": "1", "turns": KNEE}) + "\n", encoding="utf-8")
    with pytest.raises(DialogueError, match="none of 1 consultations") as told:
        build_consultations([file], tmp_path / "run")
    assert "left_out" in told.value.mend
