"""Whether a model was trained on what it is asked about: by patient, by bytes, by look.

What is shared is listed with the photograph or patient that it is shared with, and left out of
the score. Perceptual hashes are compared pair by pair, so no near-duplicate within the limit is
missed. `export.duplicates` clusters a set with itself; here only pairs of one asked about and one
trained on count, which is less work, and a chain of photographs condemns none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from fundoscope.errors import ReadError
from fundoscope.read.photographs import NEAR_DUPLICATE_BITS
from fundoscope.records import Photograph

HASH_BITS = 256
_SIEVE_BITS = 128
"""Of the first bits alone, two hashes within the limit differ in no more than the limit either;
few others do, and half of the work is spared."""
_ROWS, _COLUMNS = 512, 2048
"""Of one block of comparisons: 4 MB of products."""

How = Literal["same key", "same bytes", "near-duplicate", "same patient"]


@dataclass(frozen=True)
class Training:
    """What a model was trained on, as far as it is told."""

    name: str
    keys: frozenset[str] = field(default=frozenset(), repr=False)
    patients: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """(dataset, patient) -> the key of one of the photographs; a dataset that is not told is ""."""
    sha256: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Hash of a photograph's bytes -> its key."""
    hashes: Mapping[int, str] = field(default_factory=dict, repr=False)
    """Perceptual hash -> the key of one photograph that has it."""
    photographs: int = 0
    unhashed: int = 0
    """Photographs that cannot be compared by their looks."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A photograph that is asked about, and what of the training set it shares."""

    key: str
    how: How
    trained: str
    """Key of the photograph that the model was trained on."""
    bits: int | None = None
    """In how many of 256 bits the two look different, where looks were compared."""

    def said(self) -> str:
        """Return why it is left out, in words."""
        if self.how == "near-duplicate":
            return f"near-duplicate of {self.trained}: {self.bits} of {HASH_BITS} bits differ"
        return f"{self.how} as {self.trained}"


@dataclass(frozen=True)
class Audit:
    """What an evaluation shares with the training of the model."""

    training: str
    """Name of the training set."""
    trained: int
    """Photographs that the model was trained on."""
    untold: int
    """Those of them without a perceptual hash: their near-duplicates cannot be found."""
    photographs: int
    """Photographs that were to be asked about."""
    max_bits: int
    shared: tuple[Shared, ...] = field(repr=False)
    """In the order of the photographs, each once, by the first of the ways of `How`."""

    @property
    def keys(self) -> frozenset[str]:
        """Keys of the photographs to leave out."""
        return frozenset(one.key for one in self.shared)

    def counts(self) -> dict[How, int]:
        """Return how many photographs are left out, by what they share."""
        return dict(Counter(one.how for one in self.shared))


def audit(
    photographs: Sequence[Photograph],
    training: Training,
    *,
    max_bits: int = NEAR_DUPLICATE_BITS,
    jobs: int = 1,
) -> Audit:
    """Return which photographs share a key, bytes, a look or a patient with the training set.

    Parameters
    ----------
    photographs : with hashes where they are to be compared by them
    training : see `training_set.read_training`
    max_bits : most bits of 256 in which near-duplicates differ
    jobs : threads that compare
    """
    near = dict(_near(photographs, training, max_bits, jobs))
    found = []
    for photograph in photographs:
        shared = _shared(photograph, training) or near.get(photograph.key)
        shared = shared or _same_patient(photograph, training)
        if shared:
            found.append(shared)
    return Audit(
        training=training.name,
        trained=training.photographs,
        untold=training.unhashed,
        photographs=len(photographs),
        max_bits=max_bits,
        shared=tuple(found),
    )


def _shared(photograph: Photograph, training: Training) -> Shared | None:
    if photograph.key in training.keys:
        return Shared(photograph.key, "same key", photograph.key)
    same = training.sha256.get(photograph.sha256) if photograph.sha256 else None
    return Shared(photograph.key, "same bytes", same) if same is not None else None


def _same_patient(photograph: Photograph, training: Training) -> Shared | None:
    if photograph.patient is None:
        return None
    for dataset in (photograph.dataset, ""):
        same = training.patients.get((dataset, photograph.patient))
        if same is not None:
            return Shared(photograph.key, "same patient", same)
    return None


def _near(
    photographs: Sequence[Photograph], training: Training, max_bits: int, jobs: int
) -> Iterator[tuple[str, Shared]]:
    hashed = [photograph for photograph in photographs if photograph.perceptual_hash]
    trained = list(training.hashes)
    pairs = nearest_pairs(
        packed([int(photograph.perceptual_hash, 16) for photograph in hashed]),
        packed(trained),
        max_bits,
        jobs,
    )
    for row, (column, bits) in pairs.items():
        key = hashed[row].key
        yield key, Shared(key, "near-duplicate", training.hashes[trained[column]], bits)


def packed(hashes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return hashes of 256 bits as bytes, shape (N, 32).

    Raises
    ------
    ReadError
        If a hash has more than 256 bits.
    """
    try:
        joined = b"".join(one.to_bytes(HASH_BITS // 8, "big") for one in hashes)
    except OverflowError as problem:
        raise ReadError(
            "a perceptual hash is not of 256 bits", mend="hash the photographs again"
        ) from problem
    return np.frombuffer(joined, np.uint8).reshape(-1, HASH_BITS // 8)


def nearest_pairs(
    one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], max_bits: int, jobs: int = 1
) -> dict[int, tuple[int, int]]:
    """Return for each row of `one` near to a row of `other` the nearest such row and its bits.

    Parameters
    ----------
    one, other : uint8 arrays, shape (N, 32) and (M, 32)
    max_bits : most bits that may differ
    jobs : threads

    Returns
    -------
    dict
        Row of `one` -> (row of `other`, differing bits); of equals, the first.
    """
    signs = _signs(other)
    starts = range(0, len(one), _ROWS)

    def block(top: int) -> dict[int, tuple[int, int]]:
        return _nearest_of_block(one[top : top + _ROWS], other, signs, max_bits, top)

    found: dict[int, tuple[int, int]] = {}
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for part in pool.map(block, starts):
            found |= part
    return found


def _nearest_of_block(
    rows: npt.NDArray[np.uint8],
    other: npt.NDArray[np.uint8],
    signs: npt.NDArray[np.float32],
    max_bits: int,
    top: int,
) -> dict[int, tuple[int, int]]:
    # For bits written as +1 and -1 the product of two rows is their number less twice the bits
    # that differ, exact in float32.
    mine, least = _signs(rows), _SIEVE_BITS - 2 * max_bits
    products = np.empty((len(rows), _COLUMNS), np.float32)
    found: dict[int, tuple[int, int]] = {}
    for left in range(0, len(other), _COLUMNS):
        theirs = signs[left : left + _COLUMNS]
        product = np.matmul(mine, theirs.T, out=products[:, : len(theirs)])
        if product.max() < least:
            continue
        row, column = np.nonzero(product >= least)
        bits = np.unpackbits(rows[row] ^ other[left + column], axis=1).sum(axis=1)
        for r, c, differing in zip(row.tolist(), column.tolist(), bits.tolist(), strict=True):
            best = found.get(top + r, (0, max_bits + 1))
            if differing < best[1]:
                found[top + r] = (left + c, differing)
    return found


def _signs(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the first bits of hashes as +1 and -1, shape (N, 128)."""
    return np.unpackbits(rows[:, : _SIEVE_BITS // 8], axis=1).astype(np.float32) * 2 - 1
