"""Scores of one question of a task: what was read from the answers, held against the truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np

from fundoscope import terms
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FoundBoxes,
    FoundTerms,
    Levels,
    Number,
    Options,
    Quality,
    Value,
    YesNo,
)
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints
from fundoscope.evaluate.box_metrics import box_scores
from fundoscope.evaluate.confusions import ABSTAINED, CONTRADICTORY, NO_ANSWER
from fundoscope.evaluate.dialogue_metrics import agreement, faithfulness, knowledge_scores
from fundoscope.evaluate.estimates import Estimate, Floats
from fundoscope.evaluate.findings_metrics import UNDECIDED, findings_scores
from fundoscope.evaluate.items import Item, Scored
from fundoscope.evaluate.label_metrics import confusion, label_scores
from fundoscope.evaluate.number_metrics import NOT_COMPARED, number_scores
from fundoscope.evaluate.probability_metrics import (
    CalibrationBin,
    calibration_curve,
    risk_coverage,
)
from fundoscope.records import Box, Measured

Family = Literal["labels", "findings", "boxes", "numbers", "knowledge"]
OUTCOMES = ("decided", "abstained", "contradictory", "no answer")
_UNDECIDED = {"abstained": ABSTAINED, "contradictory": CONTRADICTORY}
_ORDINAL = "quadratic_kappa"
EVEN = 0.5
"""Probability from which a finding counts as said to be present."""
_STATUS = {"present": 1, "absent": 0, "not_mentioned": -1}


@dataclass(frozen=True, slots=True)
class Draws:
    """How intervals are made."""

    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class FormScores:
    """How one system did on one question."""

    family: Family
    labels: tuple[str, ...]
    """As text, in the order of the scale; empty where they cannot be counted."""
    outcomes: Mapping[str, int]
    """How many answers were decided, abstained, contradictory or missing."""
    estimates: tuple[Estimate, ...]
    by_likelihood: tuple[Estimate, ...] = ()
    """The same with the most probable label instead of the words, where there are probabilities."""
    table: tuple[tuple[int, ...], ...] = ()
    """Confusion: a row a true label; the labels, then abstained, contradictory, no answer."""
    calibration: tuple[CalibrationBin, ...] = ()
    surest_first: tuple[tuple[float, float], ...] = ()
    """(coverage, accuracy) of the surest answers."""
    pairs: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    """(true, said) values of a quantity, in `unit`."""
    unit: str = ""


def form_of(item: Item) -> str:
    """Return which question of its task an item asks."""
    return item.asked.removeprefix(item.key).lstrip("/") or item.asked


def by_form(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Return the answers to each question, in the order in which they were asked."""
    found: dict[str, list[Scored]] = {}
    for one in scored:
        found.setdefault(form_of(one.item), []).append(one)
    return found


def family_of(item: Item) -> Family:
    """Return which metrics a question has."""
    if isinstance(item.truth, tuple):
        return "knowledge"
    match item.space:
        case Findings():
            return "findings"
        case Boxes():
            return "boxes"
        case Number():
            return "numbers"
        case _:
            return "labels"


def labels_in(item: Item) -> tuple[str, ...]:
    """Return the labels of a question as text, in the order of their scale."""
    match item.space:
        case YesNo():
            return ("no", "suspected", "yes") if item.space.suspected else ("no", "yes")
        case Levels():
            return tuple(str(level) for level in sorted(terms.scale(item.space.scale).levels))
        case Quality():
            return ("ungradable", "gradable") if item.space.binary else ("reject", "usable", "good")
        case EyeSide():
            return ("left", "right")
        case Options():
            return tuple(letter for letter, _ in item.space.options)
        case Findings():
            return item.space.terms
        case _:
            return ()


