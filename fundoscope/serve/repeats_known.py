"""How far two measurements of one eye are expected to differ: its own figure, else the tool's."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from fundoscope.records import Measured, Record

BY_DEGREES = ("fovea_disc_angle",)
"""Signed and near zero: their figure is in degrees, not a share of the value."""
LIMIT = 1.96 * math.sqrt(math.pi / 2)
"""What 95 of 100 differences stay below, of the expected difference: for a normal distribution
the expected difference is 2 s / sqrt(pi), the limit 1.96 sqrt(2) s (Bland and Altman, 1986)."""


def with_known(record: Record) -> Record:
    """Return a record in which each value without a repeatability of its own has the tool's.

    The tool's is the median over photographs of `words/repeatability.csv`, as a share of the value
    (`benchmarks/repeatability.py`); a quantity that has no row there keeps none.
    """
    return replace(
        record,
        measurements=tuple(
            replace(one, repeatability=known(one)) if isinstance(one, Measured) else one
            for one in record.measurements
        ),
    )


def known(measured: Measured) -> float | None:
    """Return the expected difference of two measurements, in the value's unit; None if unknown."""
    if measured.repeatability is not None:
        return measured.repeatability
    share = _shares().get((measured.name, measured.of, measured.where))
    if share is None:
        return None
    return (share if measured.name in BY_DEGREES else share * abs(measured.value)) or None


@cache
def _shares() -> Mapping[tuple[str, str, str], float]:
    file = files("fundoscope") / "serve" / "words" / "repeatability.csv"
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return {(row["quantity"], row["of"], row["where"]): float(row["share"]) for row in rows}
