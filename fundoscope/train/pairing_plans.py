"""What may be paired with photographs of one set of labels, and how likely each is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
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

    def shares(self) -> Iterator[tuple[str, float]]:
        """Yield each name with its probability."""
        start = 0.0
        for name, end in zip(self.names, self._ends, strict=True):
            yield name, (end - start) / self._ends[-1]
            start = end


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
    """What photographs with one set of labels may be paired with."""

    def __init__(self, labels: Labels, weight: Mapping[str, float], shelves: Shelves) -> None:
        self.weight = dict(labels.present)
        self.shelves = {term: shelves.fitting(term, self.weight) for term in self.weight}
        self.fitting = Choice({t: weight[t] for t, shelf in self.shelves.items() if len(shelf)})
        self.asked = Choice({term: weight[term] for term in self.weight})
        self.absent = labels.absent
        self.denied = Choice({})
        self.rarity = max((weight[term] for term in self.weight), default=1.0)
        self.shares = (0.0, 0.0, 0.0)
        """Probability of a negative, of a question about what is present, of an instruction."""

    def decide(self, negatives: float, expected: Mapping[str, float]) -> None:
        """Choose negatives as likely as their condition is met with present."""
        self.denied = Choice({term: expected.get(term, 0.0) for term in self.absent})
        negative = negatives * bool(self.denied.names)
        self.shares = (negative, *self.positive_shares(negatives, negative))

    def positive_shares(self, asked: float, negative: float) -> tuple[float, float]:
        """Return the probability of a question about what is present, and of an instruction.

        With an instruction the shares add up to 1. Without, a photograph stands in an epoch as
        often as it is asked about, or the many that nothing fits would be nearly all negatives.
        """
        asked *= bool(self.asked.names)
        return asked, (1 - negative - asked) * bool(self.fitting.names)


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