def score_form(
    scored: Sequence[Scored], metrics: Sequence[str] = (), draws: Draws | None = None
) -> FormScores:
    """Return the scores of all answers to one question.

    Parameters
    ----------
    scored : at least one
    metrics : of the task, beyond those of the question's family
    """
    draws = draws or Draws()
    family = family_of(scored[0].item)
    if family == "labels":
        return _labels(scored, draws, ordinal=_ORDINAL in metrics)
    if family == "findings":
        return _findings(scored, draws)
    if family == "boxes":
        return _boxes(scored, draws)
    if family == "numbers":
        return _numbers(scored, draws)
    found = knowledge_scores(scored, resamples=draws.resamples, seed=draws.seed)
    return FormScores(family, (), outcomes(scored), tuple(found))


def score_dialogues(scored: Sequence[Scored], draws: Draws) -> list[Estimate]:
    """Return what is scored of answers together: whether they agree, and are true to the record.

    Faithfulness only of conversations: a bare "yes" claims nothing that it could judge. What has
    nothing to rest on is left out.
    """
    found = agreement(scored, resamples=draws.resamples, seed=draws.seed)
    if any(one.item.before for one in scored):
        found += faithfulness(scored, resamples=draws.resamples, seed=draws.seed)
    return [one for one in found if one.n]


def outcomes(scored: Sequence[Scored]) -> dict[str, int]:
    """Return how many answers were decided, abstained, contradictory or missing."""
    found = Counter(one.reading.outcome if one.reading else "no answer" for one in scored)
    return {name: found[name] for name in OUTCOMES}


