"""Agreement of two readers, by hand and against another library."""

import numpy as np
import pytest

from fundoscope.train.agreement import quadratic_kappa, share_right, with_interval


def test_opposite_grades_have_a_kappa_below_zero() -> None:
    assert quadratic_kappa(np.array([0, 2]), np.array([2, 0])) == -1  # seen 4, by chance 2


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(0)
    one, other = chance.integers(0, 3, (2, 80))
    expected = metrics.cohen_kappa_score(one, other, weights="quadratic")
    assert quadratic_kappa(one, other) == pytest.approx(expected)


def test_one_grade_throughout_has_no_kappa() -> None:
    assert np.isnan(quadratic_kappa(np.zeros(4, int), np.zeros(4, int)))


def test_an_interval_holds_its_value() -> None:
    chance = np.random.default_rng(1)
    one = chance.integers(0, 3, 60)
    other = np.where(chance.random(60) < 0.7, one, 1)
    found = with_interval(share_right, one, other, draws=200)
    assert found["interval_95"][0] <= found["value"] <= found["interval_95"][1]
    assert found["n"] == 60
