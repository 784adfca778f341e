"""Scores of labels and findings against scikit-learn, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.label_metrics import (
    calibration_curve,
    confusion,
    findings_scores,
    label_scores,
    risk_coverage,
)

metrics = pytest.importorskip("sklearn.metrics")
LABELS = ["0", "1", "2", "3"]


def named(found: list[Estimate], of: str = "") -> dict[str, Estimate]:
    return {one.name: one for one in found if one.of == of}


def some_answers(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    said = np.where(rng.random(n) < 0.6, truth, rng.integers(-3, 4, n))
    return truth, said, rng.integers(0, 60, n)


def test_a_confusion_by_hand() -> None:
    table = confusion(np.array([0, 0, 1, 1, 1]), np.array([0, -1, 0, -2, -3]), ["a", "b"])
    assert table.tolist() == [[1, 0, 1, 0, 0], [1, 0, 0, 1, 1]]


def test_scores_equal_those_of_scikit_learn() -> None:
    truth, said, patients = some_answers(1)
    found = named(label_scores(truth, said, LABELS, patients, ordinal=True, resamples=50))
    t, s = truth[said >= 0], said[said >= 0]
    assert found["accuracy"].value == metrics.accuracy_score(t, s)
    assert found["balanced_accuracy"].value == metrics.balanced_accuracy_score(t, s)
    assert found["macro_f1"].value == metrics.f1_score(t, s, average="macro")
    assert found["weighted_f1"].value == metrics.f1_score(t, s, average="weighted")
    assert found["quadratic_kappa"].value == metrics.cohen_kappa_score(t, s, weights="quadratic")
    assert found["accuracy"].n == len(t)


def test_each_interval_holds_its_value() -> None:
    truth, said, patients = some_answers(2)
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), len(truth))
    probabilities[np.arange(len(truth)), truth] += 0.3
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = label_scores(
        truth, said, LABELS, patients, probabilities=probabilities, ordinal=True, resamples=500
    )
    for one in found:
        assert one.value is not None
        assert one.low is not None and one.high is not None
        assert one.low <= one.value <= one.high, one


def test_undecided_answers_lower_coverage_and_count_as_wrong_only_where_said() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    said = np.array([0, -1, 1, -2, -3])
    found = named(label_scores(truth, said, ["a", "b"], np.arange(5)))
    assert (found["accuracy"].value, found["accuracy"].n) == (1.0, 2)
    assert (found["accuracy_undecided_wrong"].value, found["coverage"].value) == (0.5, 0.5)
    assert found["accuracy_undecided_wrong"].n == 4
    assert (found["missing"].value, found["missing"].n) == (0.2, 5)


def test_a_missing_answer_is_never_wrong() -> None:
    truth, said = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1])
    with_missing = np.append(said, [-3, -3])
    found = named(label_scores(np.append(truth, [0, 1]), with_missing, ["a", "b"], np.arange(6)))
    assert found["accuracy_undecided_wrong"].value == 1.0
    assert found["balanced_accuracy_undecided_wrong"].value == 1.0


def test_sensitivity_and_specificity_by_hand() -> None:
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    said = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    of_yes = named(label_scores(truth, said, ["no", "yes"], np.arange(10)), "yes")
    assert (of_yes["sensitivity"].value, of_yes["sensitivity"].n) == (0.75, 4)
    assert (of_yes["specificity"].value, of_yes["specificity"].n) == (pytest.approx(4 / 6), 6)


def test_f1_with_undecided_wrong_by_hand() -> None:
    """Two of four yes are found and nothing else is said: F1 of yes 2/3; of no 1 of 2, 2/3."""
    truth = np.array([1, 1, 1, 1, 0, 0])
    said = np.array([1, 1, -1, -1, 0, -1])
    found = named(label_scores(truth, said, ["no", "yes"], np.arange(6)))
    assert found["macro_f1_undecided_wrong"].value == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["balanced_accuracy_undecided_wrong"].value == pytest.approx(0.5)


def test_areas_equal_those_of_scikit_learn() -> None:
    truth, said, patients = some_answers(3)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(4), len(truth))
    found = label_scores(truth, said, LABELS, patients, probabilities=probabilities, resamples=50)
    for label in range(4):
        of = named(found, LABELS[label])
        right = truth == label
        assert of["auroc"].value == metrics.roc_auc_score(right, probabilities[:, label])
        assert of["aupr"].value == metrics.average_precision_score(right, probabilities[:, label])
    macro = named(found)["auroc_macro"].value
    assert macro == pytest.approx(
        metrics.roc_auc_score(truth, probabilities, multi_class="ovr"), abs=1e-12
    )


def test_calibration_by_hand() -> None:
    """Four answers at 0.75 of which two are right, one at 0.55 that is right: (1 + 0.45) / 5."""
    yes = np.array([0.75, 0.75, 0.75, 0.75, 0.55])
    probabilities = np.stack([1 - yes, yes], axis=1)
    truth = np.array([1, 1, 0, 0, 1])
    curve = calibration_curve(truth, probabilities)
    assert [(b.n, b.confidence, b.accuracy) for b in curve if b.n] == [
        (1, pytest.approx(0.55), 1.0),
        (4, pytest.approx(0.75), 0.5),
    ]
    assert [b.confidence for b in curve if not b.n] == [None] * 8
    found = named(label_scores(truth, truth, ["a", "b"], np.arange(5), probabilities=probabilities))
    assert found["calibration_error"].value == pytest.approx(1.45 / 5)


def test_the_curve_equals_that_of_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1, 400)
    right = rng.random(400) < sure
    probabilities = np.stack([sure, 1 - sure], axis=1)
    curve = [one for one in calibration_curve(np.where(right, 0, 1), probabilities) if one.n]
    true, said = calibration.calibration_curve(right, sure, n_bins=10)
    assert [one.accuracy for one in curve] == pytest.approx(list(true))
    assert [one.confidence for one in curve] == pytest.approx(list(said))


def test_accuracy_among_the_surest_by_hand() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    truth = np.array([0, 0, 1, 1])
    assert risk_coverage(truth, probabilities) == [(0.25, 1), (0.5, 1), (0.75, 2 / 3), (1.0, 0.5)]
    found = label_scores(truth, truth, ["a", "b"], np.arange(4), probabilities=probabilities)
    at = {one.of: one.value for one in found if one.name == "accuracy_at_coverage"}
    assert at["0.50"] == 1.0
    assert at["1.00"] == 0.5


def test_of_equally_sure_answers_the_expected_part_counts() -> None:
    probabilities = np.full((4, 2), 0.5)
    truth = np.array([0, 0, 0, 1])  # the first label wins a tie: 3 of 4 right at any coverage
    found = label_scores(truth, truth, ["a", "b"], np.arange(4), probabilities=probabilities)
    at = [one.value for one in found if one.name == "accuracy_at_coverage"]
    assert at == pytest.approx([0.75] * 4)


def test_answers_without_probabilities_are_left_out_of_their_scores() -> None:
    probabilities = np.array([[0.2, 0.8], [np.nan, np.nan], [0.9, 0.1]])
    truth = np.array([1, 0, 0])
    found = label_scores(truth, truth, ["a", "b"], np.arange(3), probabilities=probabilities)
    assert named(found, "b")["auroc"].n == 2


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ([], []),
        ([0, 0, 0], [0, 0, 0]),
        ([0, 0, 0], [1, 1, 1]),
        ([0, 1, 2], [-3, -3, -3]),
        ([0, 1, 2], [-1, -2, -1]),
        ([2], [2]),
    ],
)
def test_degenerate_answers_give_none_with_a_reason_and_no_warning(
    truth: list[int], said: list[int]
) -> None:
    n = len(truth)
    found = label_scores(
        np.array(truth, np.int64), np.array(said, np.int64), LABELS, np.zeros(n, np.int64),
        probabilities=np.full((n, 4), 0.25), ordinal=True,
    )  # fmt: skip
    for one in found:
        assert one.value is None or np.isfinite(one.value)
        assert one.value is not None or one.note
        assert one.low is None  # one patient


def test_one_true_label_has_no_balanced_accuracy() -> None:
    found = named(label_scores(np.zeros(9, int), np.zeros(9, int), ["a", "b"], np.arange(9)))
    assert found["balanced_accuracy"].value is None
    assert "one label" in found["balanced_accuracy"].note


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 2)), min_size=1, max_size=30))
def test_whatever_is_answered_scores_are_shares_or_none(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(side) for side in zip(*pairs, strict=True))
    found = label_scores(truth, said, ["a", "b", "c"], np.arange(len(pairs)), resamples=30)
    assert all(one.value is None or 0 <= one.value <= 1 for one in found)


@pytest.mark.parametrize(("truth", "said"), [([4], [0]), ([0], [4]), ([0], [-4]), ([0, 1], [0])])
def test_an_index_that_stands_for_nothing_is_refused(truth: list[int], said: list[int]) -> None:
    with pytest.raises(ConfigError):
        label_scores(np.array(truth), np.array(said), LABELS, np.arange(len(truth)))


# --- findings

TERMS = ["drusen", "haemorrhage", "hard_exudate"]


def test_findings_equal_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, (120, 3))
    said = np.where(rng.random((120, 3)) < 0.7, truth, 1 - truth)
    found = findings_scores(truth, said, TERMS, rng.integers(0, 50, 120), resamples=50)
    for place, term in enumerate(TERMS):
        of = named(found, term)
        t, s = truth[:, place], said[:, place]
        assert of["f1"].value == metrics.f1_score(t, s)
        assert of["precision"].value == metrics.precision_score(t, s)
        assert of["sensitivity"].value == metrics.recall_score(t, s)
        assert of["specificity"].value == metrics.recall_score(t, s, pos_label=0)
    assert named(found, "micro")["f1"].value == metrics.f1_score(truth, said, average="micro")
    assert named(found, "macro")["f1"].value == pytest.approx(
        metrics.f1_score(truth, said, average="macro")
    )
    assert named(found)["exact_match"].value == metrics.accuracy_score(truth, said)


def test_clinical_consistency_by_hand() -> None:
    """Right: one present, one absent. Owed: two present, and two mentioned that are absent."""
    truth = np.array([[1, 1, 0, 0, 0]])
    said = np.array([[1, -1, 0, 1, -1]])
    found = named(findings_scores(truth, said, list("abcde"), np.arange(1)))
    assert (found["clinical_consistency"].value, found["clinical_consistency"].n) == (0.5, 4)


def test_a_silent_answer_about_a_healthy_eye_owes_nothing() -> None:
    found = named(findings_scores(np.zeros((1, 2), int), np.full((1, 2), -1), ["a", "b"], [0]))
    assert found["clinical_consistency"].value is None
    assert found["mentioned"].value == 0.0


def test_what_nobody_looked_for_is_left_out() -> None:
    truth = np.array([[1, -1], [0, -1], [1, -1]])
    said = np.array([[1, 1], [0, 1], [1, 1]])
    found = findings_scores(truth, said, ["a", "b"], np.arange(3))
    assert named(found, "b")["precision"].value is None
    assert (named(found, "micro")["precision"].value, named(found, "micro")["precision"].n) == (
        1.0,
        2,
    )
    assert named(found)["exact_match"].value == 1.0


def test_the_unmentioned_are_absent_or_undecided_as_the_caller_says() -> None:
    truth, said = np.array([[1], [1], [0]]), np.array([[1], [-1], [-1]])
    absent = named(findings_scores(truth, said, ["a"], np.arange(3)), "a")
    assert (absent["sensitivity"].value, absent["coverage"].value) == (0.5, 1.0)
    open_ = named(findings_scores(truth, said, ["a"], np.arange(3), unmentioned="undecided"), "a")
    assert (open_["sensitivity"].value, open_["coverage"].value) == (1.0, pytest.approx(1 / 3))


def test_a_row_without_answer_is_missing_not_wrong() -> None:
    truth, said = np.array([[1, 0], [1, 0]]), np.array([[1, 0], [-3, -3]])
    found = findings_scores(truth, said, ["a", "b"], np.arange(2))
    assert (named(found)["missing"].value, named(found, "a")["sensitivity"].value) == (0.5, 1.0)


def test_half_a_row_without_answer_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole row"):
        findings_scores(np.array([[1, 0]]), np.array([[1, -3]]), ["a", "b"], np.arange(1))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(-2, 1)), min_size=0, max_size=20))
def test_whatever_findings_are_said_scores_are_shares_or_none(
    cells: list[tuple[int, int]],
) -> None:
    truth = np.array([t for t, _ in cells], np.int64).reshape(-1, 1)
    said = np.array([s for _, s in cells], np.int64).reshape(-1, 1)
    found = findings_scores(truth, said, ["a"], np.arange(len(cells)), resamples=30)
    assert all(one.value is None or 0 <= one.value <= 1 for one in found)
