"""What reviewers do is kept: added, never changed, never lost, never of other words."""

import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope.errors import LedgerError
from fundoscope.ledger import FILE_NAME, Ledger, writers_lock
from fundoscope.records import Conversation, Photograph, Record, Turn, Verdict
from fundoscope.reviewed import Act, Acts, RefusedAct, StaleAct, Standing, Which
from fundoscope.serve.review_done import Decided

WHICH = Which("set/train/a", "alignment", "en")


def said(answer: str = "It is the left eye.") -> Conversation:
    return Conversation(
        "set/train/a", "alignment", "en", (Turn("Which eye?", answer),), "t", "1", 0
    )


def keep(run: Path, conversation: Conversation) -> None:
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({})
        row = ledger.add_record(Record(Photograph("set", "train", "a", eye="left")))
        ledger.judge(row, conversation, conversation.turns[0].answer.encode(), Verdict(True))
        ledger.finish_pass()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    keep(tmp_path / "run", said())
    return tmp_path / "run"


def version_of_run(run: Path) -> str:
    with Ledger(run) as ledger:
        found = ledger.found(*WHICH)
    assert found
    return found[1]


def act(run: Path, what: str = "accept", who: str = "Ann", saw: int = 0, **more: object) -> Act:
    made = Act(who, WHICH, what, version_of_run(run), saw, f"{who}-{what}-{saw}")  # type: ignore[arg-type]
    if what == "reject":
        made = replace(made, reason="a number is wrong")
    return replace(made, **more)  # type: ignore[arg-type]


def stands(run: Path) -> Standing:
    with Acts(run) as acts:
        return acts.standing(WHICH)


def test_an_act_is_kept_with_who_and_when_in_utc(run: Path) -> None:
    with Acts(run) as acts:
        kept = acts.add(act(run))
        assert acts.about(WHICH) == [kept]
    assert (kept.id, kept.who, kept.what) == (1, "Ann", "accept")
    assert kept.at.endswith("+00:00") and kept.at.startswith("20")


def test_a_run_of_before_there_were_acts_opens_and_has_none(run: Path) -> None:
    with sqlite3.connect(run / FILE_NAME) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    db.close()
    assert "acts" not in tables  # building makes none: an older fundoscope's ledger looks like this
    with Acts(run) as acts:
        assert acts.about(WHICH) == [] and acts.tally() == {} and list(acts.all()) == []
    assert stands(run).outcome == ""


def test_a_folder_without_a_ledger_has_no_acts(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no ledger"):
        Acts(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE acts SET who = 'Eve'",
        "DELETE FROM acts",
        "INSERT OR REPLACE INTO acts SELECT 1, at, 'Eve', role, record, track, language, version,"
        " what, saw, reason, problem, before, after, places, over, 'other' FROM acts",
        "INSERT OR REPLACE INTO acts SELECT NULL, at, 'Eve', role, record, track, language,"
        " version, what, saw, reason, problem, before, after, places, over, token FROM acts",
    ],
)
def test_the_database_itself_refuses_to_change_an_act(run: Path, statement: str) -> None:
    with Acts(run) as acts:
        kept = acts.add(act(run))
    db = sqlite3.connect(run / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="an act is never"):
        db.execute(statement)
    db.close()
    with Acts(run) as acts:
        assert acts.about(WHICH) == [kept]


def test_an_edit_keeps_the_words_before_and_after(run: Path) -> None:
    before, after = said().turns, said("The left eye is shown.").turns
    with Acts(run) as acts:
        acts.add(act(run, "edit", before=before, after=after, places=(0,)))
        (kept,) = acts.about(WHICH)
    assert (kept.before, kept.after) == (before, after)
    with Ledger(run) as ledger:
        assert [d.conversation for d in ledger.kept()] == [said()]  # the engine's own words stay


