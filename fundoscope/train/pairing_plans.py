"""What may be paired with photographs of one set of labels, and how likely each is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from fundoscope.train.pairing_indexes import InstructionIndex, Labels


class Choice:
    """Things to draw from, each as likely as its weight."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.names = [name for name, weight in weights.items() if weight > 0]
        self._ends = list(accumulate(weights[name] for name in self.names))

    def at(self, place: float) -> str:
        """Return what lies at a place, 0 to 1, of all weights laid end to end."""
        return self.names[bisect_right(self._ends, place * self._ends[-1])]


class Shelf:
    """Rows of several sets of instructions, as if they lay in one list."""

    def __init__(self, parts: Sequence[NDArray[np.int64]]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(len(part) for part in self._parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def at(self, place: float) -> int:
        """Return the row at a place, 0 to 1, of the list."""
        row = int(place * self._ends[-1])
        part = bisect_right(self._ends, row)
        return int(self._parts[part][row - self._ends[part]])  # counted from the part's end


class Shelves:
    """Instructions by what they are about."""

    def __init__(self, instructions: InstructionIndex) -> None:
        order = np.argsort(instructions.set_of, kind="stable")
        ends = np.searchsorted(instructions.set_of[order], np.arange(len(instructions.sets) + 1))
        self._rows = [order[a:b] for a, b in pairwise(ends)]
        self._sets = instructions.sets
        self._with: dict[str, list[int]] = {}
        for number, about in enumerate(instructions.sets):
            for condition in about.conditions:
                self._with.setdefault(condition, []).append(number)
        self.denying = {
            about.conditions[0]: Shelf([rows])
            for about, rows in zip(self._sets, self._rows, strict=True)
            if about.when_absent and len(about.conditions) == 1
        }

    def fitting(self, term: str, shown: Mapping[str, float]) -> Shelf:
        """Return the instructions about a term all of whose conditions a photograph shows."""
        return Shelf(
            [
                self._rows[number]
                for number in self._with.get(term, ())
                if not self._sets[number].when_absent
                and all(condition in shown for condition in self._sets[number].conditions)
            ]
        )


class Plan:
    """What photographs with one set of labels may be paired with.

    Parameters
    ----------
    weight : rarity of each label
    asked : share of pairs that ask whether a condition is present, and as many whether it is absent
    """

    def __init__(
        self, labels: Labels, weight: Mapping[str, float], shelves: Shelves, asked: float
    ) -> None:
        self.weight = dict(labels.present)
        self.absent = labels.absent
        self.rarity = max((weight[term] for term in self.weight), default=1.0)
        self.shelves = {term: shelves.fitting(term, self.weight) for term in self.weight}
        self.fitting = Choice({t: weight[t] for t, shelf in self.shelves.items() if len(shelf)})
        self._share = asked
        self.asked_shares = _parted(asked, {term: weight[term] for term in self.weight})
        self.denied_shares: dict[str, float] = {}

    def deny(self, shown: Mapping[str, float]) -> None:
        """Ask about what is absent as often as pairs of an epoch would show it."""
        self.denied_shares = _parted(self._share, {t: shown.get(t, 0.0) for t in self.absent})

    def decide(self, shown: Mapping[str, float], denied: Mapping[str, float]) -> None:
        """Make the choices, so that each condition is asked about as often with either answer.

        What is asked of it too often with one answer is given up; an instruction takes its place.

        Parameters
        ----------
        shown, denied : how often an epoch would ask about each condition with either answer
        """
        asked = {t: s * _part(denied, shown, t) for t, s in self.asked_shares.items()}
        not_there = {t: s * _part(shown, denied, t) for t, s in self.denied_shares.items()}
        self.asked, self.denied = Choice(asked), Choice(not_there)
        left = 1 - sum(asked.values()) - sum(not_there.values())
        self.shares = (
            sum(not_there.values()),
            sum(asked.values()),
            max(0.0, left) if self.fitting.names else 0.0,
        )
        """Probability of a negative, of a question about what is present, of an instruction. They
        add up to 1 where an instruction fits; else a photograph stands in an epoch as often as it
        is asked about, or the many that nothing fits would be nearly all negatives."""


def _parted(share: float, weights: Mapping[str, float]) -> dict[str, float]:
    """Return a share parted by weights; nothing where it is 0, or all of them are."""
    total = sum(weights.values())
    return {name: share * weight / total for name, weight in weights.items() if share * weight}


def _part(fewer: Mapping[str, float], more: Mapping[str, float], term: str) -> float:
    """Return the part of `more` that `fewer` has the like of, at most 1."""
    return min(1.0, fewer.get(term, 0.0) / more[term])


def rarity_of(
    sets: Sequence[Labels], held: NDArray[np.int64], rare_below: float, most: float
) -> dict[str, float]:
    """Return, for each label, how much more often it is drawn than a common one.

    The square root of how far its share of all photographs is below `rare_below`, and no more: a
    few photographs repeated very often are learned by heart.

    Parameters
    ----------
    held : photographs with each set of labels
    most : the highest value
    """
    counts: dict[str, float] = {}
    for labels, photographs in zip(sets, held, strict=True):
        for term, weight in labels.present:
            counts[term] = counts.get(term, 0.0) + float(photographs) * weight
    enough = rare_below * float(held.sum())
    return {
        term: min(most, max(1.0, (enough / count) ** 0.5)) if count else 1.0
        for term, count in counts.items()
    }
