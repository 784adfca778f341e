"""Answers are kept as they come, and asked for once."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fundoscope.errors import ConfigError
from fundoscope.evaluate.answer_spaces import YesNo
from fundoscope.evaluate.asking import ask, photograph_hashes
from fundoscope.evaluate.items import Item, Prediction


class Counting:
    """Says yes, and remembers what it was asked; stops at `until` if told."""

    def __init__(self, name: str = "counting", until: int | None = None) -> None:
        self.name, self.until, self.asked = name, until, list[str]()

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        for item in items:
            if len(self.asked) == self.until:
                raise KeyboardInterrupt
            self.asked.append(item.id)
            yield Prediction(item.id, "Yes.", {"yes": 0.1 + 0.2, "no": 0.7})


class Failing(Counting):
    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        for item in items:
            self.asked.append(item.id)
            yield Prediction(item.id, "", error="the server is gone")


class Confused(Counting):
    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        yield from super().answers(items)
        yield Prediction("of another task", "No.")


def made(number: int, photographs: tuple[Path, ...] = (), question: str = "Glaucoma?") -> Item:
    key = f"set/all/{number}"
    return Item(
        id=f"{key}/glaucoma/en/0",
        asked=f"{key}/glaucoma",
        key=key,
        patient=str(number),
        photographs=photographs,
        question=question,
        language="en",
        wording=0,
        space=YesNo("glaucoma"),
        truth="yes",
    )


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    items, memory = [made(n) for n in range(5)], tmp_path / "predictions.jsonl"
    first = Counting(until=3)
    with pytest.raises(KeyboardInterrupt):
        ask(first, items, {}, memory)
    second = Counting()
    answered = ask(second, items, {}, memory)
    assert first.asked + second.asked == [item.id for item in items]
    assert answered.found == 3
    assert list(answered.predictions) == [item.id for item in items]
    assert answered.predictions[items[0].id].probabilities == {"yes": 0.1 + 0.2, "no": 0.7}


def test_a_killed_process_loses_no_answer_that_it_gave(tmp_path: Path) -> None:
    memory, told = tmp_path / "predictions.jsonl", tmp_path / "told"
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_asking import Counting, made
from fundoscope.evaluate.asking import ask
class Slow(Counting):
    def answers(self, items):
        for prediction in super().answers(items):
            yield prediction
            Path({str(told)!r}).write_text(str(len(self.asked)))
            time.sleep(0.05)
ask(Slow(), [made(n) for n in range(200)], {{}}, Path({str(memory)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    while not (told.exists() and told.read_text() not in ("", "1", "2", "3")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    given = int(told.read_text())
    rest = Counting()
    answered = ask(rest, [made(n) for n in range(200)], {}, memory)
    assert answered.found >= given >= 4
    assert answered.found + len(rest.asked) == 200


def test_a_line_cut_in_its_middle_is_asked_again_and_harms_no_other(tmp_path: Path) -> None:
    items, memory = [made(n) for n in range(3)], tmp_path / "predictions.jsonl"
    ask(Counting(), items, {}, memory)
    memory.write_bytes(memory.read_bytes()[:-20])
    again = Counting()
    ask(again, items, {}, memory)
    assert again.asked == [items[2].id]
    whole = Counting()
    assert ask(whole, items, {}, memory).found == 3
    assert whole.asked == []


def test_a_changed_question_or_photograph_is_asked_again(tmp_path: Path) -> None:
    photograph, memory = tmp_path / "a.jpg", tmp_path / "predictions.jsonl"
    photograph.write_bytes(b"one")
    item = made(0, (photograph,))
    ask(Counting(), [item], photograph_hashes([item]), memory)
    photograph.write_bytes(b"two")
    other_photograph = Counting()
    ask(other_photograph, [item], photograph_hashes([item]), memory)
    other_words = Counting()
    item = made(0, (photograph,), "Is there glaucoma?")
    ask(other_words, [item], photograph_hashes([item]), memory)
    assert len(other_photograph.asked) == len(other_words.asked) == 1


def test_what_failed_is_asked_again(tmp_path: Path) -> None:
    items, memory = [made(0)], tmp_path / "predictions.jsonl"
    failed = ask(Failing(), items, {}, memory)
    assert failed.predictions[items[0].id].error == "the server is gone"
    again = Counting()
    assert ask(again, items, {}, memory).predictions[items[0].id].answer == "Yes."


def test_a_photograph_that_is_not_there_is_not_asked_about(tmp_path: Path) -> None:
    item, asked = made(0, (tmp_path / "gone.jpg",)), Counting()
    answered = ask(asked, [item], photograph_hashes([item]), tmp_path / "predictions.jsonl")
    assert asked.asked == []
    assert answered.predictions[item.id] == Prediction(item.id, "", error="no photograph gone.jpg")


def test_predictions_that_belong_to_no_item_are_listed(tmp_path: Path) -> None:
    answered = ask(Confused(), [made(0)], {}, tmp_path / "predictions.jsonl")
    assert answered.unmatched == ("of another task",)


def test_another_predictor_may_not_write_into_the_same_memory(tmp_path: Path) -> None:
    memory = tmp_path / "predictions.jsonl"
    ask(Counting("one"), [made(0)], {}, memory)
    with pytest.raises(ConfigError, match="by 'one', not by 'other'"):
        ask(Counting("other"), [made(0)], {}, memory)


def test_each_line_says_who_answered_what(tmp_path: Path) -> None:
    memory = tmp_path / "predictions.jsonl"
    ask(Counting(), [made(0)], {}, memory)
    row = json.loads(memory.read_text())
    assert (row["by"], row["item"], row["answer"]) == ("counting", made(0).id, "Yes.")


def test_progress_counts_every_item_once(tmp_path: Path) -> None:
    items, memory = [made(n) for n in range(4)], tmp_path / "predictions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        ask(Counting(until=2), items, {}, memory)
    steps: list[int] = []
    ask(Counting(), items, {}, memory, steps.append)
    assert sum(steps) == 4
