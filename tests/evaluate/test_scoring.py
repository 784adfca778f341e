"""Scores of questions, against counts by hand."""

from collections.abc import Sequence
from pathlib import Path

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
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.items import Item, Prediction, Scored, Truth
from fundoscope.evaluate.scoring import Draws, FormScores, by_form, form_of, score_form
from fundoscope.evaluate.worst import badness, worst_cases
from fundoscope.records import Measured, Photograph, Record

FEW = Draws(resamples=50)


def answered(
    number: int,
    space: Space,
    truth: Truth,
    answer: str | None,
    probabilities: dict[str, float] | None = None,
    form: str = "it",
    record: Record | None = None,
) -> Scored:
    key = f"set/all/{number}"
    item = Item(
        f"{key}/{form}/en/0", f"{key}/{form}", key, f"set//{number}", (Path(f"{number}.jpg"),),
        "What is it?", "en", 0, space, truth, record=record,
    )  # fmt: skip
    if answer is None:
        return Scored(item, Prediction(item.id, "", error="gone"), None)
    reading = read_answer(answer, space)
    return Scored(item, Prediction(item.id, answer, probabilities or {}), reading)


def value(estimates: Sequence[Estimate], name: str, of: str = "") -> float | None:
    return next(one.value for one in estimates if (one.name, one.of) == (name, of))


GLAUCOMA = YesNo("glaucoma")


def yes_no(*rows: tuple[str, str | None]) -> FormScores:
    scored = [answered(n, GLAUCOMA, truth, said) for n, (truth, said) in enumerate(rows)]
    return score_form(scored, (), FEW)


def test_what_is_undecided_or_missing_is_never_wrong_in_silence() -> None:
    scores = yes_no(
        ("yes", "Yes."),
        ("yes", "Glaucoma cannot be excluded."),
        ("no", "No."),
        ("no", None),
        ("no", "There is glaucoma. There is no glaucoma."),
    )
    assert scores.outcomes == {"decided": 2, "abstained": 1, "contradictory": 1, "no answer": 1}
    assert value(scores.estimates, "accuracy") == 1
    assert value(scores.estimates, "accuracy_undecided_wrong") == 2 / 4
    assert value(scores.estimates, "missing") == 1 / 5
    # rows no, yes; columns no, yes, abstained, contradictory, no answer
    assert scores.table == ((1, 0, 0, 1, 1), (0, 1, 1, 0, 0))


def test_probabilities_are_scored_beside_the_words_and_do_not_replace_them() -> None:
    scored = [
        answered(0, GLAUCOMA, "yes", "No.", {"yes": 0.8, "no": 0.2}),
        answered(1, GLAUCOMA, "no", "No.", {"yes": 0.1, "no": 0.3}),  # 0.25 and 0.75 of the two
    ]
    scores = score_form(scored, (), FEW)
    assert value(scores.estimates, "accuracy") == 0.5
    assert value(scores.by_likelihood, "accuracy") == 1
    assert value(scores.by_likelihood, "auroc", "yes") == 1
    sure = [(one.n, one.confidence) for one in scores.calibration if one.n]
    assert sure == [(2, pytest.approx((0.8 + 0.75) / 2))]


def test_without_probabilities_nothing_is_scored_by_them() -> None:
    scores = yes_no(("yes", "Yes."))
    assert scores.by_likelihood == () == scores.calibration


def test_a_scale_with_an_order_has_a_kappa_only_where_its_task_asks_for_it() -> None:
    scored = [answered(n, Levels("icdr"), n, f"ICDR grade {n}.") for n in (0, 2, 4)]
    names = {one.name for one in score_form(scored, ("quadratic_kappa",), FEW).estimates}
    assert "quadratic_kappa" in names
    assert "quadratic_kappa" not in {one.name for one in score_form(scored, (), FEW).estimates}


def test_findings_are_held_against_what_is_known() -> None:
    space = Findings(("glaucoma", "cataract"))
    truth = FoundTerms((("glaucoma", "present"), ("cataract", "absent")))
    scored = [answered(0, space, truth, "There is glaucoma and a cataract.")]
    scores = score_form(scored, (), FEW)
    assert value(scores.estimates, "sensitivity", "glaucoma") == 1
    assert value(scores.estimates, "specificity", "cataract") == 0
    assert value(scores.estimates, "exact_match") == 0


