"""Patients drawn again, all resamples at once: counts of patients times their sums.

Answers about one patient belong together, so patients are drawn, with replacement and as many as
there are (Efron and Tibshirani 1993, 10.1201/9780429246593; clusters: Davison and Hinkley 1997,
10.1017/CBO9780511802843, 3.8). A statistic of sums needs only each patient's sums, and how often
each resample draws him. Sums are exact: values are first rounded to a grid so fine (some 1e-10 of
the largest) that every total fits into a double. So no order of adding, number of threads or
machine changes a digit, and a plain loop over resamples gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError
from fundoscope.evaluate.estimates import Floats

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint8]
RESAMPLES = 2000
_AT_ONCE = 4_000_000
"""Numbers in hand in one step: 32 MB as doubles."""
_IN_CACHE = 30_000
_DOUBLE_BITS = 52


def patient_counts(patients: Ints, resamples: int = RESAMPLES, seed: int = 0) -> Counts:
    """Return how often each resample draws each patient.

    Parameters
    ----------
    patients : shape (N,); who shares a number is drawn together

    Returns
    -------
    uint8 array, shape (resamples, P)
        Patients in the order of their sorted numbers; each row sums to P.
    """
    return _counts(len(np.unique(patients)), resamples, seed)


@lru_cache(maxsize=2)
def _counts(count: int, resamples: int, seed: int) -> Counts:
    drawn = np.empty((resamples, count), np.uint8)
    chance = np.random.default_rng(seed)
    for rows in _rows(resamples, count):
        chosen = chance.integers(0, count, (len(rows), count))
        flat = (chosen + np.arange(len(rows))[:, None] * count).ravel()
        times = np.bincount(flat, minlength=len(rows) * count)
        assert times.max(initial=0) < 256  # mean 1: beyond any chance, or fewer than 256 patients
        drawn[rows.start : rows.stop] = times.reshape(len(rows), count)
    drawn.flags.writeable = False
    return drawn


def _rows(rows: int, columns: int, at_once: int = _AT_ONCE) -> Iterator[range]:
    step = max(1, at_once // max(1, columns))
    for start in range(0, rows, step):
        yield range(start, min(rows, start + step))


@dataclass(frozen=True)
class Resamples:
    """Answers by patient, and the resamples of the patients."""

    patient_of: Ints
    """Shape (N,); number of the patient of each answer, from 0."""
    counts: Counts
    """Shape (R, P)."""

    @classmethod
    def of(cls, patients: Ints, resamples: int = RESAMPLES, seed: int = 0) -> Resamples:
        """Return resamples of the patients of N answers.

        Raises
        ------
        ConfigError
            If `resamples` is not at least 1.
        """
        if resamples < 1:
            raise ConfigError(f"resamples must be at least 1, got {resamples}", mend="2000")
        patients = np.asarray(patients)
        _, place = np.unique(patients, return_inverse=True)
        return cls(place.reshape(-1).astype(np.int64), patient_counts(patients, resamples, seed))

    @property
    def patients(self) -> int:
        """How many there are."""
        return self.counts.shape[1]

    @cached_property
    def most_answers(self) -> int:
        """Answers of a resample that draws the patient with the most of them every time."""
        return int(np.bincount(self.patient_of).max(initial=1)) * max(1, self.patients)

    def patients_of(self, chosen: npt.ArrayLike) -> int:
        """Return how many patients the chosen answers have; of (N, T), any of the T."""
        these = np.asarray(chosen, bool)
        whom = np.any(these, axis=1) if these.ndim > 1 else these
        return len(np.unique(self.patient_of[whom]))

    def by_patient(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return the sums of each patient, shape (P, K), of values of shape (N, K).

        Values are rounded to the grid on which all totals are exact.
        """
        values = on_grid(np.asarray(values, np.float64), self.most_answers)
        sums = np.zeros((self.patients, values.shape[1]))
        for column in range(values.shape[1]):
            sums[:, column] = np.bincount(
                self.patient_of, values[:, column], minlength=self.patients
            )
        return sums

    def totals(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return the totals of every resample, shape (R, K), of values of shape (N, K)."""
        sums = self.by_patient(values)
        out = np.empty((len(self.counts), sums.shape[1]))
        for rows in _rows(len(self.counts), self.patients):
            out[rows.start : rows.stop] = (
                self.counts[rows.start : rows.stop].astype(np.float64) @ sums
            )
        return out

    def weights(self, answers: Ints) -> Iterator[tuple[slice, Counts]]:
        """Yield how often each of some answers is drawn: (which resamples, (r, len(answers))).

        Few resamples at a time, so that what is computed from them stays in the cache.
        """
        patient_of = self.patient_of[answers]
        for rows in _rows(len(self.counts), len(answers), _IN_CACHE):
            which = slice(rows.start, rows.stop)
            yield which, self.counts[which].take(patient_of, axis=1)

    def chosen(self, chosen: npt.ArrayLike) -> Resamples:
        """Return the same resamples with the chosen answers only."""
        return Resamples(self.patient_of[np.asarray(chosen, bool)], self.counts)


def on_grid(values: Floats, most: int) -> Floats:
    """Return values rounded to a power of two so small that `most` of them add without error.

    Each column of (N, K) has its own grid. Whole numbers stay as they are.
    """
    largest = np.abs(values).max(axis=0, initial=0.0)
    _, bits = np.frexp(largest * most)
    grid = np.ldexp(1.0, bits - _DOUBLE_BITS)
    return np.asarray(np.rint(values / grid) * grid)


def ratio(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Floats:
    """Return top / bottom, NaN where the bottom is 0."""
    above, below = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
