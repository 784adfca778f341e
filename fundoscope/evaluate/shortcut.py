"""Can a task's labels be told from the file, without the retina? A probe, and when it is a flag.

Sets are put together from sources that differ in camera, cropping and coding; where a source has
mostly one label, a model can learn the source (Geirhos et al. 2020, 10.1038/s42256-020-00257-z).
The probe is a logistic regression on `file_features`: what it can tell, a model need not have seen
in the retina.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fundoscope.errors import MissingExtra
from fundoscope.evaluate.answer_spaces import Findings, FoundTerms
from fundoscope.evaluate.baselines import FOLDS, patient_folds
from fundoscope.evaluate.bootstrap import RESAMPLES, Resamples
from fundoscope.evaluate.estimates import Floats
from fundoscope.evaluate.file_features import FEATURES, features_of
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.label_words import answer_of, terms_text
from fundoscope.evaluate.probability_metrics import auroc_draws
from fundoscope.evaluate.scoring import form_of, labels_in

TOO_FEW = "fewer than two other patients of each of two labels"
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Guessable:
    """How far one label is told by the file alone."""

    form: str
    label: str
    photographs: int
    patients: int
    auroc: float
    """Of the whole probe, of probabilities for patients that it was not fitted on."""
    low: float
    high: float
    """95 % interval, by patient-wise bootstrap."""
    best: str
    """The feature that alone tells most (`FEATURES`)."""
    best_auroc: float
    """Of a probe of that feature alone, made likewise."""
    alone: Mapping[str, float]
    """The same of every feature that differs at all."""

    def words(self) -> str:
        """Return what was found, in a sentence."""
        told = (
            f"{self.form}: without the retina, from the file alone, {self.label!r} is told with an "
            f"AUROC of {self.auroc:.3f} ({self.low:.3f} to {self.high:.3f}; "
            f"{self.photographs} photographs, {self.patients} patients)"
        )
        return f"{told}; {self.best} alone: {self.best_auroc:.3f}."


class Shortcut:
    """Answers items from features of the photograph's file, fitted on other patients.

    A logistic regression on standardised features, labels weighted to count the same, fitted anew
    for each patient-wise fold; of findings, one for each term. `probabilities` are for patients
    that it was not fitted on. Because labels count the same, they say which label a file looks
    like, not how frequent it is. Values, boxes and facts are not probed.

    Parameters
    ----------
    items : all items of the task, photographs included.
    jobs : processes that read photographs.
    """

    name = "shortcut"

    def __init__(
        self, items: Sequence[Item], *, folds: int = FOLDS, seed: int = 0, jobs: int = 1
    ) -> None:
        self._folds, self._seed = folds, seed
        probed = [item for item in items if item.photographs and labels_in(item)]
        files = list(dict.fromkeys(item.photographs[0] for item in probed))
        self._features = dict(zip(files, features_of(files, jobs), strict=True))
        self._forms: dict[str, list[Item]] = defaultdict(list)
        for item in {item.asked: item for item in reversed(probed)}.values():
            self._forms[form_of(item)].append(item)
        self._told: dict[str, dict[str, dict[str, float]]] = {}

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the probe's answer to each item of a form that it can probe."""
        for item in items:
            form = form_of(item)
            if form not in self._forms or not item.photographs:
                continue
            if not self._features.get(item.photographs[0]):
                yield Prediction(item.id, "", error="the photograph cannot be read")
                continue
            told = self._shares(form).get(item.asked)
            yield _prediction(item, told) if told else Prediction(item.id, "", error=TOO_FEW)

    def guessable(self, resamples: int = RESAMPLES) -> tuple[Guessable, ...]:
        """Return how far each label is told by the file alone, form by form.

        Labels with fewer than two patients on either side are left out.
        """
        found = []
        for form in self._forms:
            items = self._readable(form)
            for label, positive in _labels_of(items).items():
                if (one := self._guessable(form, label, positive, resamples)) is not None:
                    found.append(one)
        return tuple(found)

    def _readable(self, form: str) -> list[Item]:
        return [item for item in self._forms[form] if self._features[item.photographs[0]]]

    def _shares(self, form: str) -> dict[str, dict[str, float]]:
        """Return the probabilities of labels by question, made once."""
        if form not in self._told:
            told: dict[str, dict[str, float]] = defaultdict(dict)
            items = self._readable(form)
            if items and isinstance(items[0].space, Findings):
                for term, positive in _labels_of(items).items():
                    known = [item for item in items if item.asked in positive]
                    for item, share in self._out_of_fold(known, positive):
                        told[item.asked][term] = share[True]
            else:
                truths = {item.asked: item.truth for item in items}
                for item, share in self._out_of_fold(items, truths):
                    told[item.asked] = {str(label): float(p) for label, p in share.items()}
            self._told[form] = told
        return self._told[form]

    def _out_of_fold(
        self, items: Sequence[Item], truths: Mapping[str, Any], features: Sequence[str] = ()
    ) -> Iterator[tuple[Item, dict[Any, float]]]:
        """Yield items with the probabilities of a model of the other folds."""
        table = self._table(items, features)
        labels = np.array([str(truths[item.asked]) for item in items])
        by_text = {str(truth): truth for truth in truths.values()}
        patients = [item.patient for item in items]
        folds = patient_folds(patients, labels.tolist(), self._folds, self._seed)
        fold = np.array([folds[patient] for patient in patients])
        for held in range(self._folds):
            inside, outside = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
            others = [item for item, at in zip(items, fold, strict=True) if at != held]
            if not len(inside) or not _enough(others, labels[outside]):
                continue
            model = _fitted(table[outside], labels[outside])
            shares = model.predict_proba(table[inside])
            for place, row in zip(inside.tolist(), shares, strict=True):
                known = (by_text[label] for label in model.classes_)
                yield items[place], dict(zip(known, map(float, row), strict=True))

    def _table(self, items: Sequence[Item], features: Sequence[str]) -> Floats:
        """Return features, shape (N, F); NaN where a file has none."""
        rows = [self._features[item.photographs[0]] for item in items]
        return np.array(
            [[row.get(name, np.nan) for name in features or FEATURES] for row in rows], np.float64
        )

    def _guessable(
        self, form: str, label: str, positive: Mapping[str, bool], resamples: int
    ) -> Guessable | None:
        items = [item for item in self._readable(form) if item.asked in positive]
        if not _enough(items, np.array([str(positive[item.asked]) for item in items])):
            return None

        def told(features: Sequence[str] = ()) -> tuple[list[Item], Floats]:
            made = list(self._out_of_fold(items, positive, features))
            return [item for item, _ in made], np.array([share[True] for _, share in made])

        def area(made: list[Item], scores: Floats) -> float:
            truth = np.array([positive[item.asked] for item in made])
            patients = np.arange(len(made))
            return float(auroc_draws(scores, truth, _as_they_are(patients))[0])

        made, scores = told()
        truth = np.array([positive[item.asked] for item in made])
        if not len(made) or truth.all() or not truth.any():
            return None
        drawn = Resamples.of(_numbered([item.patient for item in made]), resamples, self._seed)
        low, high = np.nanpercentile(auroc_draws(scores, truth, drawn), _INTERVAL)
        differing = [name for name in FEATURES if len(np.unique(self._table(items, [name]))) > 1]
        alone = {name: area(*told([name])) for name in differing}
        best = max(alone, key=lambda name: alone[name], default="")
        return Guessable(
            form, label, len(made), drawn.patients, area(made, scores), float(low), float(high),
            best, alone.get(best, 0.5), alone,
        )  # fmt: skip


