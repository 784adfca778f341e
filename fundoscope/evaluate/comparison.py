"""Two systems on the same items: the paired difference, its interval, and a p value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fundoscope import terms
from fundoscope.evaluate import confusions
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Options,
    Quality,
    Space,
    Value,
    YesNo,
)
from fundoscope.evaluate.bootstrap import RESAMPLES, Resamples, ratio
from fundoscope.evaluate.box_metrics import intersections_over_unions, matched
from fundoscope.evaluate.estimates import Floats, estimate
from fundoscope.evaluate.items import Item, Scored
from fundoscope.evaluate.number_metrics import NOT_COMPARED

EXACT_PATIENTS = 14
"""With at most so many patients every exchange is tried: 2 ** 14."""
EXCHANGES = 9_999
"""Random exchanges beyond that; p is never below 1 / (exchanges + 1)."""
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
    """Items that both were asked and at least one answered."""
    note: str = ""


def compare(
    one: Sequence[Scored],
    other: Sequence[Scored],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Return the differences of two systems on one question, item by item.

    Undecided answers are wrong here, else a system would gain by staying silent. Where only one
    system has no answer that is an answer it did not give; items that neither answered are left
    out and counted. Labels: accuracy, balanced accuracy, macro F1, and quadratic kappa where they
    are levels and both decided. Findings: share of known findings right, macro F1 over terms. Boxes:
    mean best IoU and F1. Numbers: mean absolute error and share within 10 %, where both gave one.

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
    pairs = [(a, b) for a, b in pairs if a.reading is not None or b.reading is not None]
    notes = [f"{unpaired} items of one system only left out"] if unpaired else []
    if asked > len(pairs):
        notes.append(f"{asked - len(pairs)} items that neither answered left out")
    if not pairs or isinstance(pairs[0][0].item.truth, tuple):
        return []
    return [
        _difference(table, pairs, "; ".join(notes), resamples, seed) for table in _tables(pairs)
    ]


@dataclass(frozen=True)
class _Table:
    """What each item adds, for both systems, and the statistic of the sums."""

    name: str
    one: Floats
    """Shape (n, K)."""
    other: Floats
    statistic: Callable[[Floats], Floats]
    """(..., K) -> (...), NaN where undefined."""
    is_share_right: bool = False
    """Whether the first column is 1 for right and 0 for wrong."""


_Pairs = Sequence[tuple[Scored, Scored]]


def _tables(pairs: _Pairs) -> Iterator[_Table]:
    item = pairs[0][0].item
    match item.space:
        case Findings():
            yield from _of_findings(pairs, item.space.terms)
        case Boxes():
            yield from _of_boxes(pairs)
        case Number():
            yield from _of_numbers(pairs)
        case _:
            yield from _of_labels(pairs, labels_of(item.space))


def labels_of(space: Space) -> tuple[str, ...]:
    """Return the labels of a space with one label an answer, in the order of their scale."""
    match space:
        case YesNo():
            return ("no", "suspected", "yes") if space.suspected else ("no", "yes")
        case Levels():
            return tuple(str(level) for level in sorted(terms.scale(space.scale).levels))
        case Quality():
            return ("ungradable", "gradable") if space.binary else ("reject", "usable", "good")
        case EyeSide():
            return ("left", "right")
        case Options():
            return tuple(letter for letter, _ in space.options)
        case _:
            return ()


def _both(pairs: _Pairs, row: Callable[[Scored], Sequence[float]]) -> tuple[Floats, Floats]:
    one = np.asarray([row(a) for a, _ in pairs], np.float64)
    return one, np.asarray([row(b) for _, b in pairs], np.float64)


def _of_labels(pairs: _Pairs, labels: Sequence[str]) -> Iterator[_Table]:
    place = {label: index for index, label in enumerate(labels)}

    def flat(scored: Sequence[Scored]) -> Floats:
        truth = np.asarray([place[str(s.item.truth)] for s in scored], np.int64)
        said = np.asarray([place.get(str(_label(s)), confusions.ABSTAINED) for s in scored])
        return confusions.cells(truth, said.astype(np.int64), len(labels))

    one, other = flat([a for a, _ in pairs]), flat([b for _, b in pairs])

    def of(statistic: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        return lambda sums: statistic(confusions.answered(confusions.tables(sums, len(labels))))

    def right(scored: Scored) -> Sequence[float]:
        return (float(str(_label(scored)) == str(scored.item.truth)), 1.0)

    yield _Table("accuracy_undecided_wrong", *_both(pairs, right), _share, is_share_right=True)
    balanced = of(confusions.balanced_accuracy)
    yield _Table("balanced_accuracy_undecided_wrong", one, other, balanced)
    yield _Table("macro_f1_undecided_wrong", one, other, of(confusions.macro_f1))
    if isinstance(pairs[0][0].item.space, Levels | Quality):
        both = [_label(a) is not None and _label(b) is not None for a, b in pairs]
        kept = np.asarray(both, np.float64)[:, None]

        def kappa(sums: Floats) -> Floats:
            table = confusions.tables(sums, len(labels))
            return confusions.quadratic_kappa(confusions.decided(table))

        yield _Table("quadratic_kappa", one * kept, other * kept, kappa)


def _share(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _label(scored: Scored) -> Label | None:
    return scored.reading.label if scored.reading else None


def _of_findings(pairs: _Pairs, asked: Sequence[str]) -> Iterator[_Table]:
    def statuses(label: object) -> list[str]:
        if not isinstance(label, FoundTerms):
            return ["undecided"] * len(asked)
        return [label.status_of(term) for term in asked]

    def right(scored: Scored) -> Sequence[float]:
        known = statuses(scored.item.truth)
        said = statuses(_label(scored))
        told = [(t, s) for t, s in zip(known, said, strict=True) if t in ("present", "absent")]
        hits = sum(t == s or (t == "absent" and s == "not_mentioned") for t, s in told)
        return (float(hits), float(len(told)))

    def counts(scored: Scored) -> Sequence[float]:
        known, said = statuses(scored.item.truth), statuses(_label(scored))
        row: list[float] = []
        for t, s in zip(known, said, strict=True):
            counted = t in ("present", "absent")
            row += [counted and t == s == "present", counted and (t == "present"),
                    counted and s == "present"]  # fmt: skip
        return row

    def macro_f1(sums: Floats) -> Floats:
        by_term = sums.reshape(*sums.shape[:-1], -1, 3)
        scores = ratio(2 * by_term[..., 0], by_term[..., 1] + by_term[..., 2])
        there = np.isfinite(scores)
        return ratio(np.where(there, scores, 0).sum(axis=-1), there.sum(axis=-1))

    yield _Table("findings_right", *_both(pairs, right), _share)
    yield _Table("f1_macro", *_both(pairs, counts), macro_f1)


def _of_boxes(pairs: _Pairs) -> Iterator[_Table]:
    def boxes(label: object) -> tuple[tuple[float, ...], ...]:
        return label.boxes if isinstance(label, FoundBoxes) else ()

    def best(scored: Scored) -> Sequence[float]:
        truth = boxes(scored.item.truth)
        overlaps = intersections_over_unions(truth, boxes(_label(scored)))
        return (float(overlaps.max(axis=1).sum()) if overlaps.size else 0.0, float(len(truth)))

    def found(scored: Scored) -> Sequence[float]:
        truth, said = boxes(scored.item.truth), boxes(_label(scored))
        hits = matched(intersections_over_unions(truth, said), 0.5)
        return (2.0 * hits, float(len(truth) + len(said)))

    yield _Table("mean_best_iou", *_both(pairs, best), _share)
    yield _Table("f1", *_both(pairs, found), _share)


WITHIN = 0.1
"""Relative error up to which a number counts as right, where two systems are compared."""


def _of_numbers(pairs: _Pairs) -> Iterator[_Table]:
    def error(scored: Scored) -> float | None:
        said, truth = _label(scored), scored.item.truth
        assert isinstance(truth, Value)
        if not isinstance(said, Value) or said.unit_error in NOT_COMPARED:
            return None
        return abs(said.value - truth.value)

    both = [error(a) is not None and error(b) is not None for a, b in pairs]
    kept = np.asarray(both, np.float64)[:, None]

    def size(scored: Scored) -> Sequence[float]:
        return (error(scored) or 0.0, 1.0)

    def near(scored: Scored) -> Sequence[float]:
        found, truth = error(scored), scored.item.truth
        assert isinstance(truth, Value)
        return (float(found is not None and found <= WITHIN * abs(truth.value)), 1.0)

    one, other = _both(pairs, size)
    yield _Table("mae", one * kept, other * kept, _share)
    yield _Table("within_10_percent", *_both(pairs, near), _share, is_share_right=True)


def _difference(table: _Table, pairs: _Pairs, note: str, resamples: int, seed: int) -> Difference:
    patients = _patients([a.item for a, _ in pairs])
    drawn = Resamples.of(patients, resamples, seed)
    width = table.one.shape[1]
    totals = drawn.totals(np.concatenate([table.one, table.other], axis=1))
    draws = table.statistic(totals[:, :width]) - table.statistic(totals[:, width:])
    one, other = (float(table.statistic(part.sum(axis=0))) for part in (table.one, table.other))
    n = int(np.any((table.one != 0) | (table.other != 0), axis=1).sum())
    found = estimate(
        table.name, one - other, draws, n=n, patients=drawn.patients, note=note,
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
        table.name, values[0], values[1], found.value, found.low, found.high, p, test, n,
        found.note,
    )  # fmt: skip


def _patients(items: Sequence[Item]) -> np.ndarray:
    number: dict[str, int] = {}
    return np.asarray([number.setdefault(i.patient, len(number)) for i in items], np.int64)


def mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    """Return the two-sided exact p of the items that only one of two systems has right."""
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
    """Return the share of exchanges of the systems that differ at least as much; two-sided.

    Each exchange swaps the two systems' answers for some of the patients. Exchanges for which the
    statistic is undefined are left out.
    """
    by_patient = drawn.by_patient(np.concatenate([one, other], axis=1))
    a, b = by_patient[:, : one.shape[1]], by_patient[:, one.shape[1] :]
    exact = drawn.patients <= EXACT_PATIENTS
    if exact:
        codes = np.arange(2**drawn.patients)[:, None]
        kept = (codes >> np.arange(drawn.patients)) & 1
    else:
        kept = np.random.default_rng(seed).integers(0, 2, (EXCHANGES, drawn.patients), np.int8)
    apart = a - b
    summed = np.concatenate([part @ apart for part in np.array_split(kept * 1.0, 20)])
    differences = statistic(b.sum(axis=0) + summed) - statistic(a.sum(axis=0) - summed)
    seen = abs(float(statistic(a.sum(axis=0)) - statistic(b.sum(axis=0))))
    defined = differences[np.isfinite(differences)]
    if not len(defined):
        return None
    as_far = int((np.abs(defined) >= seen - 1e-12).sum())
    return as_far / len(defined) if exact else (as_far + 1) / (len(defined) + 1)
