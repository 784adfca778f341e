"""How well boxes lie: (x_min, y_min, x_max, y_max), shares of the photograph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fundoscope.errors import ConfigError
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples, ratio
from fundoscope.evaluate.estimates import Estimate, Floats, estimate
from fundoscope.records import Box

FALSE_PER_PHOTOGRAPH = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Rates at which recall is told (Setio et al. 2017, 10.1016/j.media.2017.06.015)."""


def intersections_over_unions(ones: Sequence[Box], others: Sequence[Box]) -> Floats:
    """Return the IoU of each box of the one list with each of the other, shape (A, B)."""
    a = np.asarray(ones, np.float64).reshape(-1, 1, 4)
    b = np.asarray(others, np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    both = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.divide(shared, both - shared, out=np.zeros_like(shared), where=both > shared)


def matched(overlaps: Floats, iou: float) -> int:
    """Return the most pairs of boxes with at least this IoU, none in two pairs."""
    if not overlaps.size:
        return 0
    fitting = overlaps >= iou
    rows, across = linear_sum_assignment(fitting, maximize=True)
    return int(fitting[rows, across].sum())


def _centres_hit(truth: Sequence[Box], said: Sequence[Box]) -> int:
    """Return how many true boxes hold the centre of a said one."""
    inside = np.asarray(truth, np.float64).reshape(-1, 1, 4)
    boxes = np.asarray(said, np.float64).reshape(1, -1, 4)
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    held = ((inside[..., :2] <= centres) & (centres <= inside[..., 2:])).all(axis=-1)
    return int(np.asarray(held).any(axis=1).sum())


_SUMS = ("true", "said", "matched", "best_iou", "hits", "empty", "empty_right", "answered", "asked")


def _sums(truth: Sequence[Box], said: Sequence[Box] | None, iou: float) -> list[float]:
    """Return what one photograph adds to each of `_SUMS`."""
    if said is None:
        return [0, 0, 0, 0, 0, 0, 0, 0, 1]
    overlaps = intersections_over_unions(truth, said)
    best = float(overlaps.max(axis=1).sum()) if overlaps.size else 0.0
    return [
        len(truth), len(said), matched(overlaps, iou), best, _centres_hit(truth, said),
        not truth, not truth and not said, 1, 1,
    ]  # fmt: skip


def box_scores(
    truth: Sequence[Sequence[Box]],
    said: Sequence[Sequence[Box] | None],
    patients: Ints,
    *,
    kind: str = "",
    iou: float = 0.5,
    confidences: Sequence[Sequence[float] | None] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Return the scores of boxes, with 95 % intervals by patient.

    `mean_best_iou`: over true boxes, the IoU of the said box that fits best, 0 without one.
    `hit_of_centre`: true boxes that hold the centre of a said box; the other way round a box of
    the whole photograph would hit everything. `precision`, `recall`, `f1` at `iou`, one said box to
    one true box. `empty_right`: photographs without a box of which the answer boxes nothing. With
    confidences, `froc`: recall at so many false boxes a photograph, and its mean.

    Parameters
    ----------
    truth, said : for each of N answers its boxes; None where it gives none that can be read, which
        is counted by `coverage` and left out of the rest. An empty list says that there are none.
    kind : of lesion or structure, for `Estimate.of`
    confidences : for each said box; None as in `said`
    """
    if not len(truth) == len(said) == len(patients):
        raise ConfigError(
            f"{len(truth)} truths, {len(said)} answers and {len(patients)} patients",
            mend="one of each an answer",
        )
    drawn = Resamples.of(patients, resamples, seed)
    rows = [_sums(right, given, iou) for right, given in zip(truth, said, strict=True)]
    sums = np.asarray(rows, np.float64).reshape(len(rows), len(_SUMS))
    found = list(_of_sums(sums, drawn, kind))
    if confidences is not None:
        found += _froc_estimates(froc_events(truth, said, confidences, iou), sums, drawn, kind)
    return found


_RATIOS = {
    "coverage": ("answered", "asked", ""),
    "mean_best_iou": ("best_iou", "true", "no box is there to be found"),
    "hit_of_centre": ("hits", "true", "no box is there to be found"),
    "precision": ("matched", "said", "no box was said"),
    "recall": ("matched", "true", "no box is there to be found"),
    "empty_right": ("empty_right", "empty", "every photograph has a box"),
}


def _of_sums(sums: Floats, drawn: Resamples, kind: str) -> Iterator[Estimate]:
    place = {name: column for column, name in enumerate(_SUMS)}
    whole, totals = sums.sum(axis=0), drawn.totals(sums)
    for name, (top, bottom, why) in _RATIOS.items():
        yield estimate(
            name,
            float(ratio(whole[place[top]], whole[place[bottom]])),
            ratio(totals[:, place[top]], totals[:, place[bottom]]),
            n=int(whole[place[bottom]]), of=kind, undefined=why,
            patients=drawn.patients_of(sums[:, place[bottom]] > 0),
        )  # fmt: skip
    both = [place["true"], place["said"]]
    yield estimate(
        "f1",
        float(ratio(2 * whole[place["matched"]], whole[both].sum())),
        ratio(2 * totals[:, place["matched"]], totals[:, both].sum(axis=1)),
        n=int(whole[place["true"]]), of=kind, undefined="no box is there, and none was said",
        patients=drawn.patients_of(sums[:, both].sum(axis=1) > 0),
    )  # fmt: skip


@dataclass(frozen=True)
class FrocEvents:
    """Said boxes, the surest first: whether each finds a true box, and in which answer."""

    confidence: Floats
    hit: Floats
    """1 where it finds a true box that no surer one found."""
    false: Floats
    """1 where it lies on no true box; one that finds a found box again is neither."""
    answer: Ints


def froc_events(
    truth: Sequence[Sequence[Box]],
    said: Sequence[Sequence[Box] | None],
    confidences: Sequence[Sequence[float] | None],
    iou: float = 0.5,
) -> FrocEvents:
    """Return the events of the free-response ROC (Bunch et al. 1977, 10.1117/12.955926).

    Raises
    ------
    ConfigError
        If a box has no confidence.
    """
    events: list[tuple[float, int, int, int]] = []
    for answer, (right, given, sure) in enumerate(zip(truth, said, confidences, strict=True)):
        if given is None:
            continue
        if sure is None or len(sure) != len(given):
            raise ConfigError(
                f"answer {answer} has {len(given)} boxes, not as many confidences",
                mend="one confidence a box, or none at all",
            )
        events += ((c, h, f, answer) for c, h, f in _events(right, given, sure, iou))
    events.sort(key=lambda event: -event[0])
    table = np.asarray(events, np.float64).reshape(-1, 4)
    return FrocEvents(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.int64))


def _events(
    truth: Sequence[Box], said: Sequence[Box], sure: Sequence[float], iou: float
) -> Iterator[tuple[float, int, int]]:
    overlaps = intersections_over_unions(truth, said)
    free = np.ones(len(truth), bool)
    for place in sorted(range(len(said)), key=lambda i: -sure[i]):
        fits = overlaps[:, place] >= iou
        if (fits & free).any():
            found = int(np.where(fits & free, overlaps[:, place], -1).argmax())
            free[found] = False
            yield sure[place], 1, 0
        else:
            yield sure[place], 0, int(not fits.any())


def froc(
    truth: Sequence[Sequence[Box]],
    said: Sequence[Sequence[Box] | None],
    confidences: Sequence[Sequence[float] | None],
    iou: float = 0.5,
) -> list[tuple[float, float]]:
    """Return (false boxes a photograph, recall) at every confidence, from the surest on."""
    events = froc_events(truth, said, confidences, iou)
    answered = sum(given is not None for given in said)
    there = sum(len(right) for right, given in zip(truth, said, strict=True) if given is not None)
    if not answered or not there:
        return []
    ends = _run_ends(events.confidence)
    return [
        (float(false / answered), float(hits / there))
        for false, hits in zip(
            np.cumsum(events.false)[ends], np.cumsum(events.hit)[ends], strict=True
        )
    ]


def _run_ends(values: Floats) -> Ints:
    return np.flatnonzero(np.append(values[1:] != values[:-1], True)[: len(values)])


def _froc_estimates(
    events: FrocEvents, sums: Floats, drawn: Resamples, kind: str
) -> Iterator[Estimate]:
    there, answered = sums[:, _SUMS.index("true")], sums[:, _SUMS.index("answered")]
    ends = _run_ends(events.confidence)
    rates = np.asarray(FALSE_PER_PHOTOGRAPH)

    def recalls(times: Floats) -> Floats:
        """Return the recall at each rate, of answers that count so many times."""
        drawn_here = times[events.answer]
        false = np.cumsum(drawn_here * events.false)[ends]
        hits = np.concatenate([[0.0], np.cumsum(drawn_here * events.hit)[ends]])
        allowed = np.searchsorted(false, rates * (times @ answered), side="right")
        return ratio(hits[allowed], times @ there)

    value = recalls(np.ones(len(sums)))
    draws = np.empty((len(drawn.counts), len(rates)))
    for which, weights in drawn.weights(np.arange(len(sums))):
        draws[which] = [recalls(times.astype(np.float64)) for times in weights]
    told = {f"{rate:g}": (value[i], draws[:, i]) for i, rate in enumerate(rates)}
    told["mean"] = (value.mean(), draws.mean(axis=1))
    for rate, (at, at_draws) in told.items():
        yield estimate(
            f"froc_{rate}", float(at), at_draws, n=int(there.sum()), of=kind,
            patients=drawn.patients_of(there > 0), undefined="no box is there to be found",
        )  # fmt: skip
