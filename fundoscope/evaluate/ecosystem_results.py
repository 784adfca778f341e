"""Answers that other kits wrote down, read back as predictions for our items.

VLMEvalKit's file of answers holds the columns of the TSV that it was given, without the
photographs, and `prediction` (`vlmeval/inference.py`); lmms-eval's `..._samples_TASK.jsonl` holds
`doc_id`, `filtered_resps` and what `process_results` returned (`loggers/evaluation_tracker.py`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fundoscope.errors import DialogueError
from fundoscope.evaluate.ecosystem_lmms_eval import ANSWER
from fundoscope.evaluate.ecosystem_rows import bare_question
from fundoscope.evaluate.items import Item, Prediction

FAILED = "Failed to obtain answer"
"""What VLMEvalKit writes for an answer that did not come."""


class VlmevalkitFile:
    """A predictor whose answers stand in a file that VLMEvalKit wrote: .xlsx, .tsv, .csv, .json."""

    def __init__(self, file: Path) -> None:
        self.file, self.name = file, f"VLMEvalKit {file.stem}"
        self.unmatched: tuple[str, ...] = ()
        """Rows that belong to no item that was asked about."""

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the file's answers to items; one without words is an error, and no answer.

        Raises
        ------
        DialogueError
            If the file has other columns, or its rows are of other items.
        """
        known = {item.id: item for item in items}
        unmatched: list[str] = []
        for number, row in enumerate(_rows(self.file), start=1):
            if "prediction" not in row or not {"item", "index"} & row.keys():
                raise DialogueError(
                    f"a file of VLMEvalKit's answers has index and prediction, not {sorted(row)}",
                    where=str(self.file),
                    mend="give the file MODEL_DATASET.xlsx (or .tsv, .json) of its work folder",
                )
            item = _item_of(row, items, known, f"{self.file}, row {number}")
            if item is None:
                unmatched.append(str(row.get("item") or row.get("index")))
                continue
            yield _prediction(item, row["prediction"])
        self.unmatched = tuple(unmatched)


class LmmsEvalFile:
    """A predictor whose answers stand in a `..._samples_TASK.jsonl` that lmms-eval wrote."""

    def __init__(self, file: Path) -> None:
        self.file, self.name = file, f"lmms-eval {file.stem}"
        self.unmatched: tuple[str, ...] = ()
        """Rows that belong to no item that was asked about."""

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the file's answers to items; one without words is an error, and no answer.

        Raises
        ------
        DialogueError
            If a line is no JSON, or is not of a task that fundoscope wrote.
        """
        known = {item.id: item for item in items}
        unmatched: list[str] = []
        for number, row in enumerate(_json_lines(self.file), start=1):
            told = row.get(ANSWER)
            if not isinstance(told, Mapping) or "item" not in told:
                raise DialogueError(
                    f"a line without {ANSWER!r}: the task was not written by fundoscope",
                    where=f"{self.file}, line {number}",
                    mend="export the task with fundoscope, and run it with --log_samples",
                )
            item = known.get(str(told["item"]))
            if item is None:
                unmatched.append(str(told["item"]))
                continue
            yield _prediction(item, _response(row, told))
        self.unmatched = tuple(unmatched)


def _response(row: Mapping[str, Any], told: Mapping[str, Any]) -> Any:
    """Return the answer; what the kit kept of it, where our function got none."""
    kept = row.get("filtered_resps", "")
    while isinstance(kept, list):
        kept = kept[0] if kept else ""
    return told.get("answer") or kept


def _item_of(
    row: Mapping[str, Any], items: Sequence[Item], known: Mapping[str, Item], where: str
) -> Item | None:
    """Return the item of a row, by its id; by its place where the kit dropped our column."""
    if "item" in row:
        return known.get(str(row["item"]))
    try:
        index = int(float(row["index"]))
    except (TypeError, ValueError) as problem:
        raise DialogueError(
            f"the index {row['index']!r} is no whole number", where=where, mend="check the file"
        ) from problem
    if not 0 <= index < len(items):
        return None
    item = items[index]
    said = str(row.get("question", bare_question(item)))
    if said.split() != bare_question(item).split():
        raise DialogueError(
            f"index {index} asks {said!r}, the item there {bare_question(item)!r}",
            where=where,
            mend="score it with the task, seed, languages and wordings of its export",
        )
    return item


def _prediction(item: Item, words: Any) -> Prediction:
    text = "" if words is None or words != words else str(words)  # NaN, as pandas reads a blank
    if not text.strip():
        return Prediction(item.id, "", error="the file holds no answer")
    if FAILED in text:
        return Prediction(item.id, "", error=text.strip())
    return Prediction(item.id, text)


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    if not file.is_file():
        raise DialogueError(f"there is no file {file}", mend="check the path")
    suffix = file.suffix.lower()
    if suffix == ".xlsx":
        yield from _workbook(file)
    elif suffix == ".json":
        yield from _json_rows(file)
    elif suffix in (".tsv", ".csv"):
        csv.field_size_limit(2**31 - 1)  # a photograph in base64 may stand in a cell
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield from csv.DictReader(text, delimiter="\t" if suffix == ".tsv" else ",")
    else:
        raise DialogueError(
            f"{file.name} is not .xlsx, .tsv, .csv or .json", mend="give VLMEvalKit's own file"
        )


def _workbook(file: Path) -> Iterator[Mapping[str, Any]]:
    import openpyxl

    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True)
    names = [str(name) for name in next(rows, ())]
    for cells in rows:
        yield dict(zip(names, cells, strict=True))
    book.close()


def _json_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise DialogueError(f"not JSON: {problem}", where=str(file), mend="mend it") from problem
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DialogueError("not a list of rows", where=str(file), mend="give VLMEvalKit's file")
    yield from rows


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        raise DialogueError(f"there is no file {file}", mend="check the path")
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as problem:
                raise DialogueError(
                    f"not JSON: {problem}", where=f"{file}, line {number}", mend="mend the line"
                ) from problem
            if not isinstance(row, dict):
                raise DialogueError("no object", where=f"{file}, line {number}", mend="mend it")
            yield row
