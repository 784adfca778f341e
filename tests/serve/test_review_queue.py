"""Which dialogue comes first, and why."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fundoscope.asked import Answer, Request
from fundoscope.ledger import Ledger
from fundoscope.records import (
    Claim,
    Conversation,
    Finding,
    Judged,
    Judgement,
    Photograph,
    Record,
    Statement,
    Turn,
    Verdict,
)
from fundoscope.reviewed import Which
from fundoscope.serve.review_queue import Filters, Queue

CLAIM = Claim(Statement("eye", "eye", "left"), "It is the left eye.")


def verdict(good: int, bad: int = 0) -> Verdict:
    judgements: list[Judgement] = ["supported"] * good + ["unsupported"] * bad
    return Verdict(
        bad == 0, "unsupported" if bad else "", tuple(Judged(CLAIM, j) for j in judgements)
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Six dialogues: plain, wordy, suspected, repaired, and two rejects."""
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        for name, judged, words in (
            ("plain", verdict(4), 10),
            ("wordy", verdict(4), 200),
            ("suspected", verdict(4), 10),
            ("repaired", verdict(4), 10),
            ("far", verdict(1, bad=3), 10),
            ("near", verdict(3, bad=1), 10),
        ):
            dataset = "one" if name in ("plain", "far") else "two"
            findings = (Finding("glaucoma", "suspected", "x"),) if name == "suspected" else ()
            row = ledger.add_record(Record(Photograph(dataset, "all", name), findings=findings))
            turn = Turn("Which eye?", "word " * words)
            spoken = Conversation(f"{dataset}/all/{name}", "alignment", "en", (turn,), "t", "1", 0)
            ledger.judge(row, spoken, name.encode(), judged)
            if name == "repaired":
                for number in (0, 1):
                    asked = Request(row, "alignment", "en", name.encode(), number)
                    asked_as, _ = ledger.asked.ask(asked)
                    ledger.asked.answer(asked_as, Answer("..."))
        ledger.finish_pass()
    return tmp_path


@pytest.fixture
def queue(run: Path) -> Iterator[Queue]:
    made = Queue(run, seed=3)
    yield made
    made.close()


def names(queue: Queue, mode: str, **filters: str) -> list[str]:
    found = queue.members(mode, Filters(**filters))  # type: ignore[arg-type]
    return [one.which.record.rpartition("/")[2] for one in found]


def test_what_was_repaired_comes_first_then_the_suspected_then_the_least_checked(
    queue: Queue,
) -> None:
    assert names(queue, "doubtful") == ["repaired", "suspected", "wordy", "plain"]


def test_of_the_rejects_the_nearest_to_passing_come_first(queue: Queue) -> None:
    assert names(queue, "rejects") == ["near", "far"]


def test_all_come_in_the_sources_order(queue: Queue) -> None:
    assert names(queue, "all") == ["plain", "wordy", "suspected", "repaired", "far", "near"]


def test_a_sample_is_decided_by_its_seed_and_holds_what_was_kept(run: Path, queue: Queue) -> None:
    orders = set()
    for seed in range(12):
        other = Queue(run, seed)
        orders.add(tuple(names(other, "sample")))
        other.close()
    assert all(set(order) == {"plain", "wordy", "suspected", "repaired"} for order in orders)
    assert len(orders) > 4  # of 24 orders; one order for all seeds would be none
    assert names(queue, "sample") == names(queue, "sample")


def test_filters_narrow_a_queue_and_its_count(queue: Queue) -> None:
    assert names(queue, "doubtful", dataset="one") == ["plain"]
    assert queue.count("doubtful", Filters(dataset="two")) == 3
    assert queue.count("all", Filters(language="zh")) == 0
    assert queue.choices() == {
        "track": ["alignment"],
        "language": ["en"],
        "dataset": ["one", "two"],
    }


def test_each_says_why_it_stands_there(queue: Queue) -> None:
    told = {one.which.record: one.why for one in queue.members("all")}
    assert told["two/all/repaired"] == "repaired 1 time, 4 claims hold"
    assert told["one/all/far"] == "3 claims do not hold, 1 claim holds"
    assert told["two/all/suspected"] == "a finding is only suspected, 4 claims hold"


def test_the_next_undone_is_sought_behind_and_then_from_the_front(queue: Queue) -> None:
    first, _, third, _ = [one.which for one in queue.members("doubtful")]
    found = queue.next_undone({third}, "doubtful", Filters(), after=1)
    assert found and found.place == 3
    found = queue.next_undone({first}, "doubtful", Filters(), after=3)
    assert found and found.place == 1
    everything = {one.which for one in queue.members("doubtful")}
    assert queue.next_undone(everything, "doubtful", Filters(), after=0) is None


def test_what_is_done_is_counted_within_the_queue_alone(queue: Queue) -> None:
    done = [Which("one/all/plain", "alignment", "en"), Which("one/all/far", "alignment", "en")]
    assert queue.count_of(done, "doubtful") == 1
    assert queue.count_of(done, "all", Filters(dataset="one")) == 2


def test_a_run_that_was_built_further_is_laid_out_again(run: Path, queue: Queue) -> None:
    assert queue.count("all") == 6
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({})
        row = ledger.add_record(Record(Photograph("two", "all", "new")))
        spoken = Conversation("two/all/new", "alignment", "en", (Turn("?", "a"),), "t", "1", 0)
        ledger.judge(row, spoken, b"new", verdict(1))
        ledger.finish_pass()
    assert names(queue, "all") == ["new"]
