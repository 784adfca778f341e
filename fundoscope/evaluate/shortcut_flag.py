"""When a score is flagged: the shortcut probe, which sees no retina, comes near it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fundoscope.errors import ConfigError
from fundoscope.evaluate.answer_spaces import Findings, FoundTerms
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples, ratio
from fundoscope.evaluate.estimates import Floats
from fundoscope.evaluate.items import Scored
from fundoscope.evaluate.probability_metrics import auroc_draws
from fundoscope.evaluate.scoring import form_of, label_probabilities, labels_in

NEAR = 0.05
"""Lead over the probe that is still near."""
_INTERVAL = (2.5, 97.5)
Score = Literal["AUROC", "balanced accuracy"]


@dataclass(frozen=True, slots=True)
class ShortcutFlag:
    """A model's score beside the shortcut probe's, on the same answers."""

    form: str
    term: str
    """Of several findings, the one; empty elsewhere."""
    score: Score
    model: float
    probe: float
    probe_interval: tuple[float, float]
    lead: tuple[float, float, float]
    """The model's score less the probe's, and its 95 % interval: patients drawn in pairs."""
    chance: float
    answers: int
    patients: int
    near: float
    flagged: bool

    def words(self) -> str:
        """Return what was found, in words."""
        of = f"{self.form} ({self.term})" if self.term else self.form
        low, high = self.probe_interval
        lead, least, most = self.lead
        numbers = (
            f"{of}: {self.score} of the model {self.model:.3f}, of the shortcut probe "
            f"{self.probe:.3f} ({low:.3f} to {high:.3f}); the model's lead is {lead:+.3f} "
            f"({least:+.3f} to {most:+.3f}), n = {self.answers}, {self.patients} patients."
        )
        if self.flagged:
            return (
                f"FLAGGED. {numbers} Without the retina the probe does better than chance, and "
                f"the model is not shown to lead by more than {self.near:g}: this score does not "
                "show that the model looks at the retina."
            )
        if low <= self.chance:
            return f"{numbers} The probe is not shown to do better than chance ({self.chance:.2f})."
        return f"{numbers} The file tells something, but the model is shown to know more."


def shortcut_flags(
    model: Sequence[Scored],
    probe: Sequence[Scored],
    *,
    near: float = NEAR,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[ShortcutFlag, ...]:
    """Return the model's score on one form beside the probe's, flagged where the probe is near.

    Near means both: the probe's 95 % interval lies above chance, so that it knows something; and
    the interval of the model's lead over it, the same patients drawn for both, does not lie above
    `near`. So a probe that knows nothing flags nothing, however poor the model; and where there
    are few patients the model has to lead by far to be cleared.

    The score is the AUROC where there are two labels and both give probabilities, else balanced
    accuracy of decided answers. Only answers count that both gave: what a model abstained from is
    not compared.

    Parameters
    ----------
    model, probe : answers to one form, in any order.

    Returns
    -------
    tuple
        One for the form; of findings, one for each term. None where a label has no answers.

    Raises
    ------
    ConfigError
        If the answers are to several forms.
    """
    ours = {one.item.id: one for one in model}
    pairs = [(ours[one.item.id], one) for one in probe if one.item.id in ours]
    forms = {form_of(one.item) for one, _ in pairs}
    if len(forms) > 1:
        raise ConfigError(f"answers to several forms: {', '.join(sorted(forms))}")
    if not pairs:
        return ()
    first = pairs[0][0].item
    named = first.space.terms if isinstance(first.space, Findings) else ("",)
    found = []
    for term in named:
        columns = [_columns([pair[side] for pair in pairs], term) for side in (0, 1)]
        patients = np.array([pair[0].item.patient for pair in pairs])
        compared = _compared(columns[0], columns[1], patients, resamples, seed)
        if compared is not None:
            found.append(_flag(form_of(first), term, compared, near))
    return tuple(found)


@dataclass(frozen=True)
class _Columns:
    """Answers of one system: truth and label as places in the scale, -1 where none is there."""

    truth: Ints
    said: Ints
    chance: Floats
    """Of the last label; NaN where none was given."""
    labels: int


@dataclass(frozen=True)
class _Compared:
    score: Score
    model: Floats
    """The score, then its draws; likewise the probe's."""
    probe: Floats
    chance: float
    answers: int
    patients: int


