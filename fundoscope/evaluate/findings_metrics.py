"""How often findings are right: several terms an answer, each present or absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from fundoscope.errors import ConfigError
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples, ratio
from fundoscope.evaluate.confusions import mean_of_defined
from fundoscope.evaluate.estimates import Estimate, Floats, estimate, sklearn_metrics
from fundoscope.evaluate.probability_metrics import Bools, curve_area

PRESENT, ABSENT = 1, 0
UNKNOWN = -1
"""In the truth: nobody looked."""
NOT_MENTIONED, UNDECIDED, NO_ANSWER = -1, -2, -3
"""In what was said; undecided is doubted or contradictory, `NO_ANSWER` fills a whole row."""

Unmentioned = Literal["absent", "undecided"]


def findings_scores(
    truth: Ints,
    said: Ints,
    terms: Sequence[str],
    patients: Ints,
    *,
    probabilities: Floats | None = None,
    unmentioned: Unmentioned = "absent",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Return the scores of answers that name several findings, with 95 % intervals by patient.

    For each term and pooled (`micro`): sensitivity, specificity, precision, F1, balanced accuracy,
    coverage, and areas under curves where probabilities are given; F1 and balanced accuracy as a
    mean over terms (`macro`); whole answers that are right (`exact_match`); `mentioned`, the share
    of known findings of which the answer speaks; and `clinical_consistency`: findings mentioned
    and right, by all that are present plus the mentioned that are absent (so leaving out and
    inventing both cost, and silence about what is absent does not).

    Parameters
    ----------
    truth : shape (N, T); 1 present, 0 absent, -1 nobody looked, which leaves the cell out
    said : shape (N, T); 1 present, 0 absent, -1 not mentioned, -2 doubted or contradictory,
        -3 no answer
    probabilities : shape (N, T); NaN has none
    unmentioned : whether what is not mentioned counts as said to be absent, as in a list of what
        is seen, or as not decided

    Raises
    ------
    ConfigError
        If shapes differ or a value stands for nothing.
    """
    truth, said = np.asarray(truth, np.int64), np.asarray(said, np.int64)
    _check(truth, said, terms, patients)
    drawn = Resamples.of(patients, resamples, seed)
    answered = said[:, :1] != NO_ANSWER if said.shape[1] else np.zeros((len(said), 1), bool)
    counted = (truth != UNKNOWN) & answered
    meant = np.where(said == NOT_MENTIONED, ABSENT if unmentioned == "absent" else UNDECIDED, said)
    decided = counted & (meant >= 0)
    four = _four(truth, meant, decided)
    draws = drawn.totals(four.reshape(len(four), 4 * len(terms))).reshape(-1, len(terms), 4)
    found = [_share("missing", ~answered, np.ones_like(answered), drawn)]
    for place, term in enumerate(terms):
        found += _rates(truth[:, place], meant[:, place], decided[:, place], drawn,
                        draws[:, place], of=term)  # fmt: skip
        found.append(_share("coverage", decided[:, [place]], counted[:, [place]], drawn, of=term))
        if probabilities is not None:
            found += _areas(truth[:, place], probabilities[:, place], term, drawn)
    found += _pooled(truth, meant, decided, drawn, draws)
    found.append(_share("coverage", decided, counted, drawn, of="micro"))
    found += _macro(found, draws, terms, decided, drawn)
    whole = (decided & (meant == truth)) | ~counted
    asked = counted.any(axis=1, keepdims=True)
    found.append(_share("exact_match", whole.all(axis=1, keepdims=True) & asked, asked, drawn))
    mentioned = counted & (said != NOT_MENTIONED)
    found.append(_share("mentioned", mentioned, counted, drawn))
    right = counted & (said >= 0) & (said == truth)
    owed = counted & ((truth == PRESENT) | ((said >= 0) & (truth == ABSENT)))
    found.append(_share("clinical_consistency", right, owed, drawn))
    return found


def _check(truth: Ints, said: Ints, terms: Sequence[str], patients: Ints) -> None:
    if truth.shape != said.shape or truth.ndim != 2 or truth.shape[1] != len(terms):
        raise ConfigError(
            f"truth {truth.shape} and answers {said.shape} must both be (N, {len(terms)})",
            mend="one row an answer, one column a term",
        )
    if len(patients) != len(truth):
        raise ConfigError(
            f"{len(truth)} answers but {len(patients)} patients", mend="one patient an answer"
        )
    if not np.isin(truth, (PRESENT, ABSENT, UNKNOWN)).all():
        raise ConfigError("a truth is neither 1, 0 nor -1", mend="present, absent, nobody looked")
    if not np.isin(said, (PRESENT, ABSENT, NOT_MENTIONED, UNDECIDED, NO_ANSWER)).all():
        raise ConfigError("an answer is none of 1, 0, -1, -2, -3", mend="see findings_scores")
    gone = said == NO_ANSWER
    if (gone.any(axis=1) != gone.all(axis=1)).any():
        raise ConfigError("no answer (-3) must fill the whole row", mend="-2 for one term")


