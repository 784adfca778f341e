"""Tasks as plain data, with what the user's copy of each set holds: for lists and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fundoscope.config import WITHOUT_ROOT
from fundoscope.errors import FundoscopeError
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Value
from fundoscope.evaluate.item_making import Asked, Choice, Copy, items_of
from fundoscope.evaluate.items import Item
from fundoscope.evaluate.tasks import Task, task, task_names


def task_table(copies: Mapping[str, Copy | Path] | None = None) -> list[dict[str, Any]]:
    """Return a row a task that ships: name, title, kind, source, split, licence, counts.

    Parameters
    ----------
    copies : source or name of a task -> the user's copy; what has none is listed without counts

    Returns
    -------
    list of dict
        `items`, `photographs` and `patients` are None without a copy; `problem` says why a copy
        cannot be read.
    """
    copies = copies or {}
    rows = []
    for name in task_names():
        one = task(name)
        copy = copies.get(name, copies.get(one.source))
        rows.append(
            {
                "name": one.name,
                "title": one.title,
                "kind": one.kind,
                "source": one.source,
                "split": one.split.said(),
                "languages": list(one.languages),
                "licence": one.licence,
                **_row_counts(one, copy),
            }
        )
    return rows


def _row_counts(one: Task, copy: Copy | Path | None) -> dict[str, Any]:
    counts: dict[str, Any] = {"items": None, "photographs": None, "patients": None, "problem": ""}
    if copy is None and one.source not in WITHOUT_ROOT:
        return counts
    try:
        asked = items_of(one, copy, look=False)
    except FundoscopeError as problem:
        return counts | {"problem": problem.what}
    told = {
        "items": len(asked.items),
        "photographs": asked.photographs,
        "patients": asked.patients,
    }
    return counts | told


def describe_task(
    one: Task, copy: Copy | Path | None = None, choice: Choice | None = None
) -> dict[str, Any]:
    """Return all that a task says, and what a user's copy of its set holds.

    Parameters
    ----------
    copy : without it, only what the task itself says; photographs are not opened
    choice : which questions are counted

    Returns
    -------
    dict
        Plain data. With a copy, `counts` has items, photographs, patients, labels by form, and
        what is left out by why and reason.
    """
    told = one.model_dump(mode="json", exclude={"forms"})
    told["split"] = one.split.said()
    told["forms"] = [
        {
            "id": form.id,
            "questions": {language: list(words) for language, words in form.questions.items()},
            "space": dict(form.space),
            "truth": dict(form.truth),
        }
        for form in one.forms
    ]
    if copy is not None or one.source in WITHOUT_ROOT:
        told["counts"] = counts_of(items_of(one, copy, choice, look=False))
    return told


def counts_of(asked: Asked) -> dict[str, Any]:
    """Return how many items, photographs, patients and labels there are, and what is left out."""
    labels: dict[str, Counter[str]] = {}
    seen: set[str] = set()
    for item in asked.items:
        if item.asked not in seen:  # a question counts once, in whatever words it is asked
            seen.add(item.asked)
            form = item.asked.removeprefix(f"{item.key}/")
            labels.setdefault(form, Counter()).update(_labels(item))
    left: dict[str, Counter[str]] = {}
    for one in asked.left_out:
        left.setdefault(one.why, Counter())[_reason(one.reason)] += 1
    return {
        "items": len(asked.items),
        "questions": len(seen),
        "photographs": asked.photographs,
        "patients": asked.patients,
        "labels": {form: dict(counts.most_common()) for form, counts in labels.items()},
        "left_out": {why: dict(reasons.most_common(10)) for why, reasons in left.items()},
        "left_out_total": asked.counts_left_out(),
    }


def _labels(item: Item) -> list[str]:
    """Return what is counted of a truth."""
    match item.truth:
        case FoundTerms():
            return [f"{term} {status}" for term, status in item.truth.statuses]
        case FoundBoxes():
            return ["with boxes" if item.truth.boxes else "without boxes"]
        case Value():
            return ["values"]
        case tuple():
            return ["with facts"]
        case label:
            return [str(label)]


def _reason(reason: str) -> str:
    """Return a reason without the name of the one thing that it speaks of."""
    for start in ("no photograph", "no file", "several files", "near-duplicate of"):
        if reason.startswith(start):
            return start
    return reason