def _labels_of(items: Sequence[Item]) -> dict[str, dict[str, bool]]:
    """Return for every label which questions it is the truth of; of two labels, the last alone."""
    if not items:
        return {}
    if isinstance(items[0].space, Findings):
        return {
            term: {
                item.asked: status == "present"
                for item in items
                if isinstance(item.truth, FoundTerms)
                and (status := item.truth.status_of(term)) in ("present", "absent")
            }
            for term in items[0].space.terms
        }
    labels = labels_in(items[0])
    there = [label for label in labels if any(str(item.truth) == label for item in items)]
    wanted = there[1:] if len(there) == 2 else there
    return {label: {item.asked: str(item.truth) == label for item in items} for label in wanted}


def _enough(items: Sequence[Item], labels: Any) -> bool:
    """Whether two labels at least have two patients each."""
    patients: dict[str, set[str]] = defaultdict(set)
    for item, label in zip(items, labels, strict=True):
        patients[str(label)].add(item.patient)
    return len(patients) > 1 and sum(len(known) > 1 for known in patients.values()) > 1


def _fitted(table: Floats, labels: Any) -> Any:
    try:
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as problem:
        raise MissingExtra(
            "the shortcut probe needs scikit-learn", mend="pip install 'fundoscope[evaluate]'"
        ) from problem
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(class_weight="balanced", max_iter=2000),
    )
    return model.fit(table, labels)


def _prediction(item: Item, told: Mapping[str, float]) -> Prediction:
    if isinstance(item.space, Findings):
        statuses = tuple((term, "present" if p >= 0.5 else "absent") for term, p in told.items())
        words = terms_text(FoundTerms(statuses), item.language)  # type: ignore[arg-type]
        return Prediction(item.id, words, told)
    best = max(told, key=lambda label: told[label])
    label = int(best) if best.isdigit() else best
    return Prediction(item.id, answer_of(label, item.space, item.language), told)


def _numbered(names: Sequence[str]) -> Any:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


def _as_they_are(patients: Any) -> Resamples:
    """Return the one resample that draws everybody once."""
    return Resamples(patients.astype(np.int64), np.ones((1, len(patients)), np.uint8))
