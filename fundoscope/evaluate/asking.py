"""Asks a predictor what it has not answered yet, and keeps every answer as it comes.

The memory is a file of JSON lines. An answer is written before it counts, so that after `kill -9`
the same command goes on and nothing is asked twice. An answer counts only while all that decided
it is the same: the question, what was asked before it, the photographs' bytes, the predictor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundoscope.errors import ConfigError
from fundoscope.evaluate.items import Item, Prediction, Predictor


@dataclass(frozen=True, slots=True)
class Answered:
    """What a predictor answered, and what came that nobody asked for."""

    predictions: Mapping[str, Prediction]
    """By the item's id."""
    found: int
    """How many of them had been answered before."""
    unmatched: tuple[str, ...]
    """Ids of predictions that belong to no item."""


def photograph_hashes(items: Sequence[Item]) -> dict[Path, str]:
    """Return the SHA-256 of every photograph's bytes; empty where there is no such file."""
    found: dict[Path, str] = {}
    for item in items:
        known = item.record.photograph.sha256 if item.record else ""
        for file in item.photographs:
            if file not in found:
                found[file] = known if known and len(item.photographs) == 1 else _sha256(file)
    return found


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def ask(
    predictor: Predictor,
    items: Sequence[Item],
    hashes: Mapping[Path, str],
    memory: Path | None,
    progress: Callable[[int], None] = lambda number: None,
) -> Answered:
    """Return a predictor's answers to all items, asking only what `memory` does not hold.

    What failed before (a prediction with an `error`) is asked again. A photograph that is not
    there is not asked about: its items have a prediction that says so.

    Parameters
    ----------
    hashes : what `photograph_hashes` returned
    memory : the file of answers; it is only added to. None where asking again costs nothing
    progress : told how many items more have an answer

    Raises
    ------
    ConfigError
        If the memory holds the answers of another predictor.
    """
    asked = {item.id: _question_hash(item, hashes) for item in items}
    known = _remembered(memory, predictor.name, asked) if memory else {}
    absent = {item.id: _absent(item, hashes) for item in items}
    given = {id: Prediction(id, "", error=why) for id, why in absent.items() if why}
    given |= {id: known[id] for id in asked if id in known and id not in given}
    found = sum(id in known for id in given)
    progress(len(given))
    left = [item for item in items if item.id not in given]
    unmatched: dict[str, None] = {}
    for prediction in _kept(predictor, left, asked, memory):
        if prediction.item in asked:
            progress(prediction.item not in given)
            given[prediction.item] = prediction
        else:
            unmatched[prediction.item] = None
    unmatched |= dict.fromkeys(map(str, getattr(predictor, "unmatched", ())))
    in_order = {item.id: given[item.id] for item in items if item.id in given}
    return Answered(in_order, found, tuple(sorted(unmatched)))


def _kept(
    predictor: Predictor, items: Sequence[Item], asked: Mapping[str, str], memory: Path | None
) -> Iterator[Prediction]:
    """Yield answers, each after it was written down."""
    if memory is None or not items:
        yield from predictor.answers(items) if items else ()
        return
    memory.parent.mkdir(parents=True, exist_ok=True)
    _end_the_last_line(memory)
    with memory.open("a", encoding="utf-8", newline="\n") as out:
        for prediction in predictor.answers(items):
            if prediction.item in asked:
                row = {"by": predictor.name, "asked": asked[prediction.item]}
                line = json.dumps(row | prediction_row(prediction), ensure_ascii=False)
                out.write(line + "\n")
                out.flush()
            yield prediction


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as plain data; what is empty is left out."""
    row: dict[str, Any] = {"item": prediction.item, "answer": prediction.answer}
    if prediction.probabilities:
        row["probabilities"] = dict(prediction.probabilities)
    if prediction.error:
        row["error"] = prediction.error
    return row


def _end_the_last_line(memory: Path) -> None:
    """A line that a kill cut short must not swallow the next one."""
    if not memory.is_file() or not memory.stat().st_size:
        return
    with memory.open("rb+") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _remembered(memory: Path, name: str, asked: Mapping[str, str]) -> dict[str, Prediction]:
    """Return the answers of the memory that still count."""
    known: dict[str, Prediction] = {}
    if not memory.is_file():
        return known
    with memory.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            row = _whole(line)
            if row is None:
                continue
            if row["by"] != name:
                raise ConfigError(
                    f"these answers are by {row['by']!r}, not by {name!r}",
                    where=str(memory),
                    mend="give the run a folder of its own with -o",
                )
            if asked.get(row["item"]) == row["asked"] and not row.get("error"):
                known[row["item"]] = Prediction(
                    row["item"], row["answer"], row.get("probabilities", {})
                )
    return known


def _whole(line: str) -> dict[str, Any] | None:
    """Return a line's row, or None where it was cut short."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and {"by", "asked", "item", "answer"} <= row.keys()
    return row if whole else None


def _question_hash(item: Item, hashes: Mapping[Path, str]) -> str:
    decides = [
        item.question,
        item.language,
        list(item.before),
        repr(item.space),
        [hashes[file] for file in item.photographs],
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def _absent(item: Item, hashes: Mapping[Path, str]) -> str:
    lost = [file.name for file in item.photographs if not hashes[file]]
    return f"no photograph {lost[0]}" if lost else ""
