"""How often labels are right: one label an answer.

Answers without a label are never wrong in silence: they lower `coverage`, and the scores that end
in `_undecided_wrong` count them as wrong. Photographs without an answer are in neither; `missing`
is their share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fundoscope.errors import ConfigError
from fundoscope.evaluate import confusions
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples
from fundoscope.evaluate.confusions import ABSTAINED, CONTRADICTORY, NO_ANSWER
from fundoscope.evaluate.estimates import Estimate, Floats, estimate, sklearn_metrics
from fundoscope.evaluate.findings_metrics import findings_scores
from fundoscope.evaluate.probability_metrics import (
    COVERAGES,
    accuracy_at_coverage,
    calibration_curve,
    calibration_error,
    curve_area,
    risk_coverage,
)

__all__ = [
    "ABSTAINED",
    "CONTRADICTORY",
    "NO_ANSWER",
    "calibration_curve",
    "confusion",
    "findings_scores",
    "label_scores",
    "risk_coverage",
]
ONE_LABEL = "the truth is one label throughout"


def confusion(truth: Ints, said: Ints, labels: Sequence[str]) -> Ints:
    """Return how often each label was answered by each, shape (L, L + 3).

    Rows are the truth; the last three columns are abstained, contradictory and no answer.
    """
    truth, said = _checked(truth, said, len(labels))
    table = np.zeros((len(labels), len(labels) + len(confusions.UNDECIDED_COLUMNS)), np.int64)
    np.add.at(table, (truth, confusions.columns(said, len(labels))), 1)
    return table


def label_scores(
    truth: Ints,
    said: Ints,
    labels: Sequence[str],
    patients: Ints,
    *,
    probabilities: Floats | None = None,
    ordinal: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Return the scores of answers with one label each, with 95 % intervals by patient.

    Parameters
    ----------
    truth : shape (N,), index into `labels`
    said : shape (N,), the same; `ABSTAINED` -1, `CONTRADICTORY` -2, `NO_ANSWER` -3
    patients : shape (N,); who shares a number is drawn together
    probabilities : shape (N, L); a row with NaN has none. Each label is scored against the rest.
    ordinal : whether the labels are steps of a scale, for quadratic kappa

    Raises
    ------
    ConfigError
        If lengths differ or an index stands for nothing.
    """
    truth, said = _checked(truth, said, len(labels))
    if len(patients) != len(truth):
        raise ConfigError(
            f"{len(truth)} answers but {len(patients)} patients", mend="one patient an answer"
        )
    drawn = Resamples.of(patients, resamples, seed)
    found = [*_of_tables(truth, said, labels, drawn, ordinal=ordinal)]
    if probabilities is not None:
        known = np.asarray(np.isfinite(probabilities).all(axis=1))
        found += _of_probabilities(truth[known], probabilities[known], labels, drawn.chosen(known))
    return found


def _checked(truth: Ints, said: Ints, labels: int) -> tuple[Ints, Ints]:
    truth, said = np.asarray(truth, np.int64), np.asarray(said, np.int64)
    if truth.shape != said.shape or truth.ndim != 1:
        raise ConfigError(
            f"truth {truth.shape} and answers {said.shape} differ", mend="one answer a truth"
        )
    if truth.size and not (truth.min() >= 0 and truth.max() < labels):
        raise ConfigError(f"a truth is no index of {labels} labels", mend="0 to L - 1")
    if said.size and not (said.min() >= NO_ANSWER and said.max() < labels):
        raise ConfigError(f"an answer is no index of {labels} labels", mend="-3 to L - 1")
    return truth, said


def _of_tables(
    truth: Ints, said: Ints, labels: Sequence[str], drawn: Resamples, *, ordinal: bool
) -> Iterator[Estimate]:
    draws = confusions.tables(drawn.totals(confusions.cells(truth, said, len(labels))), len(labels))
    chosen = {"decided": said >= 0, "answered": said != NO_ANSWER, "asked": said >= NO_ANSWER}
    square, wide = confusions.decided(draws), confusions.answered(draws)
    points = _points(truth, said, len(labels), ordinal=ordinal)

    def made(name: str, draws: Floats, over: str, undefined: str = "") -> Estimate:
        these = chosen[over]
        return estimate(
            name,
            points.get(name),
            draws,
            n=int(these.sum()),
            patients=drawn.patients_of(these),
            undefined=undefined if these.any() else "",
        )

    yield made("accuracy", confusions.accuracy(square), "decided")
    yield made("accuracy_undecided_wrong", confusions.accuracy(wide), "answered")
    yield made("coverage", confusions.coverage(draws), "answered")
    yield made("missing", confusions.missing(draws), "asked")
    balanced = confusions.balanced_accuracy
    yield made("balanced_accuracy", balanced(square), "decided", ONE_LABEL)
    yield made("balanced_accuracy_undecided_wrong", balanced(wide), "answered", ONE_LABEL)
    yield made("macro_f1", confusions.macro_f1(square), "decided")
    yield made("macro_f1_undecided_wrong", confusions.macro_f1(wide), "answered")
    yield made("weighted_f1", confusions.weighted_f1(square), "decided")
    if ordinal:
        kappa = confusions.quadratic_kappa(square)
        yield made("quadratic_kappa", kappa, "decided", "truth and answers are one label")
    yield from _of_each_label(truth, said, labels, drawn, square)


