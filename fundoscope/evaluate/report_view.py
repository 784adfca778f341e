"""What the report shows, by name: plain words and numbers for the templates, nothing computed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fundoscope import terms
from fundoscope.evaluate import metric_words as words
from fundoscope.evaluate import report_plots as plots
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Value
from fundoscope.evaluate.confusions import UNDECIDED_COLUMNS
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.evaluation import Evaluation
from fundoscope.evaluate.items import Scored
from fundoscope.evaluate.number_metrics import bland_altman
from fundoscope.evaluate.scoring import FormScores, form_of
from fundoscope.evaluate.worst import small_photograph, worst_cases
from fundoscope.records import Box

LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
BY_PROBABILITY = "by its probabilities"
"""How a row is called that reads the most probable label instead of the words."""
_CONFUSION_MOST = 12
"""Labels beyond which a confusion matrix is no picture any more."""
_STRIPS = 2
"""Scores of a question that are drawn; all stand in its table."""


@dataclass(frozen=True)
class Row:
    """A system as a row or column of the report."""

    name: str
    css: str
    scores: FormScores
    estimates: Sequence[Estimate]


def rows_of(evaluation: Evaluation, form: str) -> list[Row]:
    """Return the systems beside each other on one question: the predictor first."""
    main = evaluation.system.forms[form]
    found = [Row(evaluation.system.name, "model", main, main.estimates)]
    if main.by_likelihood:
        name = f"{evaluation.system.name}, {BY_PROBABILITY}"
        found.append(Row(name, "likelihood", main, main.by_likelihood))
    for system in evaluation.baselines:
        scores = system.forms.get(form)
        if scores:
            found.append(Row(system.name, "other", scores, scores.estimates))
            if scores.by_likelihood:
                name = f"{system.name}, {BY_PROBABILITY}"
                found.append(Row(name, "other", scores, scores.by_likelihood))
    return found


def form_title(form: str) -> str:
    """Return a question's name in words."""
    id, _, rest = form.partition("-")
    quantity = terms.quantities().get(id)
    if quantity:
        name = ", ".join([quantity.en[0], *filter(None, rest.split("-"))])
    else:
        term = {**terms.conditions(), **terms.lesions(), **terms.anatomy()}.get(form)
        found = term or terms.scales().get(form)
        name = found.en[0] if found else form.replace("-", " ")
    return (name[:1].upper() + name[1:]).replace("_", " ")


def part_view(evaluation: Evaluation, form: str, scored: Sequence[Scored]) -> dict[str, Any]:
    """Return what is shown of one question."""
    rows = rows_of(evaluation, form)
    scores = rows[0].scores
    example = scored[0].item
    pooled = [one for one in all_names(rows) if one.of in words.POOLED]
    single = [one for one in all_names(rows) if one.of not in words.POOLED]
    main = _mains(rows)
    return {
        "anchor": "q-" + re.sub(r"[^a-z0-9]+", "-", form.lower()),
        "title": form_title(form),
        "means": "",
        "example": example.question,
        "example_language": example.language,
        "wordings": len({(one.item.language, one.item.wording) for one in scored}),
        "size": size_told(scored),
        "strips": [_strips(one, rows) for one in main],
        "table": _table("Scores", "score", rows, pooled, main),
        "outcomes": _outcomes(scores),
        "confusion": _confusion(scores),
        "plots": list(_plots(scores)),
        "more": [_by_label(rows[0], single)] if single else [],
    }


def size_told(scored: Sequence[Scored]) -> str:
    """Return how much a score rests on."""
    photographs = {one.item.key for one in scored if one.item.photographs}
    patients = {one.item.patient for one in scored}
    parts = [f"{counted(len(scored), 'answer')} asked for"]
    if photographs:
        parts.append(f"{counted(len(photographs), 'photograph')} of")
        return f"{parts[0]}, {parts[1]} {counted(len(patients), 'patient')}."
    return f"{parts[0]}, about {counted(len(patients), 'condition')}."


