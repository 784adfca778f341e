"""Resamples of patients: exact, the same as a plain loop, and near what theory says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from fundoscope.errors import ConfigError
from fundoscope.evaluate import confusions
from fundoscope.evaluate.bootstrap import Resamples, on_grid, patient_counts, ratio
from fundoscope.evaluate.estimates import estimate
from fundoscope.evaluate.label_metrics import label_scores
from fundoscope.evaluate.number_metrics import number_scores
from fundoscope.evaluate.probability_metrics import (
    accuracy_at_coverage,
    auroc_draws,
    average_precision_draws,
)

LABELS = [f"level {level}" for level in range(12)]


def drawn_answers(
    patients: Sequence[int], counts: Sequence[int], numbers: Sequence[int]
) -> list[int]:
    """Return the answers of a resample, one by one: each patient's, as often as he is drawn."""
    chosen: list[int] = []
    for patient, times in zip(numbers, counts, strict=True):
        mine = [at for at, one in enumerate(patients) if one == patient]
        chosen += mine * times
    return chosen


def percentile(values: list[float], q: float) -> float:
    values = sorted(values)
    at = (len(values) - 1) * q / 100
    low = math.floor(at)
    if low + 1 == len(values):
        return values[low]
    return values[low] + (values[low + 1] - values[low]) * (at - low)


def test_every_resample_draws_as_many_patients_as_there_are() -> None:
    counts = patient_counts(np.array([5, 9, 9, 2, 5]), resamples=100, seed=1)
    assert counts.shape == (100, 3)
    assert (counts.sum(axis=1) == 3).all()


def test_a_seed_gives_the_same_resamples_and_another_gives_others() -> None:
    patients = np.arange(50)
    assert (patient_counts(patients, 20, 3) == patient_counts(patients, 20, 3)).all()
    assert (patient_counts(patients, 20, 3) != patient_counts(patients, 20, 4)).any()


def test_patients_are_drawn_by_a_binomial_law() -> None:
    counts = patient_counts(np.arange(40), 5000, 0)
    expected = stats.binom.pmf([0, 1, 2], 40, 1 / 40)
    seen = [(counts == times).mean() for times in (0, 1, 2)]
    assert seen == pytest.approx(list(expected), abs=0.004)


def test_label_intervals_equal_a_plain_loop_to_the_last_digit() -> None:
    rng = np.random.default_rng(5)
    n, labels = 90, len(LABELS)
    truth = rng.integers(0, labels, n)
    said = np.where(rng.random(n) < 0.6, truth, rng.integers(-3, labels, n))
    patients = rng.integers(0, 35, n)
    numbers = sorted(set(patients.tolist()))
    counts = patient_counts(patients, 300, 7)
    loop: dict[str, list[float]] = {}
    for row in counts.tolist():
        chosen = drawn_answers(patients.tolist(), row, numbers)
        table = np.zeros((labels, labels + 3))
        for at in chosen:  # a plain count, one answer at a time
            t, s = int(truth[at]), int(said[at])
            table[t, s if s >= 0 else labels - 1 - s] += 1
        for name, statistic in confusions.OF_TABLES.items():
            loop.setdefault(name, []).append(float(statistic(table)))
        kappa = float(confusions.quadratic_kappa(confusions.decided(table)))
        loop.setdefault("quadratic_kappa", []).append(kappa)
    found = label_scores(truth, said, LABELS, patients, ordinal=True, resamples=300, seed=7)
    by_name = {one.name: one for one in found if not one.of}
    for name, values in loop.items():
        kept = [value for value in values if math.isfinite(value)]
        ends = np.percentile(kept, [2.5, 97.5]).tolist()
        assert (by_name[name].low, by_name[name].high) == tuple(ends), name
        assert ends == pytest.approx([percentile(kept, 2.5), percentile(kept, 97.5)], abs=1e-14)


def test_sums_of_real_numbers_equal_a_plain_loop_to_the_last_digit() -> None:
    rng = np.random.default_rng(2)
    values = np.stack([rng.lognormal(3, 4, 60), -rng.random(60) / 3], axis=1)
    patients = rng.integers(0, 20, 60)
    drawn = Resamples.of(patients, 200, 1)
    totals = drawn.totals(values)
    on_it = on_grid(values, drawn.most_answers)
    numbers = sorted(set(patients.tolist()))
    for row, total in zip(drawn.counts.tolist(), totals.tolist(), strict=True):
        chosen = drawn_answers(patients.tolist(), row, numbers)
        for order in (chosen, chosen[::-1]):  # in any order of adding
            plain = [0.0, 0.0]
            for at in order:
                plain = [a + float(b) for a, b in zip(plain, on_it[at], strict=True)]
            assert plain == total
        exact = [math.fsum(values[at, column] for at in chosen) for column in (0, 1)]
        assert total == pytest.approx(exact, rel=1e-8)