def test_boxes_that_fit_are_found_and_no_answer_is_not_an_empty_one() -> None:
    space = Boxes(convention="normalised")
    box = (0.1, 0.1, 0.3, 0.3)
    scored = [
        answered(0, space, FoundBoxes((box,), "normalised"), "[0.1, 0.1, 0.3, 0.3]"),
        answered(1, space, FoundBoxes((box,), "normalised"), None),
    ]
    scores = score_form(scored, (), FEW)
    assert value(scores.estimates, "recall") == 1
    assert value(scores.estimates, "coverage") == 0.5


def test_a_number_is_held_against_the_tools_own_repeatability() -> None:
    space = Number("crae_knudtson", "um", where="zone_b")
    measured = Measured("crae_knudtson", 150, "um", "tool", where="zone_b", repeatability=4)
    record = Record(Photograph("set", "all", "0"), measurements=(measured,))
    scored = [
        answered(n, space, Value(150, 150, 150), f"The CRAE in zone B is {said} µm.", record=record)
        for n, said in enumerate((153, 160))
    ]
    scores = score_form(scored, (), FEW)
    assert value(scores.estimates, "mae") == pytest.approx(6.5)
    assert value(scores.estimates, "within_repeatability") == 0.5
    assert scores.pairs == ((150, 153), (150, 160))
    assert scores.unit == "um"


def test_questions_are_told_apart_by_what_follows_the_key() -> None:
    scored = [
        answered(0, GLAUCOMA, "yes", "Yes.", form="glaucoma"),
        answered(0, YesNo("cataract"), "no", "No.", form="cataract"),
        answered(1, GLAUCOMA, "yes", "Yes.", form="glaucoma"),
    ]
    assert {form: len(of) for form, of in by_form(scored).items()} == {"glaucoma": 2, "cataract": 1}


# defects of an earlier project's scoring, each of which is right here


def test_no_inside_another_word_is_not_an_answer_of_no() -> None:
    scores = yes_no(("no", "Yes, the image is abnormal."))
    assert value(scores.estimates, "accuracy_undecided_wrong") == 0


def test_a_part_of_an_options_text_is_not_that_option() -> None:
    space = Options((("A", "hard exudates"), ("B", "soft exudates")))
    one = answered(0, space, "A", "exudates")
    assert one.reading is not None and one.reading.outcome == "abstained"


def test_a_word_said_four_times_finds_nothing_more() -> None:
    truth = FoundTerms((("hard_exudate", "present"),))
    once = answered(0, Findings(("hard_exudate",)), truth, "hard hard hard hard")
    scores = score_form([once], (), FEW)
    assert value(scores.estimates, "coverage", "micro") == 0
    assert value(scores.estimates, "sensitivity", "micro") is None


# the worst


def test_worse_answers_come_first_and_right_ones_never() -> None:
    wrong, torn, unsure, right = (
        answered(n, GLAUCOMA, "no", said)
        for n, said in enumerate(
            (
                "Yes.",
                "There is glaucoma. There is no glaucoma.",
                "Glaucoma cannot be excluded.",
                "No.",
            )
        )
    )
    missing = answered(4, GLAUCOMA, "no", None)
    found = worst_cases([right, missing, unsure, torn, wrong], lambda one: form_of(one.item))
    assert found == [wrong, torn, unsure]


def test_far_off_a_scale_is_worse_than_near() -> None:
    near, far = (
        answered(n, Levels("icdr"), 0, f"ICDR grade {said}.") for n, said in ((0, 1), (1, 4))
    )
    assert 1 < badness(near) < badness(far) <= 2


def test_the_worst_show_different_photographs_first() -> None:
    same = [answered(0, GLAUCOMA, "no", "Yes.", {"yes": 1.0}, form=f"f{n}") for n in range(5)]
    other = answered(1, GLAUCOMA, "no", "Yes.", {"yes": 0.6}, form="f0")
    found = worst_cases([*same, other], lambda one: form_of(one.item), most=2)
    assert {one.item.key for one in found} == {"set/all/0", "set/all/1"}
