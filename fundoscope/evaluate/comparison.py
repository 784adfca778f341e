"""Two systems on the same items: the paired difference, its interval, and a p value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples
from fundoscope.evaluate.estimates import estimate
from fundoscope.evaluate.items import Item, Scored
from fundoscope.evaluate.paired_tables import Pairs, Table, tables_of
from fundoscope.evaluate.paired_tests import mcnemar, permuted

MCNEMAR = "McNemar's exact test"
PERMUTATION = "permutation by patient"


@dataclass(frozen=True, slots=True)
class Difference:
    """One score of two systems on the same items: `one` minus `other`."""

    name: str
    one: float | None
    other: float | None
    difference: float | None
    low: float | None
    """Lower end of the 95 % interval of the difference, by paired patient-wise bootstrap."""
    high: float | None
    p: float | None
    """Two-sided, of no difference; None where undefined."""
    test: str
    n: int
    """Items of both that count towards it."""
    note: str = ""


def compare(
    one: Sequence[Scored],
    other: Sequence[Scored],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Return the differences of two systems on one question, item by item.

    Undecided answers are wrong here, else a system would gain by staying silent. Items that one of
    the two did not answer are left out and counted. Labels: accuracy, balanced accuracy, macro F1,
    and quadratic kappa where they are levels and both decided. Findings: share of known findings
    right, what is not mentioned being taken as absent, and macro F1 over terms. Boxes: mean best
    IoU and F1. Numbers: mean absolute error where both gave one, and share within 10 %.

    p is McNemar's exact test (1947, 10.1007/BF02295996) for accuracy where each patient has one
    item; else a permutation test that exchanges the two systems patient by patient (all exchanges
    with few patients). No correction is made for several scores.

    Parameters
    ----------
    one, other : answers to the same question; items are paired by id
    """
    theirs = {scored.item.id: scored for scored in other}
    pairs = [(a, theirs[a.item.id]) for a in one if a.item.id in theirs]
    unpaired = len(one) + len(other) - 2 * len(pairs)
    asked = len(pairs)
    pairs = [(a, b) for a, b in pairs if a.reading is not None and b.reading is not None]
    notes = [f"{unpaired} items of one system only left out"] if unpaired else []
    if asked > len(pairs):
        notes.append(f"{asked - len(pairs)} items without an answer of both left out")
    if not pairs or isinstance(pairs[0][0].item.truth, tuple):
        return []
    return [
        _difference(table, pairs, "; ".join(notes), resamples, seed) for table in tables_of(pairs)
    ]


def _difference(table: Table, pairs: Pairs, note: str, resamples: int, seed: int) -> Difference:
    patients = _patients([a.item for a, _ in pairs])
    drawn = Resamples.of(patients, resamples, seed)
    width = table.one.shape[1]
    totals = drawn.totals(np.concatenate([table.one, table.other], axis=1))
    draws = table.statistic(totals[:, :width]) - table.statistic(totals[:, width:])
    one, other = (float(table.statistic(part.sum(axis=0))) for part in (table.one, table.other))
    found = estimate(
        table.name, one - other, draws, n=table.counted, patients=drawn.patients, note=note,
        undefined="undefined for one of the two",
    )  # fmt: skip
    by_patient = len(pairs) == drawn.patients
    if found.value is None:
        p, test = None, ""
    elif table.is_share_right and by_patient:
        p, test = mcnemar(table.one[:, 0] > 0, table.other[:, 0] > 0), MCNEMAR
    else:
        p, test = permuted(table.statistic, table.one, table.other, drawn, seed), PERMUTATION
    values = [value if np.isfinite(value) else None for value in (one, other)]
    return Difference(
        table.name, values[0], values[1], found.value, found.low, found.high, p, test,
        table.counted, found.note,
    )  # fmt: skip


def _patients(items: Sequence[Item]) -> Ints:
    number: dict[str, int] = {}
    return np.asarray([number.setdefault(i.patient, len(number)) for i in items], np.int64)
