"""What is scored wrong by scripts in use, and right here: from the answer to the score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fundoscope.evaluate.answer_spaces import (
    Findings,
    FoundTerms,
    Options,
    Reading,
    Space,
    YesNo,
)
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.findings_metrics import findings_scores
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.label_metrics import label_scores
from fundoscope.evaluate.reading_answers import read_answers

pytest.importorskip("sklearn")
NORMAL = YesNo("normal_fundus")
LESIONS = ("hard_exudate", "soft_exudate")
FOUR = Options((("A", "Glaucoma"), ("B", "Cataract"), ("C", "Drusen"), ("D", "Normal")))


def readings(space: Space, answers: list[str], truth: Any = "no") -> list[Reading]:
    """Return what is read from answers, by the way that all of a run's answers go."""
    items = [
        Item(f"q{at}", f"q{at}", "k", "p", (), "?", "en", 0, space, truth)
        for at in range(len(answers))
    ]
    given = [Prediction(item.id, text) for item, text in zip(items, answers, strict=True)]
    found = [one.reading for one in read_answers(items, given)]
    return [reading for reading in found if reading is not None]


def scores(labels: list[str], truths: list[str], said: list[Reading]) -> dict[str, Estimate]:
    place = {label: index for index, label in enumerate(labels)}
    outcome = {"abstained": -1, "contradictory": -2}
    numbers = [
        place[str(one.label)] if one.outcome == "decided" else outcome[one.outcome] for one in said
    ]
    truth = np.array([place[one] for one in truths])
    found = label_scores(truth, np.array(numbers), labels, np.arange(len(truths)))
    return {one.name: one for one in found if not one.of}


def findings(answers: list[str], truth: list[list[int]]) -> dict[tuple[str, str], Estimate]:
    code = {"present": 1, "absent": 0, "not_mentioned": -1}
    rows = []
    for one in readings(Findings(LESIONS), answers):
        label = one.label
        rows.append(
            [code.get(label.status_of(term), -2) for term in LESIONS]
            if isinstance(label, FoundTerms)
            else [-2, -2]
        )
    found = findings_scores(np.array(truth), np.array(rows), LESIONS, np.arange(len(answers)))
    return {(one.name, one.of): one for one in found}


def test_yes_and_no_are_read_not_searched_for() -> None:
    """Upstream, whose question is "is it normal?": "no" is in "abnormal", so a "yes" scored 1.

    The answer does say that it is not normal, so it is right for what it says; the bare word
    decides nothing. The same sentence is wrong where the truth is that all is normal.
    """
    said = readings(NORMAL, ["Yes, the image is abnormal."])
    assert said[0].label == "no"
    assert "abnormal" in said[0].words
    assert scores(["no", "yes"], ["no"], said)["accuracy"].value == 1.0
    assert scores(["no", "yes"], ["yes"], said)["accuracy"].value == 0.0


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Yes, glaucoma is noted.", "yes"),  # holds "no"
        ("There is glaucoma and another abnormality.", "yes"),  # holds "no" twice
        ("The eyes show no glaucoma.", "no"),  # holds "yes"
    ],
)
def test_letters_inside_other_words_do_not_answer(answer: str, label: str) -> None:
    assert read_answer(answer, YesNo("glaucoma")).label == label


def test_exudates_are_not_hard_exudates() -> None:
    """Upstream's "exact match" of 'exudates' with 'hard exudates' was 1."""
    found = findings(["exudates"], [[1, 0]])
    assert found["exact_match", ""].value == 0.0
    named = findings(["hard exudates"], [[1, 0]])
    assert named["exact_match", ""].value == 1.0


def test_saying_a_word_four_times_is_worth_nothing() -> None:
    """Upstream's F1 of 'hard hard hard hard' and 'hard exudates' was 0.89."""
    found = findings(["hard hard hard hard", "Cotton wool spots are present."], [[1, 0], [0, 1]])
    assert found["sensitivity", "hard_exudate"].value in (None, 0.0)
    assert not found["f1", "hard_exudate"].value
    once = findings(["Hard exudates are present."], [[1, 0]])
    often = findings(["Hard exudates, hard exudates and hard exudates are present."], [[1, 0]])
    assert once["f1", "hard_exudate"].value == often["f1", "hard_exudate"].value == 1.0


def test_an_image_is_not_option_a() -> None:
    """A first letter was taken for the option."""
    said = readings(FOUR, ["An image of the retina.", "Based on it, the answer is D.", "A"])
    assert [one.label for one in said] == [None, "D", "A"]
    found = scores(["A", "B", "C", "D"], ["A", "D", "A"], said)
    assert (found["accuracy"].value, found["accuracy"].n) == (1.0, 2)
    assert found["accuracy_undecided_wrong"].value == pytest.approx(2 / 3)


def test_open_and_closed_questions_are_never_one_number() -> None:
    """Upstream printed the counts of open and closed questions the wrong way round."""
    closed = scores(["no", "yes"], ["no"], readings(NORMAL, ["No."]))["accuracy"]
    options = scores(["A", "B", "C", "D"], ["A", "D"], readings(FOUR, ["A", "B"], "A"))["accuracy"]
    assert (closed.n, options.n) == (1, 2)


def test_an_answer_that_is_nothing_is_no_label() -> None:
    """An empty answer scored as "no" would be right half of the time."""
    said = readings(NORMAL, ["", "I cannot tell."])
    found = scores(["no", "yes"], ["no", "no"], said)
    assert (found["accuracy"].value, found["coverage"].value) == (None, 0.0)
    assert found["accuracy_undecided_wrong"].value == 0.0
