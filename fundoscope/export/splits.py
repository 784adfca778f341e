"""Training, validation and test, by person: whoever is in one split is in no other.

A group is what may not be parted: all photographs of one patient, and whatever near-duplicates
tie to them, in whatever set. A patient is known by name within one dataset only.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fundoscope.errors import ConfigError
from fundoscope.export.duplicates import Components
from fundoscope.records import Photograph

PROTECTION = ("all", "train", "val", "test")
"""The splits, the most protected last: a group that spans several goes whole to the last."""
_DRAWN = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class SpanningGroup:
    """A group whose photographs its publishers put into more than one official split."""

    name: str
    found_in: tuple[str, ...]
    went_to: str
    photographs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Which split every photograph went to, and what had to be decided on the way."""

    split_of: Mapping[str, str] = field(repr=False)
    """Photograph key -> `train`, `val`, `test`, or `all` where nothing was split."""
    counts: Mapping[str, int]
    """Photographs by split."""
    groups: int
    largest: str
    """Name of the largest group, the first by name of its patients or photographs."""
    largest_size: int
    """How many photographs it holds."""
    spanning: tuple[SpanningGroup, ...]
    drawn_again: tuple[str, ...]
    """Datasets that publish labels for training only, so that their split was drawn here."""
    fractions: tuple[float, float, float] | None
    seed: int


def assign_splits(
    photographs: Iterable[Photograph],
    fractions: tuple[float, float, float] | None,
    groups: Mapping[str, str],
    *,
    respect_official: bool = True,
    seed: int = 0,
) -> SplitReport:
    """Return a split for every photograph, no group in two of them.

    1) Official splits stay as published. A group that spans several goes to the most protected:
       test before val before train; it is listed.
    2) What has no official split (`all`) is drawn by a hash of its group's name: independent of
       the order, and another patient's photographs never move it. Without `fractions` it stays
       in `all`.
    3) A dataset with nothing official but `train` (APTOS and ODIR keep their test labels) is
       drawn like `all`, if fractions are given. A held-out photograph added later ends that.

    Parameters
    ----------
    photographs : iterable of Photograph, read once
    fractions : (train, val, test) or None
        Shares that add up to 1; what is met is met in the mean, for groups are never parted.
    groups : Mapping
        Photograph key -> name of its near-duplicate cluster (`DuplicateReport.groups`).
    respect_official : bool
        False draws every photograph anew; needs fractions.
    seed : int
        Another seed is another draw.

    Raises
    ------
    ConfigError
        If the fractions are no shares, or a photograph's split is none of `PROTECTION`.
    """
    _check(fractions, respect_official)
    known = _Known(groups)
    for photograph in photographs:
        known.add(photograph, respect_official)
    drawn_again = known.only_train() if fractions and respect_official else frozenset()
    official = known.official_by_group(drawn_again)
    names = known.group_names()
    goes_to: dict[int, str] = {}
    for group, held in official.items():
        free = held == 1  # the bit of `all`, and no other
        goes_to[group] = _draw(names[group], fractions, seed) if free and fractions else _last(held)
    return _report(known, official, names, goes_to, tuple(sorted(drawn_again)), fractions, seed)


