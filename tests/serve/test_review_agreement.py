"""Kappa and its interval, against hand, another library and calculus."""

import math
import random
from collections import Counter

import pytest
from sklearn.metrics import cohen_kappa_score

from fundoscope.serve.review_agreement import Z_95, cohen_kappa

Pairs = list[tuple[str, str]]


def pairs_of(table: list[list[int]]) -> Pairs:
    return [
        (str(i), str(j)) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)
    ]


def test_kappa_of_a_table_worked_by_hand() -> None:
    # 50 things: 20 yes-yes, 15 no-no, 5 yes-no, 10 no-yes. Observed 35/50 = 0.7; by chance
    # (25/50)(30/50) + (25/50)(20/50) = 0.5; kappa (0.7 - 0.5) / (1 - 0.5) = 0.4
    found = cohen_kappa(pairs_of([[20, 5], [10, 15]]))
    assert (found.n, found.observed, found.expected, found.value) == (50, 0.7, 0.5, 0.4)


def by_calculus(table: list[list[int]]) -> float:
    """Return kappa's standard error by the delta method, its gradient taken by differences."""
    n = sum(map(sum, table))
    cells = [cell / n for row in table for cell in row]
    k = len(table)

    def kappa(p: list[float]) -> float:
        total = sum(p)
        q = [x / total for x in p]
        observed = sum(q[i * k + i] for i in range(k))
        expected = sum(
            sum(q[i * k + j] for j in range(k)) * sum(q[j * k + i] for j in range(k))
            for i in range(k)
        )
        return (observed - expected) / (1 - expected)

    slopes = []
    for at in range(len(cells)):
        up, down = list(cells), list(cells)
        up[at] += 1e-6
        down[at] -= 1e-6
        slopes.append((kappa(up) - kappa(down)) / 2e-6)
    mean = sum(p * g for p, g in zip(cells, slopes, strict=True))
    return math.sqrt((sum(p * g * g for p, g in zip(cells, slopes, strict=True)) - mean**2) / n)


@pytest.mark.parametrize(
    "table",
    [
        [[20, 5], [10, 15]],
        [[75, 1, 4], [5, 4, 1], [0, 0, 10]],
        [[3, 9, 2], [8, 1, 4], [2, 6, 5]],
    ],
)
def test_the_interval_is_that_of_the_large_sample_variance(table: list[list[int]]) -> None:
    found = cohen_kappa(pairs_of(table))
    assert found.interval_95 and found.value is not None
    half = Z_95 * by_calculus(table)
    assert found.interval_95 == pytest.approx((found.value - half, found.value + half), abs=1e-6)


def test_kappa_is_that_of_scikit_learn_whatever_was_said() -> None:
    chance = random.Random(5)
    for _ in range(40):
        pairs = [tuple(chance.choices(["accept", "edit", "reject"], k=2)) for _ in range(30)]
        expected = cohen_kappa_score(*map(list, zip(*pairs, strict=True)))
        assert cohen_kappa(pairs).value == pytest.approx(expected)  # type: ignore[arg-type]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = random.Random(1)
    true = [("a", "a")] * 50 + [("b", "b")] * 30 + [("a", "b")] * 12 + [("b", "a")] * 8
    kappa = cohen_kappa(true).value
    hits = Counter()  # type: ignore[var-annotated]
    for _ in range(400):
        found = cohen_kappa(chance.choices(true, k=150)).interval_95
        assert found and kappa is not None
        hits[found[0] <= kappa <= found[1]] += 1
    assert 0.91 <= hits[True] / 400 <= 0.98


def test_where_kappa_is_not_defined_there_is_none_and_a_reason() -> None:
    nothing = cohen_kappa([])
    assert (nothing.n, nothing.value, nothing.undefined) == (0, None, "nothing was judged by both")
    alike = cohen_kappa([("accept", "accept")] * 9)
    assert (alike.observed, alike.value, alike.interval_95) == (1, None, None)
    assert alike.undefined == "both judged everything alike: accept"


def test_agreement_no_better_than_chance_is_zero_and_perfect_is_one() -> None:
    assert cohen_kappa(pairs_of([[25, 25], [25, 25]])).value == 0
    assert cohen_kappa(pairs_of([[10, 0], [0, 10]])).value == 1
    assert cohen_kappa(pairs_of([[0, 10], [10, 0]])).value == -1
