"""How far two reviewers agree beyond chance: Cohen's kappa with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from fundoscope.reviewed import Act, Acts

Z_95 = 1.959963984540054
DECISIONS = ("accept", "edit", "reject")


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement of two judges of the same things."""

    n: int
    observed: float | None
    """Share on which they agree; None where there is nothing."""
    expected: float | None
    """The share that chance would give, by how often each uses each word."""
    value: float | None
    """Cohen's kappa; None where it is not defined."""
    interval_95: tuple[float, float] | None
    undefined: str = ""
    """Why there is no value, or no interval; empty where there is."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree, on the dialogues that both judged."""

    reviewers: tuple[str, str]
    decisions: Kappa
    """Accepted as it is, edited, or rejected."""
    kept: Kappa
    """Accepted (as it is or edited) or rejected."""
    table: dict[str, dict[str, int]]
    """Decision of the first -> decision of the second -> how many dialogues."""
    disagreements: int
    """Dialogues on which they differ, in the decision or in the words of an edit."""
    adjudicated: int
    """How many of those a third person has decided."""


def cohen_kappa(pairs: Iterable[tuple[str, str]]) -> Kappa:
    """Return Cohen's kappa of two judges and its 95 % interval.

    Parameters
    ----------
    pairs : what the first and the second judge said of each thing

    References
    ----------
    Cohen (1960), doi:10.1177/001316446002000104, for kappa. The interval is kappa +- 1.96 standard
    errors, by the large-sample variance of Fleiss, Cohen and Everitt (1969), doi:10.1037/h0028106,
    cut at -1 and 1. It is rough for few dialogues; for perfect agreement it has no width.

    Examples
    --------
    >>> cohen_kappa([("yes", "yes")] * 20 + [("no", "no")] * 15
    ...             + [("yes", "no")] * 5 + [("no", "yes")] * 10).value
    0.4
    """
    table = Counter(pairs)
    n = table.total()
    if n == 0:
        return Kappa(0, None, None, None, None, "nothing was judged by both")
    words = sorted({word for pair in table for word in pair})
    one = {word: sum(table[word, other] for other in words) / n for word in words}
    two = {word: sum(table[other, word] for other in words) / n for word in words}
    observed = sum(table[word, word] for word in words) / n
    expected = sum(one[word] * two[word] for word in words)
    if math.isclose(expected, 1):
        told = f"both judged everything alike: {words[0]}"
        return Kappa(n, observed, expected, None, None, told)
    kappa = (observed - expected) / (1 - expected)
    variance = 0.0
    for row in words:
        for column in words:
            share = table[row, column] / n
            # Fleiss, Cohen and Everitt (1969): each cell by its distance from the chance table
            marginal = (one[column] + two[row]) * (1 - kappa)
            own = 1.0 if row == column else 0.0
            variance += share * (own - marginal) ** 2
    variance = (variance - (kappa - expected * (1 - kappa)) ** 2) / (n * (1 - expected) ** 2)
    half = Z_95 * math.sqrt(max(variance, 0))
    interval = max(-1.0, kappa - half), min(1.0, kappa + half)
    return Kappa(n, observed, expected, round(kappa, 12), interval)


def agreements(run: Path) -> list[Agreement]:
    """Return how far each two reviewers of a run agree, by their acts that still count.

    Raises
    ------
    LedgerError
        If the folder holds no ledger.
    """
    with Acts(run) as acts:
        standings = [standing for _, standing in acts.standings()]
    names = sorted({who for standing in standings for who in standing.reviews})
    found = []
    for first, second in combinations(names, 2):
        both = [s for s in standings if first in s.reviews and second in s.reviews]
        if both:
            judged = [(s.reviews[first], s.reviews[second]) for s in both]
            decided = sum(s.disagreed and s.adjudication is not None for s in both)
            found.append(_agreement((first, second), judged, decided))
    return found


def _agreement(
    names: tuple[str, str], judged: Sequence[tuple[Act, Act]], adjudicated: int
) -> Agreement:
    verbs = [(one.what, two.what) for one, two in judged]
    table = Counter(verbs)
    return Agreement(
        names,
        cohen_kappa(verbs),
        cohen_kappa((_kept(one), _kept(two)) for one, two in verbs),
        {one: {two: table[one, two] for two in DECISIONS} for one in DECISIONS},  # type: ignore[index]
        sum(one.decision != two.decision for one, two in judged),
        adjudicated,
    )


def _kept(verb: str) -> str:
    return "rejected" if verb == "reject" else "kept"
