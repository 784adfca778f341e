"""Files of an evaluation: every item with its answer, the scores, and a manifest of what decided.

No dates and no paths: the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fundoscope.errors import ReadError
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Label, Value
from fundoscope.evaluate.asking import prediction_row
from fundoscope.evaluate.items import Item, Scored, Truth
from fundoscope.evaluate.worst import badness

SCORES, ITEMS, MANIFEST = "scores.json", "items.jsonl", "manifest.json"
PREDICTIONS = "predictions.jsonl"
HTML, MARKDOWN = "report.html", "report.md"


def label_json(label: Label | Truth | None) -> Any:
    """Return a label as plain data."""
    match label:
        case FoundTerms():
            return dict(label.statuses)
        case FoundBoxes():
            return {"boxes": [list(box) for box in label.boxes], "convention": label.convention}
        case Value():
            plain: dict[str, Any] = {"value": label.value}
            if (label.low, label.high) != (label.value, label.value):
                plain |= {"low": label.low, "high": label.high}
            return plain | ({"unit_error": label.unit_error} if label.unit_error else {})
        case tuple():
            return list(label)
    return label


def item_row(one: Scored) -> dict[str, Any]:
    """Return an item with its answer and what was read from it, as plain data."""
    item = one.item
    row: dict[str, Any] = {
        "item": item.id,
        "asked": item.asked,
        "key": item.key,
        "patient": item.patient,
        "language": item.language,
        "wording": item.wording,
        "question": item.question,
        "truth": label_json(item.truth),
    }
    if item.before:
        row["before"] = list(item.before)
    if one.prediction is None:
        return row | {"outcome": "no answer"}
    row |= prediction_row(one.prediction)
    if one.reading is None:
        return row | {"outcome": "no answer"}
    row |= {"outcome": one.reading.outcome, "words": one.reading.words}
    if one.reading.outcome == "decided":
        row["label"] = label_json(one.reading.label)
        if not isinstance(item.truth, tuple):
            row["right"] = badness(one) == 0
    return row


def written(path: Path, text: str) -> Path:
    """Write a text under a temporary name, then under its own; return the path."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    return partial.replace(path)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines under a temporary name, then under their own; return the path."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return partial.replace(path)


def as_json(data: object) -> str:
    """Return plain data as JSON that a person can read."""
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def questions_sha256(items: Iterable[Item]) -> str:
    """Return the hash of all that is asked: ids, words, what came before, the answer spaces."""
    digest = hashlib.sha256()
    for item in items:
        asked = [item.id, item.question, item.language, list(item.before), repr(item.space)]
        digest.update(json.dumps(asked).encode() + b"\n")
    return digest.hexdigest()


def truths_sha256(items: Iterable[Item]) -> str:
    """Return the hash of all right answers, by item."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([item.id, label_json(item.truth)]).encode() + b"\n")
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_scores(run: Path) -> dict[str, Any]:
    """Return the scores of a finished evaluation.

    Raises
    ------
    ReadError
        If the folder holds no finished evaluation.
    """
    if not (run / MANIFEST).is_file():
        raise ReadError(
            f"{run} holds no finished evaluation",
            mend="name a folder that `fundoscope evaluate run` wrote with -o",
        )
    scores: dict[str, Any] = json.loads((run / SCORES).read_text(encoding="utf-8"))
    return scores