def test_undo_is_one_more_act_and_brings_back_what_stood_before(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, "accept"))
        acts.add(act(run, "reject", saw=1))
        assert stands(run).outcome == "rejected"
        acts.add(act(run, "undo", saw=2))
        assert stands(run).outcome == "accepted"
        acts.add(act(run, "undo", saw=3))
        assert stands(run).outcome == ""
        with pytest.raises(RefusedAct, match="nothing to take back"):
            acts.add(act(run, "undo", saw=4))
        assert [one.what for one in acts.about(WHICH)] == ["accept", "reject", "undo", "undo"]


def test_an_act_that_has_not_seen_the_last_one_is_refused(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, "accept"))
        with pytest.raises(StaleAct, match="meanwhile"):
            acts.add(act(run, "reject"))  # another tab, which saw nothing
        assert [one.what for one in acts.about(WHICH)] == ["accept"]


def test_two_reviewers_do_not_stand_in_each_others_way(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, who="Ann"))
        acts.add(act(run, who="Ben"))  # blind: he saw nothing
    now = stands(run)
    assert set(now.reviews) == {"Ann", "Ben"} and now.outcome == "accepted"


def test_an_act_sent_twice_is_kept_once(run: Path) -> None:
    with Acts(run) as acts:
        first = acts.add(act(run))
        assert acts.add(act(run)) == first
        assert len(acts.about(WHICH)) == 1
        with pytest.raises(RefusedAct, match="token"):
            acts.add(act(run, reason="not the same"))


def test_an_act_about_words_that_have_changed_counts_for_nothing(run: Path) -> None:
    old = act(run)
    with Acts(run) as acts:
        acts.add(old)
    keep(run, said("This is the left eye."))
    assert stands(run).outcome == "" and stands(run).outdated
    with Acts(run) as acts, pytest.raises(StaleAct, match="changed"):
        acts.add(replace(old, saw=1, token="again"))


def test_an_act_about_no_dialogue_is_refused(run: Path) -> None:
    with Acts(run) as acts, pytest.raises(StaleAct):
        acts.add(replace(act(run), which=Which("set/train/b", "alignment", "en")))


@pytest.mark.parametrize(
    ("what", "more", "told"),
    [
        ("reject", {"reason": ""}, "has a reason"),
        ("accept", {"problem": "contradicted: it is the left eye"}, "the verifier objects"),
        ("edit", {}, "words of its own"),
        ("accept", {"after": (Turn("a", "b"),)}, "only an edit"),
        ("accept", {"who": ""}, "name"),
    ],
)
def test_an_act_that_says_too_little_is_refused(
    run: Path, what: str, more: dict[str, object], told: str
) -> None:
    with Acts(run) as acts:
        with pytest.raises(RefusedAct, match=told):
            acts.add(act(run, what, **more))
        assert acts.about(WHICH) == []


def test_what_the_verifier_objects_to_is_accepted_with_a_reason(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, problem="contradicted: ...", reason="the label is wrong"))
    assert stands(run).outcome == "accepted"


def test_two_minds_are_a_dispute_until_a_third_person_decides(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, "accept", who="Ann"))
        acts.add(act(run, "reject", who="Ben"))
        assert stands(run).outcome == "disputed"
        decide = act(run, "accept", who="Cleo", role="adjudicate", over=(1, 2))
        with pytest.raises(RefusedAct, match="does not adjudicate"):
            acts.add(replace(decide, who="Ann"))
        with pytest.raises(StaleAct, match="no longer those"):
            acts.add(replace(decide, over=(1,)))
        acts.add(decide)
        assert stands(run).outcome == "accepted"


def test_an_adjudication_lapses_when_a_review_changes(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, "accept", who="Ann"))
        acts.add(act(run, "reject", who="Ben"))
        acts.add(act(run, "accept", who="Cleo", role="adjudicate", over=(1, 2)))
        acts.add(act(run, "reject", who="Ben", saw=2, reason="a place is wrong"))
        assert stands(run).outcome == "disputed"  # of acts 1 and 4 nobody decided
        acts.add(act(run, "accept", who="Ben", saw=4))
        assert stands(run).outcome == "accepted"


