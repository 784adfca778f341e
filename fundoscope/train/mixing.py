"""How dialogues of several files are mixed into one endless stream, the same on every machine.

An epoch takes a count of rows from each file. A file with fewer rows gives them again; one with
more gives others in the next epoch, until all had their turn. What stands where is decided by the
seed and the epoch alone, so that any process can begin at any place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import ConfigError

_BATCHES_SORTED = 50
"""Batches among which rows are sorted by length; more would leave less to chance."""


class Place(NamedTuple):
    """Where a place of the stream lies."""

    epoch: int
    source: int
    row: int


@dataclass(frozen=True)
class Portion:
    """What of one file goes into an epoch: a count of rows, or a share of the epoch, or all."""

    count: int | None = None
    share: float | None = None


def counts_of(
    portions: Sequence[Portion], sizes: Sequence[int], epoch_size: int | None = None
) -> list[int]:
    """Return how many rows of each file an epoch takes.

    Parameters
    ----------
    portions : all with a share, or none
    sizes : rows of each file
    epoch_size : rows of an epoch, where shares are given; by default as many as make the file
        that is scarcest for its share stand in it once

    Raises
    ------
    ConfigError
        If shares and counts are mixed, or nothing is taken.

    Examples
    --------
    >>> counts_of([Portion(count=38_000), Portion(count=600_000)], [38_000, 1_000_000])
    [38000, 600000]
    >>> counts_of([Portion(share=1), Portion(share=3)], [100, 1000])
    [100, 300]
    """
    shares = [portion.share for portion in portions]
    if all(share is None for share in shares):
        counts = [size if p.count is None else p.count for p, size in zip(portions, sizes)]  # noqa: B905
    elif any(share is None for share in shares) or any(p.count is not None for p in portions):
        raise ConfigError("some files have a share, others not", mend="give each a share, or none")
    else:
        whole = [share or 0.0 for share in shares]
        parts = [share / sum(whole) if sum(whole) else 0.0 for share in whole]
        scarcest = min(
            (size / part for size, part in zip(sizes, parts, strict=True) if part), default=0
        )
        size = scarcest if epoch_size is None else epoch_size
        counts = [round(size * part) for part in parts]
    if sum(counts) < 1:
        raise ConfigError("an epoch holds nothing", mend="give counts or shares above 0")
    return counts


class Mix:
    """The order of rows, epoch after epoch.

    Parameters
    ----------
    counts : rows that an epoch takes of each file
    sizes : rows that each file has
    lengths, pictured : of each file's rows; given where rows of a kind and of like length shall
        stand together
    batch : rows of one step, which are to be alike
    """

    def __init__(
        self,
        counts: Sequence[int],
        sizes: Sequence[int],
        seed: int = 0,
        lengths: Sequence[NDArray[np.int32]] | None = None,
        pictured: Sequence[NDArray[np.bool_]] | None = None,
        batch: int = 1,
    ) -> None:
        self.counts, self.sizes, self.seed = tuple(counts), tuple(sizes), seed
        self._lengths, self._pictured, self._batch = lengths, pictured, batch
        self._ordered: tuple[int, NDArray[np.int64]] = (-1, np.empty((0, 2), np.int64))

    def __len__(self) -> int:
        """Return how many rows an epoch has."""
        return sum(self.counts)

    def place(self, k: int) -> Place:
        """Return the k-th place of the endless stream."""
        epoch, position = divmod(k, len(self))
        source, row = self.order(epoch)[position]
        return Place(epoch, int(source), int(row))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return (source, row) of every place of an epoch, shape (N, 2)."""
        if self._ordered[0] != epoch:
            taken = [self._rows_of(source, epoch) for source in range(len(self.counts))]
            sources = np.repeat(np.arange(len(taken)), [len(rows) for rows in taken])
            pairs = np.stack([sources, np.concatenate(taken)], axis=1).astype(np.int64)
            chance = self._chance(epoch, 0)
            if self._lengths is None or self._pictured is None:
                arranged = chance.permutation(len(pairs))
            else:
                lengths = np.concatenate([a[r] for a, r in zip(self._lengths, taken, strict=True)])
                kinds = np.concatenate([a[r] for a, r in zip(self._pictured, taken, strict=True)])
                arranged = grouped(lengths, kinds, self._batch, chance)
            self._ordered = epoch, pairs[arranged]
        return self._ordered[1]

    def _rows_of(self, source: int, epoch: int) -> NDArray[np.int64]:
        """Return the rows of a file in an epoch: a stretch of its endless reshuffled rows."""
        size, count = self.sizes[source], self.counts[source]
        begin, end = epoch * count, (epoch + 1) * count
        rounds = [
            self._chance(number, 1 + source).permutation(size)
            for number in range(begin // size, -(-end // size))
        ]
        first = begin - begin // size * size
        return np.concatenate([*rounds, np.empty(0, np.int64)])[first : first + count].astype(
            np.int64
        )

    def _chance(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, number])


def grouped(
    lengths: NDArray[np.int32],
    pictured: NDArray[np.bool_],
    batch: int,
    chance: np.random.Generator,
) -> NDArray[np.int64]:
    """Return an order in which batches hold rows of one kind and of like length.

    Rows with photographs and rows without are batched apart, so that padding costs little and the
    vision encoder has work in a batch or none. What is left of either kind, less than a batch
    each, ends the order. Batches are shuffled.
    """
    batches, left = [], []
    for kind in (True, False):
        rows = chance.permutation(np.flatnonzero(pictured == kind))
        span = batch * _BATCHES_SORTED
        for begin in range(0, len(rows), span):
            near = rows[begin : begin + span]
            near = near[np.argsort(-lengths[near], kind="stable")]
            whole = len(near) // batch * batch
            batches += list(near[:whole].reshape(-1, batch))
            left.append(near[whole:])
    rest = np.concatenate([*left, np.empty(0, np.int64)]).astype(np.int64)
    shuffled = [batches[n] for n in chance.permutation(len(batches))]
    return np.concatenate([*shuffled, rest]).astype(np.int64)
