"""Answers of a run read together: in order, none lost, none read twice."""

from __future__ import annotations

import pytest

from fundoscope.errors import ConfigError
from fundoscope.evaluate import reading_answers
from fundoscope.evaluate.answer_spaces import YesNo
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.reading_answers import read_answers

DR = YesNo("diabetic_retinopathy")


def items(count: int) -> list[Item]:
    return [
        Item(f"q{at}", f"q{at}", "k", "p", (), "Is there DR?", "en", 0, DR, "yes")
        for at in range(count)
    ]


def test_answers_come_in_the_order_of_the_items() -> None:
    given = [Prediction("q2", "No."), Prediction("q0", "Yes."), Prediction("q1", "Perhaps.")]
    found = read_answers(items(3), given)
    assert [one.item.id for one in found] == ["q0", "q1", "q2"]
    assert [one.reading.label for one in found if one.reading] == ["yes", None, "no"]


def test_a_missing_prediction_and_one_with_an_error_have_no_reading() -> None:
    given = [Prediction("q1", "", error="the photograph cannot be read")]
    missing, failed = read_answers(items(2), given)
    assert (missing.prediction, missing.reading) == (None, None)
    assert (failed.prediction, failed.reading) == (given[0], None)


def test_an_empty_answer_is_an_answer_that_decides_nothing() -> None:
    (one,) = read_answers(items(1), [Prediction("q0", "")])
    assert one.reading is not None and one.reading.outcome == "abstained"


def test_predictions_of_items_that_were_left_out_are_left_aside() -> None:
    assert len(read_answers(items(1), [Prediction("q0", "Yes."), Prediction("q9", "No.")])) == 1


def test_two_predictions_of_one_item_are_refused() -> None:
    with pytest.raises(ConfigError, match="two predictions"):
        read_answers(items(1), [Prediction("q0", "Yes."), Prediction("q0", "No.")])


def test_processes_read_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_answers, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(reading_answers, "TOGETHER", 7)
    given = [Prediction(f"q{at}", f"{'Yes' if at % 3 else 'No'}, see {at}.") for at in range(40)]
    found = read_answers(items(40), given, jobs=2)
    expected = [read_answer(one.answer, DR, question="Is there DR?") for one in given]
    assert [one.reading for one in found] == expected


def test_the_same_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def counted(answer: str, space: YesNo, *, question: str = "") -> object:
        seen.append(answer)
        return read_answer(answer, space, question=question)

    monkeypatch.setattr(reading_answers, "read_answer", counted)
    read_answers(items(3), [Prediction(f"q{at}", "Yes.") for at in range(3)])
    assert seen == ["Yes."]
