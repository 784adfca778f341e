"""The stream of rows: the counts asked for, the same everywhere, and all had in turn."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.errors import ConfigError
from fundoscope.train.mixing import Mix, Place, Portion, counts_of, grouped


def test_retinalgpts_first_stage_takes_38_thousand_beside_600_thousand() -> None:
    portions = [Portion(count=38_000), Portion(count=600_000)]
    assert counts_of(portions, [38_000, 600_000]) == [38_000, 600_000]


def test_shares_take_as_much_as_the_scarcest_file_gives_once() -> None:
    assert counts_of([Portion(share=1), Portion(share=3)], [100, 1000]) == [100, 300]
    assert counts_of([Portion(share=1), Portion(share=3)], [100, 1000], 40) == [10, 30]


def test_shares_beside_counts_are_refused() -> None:
    with pytest.raises(ConfigError, match="some files have a share"):
        counts_of([Portion(share=1), Portion(count=3)], [10, 10])


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 40)), min_size=1, max_size=3))
def test_an_epoch_holds_exactly_what_was_asked_of_each_file(pairs) -> None:
    counts, sizes = [c for c, _ in pairs], [s for _, s in pairs]
    mix = Mix(counts, sizes, seed=3)
    for epoch in (0, 1, 2):
        order = mix.order(epoch)
        assert Counter(order[:, 0].tolist()) == dict(enumerate(counts))
        assert all(row < sizes[source] for source, row in order.tolist())


def test_a_large_file_gives_other_rows_in_each_epoch_until_all_had_their_turn() -> None:
    mix = Mix([5], [20], seed=1)
    seen = [set(mix.order(epoch)[:, 1].tolist()) for epoch in range(4)]
    assert set.union(*seen) == set(range(20))


def test_a_small_file_gives_its_rows_equally_often() -> None:
    rows = Mix([10], [4], seed=1).order(0)[:, 1].tolist()
    assert set(Counter(rows).values()) <= {2, 3}


def test_any_place_is_the_same_however_it_is_come_to() -> None:
    mix = Mix([7, 3], [9, 2], seed=5)
    straight = [mix.place(k) for k in range(30)]
    assert [Mix([7, 3], [9, 2], seed=5).place(k) for k in (29, 12, 4)] == [
        straight[29], straight[12], straight[4]
    ]  # fmt: skip
    assert straight[10] == Place(1, *Mix([7, 3], [9, 2], seed=5).order(1)[0].tolist())
    assert [Mix([7, 3], [9, 2], seed=6).place(k) for k in range(30)] != straight


def test_processes_share_an_epoch_without_a_row_twice_or_left_out() -> None:
    mix = Mix([8, 4], [8, 4], seed=2)
    parts = [[mix.place(k) for k in range(rank, 12, 3)] for rank in range(3)]
    assert sorted(p for part in parts for p in part) == sorted(mix.place(k) for k in range(12))


def test_batches_hold_one_kind_and_like_lengths() -> None:
    chance = np.random.default_rng(0)
    lengths = chance.integers(10, 500, 400).astype(np.int32)
    pictured = chance.random(400) < 0.5
    order = grouped(lengths, pictured, 8, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(400))
    whole = order[: len(order) // 8 * 8].reshape(-1, 8)
    mixed = sum(len(set(pictured[batch].tolist())) > 1 for batch in whole)
    assert mixed <= 2  # what was left of each kind, at the end
    padding = (lengths[whole].max(axis=1, keepdims=True) - lengths[whole]).sum()
    by_chance = chance.permutation(400).reshape(-1, 8)
    wasted = (lengths[by_chance].max(axis=1, keepdims=True) - lengths[by_chance]).sum()
    assert padding < wasted / 4
