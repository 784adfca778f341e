"""Baselines know nothing of the retina, and nothing of the patient whom they answer about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest

from fundoscope.evaluate.answer_spaces import (
    Boxes,
    Findings,
    FoundBoxes,
    FoundTerms,
    Levels,
    Number,
    Options,
    Space,
    Value,
    YesNo,
)
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.baselines import Blind, Chance, Constant, Majority, patient_folds
from fundoscope.evaluate.items import Item, Prediction, Truth
from fundoscope.records import Language

GLAUCOMA = YesNo("glaucoma")


def item(
    number: int,
    truth: Truth,
    space: Space = GLAUCOMA,
    *,
    patient: str = "",
    language: Language = "en",
    wording: int = 0,
    photographs: tuple[Path, ...] = (),
) -> Item:
    key = f"odir/all/{number}"
    return Item(
        id=f"{key}/form/{language}/{wording}",
        asked=f"{key}/form",
        key=key,
        patient=patient or str(number),
        photographs=photographs,
        question="?",
        language=language,
        wording=wording,
        space=space,
        truth=truth,
    )


def labels(predictor: Any, items: Sequence[Item]) -> list[Any]:
    by_id = {made.item: made for made in predictor.answers(items)}
    return [read_answer(by_id[one.id].answer, one.space).label for one in items]


def test_the_majority_is_answered_to_all() -> None:
    items = [item(n, "yes" if n < 3 else "no") for n in range(10)]
    assert labels(Majority(items), items) == ["no"] * 10


def test_a_patients_own_truths_decide_nothing_about_him() -> None:
    """By hand: with one of three patients left out, the two others of his label are outvoted."""
    items = [item(0, "yes"), item(1, "no"), item(2, "no")]
    told = labels(Majority(items, folds=3), items)
    assert told == ["no", *told[1:]]
    many = [item(n, "yes", patient="one") for n in range(9)] + [item(9, "no", patient="other")]
    # nine truths of one patient say nothing about him: only the other's is known
    assert labels(Majority(many, folds=2), many) == ["no"] * 9 + ["yes"]


def test_a_single_patient_has_no_majority() -> None:
    items = [item(n, "yes", patient="one") for n in range(3)]
    assert all(made.error and not made.answer for made in Majority(items).answers(items))


def test_wordings_of_one_question_count_once() -> None:
    often = [item(0, "yes", wording=wording) for wording in range(9)]
    items = [*often, item(1, "no"), item(2, "no"), item(3, "no")]
    assert labels(Majority(items, folds=4), items)[0] == "no"


def test_the_majority_of_levels_values_findings_and_boxes() -> None:
    levels = [item(n, 2 if n < 6 else 0, Levels("icdr")) for n in range(8)]
    assert set(labels(Majority(levels), levels)) == {2}
    values = [
        item(n, Value(v, v, v), Number("fractal_dimension", "1")) for n, v in enumerate([1.4] * 5)
    ]
    assert labels(Majority(values), values)[0] == Value(1.4, 1.4, 1.4)
    terms = Findings(("glaucoma", "cataract"))
    truth = FoundTerms((("glaucoma", "present"), ("cataract", "absent")))
    findings = [item(n, truth, terms) for n in range(4)]
    assert labels(Majority(findings), findings) == [truth] * 4
    box = (0.1, 0.2, 0.3, 0.4)
    boxed = [item(n, FoundBoxes((box,), "normalised"), Boxes()) for n in range(4)]
    assert labels(Majority(boxed), boxed)[0].boxes == (box,)
    none = [item(n, FoundBoxes((), ""), Boxes()) for n in range(4)]
    assert labels(Majority(none), none)[0].boxes == ()


def test_the_majority_of_options_is_their_words_wherever_they_stand() -> None:
    one = Options((("A", "Glaucoma"), ("B", "Cataract")))
    other = Options((("A", "Cataract"), ("B", "Glaucoma")))
    items = [item(0, "A", one), item(1, "B", other), item(2, "A", one), item(3, "B", other)]
    assert labels(Majority(items), items) == ["A", "B", "A", "B"]


def test_facts_have_no_majority() -> None:
    items = [item(n, ("a fact",), Findings(())) for n in range(3)]
    assert list(Majority(items).answers(items)) == []
    assert list(Chance().answers(items)) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_part_of_the_items_gets_what_all_of_them_get(language: Language) -> None:
    """A run that goes on asks about a part; the folds are those of all items."""
    items = [item(n, "yes" if n % 3 else "no", language=language) for n in range(20)]
    fitted = Majority(items)
    whole = {made.item: made for made in fitted.answers(items)}
    assert [whole[made.item] for made in fitted.answers(items[7:9])] == list(
        fitted.answers(items[7:9])
    )
    assert len(whole) == 20


def test_each_fold_has_its_share_of_each_label_and_no_patient_is_in_two() -> None:
    patients = [str(n // 2) for n in range(40)]
    marks = ["yes" if n // 2 < 5 else "no" for n in range(40)]
    folds = patient_folds(patients, marks, 5, seed=3)
    assert len(folds) == 20
    with_yes = [folds[str(n)] for n in range(5)]
    assert sorted(with_yes) == [0, 1, 2, 3, 4]
    assert folds == patient_folds(patients, marks, 5, seed=3)
    assert folds != patient_folds(patients, marks, 5, seed=4)


def test_one_label_is_said_to_all() -> None:
    items = [item(n, "yes", language=language) for n in range(3) for language in ("en", "zh")]
    assert labels(Constant("no"), items) == ["no"] * 6


def test_chance_gives_each_label_its_share_and_the_same_each_time() -> None:
    items = [item(n, 0, Levels("icdr")) for n in range(1000)]
    told = labels(Chance(seed=1), items)
    # by the binomial: 200 of 1000 each, five standard deviations are 63
    assert all(137 <= told.count(level) <= 263 for level in range(5))
    assert told == labels(Chance(seed=1), items) != labels(Chance(seed=2), items)
    for space in (Findings(("glaucoma", "cataract")), Boxes(), Number("fractal_dimension", "1")):
        (label,) = labels(Chance(), [item(1, "yes", space)])
        assert label is not None


@dataclass(frozen=True)
class Looking:
    """Says which photographs it was shown."""

    name: str = "looking"

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        for one in items:
            yield Prediction(one.id, " ".join(str(file) for file in one.photographs) or "nothing")


def test_the_blind_are_shown_nothing_of_the_photograph(tmp_path: Path) -> None:
    items = [item(n, "yes", photographs=(Path(f"/eye/{n}.jpg"),)) for n in range(3)]
    knowledge = item(9, ("a fact",), Findings(()))
    made = list(Blind(Looking()).answers([*items, knowledge]))
    assert [one.answer for one in made] == ["nothing"] * 3
    assert [one.item for one in made] == [one.id for one in items]
    grey = tmp_path / "grey.png"
    made = list(Blind(Looking(), grey).answers(items))
    assert [one.answer for one in made] == [str(grey)] * 3
    shown = cv2.imread(str(grey))
    assert shown is not None and shown.min() == shown.max() == 127