def test_two_edits_in_different_words_are_a_dispute(run: Path) -> None:
    words = {"Ann": said("The left eye.").turns, "Ben": said("It shows the left eye.").turns}
    with Acts(run) as acts:
        for who, after in words.items():
            acts.add(act(run, "edit", who=who, before=said().turns, after=after, places=(0,)))
    assert stands(run).outcome == "disputed"


def test_two_rejections_for_different_reasons_agree(run: Path) -> None:
    with Acts(run) as acts:
        acts.add(act(run, "reject", who="Ann"))
        acts.add(act(run, "reject", who="Ben", reason="it is badly worded"))
    assert stands(run).outcome == "rejected"


def test_what_a_reviewer_decided_is_told_as_it_stands_after_every_act(run: Path) -> None:
    decided = Decided()
    with Acts(run) as acts:
        assert decided.by(acts, "Ann") == {}
        acts.add(act(run, "accept"))
        assert decided.by(acts, "Ann") == {WHICH: "accept"} and decided.by(acts, "Ben") == {}
        acts.add(act(run, "reject", saw=1))
        assert decided.by(acts, "Ann") == {WHICH: "reject"}
        acts.add(act(run, "undo", saw=2))
        acts.add(act(run, "undo", saw=3))
        assert decided.by(acts, "Ann") == {}
        acts.add(act(run, "accept", saw=4, token="again"))
        assert decided.by(acts, "Ann") == {WHICH: "accept"}
    keep(run, said("This is the left eye."))
    with Acts(run) as acts:
        assert decided.by(acts, "Ann") == {}  # of these words she has not judged


def test_an_act_waits_for_whoever_writes_the_run_and_says_so_in_the_end(run: Path) -> None:
    lock = writers_lock(run)
    with Acts(run) as acts, pytest.raises(LedgerError, match="another process is writing"):
        acts.add(act(run), wait_s=0.2)
    kept: list[Act] = []

    def wait() -> None:
        with Acts(run) as acts:
            kept.append(acts.add(act(run), wait_s=30))

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.3)
    assert kept == []
    lock.close()
    waiting.join()
    assert [one.what for one in kept] == ["accept"]


def test_of_twenty_acts_at_once_that_saw_nothing_exactly_one_is_kept(run: Path) -> None:
    made = [act(run, token=f"token-{n}") for n in range(20)]
    ends: list[str] = []

    def try_one(one: Act) -> None:
        with Acts(run) as acts:
            try:
                acts.add(one, wait_s=30)
                ends.append("kept")
            except StaleAct:
                ends.append("stale")

    threads = [threading.Thread(target=try_one, args=(one,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["kept"] + ["stale"] * 19


_ADDING = """
import sys
from pathlib import Path
from dataclasses import replace
from fundoscope.reviewed import Act, Acts, Which
run, version = Path(sys.argv[1]), sys.argv[2]
with Acts(run) as acts:
    for saw in range(10_000):
        act = Act("Ann", Which("set/train/a", "alignment", "en"), "accept", version, saw, str(saw))
        print(acts.add(act, wait_s=30).id, flush=True)
"""


def test_every_act_that_was_answered_outlives_a_kill(run: Path) -> None:
    adding = subprocess.Popen(
        [sys.executable, "-c", _ADDING, str(run), version_of_run(run)], stdout=subprocess.PIPE
    )
    assert adding.stdout
    answered = [int(adding.stdout.readline()) for _ in range(40)]
    adding.kill()
    answered += [int(line) for line in adding.stdout.read().split()]
    adding.wait()
    adding.stdout.close()
    with Acts(run) as acts:
        kept = [one.id for one in acts.about(WHICH)]
    assert kept[: len(answered)] == answered == list(range(1, len(answered) + 1))
    assert len(kept) - len(answered) in (0, 1)  # one may have been kept and not yet answered
    with Acts(run) as acts:
        acts.add(act(run, "reject", saw=kept[-1]))  # and the run goes on
