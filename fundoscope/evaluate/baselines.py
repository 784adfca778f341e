"""What is scored without looking at a retina: baselines that make a score mean something."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from fundoscope import terms
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    Findings,
    FindingStatus,
    FoundBoxes,
    FoundTerms,
    Label,
    Number,
    Options,
    Space,
    Value,
)
from fundoscope.evaluate.items import Item, Prediction, Predictor, Truth
from fundoscope.evaluate.label_words import answer_of
from fundoscope.evaluate.scoring import form_of, labels_in
from fundoscope.records import Box

FOLDS = 5
NOBODY = "no other patient was asked this"
GREY = 127


def patient_folds(
    patients: Sequence[str], labels: Sequence[str], folds: int = FOLDS, seed: int = 0
) -> dict[str, int]:
    """Return the fold of every patient, so that no patient is in two.

    Patients are dealt in turn, those of one label after those of another and in a random order
    otherwise: each fold has about its share of every label. Without that, a label would be rarer
    in a fold the more frequent it is in the others, and a baseline worse than chance. A patient of
    several labels counts with the first.
    """
    known: dict[str, str] = {}
    for patient, label in zip(patients, labels, strict=True):
        known.setdefault(patient, label)
    dealt = sorted(known, key=lambda patient: (known[patient], _drawn(seed, patient), patient))
    return {patient: place % folds for place, patient in enumerate(dealt)}


def _drawn(*parts: object) -> bytes:
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()


def _comparable(item: Item) -> str:
    """Return a truth as text that means the same in other items; of an option, its words."""
    if isinstance(item.space, Options):
        return dict(item.space.options).get(str(item.truth), str(item.truth))
    return str(item.truth)


class Majority:
    """Answers what is most often right for other patients; it has seen no photograph.

    Fitted by patient-wise folds: a patient's own truths decide nothing about him. For a label or
    an option it is the most frequent one, for findings the more frequent status of each term, for
    a value the median, for boxes the median box, or none where most have none. Wordings of one
    question count once. Facts have no majority and get no prediction.

    It gives no probabilities: shares of the other folds rank patients a little against their own
    label, and would have an area under the curve below 0.5.

    Parameters
    ----------
    items : all items of the task.
    """

    name = "majority"

    def __init__(self, items: Sequence[Item], folds: int = FOLDS, seed: int = 0) -> None:
        self._truths: dict[tuple[str, str], dict[str, Item]] = defaultdict(dict)
        for item in items:
            self._truths[form_of(item), item.language].setdefault(item.asked, item)
        self._folds = {
            of: patient_folds(
                [item.patient for item in asked.values()],
                [_comparable(item) for item in asked.values()],
                folds,
                seed,
            )
            for of, asked in self._truths.items()
        }
        self._known: dict[tuple[str, str, int], Label | None] = {}

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the majority's answer to each item of a task that was given."""
        for item in items:
            if _is_of_facts(item.truth):
                continue
            label = self._majority(item)
            if label is None:
                yield Prediction(item.id, "", error=NOBODY)
            else:
                yield Prediction(item.id, answer_of(label, item.space, item.language))

    def _majority(self, item: Item) -> Label | None:
        of = (form_of(item), item.language)
        folds = self._folds[of]
        at = (*of, folds[item.patient])
        if at not in self._known:
            others = self._truths[of].values()
            self._known[at] = _most(
                [one for one in others if folds[one.patient] != folds[item.patient]], item.space
            )
        found = self._known[at]
        if isinstance(item.space, Options) and found is not None:
            return _letter_of(str(found), item.space)
        return found


