"""`export --reviewed`: what was accepted, as it was accepted, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fundoscope.cli import cli
from fundoscope.errors import ConfigError, DialogueError
from fundoscope.export.runs import export_run
from fundoscope.ledger import Ledger
from fundoscope.records import Conversation, Photograph, Record, Turn, Verdict
from fundoscope.reviewed import Act, Acts, What, Which

NAMES = ("plain", "edited", "rejected", "disputed", "decided", "changed", "unseen", "reject_taken")


def spoken(name: str, answer: str = "It is the left eye.") -> Conversation:
    turns = (Turn("Which eye is it?", answer),)
    return Conversation(f"set/train/{name}", "alignment", "en", turns, "t", "1", 0)


def keep(ledger: Ledger, name: str, answer: str = "It is the left eye.") -> None:
    row = ledger.add_record(Record(Photograph("set", "train", name, file=f"{name}.png")))
    good = name != "reject_taken"
    ledger.judge(row, spoken(name, answer), answer.encode(), Verdict(good, "" if good else "wrong"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.begin_pass({})
        for name in NAMES:
            keep(ledger, name)
        ledger.finish_pass()
    return tmp_path / "run"


class Reviewing:
    """Acts, each of which saw the last."""

    def __init__(self, run: Path) -> None:
        self.run, self.n = run, 0

    def __call__(self, who: str, name: str, what: What, after: str = "", **more: Any) -> None:
        self.n += 1
        which = Which(f"set/train/{name}", "alignment", "en")
        with Ledger(self.run) as ledger:
            found = ledger.found(*which)
        assert found
        words = {}
        if after:
            words = {"before": spoken(name).turns, "after": spoken(name, after).turns}
        with Acts(self.run) as acts:
            act = Act(who, which, what, found[1], 0, str(self.n), **words, **more)
            acts.add(act)


@pytest.fixture
def reviewed(run: Path) -> Iterator[Path]:
    """Review one dialogue for each thing that can become of one."""
    act = Reviewing(run)
    act("Ann", "plain", "accept")
    act("Ben", "plain", "accept")
    act("Ann", "edited", "edit", after="The left eye is shown.", places=(0,))
    act("Ann", "rejected", "reject", reason="a number is wrong")
    act("Ann", "disputed", "accept")
    act("Ben", "disputed", "reject", reason="a place is wrong")
    act("Ann", "decided", "reject", reason="a place is wrong")
    act("Ben", "decided", "accept")
    act("Cleo", "decided", "accept", role="adjudicate", over=(7, 8))
    act("Ann", "changed", "accept")
    act("Ann", "reject_taken", "accept", problem="unsupported: ...", reason="seen by two readers")
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({})
        for name in NAMES:
            keep(ledger, name, *(["This is the left eye."] if name == "changed" else []))
        ledger.finish_pass()
    yield run


def exported(out: Path) -> dict[str, str]:
    rows = json.loads((out / "train.alignment.json").read_text(encoding="utf-8"))
    return {row["id"].split("/")[2]: row["conversations"][1]["value"] for row in rows}


def test_only_what_was_accepted_is_exported_in_the_accepted_words(
    reviewed: Path, tmp_path: Path
) -> None:
    export_run(reviewed, tmp_path / "out", format="llava", reviewed=True)
    assert exported(tmp_path / "out") == {
        "plain": "It is the left eye.",
        "edited": "The left eye is shown.",
        "decided": "It is the left eye.",
        "reject_taken": "It is the left eye.",
    }


def test_the_manifest_counts_the_rest_and_names_no_reviewer(reviewed: Path, tmp_path: Path) -> None:
    export_run(reviewed, tmp_path / "out", format="llava", reviewed=True)
    text = (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["options"]["reviewed"] is True
    assert manifest["reviewed"] == [
        {
            "run": "run",
            "accepted": 4,
            "accepted_by": {"one": 2, "two": 1, "adjudicated": 1},
            "edited": 1,
            "rejected": 1,
            "disputed": 1,
            "changed_since_review": 1,
            "not_reviewed": 1,
            "overrides": [
                {
                    "id": "set/train/reject_taken/alignment/en",
                    "problem": "unsupported: ...",
                    "reason": "seen by two readers",
                }
            ],
        }
    ]
    assert not {"Ann", "Ben", "Cleo"} & set(text.replace('"', " ").split())


def test_without_the_option_nothing_of_the_review_matters(reviewed: Path, tmp_path: Path) -> None:
    export_run(reviewed, tmp_path / "out", format="llava")
    assert set(exported(tmp_path / "out")) == set(NAMES) - {"reject_taken"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert "reviewed" not in manifest and "reviewed" not in manifest["options"]


def test_a_run_that_nobody_reviewed_exports_nothing_and_says_so(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its reviewers accepted 0"):
        export_run(run, tmp_path / "out", format="llava", reviewed=True)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_words_that_no_trainer_takes_stop_the_export_whole(run: Path, tmp_path: Path) -> None:
    Reviewing(run)("Ann", "plain", "edit", after="Look: <image>", places=(0,))
    with pytest.raises(DialogueError, match="<image>"):
        export_run(run, tmp_path / "out", format="llava", reviewed=True)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_command_line_exports_and_tells_of_agreement(reviewed: Path, tmp_path: Path) -> None:
    arguments = ["export", str(reviewed), "--reviewed", "-o", str(tmp_path / "out")]
    made = CliRunner().invoke(cli, arguments)
    assert made.exit_code == 0, made.output
    assert "4 accepted (1 edited, 1 over the verifier's objection), 1 rejected" in made.output
    told = CliRunner().invoke(cli, ["review", str(reviewed), "--agreement"])
    # Ann and Ben both judged three: alike once. By chance (2/3)(2/3) + (1/3)(1/3) = 5/9
    assert "Ann and Ben: 3 dialogues" in told.output
    assert f"kappa {(1 / 3 - 5 / 9) / (4 / 9):.2f}" in told.output
    assert "2 differ, 1 of them decided" in told.output
    machine = CliRunner().invoke(cli, ["review", str(reviewed), "--agreement", "--json"])
    (one,) = json.loads(machine.output)
    assert one["table"]["accept"] == {"accept": 1, "edit": 0, "reject": 1}