def patient_numbers(scored: Sequence[Scored]) -> Ints:
    """Return a number for each answer; answers about one patient share it."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(one.item.patient, len(known)) for one in scored], np.int64)


def _labels(scored: Sequence[Scored], draws: Draws, *, ordinal: bool) -> FormScores:
    labels = labels_in(scored[0].item)
    place = {label: index for index, label in enumerate(labels)}
    truth = np.array([place[str(one.item.truth)] for one in scored], np.int64)
    said = np.array([_said(one, place) for one in scored], np.int64)
    patients = patient_numbers(scored)
    probabilities = label_probabilities(scored, labels)
    estimates = label_scores(
        truth, said, labels, patients, ordinal=ordinal,
        resamples=draws.resamples, seed=draws.seed,
    )  # fmt: skip
    likely: list[Estimate] = []
    bins: list[CalibrationBin] = []
    surest: list[tuple[float, float]] = []
    if probabilities is not None:
        there = np.isfinite(probabilities).all(axis=1)
        likeliest = np.where(there, np.nan_to_num(probabilities).argmax(axis=1), NO_ANSWER)
        likely = label_scores(
            truth, likeliest, labels, patients, probabilities=probabilities, ordinal=ordinal,
            resamples=draws.resamples, seed=draws.seed,
        )  # fmt: skip
        bins = calibration_curve(truth, probabilities)
        surest = risk_coverage(truth, probabilities)
    return FormScores(
        family="labels",
        labels=labels,
        outcomes=outcomes(scored),
        estimates=tuple(estimates),
        by_likelihood=tuple(likely),
        table=tuple(map(tuple, confusion(truth, said, labels).tolist())),
        calibration=tuple(bins),
        surest_first=tuple(surest),
    )


def _said(one: Scored, place: Mapping[str, int]) -> int:
    if one.reading is None:
        return NO_ANSWER
    if one.reading.outcome != "decided":
        return _UNDECIDED[one.reading.outcome]
    return place.get(str(one.reading.label), ABSTAINED)


def label_probabilities(scored: Sequence[Scored], labels: Sequence[str]) -> Floats | None:
    """Return the probabilities of the labels, shape (N, L), rows that sum to 1; NaN has none.

    None where the predictor gave none at all. What a predictor says of words that are no label
    is left aside, and the rest scaled to 1.
    """
    if not any(one.prediction and one.prediction.probabilities for one in scored):
        return None
    found = np.full((len(scored), len(labels)), np.nan)
    for row, one in enumerate(scored):
        given = one.prediction.probabilities if one.prediction else {}
        values = np.array([float(given.get(label, 0.0)) for label in labels])
        total = values.sum()
        if given and np.isfinite(total) and total > 0:
            found[row] = values / total
    return found


def _findings(scored: Sequence[Scored], draws: Draws) -> FormScores:
    asked = labels_in(scored[0].item)
    truth = np.array([[_known(one, term) for term in asked] for one in scored], np.int64)
    said = np.array([[_mentioned(one, term) for term in asked] for one in scored], np.int64)
    patients, options = patient_numbers(scored), asdict(draws)
    estimates = findings_scores(truth, said, asked, patients, **options)
    likely: list[Estimate] = []
    if any(one.prediction and one.prediction.probabilities for one in scored):
        chances = np.array([[_chance(one, term) for term in asked] for one in scored])
        there = np.isfinite(chances)
        likeliest = np.where(there, np.nan_to_num(chances) >= EVEN, UNDECIDED)
        likeliest[~there.any(axis=1)] = NO_ANSWER
        likely = findings_scores(
            truth, likeliest, asked, patients, probabilities=chances, **options
        )
    return FormScores(
        family="findings",
        labels=asked,
        outcomes=outcomes(scored),
        estimates=tuple(estimates),
        by_likelihood=tuple(likely),
    )


def _chance(one: Scored, term: str) -> float:
    """Return the probability that a term is present, NaN where none is given."""
    given = one.prediction.probabilities if one.prediction else {}
    return float(given.get(term, math.nan))


def _known(one: Scored, term: str) -> int:
    assert isinstance(one.item.truth, FoundTerms)
    return _STATUS.get(one.item.truth.status_of(term), -1)


def _mentioned(one: Scored, term: str) -> int:
    if one.reading is None:
        return -3
    if not isinstance(one.reading.label, FoundTerms):
        return -2
    return _STATUS.get(one.reading.label.status_of(term), -2)


def _boxes(scored: Sequence[Scored], draws: Draws) -> FormScores:
    truth = [_boxes_in(one.item.truth) or () for one in scored]
    said = [_boxes_in(one.reading.label) if one.reading else None for one in scored]
    estimates = box_scores(
        truth, said, patient_numbers(scored), resamples=draws.resamples, seed=draws.seed
    )
    return FormScores("boxes", (), outcomes(scored), tuple(estimates))


def _boxes_in(label: object) -> tuple[Box, ...] | None:
    return label.boxes if isinstance(label, FoundBoxes) else None


def _numbers(scored: Sequence[Scored], draws: Draws) -> FormScores:
    space = scored[0].item.space
    assert isinstance(space, Number)
    said = [one.reading.label if one.reading else None for one in scored]
    values = np.array([one.value if isinstance(one, Value) else np.nan for one in said])
    errors = [one.unit_error if isinstance(one, Value) else "" for one in said]
    truth = np.array([_value(one) for one in scored])
    repeats = np.array([_repeatability(one.item, space) for one in scored])
    estimates = number_scores(
        truth, values, patient_numbers(scored), unit_errors=errors,
        repeatability=repeats if np.isfinite(repeats).any() else None,
        resamples=draws.resamples, seed=draws.seed,
    )  # fmt: skip
    compared = np.isfinite(values) & ~np.isin(errors, NOT_COMPARED)
    pairs = zip(truth[compared].tolist(), values[compared].tolist(), strict=True)
    return FormScores(
        family="numbers",
        labels=(),
        outcomes=outcomes(scored),
        estimates=tuple(estimates),
        pairs=tuple(pairs),
        unit=space.unit,
    )


def _value(one: Scored) -> float:
    assert isinstance(one.item.truth, Value)
    return one.item.truth.value


def _repeatability(item: Item, space: Number) -> float:
    """Return how far the tool's own repetition lies off, NaN where it is not known."""
    for one in item.record.measurements if item.record else ():
        same = (one.name, one.of, one.where) == (space.quantity, space.of, space.where)
        if same and isinstance(one, Measured) and one.repeatability is not None:
            return one.repeatability
    return float("nan")