def _most(items: Sequence[Item], space: Space) -> Label | None:
    """Return the majority of truths; of options, its words. None where there is no item."""
    if not items:
        return None
    truths = [item.truth for item in items]
    if isinstance(space, Findings):
        return _most_findings([t for t in truths if isinstance(t, FoundTerms)], space)
    if isinstance(space, Number):
        middle = median(t.value for t in truths if isinstance(t, Value))
        return Value(middle, middle, middle)
    if isinstance(space, Boxes):
        return _usual_box([t for t in truths if isinstance(t, FoundBoxes)])
    counted = Counter(map(_comparable, items))
    most = max(sorted(counted), key=lambda label: counted[label])
    by_text = {_comparable(item): item.truth for item in items}
    if isinstance(space, Options):
        return most
    found = by_text[most]
    assert isinstance(found, str | int)
    return found


def _most_findings(truths: Sequence[FoundTerms], space: Findings) -> FoundTerms:
    statuses: list[tuple[str, FindingStatus]] = []
    for term in space.terms:
        said = Counter(
            status for truth in truths if (status := truth.status_of(term)) in ("present", "absent")
        )
        statuses.append((term, "present" if said["present"] > said["absent"] else "absent"))
    return FoundTerms(tuple(statuses))


def _usual_box(truths: Sequence[FoundBoxes]) -> FoundBoxes:
    boxes = [box for truth in truths for box in truth.boxes]
    if 2 * sum(not truth.boxes for truth in truths) > len(truths) or not boxes:
        return FoundBoxes((), "")
    usual: Box = tuple(median(edge) for edge in zip(*boxes, strict=True))
    return FoundBoxes((usual,), "normalised")


def _letter_of(text: str, space: Options) -> str | None:
    return next((letter for letter, said in space.options if said == text), None)


def _is_of_facts(truth: Truth) -> bool:
    return isinstance(truth, tuple)


@dataclass(frozen=True)
class Constant:
    """Answers one and the same label to all, such as `no`."""

    label: Label
    name: str = "constant"

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the label in words for every item."""
        for item in items:
            yield Prediction(item.id, answer_of(self.label, item.space, item.language))


@dataclass(frozen=True)
class Chance:
    """Answers by a die: each label is as likely as another, each term there or not.

    A value is drawn from the plausible range of its quantity, a box from all boxes. The draw hangs
    on the seed and the item alone.
    """

    seed: int = 0
    name: str = "chance"

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield a drawn answer for every item that has labels; facts have none."""
        for item in items:
            if not _is_of_facts(item.truth):
                label = self._drawn(item)
                yield Prediction(item.id, answer_of(label, item.space, item.language))

    def _drawn(self, item: Item) -> Label:
        draw = random.Random(_drawn(self.seed, item.id))
        match item.space:
            case Findings():
                found = ((term, draw.choice(("present", "absent"))) for term in item.space.terms)
                return FoundTerms(tuple(found))  # type: ignore[arg-type]
            case Boxes():
                (x_min, x_max), (y_min, y_max) = (
                    sorted((draw.random(), draw.random())) for _ in range(2)
                )
                return FoundBoxes(((x_min, y_min, x_max, y_max),), "normalised")
            case Number():
                value = draw.uniform(*terms.quantity(item.space.quantity).plausible)
                return Value(value, value, value)
            case _:
                label = draw.choice(labels_in(item))
                return int(label) if label.isdigit() else label


@dataclass(frozen=True)
class Blind:
    """Another predictor that is asked the same and shown nothing of the retina.

    What it still gets right, it gets from the question and from what it knows of such sets.
    """

    predictor: Predictor
    grey: Path | None = None
    """Where to write a grey picture that is shown instead; None shows none at all, for models that
    can be asked without."""
    name: str = "blind"

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the predictor's answers; items that have no photograph anyway are left out."""
        instead = () if self.grey is None else (grey_picture(self.grey),)
        shown = [item for item in items if item.photographs]
        yield from self.predictor.answers(
            [replace(item, photographs=instead * len(item.photographs)) for item in shown]
        )


def grey_picture(file: Path, side_px: int = 512) -> Path:
    """Write a picture that is grey all over, where it is not there yet; return its path."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((side_px, side_px, 3), GREY, np.uint8))
    return file