def test_curves_under_weights_equal_curves_of_the_drawn_answers() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    n = 70
    positive = rng.random(n) < 0.4
    scores = np.round(rng.random(n) + 0.4 * positive, 1)  # many ties
    patients = rng.integers(0, 30, n)
    drawn = Resamples.of(patients, 60, 9)
    auroc = auroc_draws(scores, positive, drawn)
    precision = average_precision_draws(scores, positive, drawn)
    for r, row in enumerate(drawn.counts.tolist()):
        chosen = drawn_answers(patients.tolist(), row, sorted(set(patients.tolist())))
        alone = Resamples(np.zeros(len(chosen), np.int64), np.ones((1, 1), np.uint8))
        assert auroc[r] == auroc_draws(scores[chosen], positive[chosen], alone)[0]
        assert precision[r] == average_precision_draws(scores[chosen], positive[chosen], alone)[0]
        assert auroc[r] == pytest.approx(
            sklearn.roc_auc_score(positive[chosen], scores[chosen]), abs=1e-12
        )
        assert precision[r] == pytest.approx(
            sklearn.average_precision_score(positive[chosen], scores[chosen]), abs=1e-8
        )


def test_accuracy_at_coverage_under_weights_equals_that_of_the_drawn_answers() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 50)
    probabilities = rng.dirichlet(np.ones(3), 50)
    patients = rng.integers(0, 20, 50)
    drawn = Resamples.of(patients, 40, 0)
    _, draws = accuracy_at_coverage(truth, probabilities, drawn)
    for r, row in enumerate(drawn.counts.tolist()):
        chosen = drawn_answers(patients.tolist(), row, sorted(set(patients.tolist())))
        alone = Resamples.of(np.zeros(len(chosen), np.int64), 1)
        value, _ = accuracy_at_coverage(truth[chosen], probabilities[chosen], alone)
        assert draws[r].tolist() == value.tolist()


def test_moments_under_weights_equal_those_of_the_drawn_numbers() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(150, 20, 40)
    said = truth + rng.normal(2, 8, 40)
    patients = np.arange(40)
    counts = patient_counts(patients, 400, 2)
    pearson = []
    for row in counts:
        chosen = np.repeat(np.arange(40), row)
        pearson.append(stats.pearsonr(truth[chosen], said[chosen]).statistic)
    found = number_scores(truth, said, patients, resamples=400, seed=2)
    one = next(one for one in found if one.name == "pearson")
    assert [one.low, one.high] == pytest.approx(np.percentile(pearson, [2.5, 97.5]), abs=1e-9)


def test_the_interval_of_a_share_is_near_the_one_of_theory() -> None:
    truth = np.zeros(400, np.int64)
    said = np.where(np.arange(400) < 300, 0, 1)
    found = label_scores(truth, said, ["a", "b"], np.arange(400))
    accuracy = next(one for one in found if one.name == "accuracy")
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert [accuracy.low, accuracy.high] == pytest.approx([0.75 - half, 0.75 + half], abs=0.006)


def test_answers_about_one_patient_are_drawn_together() -> None:
    """Each answer four times over is no more evidence: the interval stays as wide."""
    rng = np.random.default_rng(8)
    said = (rng.random(100) < 0.7).astype(np.int64)
    once = label_scores(np.ones(100, np.int64), said, ["a", "b"], np.arange(100))[0]
    four = label_scores(
        np.ones(400, np.int64), np.repeat(said, 4), ["a", "b"], np.repeat(np.arange(100), 4)
    )[0]
    assert (once.low, once.high, once.n) == (four.low, four.high, four.n // 4)


def test_resamples_without_a_value_are_dropped_and_counted() -> None:
    draws = np.concatenate([np.linspace(0, 1, 95), np.full(5, np.nan)])
    one = estimate("x", 0.5, draws, n=10, patients=50)
    assert "undefined in 5 of 100 resamples" in one.note
    assert one.low == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("patients", "draws", "said"),
    [
        (1, np.linspace(0, 1, 100), "one patient"),
        (50, np.full(100, np.nan), "nearly all resamples"),
        (50, np.ones(100), "the same in every resample"),
    ],
)
def test_an_interval_that_cannot_be_is_none_and_says_why(
    patients: int, draws: np.ndarray, said: str
) -> None:
    one = estimate("x", 0.5, draws, n=10, patients=patients)
    assert (one.value, one.low, one.high) == (0.5, None, None)
    assert said in one.note


def test_few_patients_are_said() -> None:
    assert "only 14 patients" in estimate("x", 0.5, np.linspace(0, 1), n=14, patients=14).note
    assert not estimate("x", 0.5, np.linspace(0, 1), n=40, patients=40).note


def test_no_value_is_none_never_nan() -> None:
    one = estimate("x", float("nan"), np.zeros(10), n=3, patients=3, undefined="no such class")
    assert (one.value, one.low, one.high, one.note) == (None, None, None, "no such class")


def test_whole_numbers_stay_whole_on_the_grid() -> None:
    values = np.array([[3.0, 0.1], [1e6, 0.7]])
    assert on_grid(values, 10**6)[:, 0].tolist() == [3.0, 1e6]


def test_nothing_divided_by_nothing_is_nan_without_a_warning() -> None:
    assert np.isnan(ratio([1.0, 0.0], [0.0, 0.0])).all()


def test_no_resample_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        Resamples.of(np.arange(3), 0)


def test_no_answers_make_no_trouble() -> None:
    assert (
        Resamples.of(np.empty(0, np.int64), 10).totals(np.empty((0, 2))).tolist() == [[0, 0]] * 10
    )