def counted(n: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _mains(rows: Sequence[Row]) -> list[Estimate]:
    """Return the scores of a question that are drawn."""
    family = rows[0].scores.family
    first = words.main_of(family, rows[0].estimates)
    found = [first] if first else []
    for row in rows[1:]:
        area = next((e for e in row.estimates if e.name == "auroc_macro"), None) or next(
            (e for e in row.estimates if e.name == "auroc" and e.of == "yes"), None
        )
        if area and area.value is not None:
            found.append(area)
            break
    return found[:_STRIPS]


def all_names(rows: Sequence[Row]) -> list[Estimate]:
    """Return one estimate for each score that any system has, in the order of the first."""
    found: dict[tuple[str, str], Estimate] = {}
    for row in rows:
        for one in row.estimates:
            found.setdefault((one.name, one.of), one)
    return list(found.values())


def _strips(main: Estimate, rows: Sequence[Row]) -> dict[str, Any]:
    found = [(row, words.same_as(main, row.estimates)) for row in rows]
    there = [(row, one) for row, one in found if one is not None]
    ends = [end for _, one in there for end in (one.value, one.low, one.high) if end is not None]
    low, high = _range(ends)
    chance = words.chance_of(main, rows[0].scores)

    def percent(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    def strip(row: Row, one: Estimate) -> dict[str, Any]:
        whole = one.low is not None and one.high is not None
        return {
            "name": row.name,
            "css": row.css,
            "value": "undefined" if one.value is None else words.figure(one.value, one.name),
            "reach": words.reach(one),
            "at_percent": None if one.value is None else percent(one.value),
            "reach_percent": (
                (percent(one.low), round(percent(one.high) - percent(one.low), 2))  # type: ignore[arg-type]
                if whole
                else None
            ),
        }

    middle = (low + high) / 2
    title = words.named(main)
    return {
        "title": title[:1].upper() + title[1:],
        "rows": [strip(row, one) for row, one in there],
        "chance_percent": None if chance is None or not low <= chance <= high else percent(chance),
        "ticks": [f"{value:.4g}".replace("-", "−") for value in (low, middle, high)],
        "note": _strip_note(chance, main),
    }


def _range(ends: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a strip: 0 to 1 where it fits, else round numbers around all."""
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= -1 and high <= 1:
        return -1.0, 1.0
    axis = plots.axis_around("", ends)
    return axis.low, axis.high


def _strip_note(chance: float | None, main: Estimate) -> str:
    told = [f"n = {main.n:,}."]
    if chance is not None:
        told.append(f"Dashed: what guessing comes to ({words.figure(chance)}).")
    return " ".join(told)


def _table(
    title: str,
    corner: str,
    rows: Sequence[Row],
    names: Sequence[Estimate],
    main: Sequence[Estimate],
) -> dict[str, Any]:
    """Return a table with a row for each score and a column for each system."""
    firsts = {(one.name, one.of) for one in main}
    return {
        "title": title,
        "corner": corner,
        "columns": [row.name for row in rows],
        "rows": [
            {
                "name": words.named(one),
                "main": (one.name, one.of) in firsts,
                "notes": [_n_and_note(one)] if one.value is not None else [one.note],
                "cells": [cell(words.same_as(one, row.estimates)) for row in rows],
            }
            for one in names
        ],
    }


def _n_and_note(one: Estimate) -> str:
    notes = [f"n = {one.n:,}"]
    for note in one.note.split("; ") if one.note else ():
        if note.startswith("the same in every resample"):
            notes.append("no interval")  # what that means stands under "How it was scored"
        elif not note.startswith("undefined in "):
            notes.append(note.removeprefix("only "))
    return "; ".join(notes)


def cell(one: Estimate | None) -> dict[str, str] | None:
    """Return a score as a cell shows it; None where a system has none."""
    if one is None:
        return None
    if one.value is None:
        return {"value": "", "reach": ""}
    return {"value": words.figure(one.value, one.name), "reach": words.reach(one)}


def _by_label(row: Row, names: Sequence[Estimate]) -> dict[str, Any]:
    """Return the scores of each label or term: a row for each, a column for each score."""
    metrics = list(dict.fromkeys(one.name for one in names))
    labels = list(dict.fromkeys(one.of for one in names))
    found = {(one.name, one.of): one for one in row.estimates}
    return {
        "title": "Each label by itself",
        "corner": "label",
        "columns": [words.WORDS.get(name, name.replace("_", " ")) for name in metrics],
        "rows": [
            {
                "name": label.replace("_", " "),
                "main": False,
                "notes": [],
                "cells": [cell(found.get((name, label))) for name in metrics],
            }
            for label in labels
        ],
    }


def _outcomes(scores: FormScores) -> list[dict[str, Any]]:
    whole = sum(scores.outcomes.values())
    return [
        {
            "name": name,
            "css": name.replace(" ", "_"),
            "count": count,
            "whole": whole,
            "percent": f"{100 * count / (whole or 1):.2f}",
        }
        for name, count in scores.outcomes.items()
    ]


def _confusion(scores: FormScores) -> dict[str, Any] | None:
    if not scores.table or len(scores.labels) > _CONFUSION_MOST:
        return None
    undecided = range(len(scores.labels), len(scores.table[0]))
    kept = [
        *range(len(scores.labels)),
        *(column for column in undecided if any(row[column] for row in scores.table)),
    ]
    said = [*scores.labels, *UNDECIDED_COLUMNS]
    return {
        "title": "Confusion matrix",
        "said": [said[column].replace("_", " ") for column in kept],
        "rows": [
            {
                "label": label.replace("_", " "),
                "n": sum(row),
                "cells": [_confused(row, at, column, len(scores.labels)) for column in kept],
            }
            for at, (label, row) in enumerate(zip(scores.labels, scores.table, strict=True))
        ],
        "note": "A row is a true label; the stronger a colour, the larger its share of the row.",
    }


def _confused(row: Sequence[int], at: int, column: int, labels: int) -> dict[str, Any]:
    css = "hit" if column == at else "undecided" if column >= labels else "off"
    return {
        "count": row[column],
        "css": css if row[column] else f"{css} zero",
        "shade": f"{0.55 * row[column] / (sum(row) or 1):.3f}",
    }


def _plots(scores: FormScores) -> Iterator[dict[str, Any]]:
    bins = [one for one in scores.calibration if one.n]
    if bins:
        error = next((one for one in scores.by_likelihood if one.name == "calibration_error"), None)
        told = f"expected calibration error {words.in_table(error)}" if error else ""
        points = [(one.confidence or 0.0, one.accuracy or 0.0, one.n) for one in bins]
        yield {
            "title": "Reliability",
            "svg": plots.reliability(points, f"Reliability curve; {told}"),
            "note": f"{told[:1].upper()}{told[1:]}. Larger dots hold more answers.",
        }
    if len(scores.surest_first) > 1:
        told = "Accuracy of the surest answers, by how many of them count"
        low = min(accuracy for _, accuracy in scores.surest_first)
        y = plots.Axis("accuracy", 0.0 if low < 0.5 else 0.5, 1.0)
        yield {
            "title": "Accuracy at coverage",
            "svg": plots.curve(
                scores.surest_first, plots.Axis("share of answers that count", 0, 1), y, told
            ),
            "note": told + ".",
        }
    yield from _bland_altman(scores)


def _bland_altman(scores: FormScores) -> Iterator[dict[str, Any]]:
    import numpy as np

    pairs = np.array(scores.pairs, np.float64).reshape(-1, 2)
    found = bland_altman(pairs[:, 0], pairs[:, 1])
    if found is None:
        return
    levels = [
        (f"bias {words.figure(found.bias, 'bias')}", found.bias),
        (words.figure(found.lower, "bias"), found.lower),
        (words.figure(found.upper, "bias"), found.upper),
    ]
    told = f"bias {levels[0][1]:.4g}, limits of agreement {found.lower:.4g} to {found.upper:.4g}"
    yield {
        "title": "Bland-Altman",
        "svg": plots.bland_altman_plot(
            found.means.tolist(),
            found.differences.tolist(),
            levels,
            terms.UNIT_WORDS.get(scores.unit, scores.unit),
            f"Bland-Altman plot: {told}",
        ),
        "note": f"{len(pairs):,} pairs; dashed: 95 % limits of agreement.",
    }


def file_table(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return what the photographs' files tell of each label, if they were probed."""
    if not evaluation.guessable:
        return None
    return {
        "title": "What the file alone tells",
        "corner": "question and label",
        "columns": ["AUROC of the probe", "best single feature"],
        "rows": [
            {
                "name": f"{form_title(one.form)}: {one.label.replace('_', ' ')}",
                "main": False,
                "notes": [f"{counted(one.photographs, 'photograph')}, "
                          f"{counted(one.patients, 'patient')}"],
                "cells": [
                    {"value": words.figure(one.auroc),
                     "reach": f"{words.figure(one.low)} to {words.figure(one.high)}"},
                    {"value": words.figure(one.best_auroc), "reach": one.best.replace("_", " ")},
                ],
            }
            for one in evaluation.guessable
        ],
    }  # fmt: skip


def dialogue_table(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return how answers agree with each other and with the record, if there is anything."""
    if not evaluation.dialogues:
        return None
    return {
        "title": "Answers together",
        "corner": "score",
        "columns": [evaluation.system.name],
        "rows": [
            {
                "name": words.named(one),
                "main": False,
                "notes": [_n_and_note(one)],
                "cells": [cell(one)],
            }
            for one in evaluation.dialogues
        ],
    }


# the twelve worst


def case_views(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the worst answers as the page shows them."""
    cases = worst_cases(evaluation.system.scored, lambda one: form_of(one.item))
    return [_case(one, rank) for rank, one in enumerate(cases, 1)]


def _case(one: Scored, rank: int) -> dict[str, Any]:
    item, reading = one.item, one.reading
    assert reading is not None and one.prediction is not None
    file = item.photographs[0] if item.photographs else None
    photograph = small_photograph(file) if file else None
    answer = one.prediction.answer
    return {
        "rank": rank,
        "key": item.key,
        "form": form_title(form_of(item)),
        "language": item.language,
        "before": item.before,
        "question": item.question,
        "answer": marked(answer, reading.words),
        "said": label_words(reading.label) if reading.outcome == "decided" else reading.outcome,
        "truth": label_words(item.truth),
        "words": "" if _plain(reading.words) in _plain(answer) else reading.words,
        "photograph": photograph,
        "boxes": [
            _drawn(box, css, photograph.width_px, photograph.height_px)
            for css, label in (("box-true", item.truth), ("box-said", reading.label))
            if photograph and isinstance(label, FoundBoxes)
            for box in label.boxes
        ],
    }


def marked(answer: str, decided: str) -> list[dict[str, Any]]:
    """Return an answer in pieces, the words that decided marked; cut where it is very long."""
    at = _plain(answer).find(_plain(decided)) if decided else -1
    if at < 0:
        return [{"text": _cut(answer), "decided": False}]
    pieces = [
        (_cut_front(answer[:at]), False),
        (_cut(answer[at : at + len(decided)]), True),
        (_cut(answer[at + len(decided) :]), False),
    ]
    return [{"text": text, "decided": is_it} for text, is_it in pieces if text]


def _plain(text: str) -> str:
    """Return a text as rules read it, each character at its place: Chinese marks in their width."""
    plain = (unicodedata.normalize("NFKC", one) for one in text)
    return "".join(
        (new if len(new) == 1 else old).lower() for old, new in zip(text, plain, strict=True)
    )


_LONGEST = 320
"""Characters of an answer, before, in and behind the words that decided."""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + " ..."


def _cut_front(text: str) -> str:
    return text if len(text) <= _LONGEST else "... " + text[-_LONGEST:].lstrip()


def label_words(label: object) -> str:
    """Return a label as a person reads it."""
    match label:
        case FoundTerms():
            return _terms_told(label)
        case FoundBoxes():
            n = len(label.boxes)
            return counted(n, "box").replace("boxs", "boxes") if n else "nothing to box"
        case Value():
            span = f" ({label.low:g} to {label.high:g})" if label.low != label.high else ""
            wrong = f", unit {label.unit_error}" if label.unit_error else ""
            return f"{label.value:.5g}{span}{wrong}"
        case tuple():
            return f"{len(label)} facts"
    return str(label).replace("_", " ")


_NAMED = ("present", "suspected", "contradictory")
"""Statuses whose terms are named; of others a few, else how many they are."""
_FEW_TERMS = 3


def _terms_told(label: FoundTerms) -> str:
    by_status: dict[str, list[str]] = {}
    for term, status in label.statuses:
        by_status.setdefault(status, []).append(term.replace("_", " "))
    told = []
    for said in (*_NAMED, *(one for one in by_status if one not in _NAMED)):
        known = by_status.get(said, [])
        few = said in _NAMED or len(known) <= _FEW_TERMS
        if known:
            told.append(f"{said}: {', '.join(known) if few else f'{len(known)} terms'}")
    return "; ".join(told) or "nothing"


def _drawn(box: Box, css: str, width_px: int, height_px: int) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = box
    return {
        "css": css,
        "x": round(x_min * width_px, 1),
        "y": round(y_min * height_px, 1),
        "width": round((x_max - x_min) * width_px, 1),
        "height": round((y_max - y_min) * height_px, 1),
    }
