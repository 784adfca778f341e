"""Near-duplicates against a plain comparison of every pair."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError, ReadError
from fundoscope.export import duplicates
from fundoscope.export.duplicates import Components, duplicate_report, near_duplicates
from fundoscope.records import Photograph


def clusters_pair_by_pair(hashes: dict[str, int], max_bits: int) -> list[tuple[str, ...]]:
    """Return the same by comparing every pair of keys and merging sets."""
    sets = [{key} for key in hashes]
    for a, b in itertools.combinations(hashes, 2):
        if (hashes[a] ^ hashes[b]).bit_count() <= max_bits:
            one = next(s for s in sets if a in s)
            other = next(s for s in sets if b in s)
            if one is not other:
                sets.remove(other)
                one |= other
    return sorted(tuple(sorted(s)) for s in sets if len(s) > 1)


def flipped(value: int, n_bits: int, rng: random.Random) -> int:
    for bit in rng.sample(range(256), n_bits):
        value ^= 1 << bit
    return value


def test_forty_bits_apart_is_near_and_forty_one_is_not() -> None:
    hashes = {"a": 0, "b": (1 << 40) - 1, "c": ((1 << 41) - 1) << 200}
    assert near_duplicates(hashes, 40) == [("a", "b")]


def test_a_chain_is_one_cluster() -> None:
    hashes = {"first": 0, "middle": 0b11, "last": 0b1111}
    assert near_duplicates(hashes, 2) == [("first", "last", "middle")]


def test_the_highest_bits_count_too() -> None:
    assert near_duplicates({"a": 0, "b": 1 << 255}, 0) == []
    assert near_duplicates({"a": 0, "b": 1 << 255}, 1) == [("a", "b")]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_no_pair_is_missed_over_the_edges_of_blocks(seed: int, max_bits: int) -> None:
    rng = random.Random(seed)
    originals = [rng.getrandbits(256) for _ in range(6)]
    hashes = {f"p{n}": flipped(rng.choice(originals), rng.randint(0, 60), rng) for n in range(23)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 5)
        assert near_duplicates(hashes, max_bits) == clusters_pair_by_pair(hashes, max_bits)


def test_the_same_bytes_are_duplicates_whatever_their_hash() -> None:
    found = near_duplicates({"a": 0, "b": 2**256 - 1}, 0, sha256={"b": "ff", "c": "ff"})
    assert found == [("b", "c")]


def test_many_equal_photographs_are_one_cluster_soon() -> None:
    hashes = {f"black{n:05d}": 0 for n in range(20_000)}
    ((*cluster,),) = near_duplicates(hashes, 40)
    assert len(cluster) == 20_000


def test_no_photographs_have_no_duplicates() -> None:
    assert near_duplicates({}, 40) == []


@pytest.mark.parametrize("max_bits", [-1, 256])
def test_a_senseless_distance_is_refused(max_bits: int) -> None:
    with pytest.raises(ConfigError, match="0 to 255"):
        near_duplicates({}, max_bits)


def test_a_hash_that_is_too_long_is_refused_by_name() -> None:
    with pytest.raises(ReadError, match=r"odir/all/7_left"):
        near_duplicates({"odir/all/7_left": 1 << 256}, 40)


def test_the_report_counts_sizes_bytes_datasets_and_splits() -> None:
    def photograph(key: str, hash: int | None, sha256: str = "") -> Photograph:
        dataset, split, id = key.split("/")
        text = "" if hash is None else f"{hash:064x}"
        return Photograph(dataset, split, id, sha256=sha256, perceptual_hash=text)

    far = (1 << 256) - 1
    report = duplicate_report(
        [
            photograph("a/train/1", 0, "00"),
            photograph("a/test/1", 1, "01"),
            photograph("b/all/1", 0, "00"),
            photograph("b/all/2", far, "02"),
            photograph("b/all/3", far - 1, "03"),
            photograph("b/all/4", None),
        ],
        max_bits=4,
    )
    assert report.photographs == 6
    assert report.hashed == 5
    assert report.clusters == (("a/test/1", "a/train/1", "b/all/1"), ("b/all/2", "b/all/3"))
    assert report.sizes == {2: 1, 3: 1}
    assert report.same_bytes == 1
    assert report.across_datasets == 1
    assert report.across_splits == 1
    assert report.groups["b/all/3"] == "b/all/2"
    assert "b/all/4" not in report.groups


def test_what_is_joined_hangs_together_and_nothing_else() -> None:
    parts = Components()
    a, b, c, d = (parts.add() for _ in range(4))
    parts.join(d, b)
    parts.join(b, a)
    assert parts.root(a) == parts.root(b) == parts.root(d) != parts.root(c)
