"""What probabilities are worth: areas under curves, calibration, accuracy among the surest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fundoscope.evaluate.bootstrap import Ints, Resamples, ratio
from fundoscope.evaluate.confusions import in_order
from fundoscope.evaluate.estimates import Floats, sklearn_metrics

Bools = npt.NDArray[np.bool_]
BINS = 10
COVERAGES = (0.5, 0.8, 0.9, 1.0)
_PRECISION_GRID = 2.0**31
"""Precisions are rounded to its inverse, so that their sums are exact."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Answers whose surest label has a probability in (low, high]; the first holds 0 too."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Mean probability of the surest label; None in an empty bin."""
    accuracy: float | None
    """Share of them that is right."""


def surest(probabilities: Floats) -> tuple[Ints, Floats]:
    """Return the most probable label of each answer, the first of equals, and its probability."""
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def calibration_curve(truth: Ints, probabilities: Floats, bins: int = BINS) -> list[CalibrationBin]:
    """Return how often the surest label is right, by how sure it was.

    Parameters
    ----------
    truth : shape (N,)
    probabilities : shape (N, L), rows that sum to 1; a row with NaN is left out
    """
    known = np.isfinite(probabilities).all(axis=1)
    sums = _bin_sums(truth[known], probabilities[known], bins).sum(axis=0).reshape(3, bins)
    edges = np.linspace(0, 1, bins + 1)
    return [
        CalibrationBin(
            float(edges[i]),
            float(edges[i + 1]),
            int(n),
            float(sure / n) if n else None,
            float(right / n) if n else None,
        )
        for i, (n, sure, right) in enumerate(sums.T)
    ]


def _bin_sums(truth: Ints, probabilities: Floats, bins: int) -> Floats:
    """Return (N, 3 * bins): for each answer, in its bin, 1, its confidence, whether right."""
    label, sure = surest(probabilities)
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    found = np.zeros((len(truth), 3, bins))
    rows = np.arange(len(truth))
    found[rows, 0, place] = 1
    found[rows, 1, place] = sure
    found[rows, 2, place] = label == truth
    return found.reshape(len(truth), 3 * bins)


def _expected_error(sums: Floats) -> Floats:
    """Return the expected calibration error of (..., 3 * bins)."""
    of_bins = sums.reshape(*sums.shape[:-1], 3, -1)
    apart = in_order(np.abs(of_bins[..., 2, :] - of_bins[..., 1, :]))
    return ratio(apart, of_bins[..., 0, :].sum(axis=-1))


def calibration_error(
    truth: Ints, probabilities: Floats, drawn: Resamples, bins: int = BINS
) -> tuple[float, Floats]:
    """Return the expected calibration error (Guo et al. 2017, arXiv:1706.04599), and its draws."""
    sums = _bin_sums(truth, probabilities, bins)
    return float(_expected_error(sums.sum(axis=0))), _expected_error(drawn.totals(sums))


def risk_coverage(truth: Ints, probabilities: Floats) -> list[tuple[float, float]]:
    """Return (coverage, accuracy) when only the surest answers count, from fewest to all.

    Answers that are equally sure come together.
    """
    known = np.isfinite(probabilities).all(axis=1)
    label, sure = surest(probabilities[known])
    order, ends = _groups(-sure)
    right = np.cumsum((label == truth[known])[order])[ends]
    count = ends + 1
    return [(float(n / len(sure)), float(r / n)) for n, r in zip(count, right, strict=True)]


def accuracy_at_coverage(
    truth: Ints, probabilities: Floats, drawn: Resamples, coverages: tuple[float, ...] = COVERAGES
) -> tuple[Floats, Floats]:
    """Return the accuracy among the surest answers at each coverage (C,), and draws (R, C).

    Of equally sure answers at the border the expected part counts.
    """
    label, sure = surest(probabilities)
    order, ends = _groups(-sure)
    right = (label == truth)[order]
    shares = np.asarray(coverages)

    def at(times: npt.NDArray[Any]) -> tuple[Floats, int]:
        count = np.append(0, np.cumsum(times, dtype=np.int64)[ends])
        hits = np.append(0, np.cumsum(times * right, dtype=np.int64)[ends])
        return np.interp(shares * count[-1], count, hits), int(count[-1])

    found = [at(times) for _, weights in drawn.weights(order) for times in weights]
    hits = np.asarray([one for one, _ in found])
    draws = ratio(hits, shares * np.asarray([[count] for _, count in found]))
    value, count = at(np.ones(len(truth), np.int64))
    return ratio(value, shares * count), draws


def _groups(values: Floats) -> tuple[Ints, Ints]:
    """Return the order that sorts, and where each run of equal values ends in it."""
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    return order, np.flatnonzero(np.append(in_order[1:] != in_order[:-1], True)[: len(values)])


def curve_area(
    name: str, scores: Floats, positive: Bools, drawn: Resamples
) -> tuple[float | None, Floats]:
    """Return an area (`auroc` or `aupr`), None where only one class is there, and its draws."""
    if positive.all() or not positive.any():
        return None, np.full(len(drawn.counts), np.nan)
    metrics = sklearn_metrics()
    if name == "auroc":
        return float(metrics.roc_auc_score(positive, scores)), auroc_draws(scores, positive, drawn)
    return float(metrics.average_precision_score(positive, scores)), average_precision_draws(
        scores, positive, drawn
    )


def auroc_draws(scores: Floats, positive: Bools, drawn: Resamples) -> Floats:
    """Return the area under the ROC curve in every resample; ties count half (Mann-Whitney)."""
    negatives = np.flatnonzero(~positive)[np.argsort(scores[~positive], kind="stable")]
    positives = np.flatnonzero(positive)[np.argsort(scores[positive], kind="stable")]
    below = np.searchsorted(scores[negatives], scores[positives], side="left")
    up_to = np.searchsorted(scores[negatives], scores[positives], side="right")
    draws = np.empty(len(drawn.counts))
    for which, weights in drawn.weights(np.concatenate([negatives, positives])):
        beaten = np.zeros((len(weights), len(negatives) + 1), np.int64)
        np.cumsum(weights[:, : len(negatives)], axis=1, out=beaten[:, 1:])
        ours = weights[:, len(negatives) :].astype(np.int64)
        pairs = beaten.take(below, axis=1) + beaten.take(up_to, axis=1)
        twice = np.einsum("rp,rp->r", ours, pairs)
        draws[which] = ratio(twice, 2 * ours.sum(axis=1) * beaten[:, -1])
    return draws


def average_precision_draws(scores: Floats, positive: Bools, drawn: Resamples) -> Floats:
    """Return the average precision, sum of (recall step * precision), in every resample."""
    order, ends = _groups(-scores)
    found = np.cumsum(positive[order])[ends]  # (groups,)
    new = np.diff(found, prepend=0) > 0  # elsewhere recall does not step
    ends, found = ends[new], found[new]
    positives = np.flatnonzero(positive[order])
    draws = np.empty(len(drawn.counts))
    for which, weights in drawn.weights(order):
        said = np.cumsum(weights, axis=1, dtype=np.int64).take(ends, axis=1)
        hits = np.cumsum(weights.take(positives, axis=1), axis=1, dtype=np.int64)
        right = hits.take(found - 1, axis=1)
        precision = np.divide(right, said, out=np.zeros(said.shape), where=said > 0)
        precision = np.rint(precision * _PRECISION_GRID) / _PRECISION_GRID
        steps = np.diff(right, axis=1, prepend=0)
        draws[which] = ratio((steps * precision).sum(axis=1), right[:, -1])
    return draws
