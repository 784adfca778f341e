"""A predictor held against a task, with the baselines beside it: what the report is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fundoscope import __version__
from fundoscope.evaluate.answers import VERSION as RULES
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.item_making import Asked
from fundoscope.evaluate.items import Scored
from fundoscope.evaluate.scoring import Draws, FormScores, by_form
from fundoscope.evaluate.shortcut import Guessable
from fundoscope.evaluate.shortcut_flag import ShortcutFlag

FORMAT = 1
"""Of `scores.json`; raised when its fields change."""
NAMED = 3
"""Names that stand beside a reason for leaving out."""


@dataclass(frozen=True)
class System:
    """What one predictor answered, and its scores on each question."""

    name: str
    scored: tuple[Scored, ...] = field(repr=False)
    forms: Mapping[str, FormScores]
    unmatched: tuple[str, ...] = ()
    """Ids of predictions that belong to no item."""


@dataclass(frozen=True)
class Evaluation:
    """A predictor's answers and scores, and those of the baselines."""

    asked: Asked
    system: System
    baselines: tuple[System, ...]
    guessable: tuple[Guessable, ...]
    """How far labels are told by the photographs' files alone; empty where it was not probed."""
    flags: tuple[ShortcutFlag, ...]
    """The scores beside those of the shortcut probe, flagged where it is near."""
    dialogues: tuple[Estimate, ...]
    """Faithfulness of all that was said, and agreement between wordings, languages and turns."""
    draws: Draws
    hashes: Mapping[Path, str] = field(repr=False)
    """SHA-256 of every photograph."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Things that no score holds, for one reason."""

    reason: str
    count: int
    names: tuple[str, ...]
    """The first few."""


def left_out(evaluation: Evaluation) -> list[LeftOut]:
    """Return all that was left out or not answered, by reason, the most frequent first."""
    names: dict[str, list[str]] = {}
    for one in evaluation.asked.left_out:
        why = one.why if one.why in _SPEAK_FOR_THEMSELVES else f"{one.why}: {one.reason}"
        names.setdefault(why, []).append(one.key)
    for scored in evaluation.system.scored:
        if scored.prediction is None:
            names.setdefault("no prediction for the question", []).append(scored.item.id)
        elif scored.reading is None:
            why = f"not answered: {scored.prediction.error or 'an empty answer'}"
            names.setdefault(why, []).append(scored.item.id)
    if evaluation.system.unmatched:
        names["prediction for no question of the task"] = list(evaluation.system.unmatched)
    found = [LeftOut(why, len(keys), tuple(keys[:NAMED])) for why, keys in names.items()]
    return sorted(found, key=lambda one: (-one.count, one.reason))


_SPEAK_FOR_THEMSELVES = ("beyond the limit", "missing photograph", "trained on", "another part")
"""Their reasons name the photograph, so they would be as many as the photographs."""


def split_said(evaluation: Evaluation) -> str:
    """Return which part of the set was asked about, in words."""
    split, part = evaluation.asked.task.split, evaluation.asked.choice.part
    return (split.model_copy(update={"part": part}) if part else split).said()


def scores_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation's scores as plain data, for machines and for later comparisons."""
    task, choice = evaluation.asked.task, evaluation.asked.choice
    items = evaluation.asked.items
    return {
        "format": FORMAT,
        "task": {
            "name": task.name,
            "title": task.title,
            "kind": task.kind,
            "source": task.source,
            "split": split_said(evaluation),
            "means": task.means,
            "licence": task.licence,
        },
        "predictor": evaluation.system.name,
        "asked": {
            "languages": list(choice.languages),
            "wordings": choice.wordings,
            "items": len(items),
            "questions": len({item.asked for item in items}),
            "photographs": len({item.key for item in items if item.photographs}),
            "patients": len({item.patient for item in items}),
        },
        "forms": [
            _form_json(evaluation, form, scored)
            for form, scored in by_form(evaluation.system.scored).items()
        ],
        "dialogues": [asdict(one) for one in evaluation.dialogues],
        "left_out": [asdict(one) for one in left_out(evaluation)],
        "audit": _audit_json(evaluation),
        "intervals": {"level": 0.95, "by": "patient", **asdict(evaluation.draws)},
        "answer_rules": RULES,
        "fundoscope": __version__,
    }


def _form_json(evaluation: Evaluation, form: str, scored: Sequence[Scored]) -> dict[str, Any]:
    scores = evaluation.system.forms[form]
    found: dict[str, Any] = {
        "form": form,
        "family": scores.family,
        "items": len(scored),
        "photographs": len({one.item.key for one in scored if one.item.photographs}),
        "patients": len({one.item.patient for one in scored}),
        "labels": list(scores.labels),
        "truths": _truth_counts(scored),
        "outcomes": dict(scores.outcomes),
        "systems": [
            {"name": name, "by": by, "estimates": [asdict(one) for one in estimates]}
            for name, by, estimates in _systems(evaluation, form)
        ],
    }
    if scores.table:
        found["confusion"] = [list(row) for row in scores.table]
    if scores.calibration:
        found["calibration"] = [asdict(one) for one in scores.calibration]
        found["surest_first"] = [list(point) for point in scores.surest_first]
    probed = [asdict(one) for one in evaluation.guessable if one.form == form]
    if probed:
        found["from_the_file_alone"] = probed
        found["shortcut"] = [
            asdict(flag) | {"told": flag.words()} for flag in evaluation.flags if flag.form == form
        ]
    return found


def _systems(evaluation: Evaluation, form: str) -> Iterator[tuple[str, str, Sequence[Estimate]]]:
    for system in (evaluation.system, *evaluation.baselines):
        scores = system.forms.get(form)
        if scores:
            yield system.name, "words", scores.estimates
            if scores.by_likelihood:
                yield system.name, "probabilities", scores.by_likelihood


def _truth_counts(scored: Sequence[Scored]) -> dict[str, int]:
    counts = Counter(str(one.item.truth) for one in scored if isinstance(one.item.truth, str | int))
    return dict(sorted(counts.items()))


def _audit_json(evaluation: Evaluation) -> dict[str, Any] | None:
    audit = evaluation.asked.audit
    if audit is None:
        return None
    return {
        "training": Path(audit.training).name,
        "trained_on": audit.trained,
        "without_hash": audit.untold,
        "photographs": audit.photographs,
        "left_out": dict(audit.counts()),
        "max_bits": audit.max_bits,
    }
