"""Whether two systems differ by more than chance, asked the same about the same patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import stats

from fundoscope.evaluate.bootstrap import Resamples
from fundoscope.evaluate.estimates import Floats

EXACT_PATIENTS = 14
"""With at most so many patients every exchange is tried: 2 ** 14."""
EXCHANGES = 9_999
"""Random exchanges beyond that; p is never below 1 / (exchanges + 1)."""
_TOGETHER = 2_000_000
Bools = npt.NDArray[np.bool_]


def mcnemar(one: Bools, other: Bools) -> float:
    """Return the two-sided exact p of the items that only one of two systems has right.

    References
    ----------
    McNemar 1947, 10.1007/BF02295996
    """
    only_one, only_other = int((one & ~other).sum()), int((~one & other).sum())
    if not only_one + only_other:
        return 1.0
    return float(stats.binomtest(only_one, only_one + only_other, 0.5).pvalue)


def permuted(
    statistic: Callable[[Floats], Floats],
    one: Floats,
    other: Floats,
    drawn: Resamples,
    seed: int = 0,
) -> float | None:
    """Return the share of exchanges of two systems that differ at least as much; two-sided.

    Each exchange swaps the two systems' answers for some of the patients. Exchanges for which the
    statistic is undefined are left out; None where it is for all.
    """
    by_patient = drawn.by_patient(np.concatenate([one, other], axis=1))
    a, b = by_patient[:, : one.shape[1]], by_patient[:, one.shape[1] :]
    seen = abs(float(statistic(a.sum(axis=0)) - statistic(b.sum(axis=0))))
    tried = as_far = 0
    for swapped in _exchanges(drawn.patients, seed):
        moved = swapped @ (a - b)
        apart = statistic(b.sum(axis=0) + moved) - statistic(a.sum(axis=0) - moved)
        apart = np.abs(apart[np.isfinite(apart)])
        tried += len(apart)
        as_far += int((apart >= seen - 1e-12).sum())
    if not tried:
        return None
    if drawn.patients <= EXACT_PATIENTS:
        return as_far / tried
    return (as_far + 1) / (tried + 1)


def _exchanges(patients: int, seed: int) -> Iterator[Floats]:
    """Yield which patients are swapped, 1 or 0, shape (some, P): all ways, or many at random."""
    step = max(1, _TOGETHER // patients)
    if patients <= EXACT_PATIENTS:
        codes = np.arange(2**patients)[:, None]
        yield ((codes >> np.arange(patients)) & 1).astype(np.float64)
        return
    chance = np.random.default_rng(seed)
    for start in range(0, EXCHANGES, step):
        shape = (min(step, EXCHANGES - start), patients)
        yield chance.integers(0, 2, shape, np.int8).astype(np.float64)