class _Known:
    """What must be kept of each photograph: its key and three numbers."""

    def __init__(self, clusters: Mapping[str, str]) -> None:
        self._clusters = clusters
        self._unit_numbers: dict[str, int] = {}
        self._unit_of_cluster: dict[str, int] = {}
        self._datasets: dict[str, int] = {}
        self.parts = Components()
        self.keys: list[str] = []
        self.unit = array("q")
        self.dataset = array("q")
        self.split = array("b")
        """Place in PROTECTION."""

    def add(self, photograph: Photograph, respect_official: bool) -> None:
        if respect_official and photograph.split not in PROTECTION:
            raise ConfigError(
                f"the split {photograph.split!r} is none of {', '.join(PROTECTION)}",
                where=f"photograph {photograph.key}",
                mend="name the splits so in the source, or export with respect_official=False",
            )
        unit = self._number(_unit_name(photograph))
        cluster = self._clusters.get(photograph.key)
        if cluster is not None:
            self.parts.join(unit, self._unit_of_cluster.setdefault(cluster, unit))
        self.keys.append(photograph.key)
        self.unit.append(unit)
        self.dataset.append(self._datasets.setdefault(photograph.dataset, len(self._datasets)))
        self.split.append(PROTECTION.index(photograph.split) if respect_official else 0)

    def _number(self, unit: str) -> int:
        if unit not in self._unit_numbers:
            self._unit_numbers[unit] = self.parts.add()
        return self._unit_numbers[unit]

    def only_train(self) -> frozenset[str]:
        """Return the datasets with `train` and neither `val` nor `test`."""
        held: dict[int, set[int]] = {}
        for dataset, split in zip(self.dataset, self.split, strict=True):
            held.setdefault(dataset, set()).add(split)
        return frozenset(d for d, n in self._datasets.items() if held[n] - {0} == {1})

    def official_by_group(self, drawn_again: frozenset[str]) -> dict[int, int]:
        """Return, for each group, the set of its official splits: bit n for PROTECTION[n]."""
        free = {self._datasets[dataset] for dataset in drawn_again}
        held: dict[int, int] = {}
        for unit, dataset, split in zip(self.unit, self.dataset, self.split, strict=True):
            group = self.parts.root(unit)
            held[group] = held.get(group, 0) | 1 << (0 if dataset in free else split)
        return held

    def group_names(self) -> dict[int, str]:
        """Return each group's name: the first name among its patients and lone photographs."""
        names: dict[int, str] = {}
        for name, unit in self._unit_numbers.items():
            group = self.parts.root(unit)
            names[group] = min(name, names.get(group, name))
        return names


def _unit_name(photograph: Photograph) -> str:
    if photograph.patient is None:
        return photograph.key
    return f"{photograph.dataset}//{photograph.patient}"  # no key holds "//"


def _draw(name: str, fractions: tuple[float, float, float], seed: int) -> str:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
    place = (int.from_bytes(digest, "big") >> 11) / 2**53  # [0, 1), exact in a float
    split = ""
    for split, share in zip(_DRAWN, fractions, strict=True):
        place -= share
        if place < 0:
            return split
    return max(zip(fractions, _DRAWN, strict=True))[1]  # shares that add up to 1 less a rounding


def _last(held: int) -> str:
    return PROTECTION[held.bit_length() - 1]


def _check(fractions: tuple[float, float, float] | None, respect_official: bool) -> None:
    if fractions is None:
        if not respect_official:
            raise ConfigError(
                "without official splits there must be fractions", mend="give 0.8/0.1/0.1"
            )
        return
    shares = all(isinstance(f, int | float) and f >= 0 for f in fractions)
    if len(fractions) != 3 or not shares or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise ConfigError(
            f"fractions must be three shares that add up to 1, got {fractions}",
            mend="give train, val and test, such as 0.8/0.1/0.1",
        )


def _report(
    known: _Known,
    official: Mapping[int, int],
    names: Mapping[int, str],
    goes_to: Mapping[int, str],
    drawn_again: tuple[str, ...],
    fractions: tuple[float, float, float] | None,
    seed: int,
) -> SplitReport:
    group_of = [known.parts.root(unit) for unit in known.unit]
    split_of = {k: goes_to[g] for k, g in zip(known.keys, group_of, strict=True)}
    sizes = Counter(group_of)
    largest = min(sizes, key=lambda g: (-sizes[g], names[g]), default=None)
    counts = Counter(split_of.values())
    return SplitReport(
        split_of=split_of,
        counts={split: counts[split] for split in (*_DRAWN, "all") if counts[split]},
        groups=len(names),
        largest="" if largest is None else names[largest],
        largest_size=0 if largest is None else sizes[largest],
        spanning=_spanning(known.keys, group_of, official, names, goes_to),
        drawn_again=drawn_again,
        fractions=fractions,
        seed=seed,
    )


def _spanning(
    keys: list[str],
    group_of: list[int],
    official: Mapping[int, int],
    names: Mapping[int, str],
    goes_to: Mapping[int, str],
) -> tuple[SpanningGroup, ...]:
    several = {g for g, held in official.items() if (held & ~1).bit_count() > 1}
    members: dict[int, list[str]] = {g: [] for g in several}
    for key, group in zip(keys, group_of, strict=True):
        if group in several:
            members[group].append(key)
    found = [
        SpanningGroup(
            name=names[g],
            found_in=tuple(s for n, s in enumerate(PROTECTION) if official[g] >> n & 1),
            went_to=goes_to[g],
            photographs=tuple(sorted(members[g])),
        )
        for g in several
    ]
    return tuple(sorted(found, key=lambda group: group.name))