def _points(truth: Ints, said: Ints, labels: int, *, ordinal: bool) -> dict[str, float]:
    """Return the scores themselves, from scikit-learn where it has them."""
    metrics = sklearn_metrics()
    points: dict[str, float] = {}
    if len(said):
        points["missing"] = float((said == NO_ANSWER).mean())
    answered = said != NO_ANSWER
    if answered.any():
        points["coverage"] = float((said[answered] >= 0).mean())
    for ending, these in (("", said >= 0), ("_undecided_wrong", answered)):
        if not these.any():
            continue
        right, given = truth[these], np.maximum(said[these], -1)
        occurring = np.unique(right)
        points["accuracy" + ending] = metrics.accuracy_score(right, given)
        if len(occurring) > 1:
            points["balanced_accuracy" + ending] = metrics.recall_score(
                right, given, labels=occurring, average="macro", zero_division=0
            )
        scored = np.union1d(right, given[given >= 0])
        points["macro_f1" + ending] = metrics.f1_score(
            right, given, labels=scored, average="macro", zero_division=0
        )
        if not ending:
            points["weighted_f1"] = metrics.f1_score(
                right, given, average="weighted", zero_division=0
            )
        one_label = len(scored) == 1
        if ordinal and not ending and not one_label:
            points["quadratic_kappa"] = metrics.cohen_kappa_score(
                right, given, labels=np.arange(labels), weights="quadratic"
            )
    return points


def _of_each_label(
    truth: Ints, said: Ints, labels: Sequence[str], drawn: Resamples, square: Floats
) -> Iterator[Estimate]:
    metrics = sklearn_metrics()
    these = said >= 0
    draws = {"sensitivity": confusions.recalls(square)}
    draws["specificity"] = confusions.specificities(square)
    for label, of in enumerate(labels):
        for name, positive in (("sensitivity", True), ("specificity", False)):
            counted = these & ((truth == label) == positive)
            value: Any = None
            if counted.any():
                value = metrics.recall_score(
                    truth[these] == label, said[these] == label, pos_label=positive
                )
            why = f"the truth is {'never' if positive else 'always'} {of!r}"
            yield estimate(
                name, value, draws[name][:, label], n=int(counted.sum()), of=of,
                patients=drawn.patients_of(counted), undefined=why,
            )  # fmt: skip


def _of_probabilities(
    truth: Ints, probabilities: Floats, labels: Sequence[str], drawn: Resamples
) -> Iterator[Estimate]:
    n, everyone = len(truth), drawn.patients_of(np.ones(len(truth), bool))
    areas: dict[str, list[tuple[float, Floats]]] = {"auroc": [], "aupr": []}
    for label, of in enumerate(labels):
        for name, area in areas.items():
            value, draws = curve_area(name, probabilities[:, label], truth == label, drawn)
            if value is not None:
                area.append((value, draws))
            yield estimate(
                name, value, draws, n=n, of=of, patients=everyone,
                undefined=f"the truth is always or never {of!r}",
            )  # fmt: skip
    for name, area in areas.items():
        if len(labels) > 2:
            yield _macro(name, area, n, everyone, len(labels))
    if not n:
        return
    error, draws = calibration_error(truth, probabilities, drawn)
    yield estimate("calibration_error", error, draws, n=n, patients=everyone)
    values, at_draws = accuracy_at_coverage(truth, probabilities, drawn)
    for place, share in enumerate(COVERAGES):
        yield estimate(
            "accuracy_at_coverage", values[place], at_draws[:, place], n=n, of=f"{share:.2f}",
            patients=everyone,
        )  # fmt: skip


def _macro(
    name: str, areas: list[tuple[float, Floats]], n: int, patients: int, labels: int
) -> Estimate:
    note = f"over {len(areas)} of {labels} labels" if len(areas) < labels else ""
    draws = np.mean([draws for _, draws in areas], axis=0) if areas else np.empty(0)
    value = float(np.mean([value for value, _ in areas])) if areas else None
    return estimate(f"{name}_macro", value, draws, n=n, patients=patients, note=note)
