"""How far two readers agree, with how sure one can be of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]


def quadratic_kappa(one: Numbers, other: Numbers) -> float:
    """Return Cohen's kappa with quadratic weights (1968, 10.1037/h0026256); NaN without two grades.

    Parameters
    ----------
    one, other : integer arrays, shape (n,)
        Grades, 0 upwards.

    Examples
    --------
    >>> quadratic_kappa(np.array([0, 1, 2]), np.array([0, 1, 2]))
    1.0
    """
    if not len(one):
        return float("nan")
    by_chance = ((one[:, None] - other[None, :]) ** 2).mean()
    if by_chance == 0:
        return float("nan")
    return float(1 - ((one - other) ** 2).mean() / by_chance)


def share_right(one: Numbers, other: Numbers) -> float:
    """Return how often both say the same."""
    return float((one == other).mean())


def with_interval(
    score: Callable[[Numbers, Numbers], float], one: Numbers, other: Numbers, draws: int = 2000
) -> dict[str, Any]:
    """Return a score with its 95 % interval over photographs drawn again, and their number."""
    chance = np.random.default_rng(0)
    again = [score(one[i], other[i]) for i in chance.integers(0, len(one), (draws, len(one)))]
    low, high = np.nanpercentile(again, [2.5, 97.5])
    return {
        "value": round(score(one, other), 3),
        "interval_95": [round(float(low), 3), round(float(high), 3)],
        "n": len(one),
    }


def over_groups(
    score: Callable[[Numbers], dict[str, float]], groups: Numbers, draws: int = 1000
) -> dict[str, Any]:
    """Return named scores with 95 % intervals over groups, such as patients, drawn again.

    Parameters
    ----------
    score : indices of the chosen items -> named scores
    groups : shape (n,); items of one group are drawn together.
    """
    names, place = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(place == group) for group in range(len(names))]
    chance = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {}
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in chance.integers(0, len(names), len(names))])
        for name, value in score(chosen).items():
            drawn.setdefault(name, []).append(value)
    out = {}
    for name, value in score(np.arange(len(groups))).items():
        low, high = np.nanpercentile(drawn[name], [2.5, 97.5])
        out[name] = {
            "value": round(value, 3),
            "interval_95": [round(float(low), 3), round(float(high), 3)],
            "n": len(groups),
        }
    return out
