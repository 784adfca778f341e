"""Photographs and instructions paired by their labels, anew in every epoch.

Few dialogues about a rare condition and many photographs are worth more when they are not tied
together once and for all. So in each epoch every photograph draws an instruction that fits one of
its labels, rare labels more often; now and then it is asked about a condition that it shows, or
that its record says it does not show. This is our reading of what OphGLM calls a dynamic label
pairing strategy; `docs/knowledge-instructions.md` says what is read into it.

Nothing of the size photographs x instructions is ever held: a pair is a function of the seed, the
epoch and its place in the epoch, so it can be sharded, and resumed at any step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fundoscope import terms
from fundoscope.converse.questions import ask
from fundoscope.describe.wording import sentences
from fundoscope.errors import ConfigError
from fundoscope.records import Language, Record, Statement, Turn
from fundoscope.train.pairing_indexes import InstructionIndex, PhotographIndex
from fundoscope.train.pairing_plans import Plan, Shelves, rarity_of
from fundoscope.verify.check import Facts

_SPAN = 65_536
"""Places of an epoch whose random numbers are drawn at once: 2 MB."""


@dataclass(frozen=True, slots=True)
class PairingConfig:
    """What a pairing may vary."""

    seed: int = 0
    negatives: float = 0.15
    """Share of pairs, at most, about a condition that is absent. As many ask about one that is
    present, condition by condition, so that no question gives its answer away."""
    rare_below: float = 0.05
    """Share of photographs under which a label is rare and its photographs are repeated."""
    most_repeats: float = 8.0
    """How often at most a photograph stands in an epoch, in the mean."""

    def __post_init__(self) -> None:
        right = 0 <= self.negatives <= 0.5 and 0 <= self.rare_below <= 1 and self.most_repeats >= 1
        if not right or self.seed < 0:
            raise ConfigError(
                f"no pairing can be made with {self}",
                mend="negatives 0 to 0.5, rare_below 0 to 1, most_repeats from 1, seed from 0",
            )


@dataclass(frozen=True, slots=True)
class Shard:
    """Who takes which pairs: no two shards share one."""

    rank: int = 0
    world: int = 1
    """Processes that train together."""
    worker: int = 0
    workers: int = 1
    """Loaders within one process."""

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.world and 0 <= self.worker < self.workers):
            raise ConfigError(
                f"there is no {self}", mend="count ranks and workers from 0, below their number"
            )


@dataclass(frozen=True, slots=True)
class Pair:
    """A photograph and what it is trained on in this place of the epoch."""

    photograph: int
    """Row of the photographs."""
    instruction: int | None
    """Row of the instructions; None where `question_about` words it from the record."""
    term: str
    """The label that was drawn."""
    fits: bool
    """Whether the photograph shows it; if not, its record says that it is absent."""
    weight: float
    """1, or less where the label is suspected or annotators disagree."""
    draw: int
    """A number for whatever else has to be chosen, such as the wording."""


class LabelPairing:
    """Pairs of photographs and instructions, epoch after epoch.

    Parameters
    ----------
    photographs, instructions
        Both stay as they are; an instruction may be paired with any photograph that it fits.

    Raises
    ------
    ConfigError
        If nothing can be paired.
    """

    def __init__(
        self,
        photographs: PhotographIndex,
        instructions: InstructionIndex,
        config: PairingConfig | None = None,
    ) -> None:
        self.config = config or PairingConfig()
        self._set_of = photographs.set_of
        held = np.bincount(photographs.set_of, minlength=len(photographs.sets))
        self.rarity = rarity_of(
            photographs.sets, held, self.config.rare_below, self.config.most_repeats
        )
        """How much more often than a common one each label is drawn, from 1 up."""
        self._shelves = Shelves(instructions)
        self._plans = [
            Plan(labels, self.rarity, self._shelves, self.config.negatives)
            for labels in photographs.sets
        ]
        shown = self._expected(held, lambda plan: plan.asked_shares)
        for plan in self._plans:
            plan.deny(shown)
        denied = self._expected(held, lambda plan: plan.denied_shares)
        for plan in self._plans:
            plan.decide(shown, denied)
        self._copies = np.array([plan.rarity * sum(plan.shares) for plan in self._plans])
        if not (held * self._copies).any():
            raise ConfigError(
                f"none of {len(photographs):,} photographs fits any of "
                f"{len(instructions):,} instructions",
                mend="compare the conditions of the two; labels that nobody looked for fit nothing",
            )
        self.unpaired = int(held[self._copies == 0].sum())
        """Photographs that nothing fits and that cannot be asked about; they are left out."""
        self._ordered: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def _expected(
        self, held: NDArray[np.int64], shares: Callable[[Plan], Mapping[str, float]]
    ) -> dict[str, float]:
        """Return how often an epoch asks about each condition, in the mean."""
        expected: dict[str, float] = {}
        for plan, photographs in zip(self._plans, held.tolist(), strict=True):
            for term, share in shares(plan).items():
                expected[term] = expected.get(term, 0.0) + photographs * plan.rarity * share
        return expected

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the photograph of every place in an epoch: all shuffled, rare ones repeated."""
        if epoch < 0:
            raise ConfigError(f"there is no epoch {epoch}", mend="count epochs from 0")
        if self._ordered[0] != epoch:
            n = len(self._set_of)
            copies = np.floor(self._copies[self._set_of] + _uniform(self._raw(epoch, 1, n)))
            rows = np.repeat(np.arange(n), copies.astype(np.int64))
            shuffled = np.argsort(self._raw(epoch, 2, len(rows)), kind="stable")
            self._ordered = epoch, rows[shuffled]
        return self._ordered[1]

    def length(self, epoch: int, shard: Shard | None = None) -> int:
        """Return how many pairs a shard has in an epoch; all ranks have equally many."""
        return len(self._places(epoch, shard or Shard(), 0))

    def _places(self, epoch: int, shard: Shard, start: int) -> range:
        whole = len(self.order(epoch)) // shard.world * shard.world  # ranks must end together
        stride = shard.world * shard.workers
        return range(shard.rank + shard.world * shard.worker, whole, stride)[start:]

    def pairs(self, epoch: int, shard: Shard | None = None, start: int = 0) -> Iterator[Pair]:
        """Yield the pairs of an epoch in their order.

        Whatever the number of ranks and workers, all shards together hold the same pairs, but for
        fewer than `world` at the end, which are left out so that all ranks end together.

        Parameters
        ----------
        shard : the part of them that is wanted; all by default
        start : how many of the shard's pairs were had before, where training goes on
        """
        places = self._places(epoch, shard or Shard(), start)
        order = self.order(epoch)
        n = max(1, _SPAN // places.step)
        for begin in range(0, len(places), n):
            block = places[begin : begin + n]
            raw = self._raw(epoch, 3, 4 * (block[-1] - block[0] + 1), first=block[0])
            drawn = raw.reshape(-1, 4)[:: places.step]
            chances = _uniform(drawn[:, :3]).tolist()
            photographs = order[block.start : block[-1] + 1 : places.step].tolist()
            last = drawn[:, 3].tolist()
            for photograph, chance, draw in zip(photographs, chances, last, strict=True):
                yield self._pair(photograph, chance, draw)

    def _pair(self, photograph: int, chance: Sequence[float], draw: int) -> Pair:
        plan = self._plans[self._set_of[photograph]]
        negative, asked, fitting = plan.shares
        kind = chance[0] * (negative + asked + fitting)
        if kind < negative:
            term = plan.denied.at(chance[1])
            shelf = self._shelves.denying.get(term)
            row = shelf.at(chance[2]) if shelf else None
            return Pair(photograph, row, term, False, 1.0, draw)
        if kind < negative + asked:
            term = plan.asked.at(chance[1])
            return Pair(photograph, None, term, True, plan.weight[term], draw)
        term = plan.fitting.at(chance[1])
        row = plan.shelves[term].at(chance[2])
        return Pair(photograph, row, term, True, plan.weight[term], draw)

    def _raw(self, epoch: int, purpose: int, count: int, first: int = 0) -> NDArray[np.uint64]:
        """Return random bits that the seed, the epoch and their purpose decide.

        The generator counts: its numbers for place n come without those before, four a place.
        """
        key = np.array([self.config.seed, epoch << 2 | purpose], np.uint64)
        return np.random.Philox(key=key, counter=first).random_raw(count)


def question_about(record: Record, term: str, language: Language, seed: int = 0) -> Turn:
    """Return the question whether a photograph shows a term, and the answer that its record gives.

    Parameters
    ----------
    seed : decides the wording of both, such as `Pair.draw`

    Raises
    ------
    ConfigError
        If nobody looked for it: missing is not absent.
    """
    facts = Facts.of(record)
    status = facts.status_of(term)
    if status in (None, "not_assessed"):
        raise ConfigError(
            f"nobody looked for {term}", where=record.key, mend="ask about what was looked for"
        )
    drawn = random.Random(seed)
    name = terms.term(term).names(language)[0]
    question = ask("probe", language, drawn, name=name)
    graded = [s for s in facts.by_aspect.get("grade", ()) if s.term == term]
    said = graded or [Statement("finding", term, str(status))]
    answer = (" " if language == "en" else "").join(sentences(said, language, drawn.choice))
    return Turn(question, answer, ("probe",))


def _uniform(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers from 0 up to, not including, 1."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