def _four(truth: Ints, said: Ints, decided: Bools) -> Floats:
    """Return (N, T, 4): true positive, false positive, false negative, true negative."""
    present, positive = truth == PRESENT, said == PRESENT
    kinds = (present & positive, ~present & positive, present & ~positive, ~present & ~positive)
    return np.stack([kind & decided for kind in kinds], axis=-1).astype(np.float64)


def _statistics(four: Floats) -> dict[str, Floats]:
    """Return the rates of counts (..., 4)."""
    hit, false, missed, passed = (four[..., place] for place in range(4))
    sensitivity, specificity = ratio(hit, hit + missed), ratio(passed, passed + false)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": ratio(hit, hit + false),
        "f1": ratio(2 * hit, 2 * hit + false + missed),
        "balanced_accuracy": (sensitivity + specificity) / 2,
    }


_UNDEFINED = {
    "sensitivity": "present in no decided answer",
    "specificity": "absent in no decided answer",
    "precision": "said to be present in no answer",
    "f1": "neither present nor said to be",
    "balanced_accuracy": "only present, or only absent",
}


def _rates(
    truth: Ints, said: Ints, decided: Bools, drawn: Resamples, draws: Floats, *, of: str
) -> Iterator[Estimate]:
    right, given = truth[decided] == PRESENT, said[decided] == PRESENT
    points = _points(right, given)
    rows = {
        "sensitivity": decided & (truth == PRESENT),
        "specificity": decided & (truth == ABSENT),
        "precision": decided & (said == PRESENT),
    }
    for name, drawn_values in _statistics(draws).items():
        these = rows.get(name, decided)
        yield estimate(
            name, points.get(name), drawn_values, n=int(these.sum()), of=of,
            patients=drawn.patients_of(these),
            undefined=_UNDEFINED[name],
        )  # fmt: skip


def _points(right: Bools, given: Bools) -> dict[str, float]:
    metrics = sklearn_metrics()
    points: dict[str, Any] = {}
    if right.any():
        points["sensitivity"] = metrics.recall_score(right, given)
    if not right.all():
        points["specificity"] = metrics.recall_score(right, given, pos_label=False)
    if given.any():
        points["precision"] = metrics.precision_score(right, given)
    if right.any() or given.any():
        points["f1"] = metrics.f1_score(right, given)
    if right.any() and not right.all():
        points["balanced_accuracy"] = metrics.balanced_accuracy_score(right, given)
    return points


def _pooled(
    truth: Ints, said: Ints, decided: Bools, drawn: Resamples, draws: Floats
) -> Iterator[Estimate]:
    yield from _rates(truth, said, decided, drawn, draws.sum(axis=1), of="micro")


def _macro(
    found: Sequence[Estimate], draws: Floats, terms: Sequence[str], decided: Bools, drawn: Resamples
) -> Iterator[Estimate]:
    """Yield means over the terms for which there is a value."""
    by_term = _statistics(draws)
    for name in ("f1", "balanced_accuracy"):
        values = {one.of: one.value for one in found if one.name == name}
        defined = [(place, values[term]) for place, term in enumerate(terms)]
        places = [place for place, value in defined if value is not None]
        known = [value for _, value in defined if value is not None]
        yield estimate(
            name, float(np.mean(known)) if known else None,
            mean_of_defined(by_term[name][:, places]),
            n=len(places), of="macro", patients=drawn.patients_of(decided),
            note=f"over {len(places)} of {len(terms)} terms", undefined="defined for no term",
        )  # fmt: skip


def _areas(truth: Ints, scores: Floats, term: str, drawn: Resamples) -> Iterator[Estimate]:
    known = (truth != UNKNOWN) & np.isfinite(scores)
    for name in ("auroc", "aupr"):
        value, draws = curve_area(name, scores[known], truth[known] == PRESENT, drawn.chosen(known))
        yield estimate(
            name, value, draws, n=int(known.sum()), of=term, patients=drawn.patients_of(known),
            undefined="only present, or only absent",
        )  # fmt: skip


def _share_draws(part: Bools, whole: Bools, drawn: Resamples) -> tuple[Floats, Floats]:
    sums = np.stack([part.sum(axis=1), whole.sum(axis=1)], axis=1)
    totals = drawn.totals(sums)
    return totals[:, 0], totals[:, 1]


def _share(name: str, part: Bools, whole: Bools, drawn: Resamples, *, of: str = "") -> Estimate:
    n = int(whole.sum())
    return estimate(
        name, int((part & whole).sum()) / n if n else None,
        ratio(*_share_draws(part & whole, whole, drawn)),
        n=n, of=of, patients=drawn.patients_of(whole),
    )  # fmt: skip
