"""A score with its interval, what it rests on, and why there is none where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fundoscope.errors import MissingExtra

Floats = npt.NDArray[np.float64]
TAILS = (2.5, 97.5)
"""Percentiles between which every interval lies."""
FEW_PATIENTS = 30
"""With fewer of them the note says so: a percentile interval is then too narrow."""
LEAST_DRAWS = 20
"""With fewer resamples that define a statistic there is no interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One score; `None` is undefined, never zero."""

    name: str
    """Such as `balanced_accuracy`, `sensitivity`."""
    value: float | None
    low: float | None
    """Lower end of the 95 % interval by patient-wise bootstrap; None where there is none."""
    high: float | None
    n: int
    """Answers, boxes, claims or pairs that it rests on."""
    of: str = ""
    """Class, term, quantity, lesion kind or aspect; empty for all together."""
    note: str = ""
    """Why it is undefined, how small it is, what was left out."""


def estimate(
    name: str,
    value: float | None,
    draws: Floats,
    *,
    n: int,
    patients: int,
    of: str = "",
    note: str = "",
    undefined: str = "",
) -> Estimate:
    """Return a score with the percentile interval of its resamples.

    Parameters
    ----------
    value : of all answers; None or NaN where undefined
    draws : shape (resamples,); NaN where the statistic is undefined, dropped and counted
    patients : who stand behind the `n`
    note : said whatever comes out
    undefined : said where there is no value
    """
    if value is None or not math.isfinite(value):
        why = undefined or ("no answer to score" if n == 0 else "undefined for these answers")
        return Estimate(name, None, None, None, n, of, _joined(note, why))
    notes = [note]
    low = high = None
    if 1 < patients < FEW_PATIENTS:
        notes.append(f"only {patients} patients")
    kept = draws[np.isfinite(draws)]
    if patients < 2:
        notes.append("one patient: no interval")
    elif len(kept) < LEAST_DRAWS:
        notes.append("undefined in nearly all resamples: no interval")
    else:
        if len(kept) < len(draws):
            notes.append(f"undefined in {len(draws) - len(kept)} of {len(draws)} resamples")
        low, high = (float(end) for end in np.percentile(kept, TAILS))
        if low == high:  # [1, 1] would claim that nothing is uncertain
            low = high = None
            notes.append("the same in every resample: no interval")
    return Estimate(name, float(value), low, high, n, of, _joined(*notes))


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def sklearn_metrics() -> Any:
    """Return `sklearn.metrics`.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError as problem:
        raise MissingExtra(
            "scores need scikit-learn", mend="pip install 'fundoscope[evaluate]'"
        ) from problem
    return metrics
