"""Files of an evaluation: every item with its answer, the scores, and a manifest of what decided.

No dates and no paths: the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fundoscope.errors import ReadError
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Options,
    Quality,
    Reading,
    Space,
    Value,
    YesNo,
    space_from,
)
from fundoscope.evaluate.asking import prediction_row
from fundoscope.evaluate.items import Item, Prediction, Scored, Truth
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


_KINDS: Mapping[type, str] = {
    YesNo: "yes_no", Levels: "levels", Findings: "findings", Quality: "quality", EyeSide: "eye",
    Options: "options", Boxes: "boxes", Number: "number",
}  # fmt: skip


def space_json(space: Space) -> dict[str, Any]:
    """Return an answer space as `answer_spaces.space_from` reads it."""
    plain = asdict(space)
    if isinstance(space, Options):
        plain["options"] = dict(space.options)
    return {"kind": _KINDS[type(space)]} | {name: one for name, one in plain.items() if one}


def label_from(plain: Any, space: Space) -> Any:
    """Return the label of a space, or the facts, that `label_json` made plain."""
    match space:
        case _ if isinstance(plain, list):
            return tuple(plain)
        case Findings():
            return FoundTerms(tuple(plain.items()))
        case Boxes():
            boxes = [(box[0], box[1], box[2], box[3]) for box in plain["boxes"]]
            return FoundBoxes(tuple(boxes), plain["convention"])
        case Number():
            value = plain["value"]
            return Value(value, plain.get("low", value), plain.get("high", value),
                         plain.get("unit_error", ""))  # fmt: skip
    return plain


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
        "space": space_json(item.space),
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
        if isinstance(item.truth, str | int | FoundTerms):
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


def text_sha256(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_items(run: Path) -> Iterator[Scored]:
    """Yield the items of a finished evaluation, without photographs and records.

    Raises
    ------
    ReadError
        If the folder holds no finished evaluation.
    """
    read_scores(run)
    with (run / ITEMS).open(encoding="utf-8") as lines:
        for line in lines:
            yield _scored(json.loads(line))


def _scored(row: Mapping[str, Any]) -> Scored:
    space = space_from(row["space"])
    item = Item(
        id=row["item"],
        asked=row["asked"],
        key=row["key"],
        patient=row["patient"],
        photographs=(),
        question=row["question"],
        language=row["language"],
        wording=row["wording"],
        space=space,
        truth=label_from(row["truth"], space),
        before=tuple(row.get("before", ())),
    )
    if "answer" not in row:
        return Scored(item, None, None)
    chances, error = row.get("probabilities", {}), row.get("error", "")
    prediction = Prediction(item.id, row["answer"], chances, error)
    if row["outcome"] == "no answer":
        return Scored(item, prediction, None)
    label = label_from(row["label"], space) if "label" in row else None
    return Scored(item, prediction, Reading(label, row["outcome"], row["words"]))


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
