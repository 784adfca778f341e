"""Two systems on the same items: signs, intervals and p values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from fundoscope.evaluate.answer_spaces import (
    Boxes,
    Findings,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Reading,
    Space,
    Value,
    YesNo,
    abstained,
    decided,
)
from fundoscope.evaluate.bootstrap import Resamples
from fundoscope.evaluate.comparison import MCNEMAR, PERMUTATION, Difference, compare
from fundoscope.evaluate.items import Item, Prediction, Scored
from fundoscope.evaluate.paired_tests import mcnemar, permuted

DR = YesNo("diabetic_retinopathy")


def answers(
    truths: Sequence[Label],
    said: Sequence[Label | Reading | None],
    space: Space = DR,
    patients: Sequence[int] | None = None,
) -> list[Scored]:
    """Return scored answers; None is no answer."""
    found = []
    for at, (truth, label) in enumerate(zip(truths, said, strict=True)):
        patient = str(at if patients is None else patients[at])
        item = Item(f"q{at}", f"q{at}", f"set/test/{at}", patient, (), "?", "en", 0, space, truth)
        reading = label if isinstance(label, Reading | None) else decided(label, "")
        found.append(Scored(item, Prediction(item.id, "") if reading else None, reading))
    return found


def named(found: list[Difference]) -> dict[str, Difference]:
    return {one.name: one for one in found}


def yes_no(flags: Sequence[bool]) -> list[Label]:
    return ["yes" if flag else "no" for flag in flags]


def test_the_difference_is_one_minus_other() -> None:
    truth = yes_no([True, True, False, False])
    found = named(compare(answers(truth, truth), answers(truth, yes_no([True] * 4))))
    one = found["accuracy_undecided_wrong"]
    assert (one.one, one.other, one.difference, one.n) == (1.0, 0.5, 0.5, 4)
    back = named(compare(answers(truth, yes_no([True] * 4)), answers(truth, truth)))
    assert back["accuracy_undecided_wrong"].difference == -0.5


def test_mcnemar_by_hand() -> None:
    """Five items are right in one system only, none in the other only: p = 2 / 2 ** 5."""
    one = np.array([True] * 8)
    other = np.array([True] * 3 + [False] * 5)
    assert mcnemar(one, other) == pytest.approx(2 / 32)
    assert mcnemar(one, one) == 1.0


def test_one_item_a_patient_is_tested_by_mcnemar_and_several_by_permutation() -> None:
    truth = yes_no([True, False] * 6)
    one, other = truth, yes_no([True] * 12)
    alone = named(compare(answers(truth, one), answers(truth, other)))
    assert alone["accuracy_undecided_wrong"].test == MCNEMAR
    assert alone["macro_f1_undecided_wrong"].test == PERMUTATION
    pairs = [at // 2 for at in range(12)]
    together = named(
        compare(answers(truth, one, patients=pairs), answers(truth, other, patients=pairs))
    )
    assert together["accuracy_undecided_wrong"].test == PERMUTATION
    assert together["accuracy_undecided_wrong"].p == pytest.approx(2 / 2**6)  # all exchanges


def test_a_permutation_of_means_equals_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.random(10), rng.random(10)
    expected = stats.permutation_test(
        (one, other), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    drawn = Resamples.of(np.arange(10), 10)
    p = permuted(lambda sums: sums[..., 0] / 10, one[:, None], other[:, None], drawn)
    assert p == pytest.approx(expected.pvalue)


def test_many_patients_are_exchanged_at_random_near_the_exact_p() -> None:
    rng = np.random.default_rng(2)
    one = (rng.random(60) < 0.8).astype(float)
    other = (rng.random(60) < 0.6).astype(float)
    drawn = Resamples.of(np.arange(60), 10)
    p = permuted(lambda sums: sums[..., 0] / 60, one[:, None], other[:, None], drawn)
    assert p == pytest.approx(mcnemar(one > 0, other > 0), abs=0.015)


def test_p_is_spread_evenly_where_two_systems_do_not_differ() -> None:
    rng = np.random.default_rng(7)
    ps = []
    for _ in range(200):
        one, other = rng.random((2, 12, 1))
        p = permuted(lambda sums: sums[..., 0], one, other, Resamples.of(np.arange(12), 2))
        ps.append(p)
    assert np.mean(np.array(ps) <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(ps) == pytest.approx(0.5, abs=0.08)


def test_the_interval_is_paired() -> None:
    """Two systems that err on the same items: each varies much, their difference hardly."""
    rng = np.random.default_rng(3)
    truth = yes_no(list(rng.random(200) < 0.5))
    flips = rng.random(200) < 0.3
    said = yes_no([(t == "yes") != bool(f) for t, f in zip(truth, flips, strict=True)])
    other = [*truth[:4], *said[4:]]
    found = named(compare(answers(truth, other), answers(truth, said)))["accuracy_undecided_wrong"]
    assert found.low is not None and found.high is not None
    assert found.high - found.low < 0.04


def test_silence_is_wrong_and_no_answer_is_left_out() -> None:
    truth = yes_no([True, True, True])
    one = answers(truth, ["yes", abstained(), None])
    found = named(compare(one, answers(truth, ["yes", "yes", "yes"])))["accuracy_undecided_wrong"]
    assert (found.one, found.other, found.n) == (0.5, 1.0, 2)
    assert "1 items without an answer of both left out" in found.note


def test_items_of_one_system_only_are_counted() -> None:
    truth = yes_no([True, False])
    found = compare(answers(truth, truth)[:1], answers(truth, truth))
    assert "1 items of one system only left out" in found[0].note


def test_levels_have_a_kappa() -> None:
    truth: list[Label] = [0, 1, 2, 3, 4, 0, 1, 2]
    near: list[Label] = [0, 1, 2, 3, 3, 0, 1, 2]
    far: list[Label] = [4, 1, 2, 3, 4, 0, 1, 2]
    space = Levels("icdr")
    found = named(compare(answers(truth, near, space), answers(truth, far, space)))
    sklearn = pytest.importorskip("sklearn.metrics")
    kappa = found["quadratic_kappa"]
    assert kappa.one == pytest.approx(sklearn.cohen_kappa_score(truth, near, weights="quadratic"))
    assert kappa.other == pytest.approx(sklearn.cohen_kappa_score(truth, far, weights="quadratic"))


def test_findings_boxes_and_numbers_are_compared_too() -> None:
    space = Findings(("drusen", "haemorrhage"))
    truth = FoundTerms((("drusen", "present"), ("haemorrhage", "absent")))
    said = FoundTerms((("drusen", "present"),))
    wrong = FoundTerms((("haemorrhage", "present"),))
    found = named(compare(answers([truth], [said], space), answers([truth], [wrong], space)))
    assert (found["findings_right"].one, found["findings_right"].other) == (1.0, 0.0)
    assert (found["f1_macro"].one, found["f1_macro"].other) == (1.0, 0.0)
    place = FoundBoxes(((0.0, 0.0, 0.2, 0.2),), "normalised")
    half = FoundBoxes(((0.0, 0.0, 0.2, 0.1),), "normalised")
    boxes = named(compare(answers([place], [half], Boxes()), answers([place], [place], Boxes())))
    assert boxes["mean_best_iou"].difference == pytest.approx(-0.5)
    number = Number("crae_knudtson", "um")
    a, b = Value(100, 100, 100), Value(130, 130, 130)
    values = named(compare(answers([a], [b], number), answers([a], [a], number)))
    assert (values["mae"].difference, values["within_10_percent"].difference) == (30.0, -1.0)


def test_two_silent_systems_have_nothing_to_compare() -> None:
    truth = yes_no([True])
    assert compare(answers(truth, [None]), answers(truth, [None])) == []
