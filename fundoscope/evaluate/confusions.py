"""Statistics of confusion matrices, many matrices at once.

A table has shape (..., L, L + 3): rows are the true labels; columns the labels that were said, then
abstained, contradictory, and no answer. NaN is undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from fundoscope.evaluate.bootstrap import Ints, ratio
from fundoscope.evaluate.estimates import Floats

ABSTAINED, CONTRADICTORY, NO_ANSWER = -1, -2, -3
"""What stands for an answer that gives no label; `NO_ANSWER` is missing or unreadable."""
UNDECIDED_COLUMNS = ("abstained", "contradictory", "no answer")


def columns(said: Ints, labels: int) -> Ints:
    """Return the column of a table for each answer."""
    return np.where(said >= 0, said, labels - 1 - said)


def cells(truth: Ints, said: Ints, labels: int) -> npt.NDArray[np.float64]:
    """Return for each answer its table, flat: shape (N, L * (L + 3)), one 1 in each row."""
    width = labels + len(UNDECIDED_COLUMNS)
    found = np.zeros((len(truth), labels * width))
    found[np.arange(len(truth)), truth * width + columns(said, labels)] = 1
    return found


def tables(flat: Floats, labels: int) -> Floats:
    """Return flat tables (..., L * (L + 3)) in their shape."""
    return flat.reshape(*flat.shape[:-1], labels, labels + len(UNDECIDED_COLUMNS))


def decided(table: Floats) -> Floats:
    """Return the square part (..., L, L): answers with a label."""
    return np.ascontiguousarray(table[..., : table.shape[-2]])


def answered(table: Floats) -> Floats:
    """Return the part (..., L, L + 1) of all that were answered; the last column is undecided."""
    labels = table.shape[-2]
    undecided = table[..., labels : labels + 2].sum(axis=-1, keepdims=True)
    return np.concatenate([table[..., :labels], undecided], axis=-1)


def _diagonal(square: Floats) -> Floats:
    return np.ascontiguousarray(np.diagonal(square, axis1=-2, axis2=-1))


def mean_of_defined(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN."""
    there = np.isfinite(values)
    return ratio(in_order(np.where(there, values, 0.0)), there.sum(axis=-1))


def in_order(values: Floats) -> Floats:
    """Return the sum over the last axis, added from the left.

    NumPy's own order depends on how many tables there are, and with it the last digit.
    """
    total = np.zeros(values.shape[:-1])
    for place in range(values.shape[-1]):
        total = total + values[..., place]
    return total


def accuracy(part: Floats) -> Floats:
    """Return the share right of all in a part (`decided` or `answered`)."""
    return ratio(_diagonal(part).sum(axis=-1), part.sum(axis=(-2, -1)))


def coverage(table: Floats) -> Floats:
    """Return the share with a label of those that were answered."""
    return ratio(decided(table).sum(axis=(-2, -1)), answered(table).sum(axis=(-2, -1)))


def missing(table: Floats) -> Floats:
    """Return the share without an answer."""
    return ratio(table[..., -1].sum(axis=-1), table.sum(axis=(-2, -1)))


def recalls(part: Floats) -> Floats:
    """Return the sensitivity of each label, shape (..., L)."""
    return ratio(_diagonal(part), part.sum(axis=-1))


def specificities(part: Floats) -> Floats:
    """Return the share of the other labels' answers that do not say a label, shape (..., L)."""
    labels = part.shape[-2]
    of_others = part.sum(axis=(-2, -1))[..., None] - part.sum(axis=-1)
    falsely = part[..., :labels].sum(axis=-2) - _diagonal(part)
    return ratio(of_others - falsely, of_others)


def balanced_accuracy(part: Floats) -> Floats:
    """Return the mean sensitivity over the labels that occur; undefined with fewer than two."""
    occurring = (part.sum(axis=-1) > 0).sum(axis=-1)
    return np.where(occurring > 1, mean_of_defined(recalls(part)), np.nan)


def f1_scores(part: Floats) -> Floats:
    """Return F1 of each label, shape (..., L); undefined where it neither occurs nor is said."""
    labels = part.shape[-2]
    both = part.sum(axis=-1) + part[..., :labels].sum(axis=-2)
    return ratio(2 * _diagonal(part), both)


def macro_f1(part: Floats) -> Floats:
    """Return the mean F1 over the labels that occur or are said."""
    return mean_of_defined(f1_scores(part))


def weighted_f1(part: Floats) -> Floats:
    """Return the mean F1 weighted by how often each label is the truth."""
    support = part.sum(axis=-1)
    scores = np.where(support > 0, f1_scores(part), 0.0)
    return ratio(in_order(scores * support), support.sum(axis=-1))


def quadratic_kappa(part: Floats) -> Floats:
    """Return Cohen's kappa with quadratic weights (1968, 10.1037/h0026256) of a square part.

    The labels are steps of one; undefined where all is one label.
    """
    labels = np.arange(part.shape[-1], dtype=np.float64)
    apart = (labels[:, None] - labels) ** 2
    rows, across = part.sum(axis=-1), part.sum(axis=-2)
    # sums of whole numbers, so exact in any order
    chance = (rows[..., :, None] * across[..., None, :] * apart).sum(axis=(-2, -1))
    seen = (part * apart).sum(axis=(-2, -1)) * part.sum(axis=(-2, -1))
    return np.asarray(1 - ratio(seen, chance))


Statistic = Callable[[Floats], Floats]
OF_TABLES: Mapping[str, Statistic] = {
    "accuracy": lambda table: accuracy(decided(table)),
    "accuracy_undecided_wrong": lambda table: accuracy(answered(table)),
    "coverage": coverage,
    "balanced_accuracy": lambda table: balanced_accuracy(decided(table)),
    "balanced_accuracy_undecided_wrong": lambda table: balanced_accuracy(answered(table)),
    "macro_f1": lambda table: macro_f1(decided(table)),
    "macro_f1_undecided_wrong": lambda table: macro_f1(answered(table)),
    "weighted_f1": lambda table: weighted_f1(decided(table)),
}
"""Statistics of whole tables, by name."""
