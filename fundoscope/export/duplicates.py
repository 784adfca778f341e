"""Photographs that are nearly the same: within and across sets, none missed.

Of some hundred public sets for diabetic retinopathy more than half of the photographs occur at
least twice; one that stands in training and in test makes any score worthless.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fundoscope.errors import ConfigError, ReadError
from fundoscope.records import Photograph

HASH_BITS = 256
_BLOCK = 1024
"""Photographs a side of one block of comparisons: 4 MB of products."""


class Components:
    """Things joined two at a time, and which of them hang together (union-find)."""

    def __init__(self) -> None:
        self._above = array("q")

    def __len__(self) -> int:
        return len(self._above)

    def add(self) -> int:
        """Add a thing, alone so far; return its number, from 0."""
        self._above.append(len(self._above))
        return len(self._above) - 1

    def root(self, thing: int) -> int:
        """Return the number that stands for all that `thing` hangs together with."""
        above = self._above
        while above[thing] != thing:
            above[thing] = above[above[thing]]
            thing = above[thing]
        return thing

    def join(self, one: int, other: int) -> None:
        """Make two things hang together."""
        one, other = sorted((self.root(one), self.root(other)))
        self._above[other] = one


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """How many photographs are near-duplicates of one another."""

    photographs: int
    hashed: int
    """Those that were looked at; the others cannot be compared."""
    max_bits: int
    clusters: tuple[tuple[str, ...], ...]
    """Keys that hang together, through others too: the first and last of a chain may differ."""
    sizes: Mapping[int, int]
    """How many clusters there are of each size."""
    same_bytes: int
    """How many photographs have the very bytes of an earlier one."""
    across_datasets: int
    """How many clusters hold photographs of more than one dataset."""
    across_splits: int
    """How many clusters hold photographs of more than one official split of one dataset."""
    groups: Mapping[str, str] = field(repr=False)
    """Key of each photograph in a cluster -> the first key of its cluster."""


def near_duplicates(
    hashes: Mapping[str, int],
    max_bits: int,
    sha256: Mapping[str, str] | None = None,
) -> list[tuple[str, ...]]:
    """Return the clusters of photographs that are nearly the same.

    Every pair is compared, so none is missed: 35,000 photographs take about ten seconds on one
    core, and four times that for twice as many. Memory is about 300 bytes a photograph.

    Parameters
    ----------
    hashes : Mapping
        Photograph key -> perceptual hash of 256 bits.
    max_bits : int
        Most bits that may differ between two near-duplicates, 0 to 255.
    sha256 : Mapping, optional
        Photograph key -> SHA-256 of its bytes; equal ones are duplicates whatever their hash.

    Returns
    -------
    list of tuple
        Connected components of two and more, each sorted, sorted by their first key.

    Raises
    ------
    ConfigError
        If `max_bits` makes no sense.
    ReadError
        If a hash has more than 256 bits.
    """
    if not 0 <= max_bits < HASH_BITS:
        raise ConfigError(f"max_bits must be 0 to 255, got {max_bits}", mend="40 is usual")
    sha256 = sha256 or {}
    number = {key: n for n, key in enumerate(dict.fromkeys([*hashes, *sha256]))}
    parts = Components()
    for _ in number:
        parts.add()
    distinct = _join_equal(parts, number, hashes)
    _join_equal(parts, number, sha256)
    packed = _packed(distinct.values(), hashes)
    _join_near(parts, packed, [number[key] for key in distinct.values()], max_bits)
    return _clusters(parts, number)


def duplicate_report(photographs: Iterable[Photograph], max_bits: int) -> DuplicateReport:
    """Return which of the photographs are near-duplicates of one another.

    Parameters
    ----------
    photographs : iterable of Photograph
        Those without hashes, never looked at, are counted and cannot be compared.
    max_bits : int
        As for `near_duplicates`; `read.photographs.NEAR_DUPLICATE_BITS` is calibrated.
    """
    hashes: dict[str, int] = {}
    sha256: dict[str, str] = {}
    n = 0
    for photograph in photographs:
        n += 1
        if photograph.perceptual_hash:
            hashes[photograph.key] = int(photograph.perceptual_hash, 16)
        if photograph.sha256:
            sha256[photograph.key] = photograph.sha256
    clusters = near_duplicates(hashes, max_bits, sha256)
    return DuplicateReport(
        photographs=n,
        hashed=len(hashes.keys() | sha256.keys()),
        max_bits=max_bits,
        clusters=tuple(clusters),
        sizes=dict(sorted(Counter(map(len, clusters)).items())),
        same_bytes=len(sha256) - len(set(sha256.values())),
        across_datasets=sum(len({_dataset(key) for key in keys}) > 1 for keys in clusters),
        across_splits=sum(_spans_splits(keys) for keys in clusters),
        groups={key: keys[0] for keys in clusters for key in keys},
    )


def _join_equal(
    parts: Components, number: Mapping[str, int], values: Mapping[str, int] | Mapping[str, str]
) -> dict[object, str]:
    """Join the keys of equal values; return the first key of each value."""
    first: dict[object, str] = {}
    for key, value in values.items():
        parts.join(number[first.setdefault(value, key)], number[key])
    return first


def _packed(keys: Iterable[str], hashes: Mapping[str, int]) -> npt.NDArray[np.uint8]:
    """Return the hashes of some keys, shape (N, 32)."""
    packed = bytearray()
    for key in keys:
        try:
            packed += hashes[key].to_bytes(HASH_BITS // 8, "big")
        except OverflowError as problem:
            raise ReadError(
                f"the perceptual hash of {key} is not 256 bits", mend="build the run again"
            ) from problem
    return np.frombuffer(packed, np.uint8).reshape(-1, HASH_BITS // 8)


def _join_near(
    parts: Components, packed: npt.NDArray[np.uint8], number: list[int], max_bits: int
) -> None:
    # For bits written as +1 and -1 the product of two hashes is 256 - 2 x distance, exact in
    # float32. Matrix products beat XOR and bit counts (8 s to 11 s for 35,000 on one core) and
    # need no index, which at 40 bits of 256 would pass nearly every pair.
    for top in range(0, len(packed), _BLOCK):
        rows = _signs(packed[top : top + _BLOCK])
        for left in range(top, len(packed), _BLOCK):
            near = rows @ _signs(packed[left : left + _BLOCK]).T >= HASH_BITS - 2 * max_bits
            if near.any():
                _join_block(parts, near, number[top : top + _BLOCK], number[left : left + _BLOCK])


def _join_block(
    parts: Components, near: npt.NDArray[np.bool_], rows: list[int], columns: list[int]
) -> None:
    """Join things that are near, at most once a thing: a dense block has a million pairs."""
    roots = np.array([parts.root(thing) for thing in (*rows, *columns)])
    near &= roots[: len(rows), None] != roots[None, len(rows) :]  # what is joined stays joined
    row, column = np.nonzero(near)
    n = len(roots)
    graph = coo_matrix((np.ones(len(row), bool), (row, len(rows) + column)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    for thing in np.flatnonzero(first[label] != np.arange(n)).tolist():
        parts.join(int(roots[first[label[thing]]]), int(roots[thing]))


def _signs(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1


def _clusters(parts: Components, number: Mapping[str, int]) -> list[tuple[str, ...]]:
    size = Counter(parts.root(n) for n in range(len(parts)))
    members: dict[int, list[str]] = {}
    for key, n in number.items():
        if size[parts.root(n)] > 1:
            members.setdefault(parts.root(n), []).append(key)
    return sorted(tuple(sorted(keys)) for keys in members.values())


def _dataset(key: str) -> str:
    return key.split("/", 1)[0]


def _spans_splits(keys: tuple[str, ...]) -> bool:
    held = {tuple(key.split("/")[:2]) for key in keys}
    return len(held) > len({dataset for dataset, _ in held})