def _columns(scored: Sequence[Scored], term: str) -> _Columns:
    if term:
        place: Mapping[str, int] = {"absent": 0, "present": 1}
        truth = [_status(one.item.truth, term, place) for one in scored]
        said = [_status(one.reading.label if one.reading else None, term, place) for one in scored]
        given = [one.prediction.probabilities if one.prediction else {} for one in scored]
        chance = np.array([float(known.get(term, np.nan)) for known in given])
        return _Columns(np.array(truth), np.array(said), chance, 2)
    labels = labels_in(scored[0].item)
    place = {label: at for at, label in enumerate(labels)}
    truth = [place.get(str(one.item.truth), -1) for one in scored]
    said = [place.get(str(one.reading.label), -1) if one.reading else -1 for one in scored]
    shares = label_probabilities(scored, labels)
    chance = np.full(len(scored), np.nan) if shares is None else shares[:, -1]
    return _Columns(np.array(truth), np.array(said), chance, len(labels))


def _status(label: object, term: str, place: Mapping[str, int]) -> int:
    return place.get(label.status_of(term), -1) if isinstance(label, FoundTerms) else -1


def _compared(
    model: _Columns, probe: _Columns, patients: np.ndarray, resamples: int, seed: int
) -> _Compared | None:
    known = model.truth >= 0
    by_chance = known & np.isfinite(model.chance) & np.isfinite(probe.chance)
    if model.labels == 2 and by_chance.any():
        used, positive = by_chance, model.truth[by_chance] == 1
        if positive.all() or not positive.any():
            return None
        drawn = _draws(patients[used], resamples, seed)
        scores = [auroc_draws(one.chance[used], positive, drawn) for one in (model, probe)]
        return _Compared("AUROC", scores[0], scores[1], 0.5, int(used.sum()), drawn.patients)
    used = known & (model.said >= 0) & (probe.said >= 0)
    there = np.unique(model.truth[used])
    if len(there) < 2:
        return None
    drawn = _draws(patients[used], resamples, seed)
    recalls = [_balanced(model.truth[used], one.said[used], there, drawn) for one in (model, probe)]
    return _Compared(
        "balanced accuracy", recalls[0], recalls[1], 1 / len(there), int(used.sum()),
        drawn.patients,
    )  # fmt: skip


def _draws(patients: np.ndarray, resamples: int, seed: int) -> Resamples:
    """Return resamples of the patients, before them the one that draws everybody once."""
    _, numbers = np.unique(patients, return_inverse=True)
    drawn = Resamples.of(numbers.reshape(-1), resamples, seed)
    everybody = np.ones((1, drawn.patients), np.uint8)
    return Resamples(drawn.patient_of, np.concatenate([everybody, drawn.counts]))


def _balanced(truth: Ints, said: Ints, labels: Ints, drawn: Resamples) -> Floats:
    """Return the mean share of each label's answers that are right; NaN where a label is gone."""
    there = truth[:, None] == labels
    right = there & (said == truth)[:, None]
    totals = drawn.totals(np.concatenate([right, there], axis=1).astype(np.float64))
    recall = ratio(totals[:, : len(labels)], totals[:, len(labels) :])
    return np.asarray(recall.mean(axis=1))


def _flag(form: str, term: str, compared: _Compared, near: float) -> ShortcutFlag:
    low, high = np.nanpercentile(compared.probe[1:], _INTERVAL)
    lead = compared.model - compared.probe
    least, most = np.nanpercentile(lead[1:], _INTERVAL)
    return ShortcutFlag(
        form=form,
        term=term,
        score=compared.score,
        model=float(compared.model[0]),
        probe=float(compared.probe[0]),
        probe_interval=(float(low), float(high)),
        lead=(float(lead[0]), float(least), float(most)),
        chance=compared.chance,
        answers=compared.answers,
        patients=compared.patients,
        near=near,
        flagged=bool(low > compared.chance and least <= near),
    )
