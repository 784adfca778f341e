"""What each item adds to the scores of two systems that were asked the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fundoscope.evaluate import confusions
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    Findings,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Quality,
    Value,
)
from fundoscope.evaluate.bootstrap import ratio
from fundoscope.evaluate.box_metrics import intersections_over_unions, matched
from fundoscope.evaluate.estimates import Floats
from fundoscope.evaluate.items import Scored
from fundoscope.evaluate.number_metrics import NOT_COMPARED
from fundoscope.evaluate.scoring import labels_in
from fundoscope.records import Box

WITHIN = 0.1
"""Relative error up to which a number counts as right, where two systems are compared."""
Pairs = Sequence[tuple[Scored, Scored]]


@dataclass(frozen=True)
class Table:
    """What each item adds, for both systems, and the statistic of the sums."""

    name: str
    one: Floats
    """Shape (n, K)."""
    other: Floats
    statistic: Callable[[Floats], Floats]
    """(..., K) -> (...), NaN where undefined."""
    counted: int
    """Items that count."""
    is_share_right: bool = False
    """Whether the first column is 1 for right and 0 for wrong."""


def tables_of(pairs: Pairs) -> Iterator[Table]:
    """Yield the tables of the scores in which two systems are compared."""
    item = pairs[0][0].item
    match item.space:
        case Findings():
            yield from _of_findings(pairs, item.space.terms)
        case Boxes():
            yield from _of_boxes(pairs)
        case Number():
            yield from _of_numbers(pairs)
        case _:
            yield from _of_labels(pairs, labels_in(item))


def _both(pairs: Pairs, row: Callable[[Scored], Sequence[float]]) -> tuple[Floats, Floats]:
    one = np.asarray([row(a) for a, _ in pairs], np.float64)
    return one, np.asarray([row(b) for _, b in pairs], np.float64)


def _of_labels(pairs: Pairs, labels: Sequence[str]) -> Iterator[Table]:
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

    n = len(pairs)
    yield Table("accuracy_undecided_wrong", *_both(pairs, right), _share, n, is_share_right=True)
    balanced = of(confusions.balanced_accuracy)
    yield Table("balanced_accuracy_undecided_wrong", one, other, balanced, n)
    yield Table("macro_f1_undecided_wrong", one, other, of(confusions.macro_f1), n)
    if isinstance(pairs[0][0].item.space, Levels | Quality):
        both = [_label(a) is not None and _label(b) is not None for a, b in pairs]
        kept = np.asarray(both, np.float64)[:, None]

        def kappa(sums: Floats) -> Floats:
            table = confusions.tables(sums, len(labels))
            return confusions.quadratic_kappa(confusions.decided(table))

        yield Table("quadratic_kappa", one * kept, other * kept, kappa, sum(both))


def _share(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _label(scored: Scored) -> Label | None:
    return scored.reading.label if scored.reading else None


def _of_findings(pairs: Pairs, asked: Sequence[str]) -> Iterator[Table]:
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
        return confusions.mean_of_defined(scores)

    yield Table("findings_right", *_both(pairs, right), _share, len(pairs))
    yield Table("f1_macro", *_both(pairs, counts), macro_f1, len(pairs))


def _of_boxes(pairs: Pairs) -> Iterator[Table]:
    def boxes(label: object) -> tuple[Box, ...]:
        return label.boxes if isinstance(label, FoundBoxes) else ()

    def best(scored: Scored) -> Sequence[float]:
        truth = boxes(scored.item.truth)
        overlaps = intersections_over_unions(truth, boxes(_label(scored)))
        return (float(overlaps.max(axis=1).sum()) if overlaps.size else 0.0, float(len(truth)))

    def found(scored: Scored) -> Sequence[float]:
        truth, said = boxes(scored.item.truth), boxes(_label(scored))
        hits = matched(intersections_over_unions(truth, said), 0.5)
        return (2.0 * hits, float(len(truth) + len(said)))

    yield Table("mean_best_iou", *_both(pairs, best), _share, len(pairs))
    yield Table("f1", *_both(pairs, found), _share, len(pairs))


def _of_numbers(pairs: Pairs) -> Iterator[Table]:
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
    yield Table("mae", one * kept, other * kept, _share, sum(both))
    yield Table("within_10_percent", *_both(pairs, near), _share, len(pairs), is_share_right=True)
