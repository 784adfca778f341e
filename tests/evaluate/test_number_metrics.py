"""Scores of numbers against scipy and scikit-learn, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fundoscope.errors import ConfigError
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.number_metrics import bland_altman, number_scores

NAN = float("nan")


def named(found: list[Estimate]) -> dict[str, Estimate]:
    return {one.name: one for one in found}


def test_errors_by_hand() -> None:
    found = named(number_scores(np.array([100.0, 200.0]), np.array([110.0, 190.0]), np.arange(2)))
    assert found["mae"].value == 10.0
    assert found["relative_error"].value == pytest.approx((0.1 + 0.05) / 2)
    assert found["bias"].value == 0.0


def test_correlation_equals_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(150, 20, 50)
    said = truth * 0.8 + rng.normal(0, 10, 50)
    found = named(number_scores(truth, said, np.arange(50), resamples=100))
    assert found["pearson"].value == stats.pearsonr(truth, said).statistic


def test_concordance_by_hand() -> None:
    """Truth 1 2 3, said 2 3 4: covariance 2/3, variances 2/3, shift 1: 4/3 / (4/3 + 1)."""
    found = named(number_scores(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), np.arange(3)))
    assert found["concordance"].value == pytest.approx(4 / 7)
    assert found["pearson"].value == pytest.approx(1.0)


def test_limits_of_agreement_by_hand() -> None:
    """Differences -1, 0, 1: mean 0, standard deviation 1."""
    found = bland_altman(np.array([10.0, 20, 30]), np.array([9.0, 20, 31]))
    assert found is not None
    assert (found.bias, found.lower, found.upper) == (0.0, -1.96, 1.96)
    assert found.means.tolist() == [9.5, 20.0, 30.5]


def test_no_number_lowers_coverage_and_nothing_else() -> None:
    found = named(number_scores(np.array([1.0, 2]), np.array([1.0, NAN]), np.arange(2)))
    assert (found["coverage"].value, found["mae"].value, found["mae"].n) == (0.5, 0.0, 1)


def test_unit_errors_are_counted_apart() -> None:
    truth, said = np.full(4, 100.0), np.array([100.0, 100.0, 0.1, 100000.0])
    found = named(
        number_scores(
            truth, said, np.arange(4), unit_errors=["", "missing", "other", "implausible"]
        )
    )
    for error in ("missing", "other", "implausible"):
        assert found[f"unit_error_{error}"].value == 0.25
    assert (found["mae"].value, found["mae"].n) == (0.0, 2)


def test_a_true_zero_has_no_relative_error_and_is_counted() -> None:
    one = named(number_scores(np.array([0.0, 2.0]), np.array([1.0, 3.0]), np.arange(2)))[
        "relative_error"
    ]
    assert (one.value, one.n) == (0.5, 1)
    assert "1 true zeros left out" in one.note


def test_within_the_tools_own_repetition() -> None:
    found = named(
        number_scores(
            np.array([10.0, 10, 10]),
            np.array([11.0, 13, 10]),
            np.arange(3),
            repeatability=np.array([2.0, 2.0, NAN]),
        )
    )
    assert (found["within_repeatability"].value, found["within_repeatability"].n) == (0.5, 2)


def test_answers_that_do_not_vary_have_no_correlation_and_say_so() -> None:
    found = named(number_scores(np.array([1.0, 2, 3]), np.full(3, 0.1), np.arange(3)))
    assert found["pearson"].value is None
    assert "do not vary" in found["pearson"].note
    assert found["concordance"].value == 0.0


@pytest.mark.parametrize("numbers", [[], [5.0], [0.1, 0.1, 0.1]])
def test_degenerate_numbers_give_none_with_a_reason(numbers: list[float]) -> None:
    truth = np.array(numbers)
    for one in number_scores(truth, truth, np.arange(len(truth))):
        assert one.value is None or np.isfinite(one.value)
        assert one.value is not None or one.note


def test_units_change_only_what_has_a_unit() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(150, 20, 30)
    said = truth + rng.normal(3, 5, 30)
    um = named(number_scores(truth, said, np.arange(30), resamples=100))
    mm = named(number_scores(truth / 1024, said / 1024, np.arange(30), resamples=100))
    for name in ("relative_error", "pearson", "concordance"):
        assert mm[name].value == pytest.approx(um[name].value, rel=1e-9)
        assert mm[name].low == pytest.approx(um[name].low, rel=1e-7)
    for name in ("mae", "bias", "upper_limit"):
        assert mm[name].value == pytest.approx(um[name].value / 1024, rel=1e-9)
        assert mm[name].high == pytest.approx(um[name].high / 1024, rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 1000), st.floats(1, 1000)), min_size=2, max_size=20),
)
def test_concordance_is_never_above_correlation(pairs: list[tuple[float, float]]) -> None:
    truth, said = (np.array(side) for side in zip(*pairs, strict=True))
    found = named(number_scores(truth, said, np.arange(len(pairs)), resamples=20))
    if found["pearson"].value is not None and found["concordance"].value is not None:
        assert abs(found["concordance"].value) <= abs(found["pearson"].value) + 1e-9


def test_an_unknown_unit_error_is_refused() -> None:
    with pytest.raises(ConfigError, match="wrong"):
        number_scores(np.ones(1), np.ones(1), np.arange(1), unit_errors=["wrong"])


def test_a_truth_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="finite"):
        number_scores(np.array([NAN]), np.ones(1), np.arange(1))
