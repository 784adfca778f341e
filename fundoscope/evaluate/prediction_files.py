"""Predictions that another system wrote to a file, matched to items; nothing is guessed.

Read are: rows of `id`, `image` and `qa_pairs`, as RetinalGPT's scripts and `fundoscope answer`
write them; LLaVA's `answers.jsonl`, rows of `question_id`, `prompt` and `text`; a CSV; and rows of
`item` and `answer`, our own memory of answers. A row belongs to the item whose id it bears, else
to the one about the photograph of its name with its very question.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from fundoscope.errors import ConfigError
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.scoring import labels_in
from fundoscope.read.label_files import read_rows

_MARK = "<image>"
_TABLES = (".csv", ".tsv", ".xlsx", ".xls")
_IDS = ("item", "question_id", "id")
_QUESTIONS = ("question", "prompt", "text_in")
_ANSWERS = ("answer", "text", "output", "response", "prediction")
_PHOTOGRAPHS = ("image", "images", "photograph", "image_file", "image_path")
_PROBABILITY = "p_"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One answer of a file, as it stands there."""

    where: str
    """`file:line`, and which pair of the row where it has several."""
    id: str
    photographs: tuple[str, ...]
    questions: tuple[str, ...]
    """The last is answered; those before it were asked before it."""
    answer: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    def told(self) -> str:
        """Return the row in a few words, for a list of what did not match."""
        parts = [self.id, *self.photographs, *(f"{q[:60]!r}" for q in self.questions[-1:])]
        return f"{self.where}: {' '.join(part for part in parts if part) or 'nothing to go by'}"


class FilePredictor:
    """Answers items with what a file says.

    Parameters
    ----------
    file : JSONL, a JSON list, or a table (CSV, TSV, XLSX)
    items : all items of the task, so that what belongs to none of them is known

    Raises
    ------
    ConfigError
        If the file is missing or not of a known form, if two rows answer one item, or if a
        probability is none or of a label that the item does not have.
    """

    def __init__(self, file: Path, items: Sequence[Item], name: str = "") -> None:
        self.name = name or file.stem
        rows = list(read_file_rows(file))
        if not rows:
            raise ConfigError("no answer in it", where=str(file), mend="check the file")
        self._known, self.unmatched = match_rows(rows, items)

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield the file's predictions for those of the items that it answers."""
        yield from (self._known[item.id] for item in items if item.id in self._known)


def match_rows(
    rows: Sequence[FileRow], items: Sequence[Item]
) -> tuple[dict[str, Prediction], tuple[str, ...]]:
    """Return predictions by the item's id, and what belongs to no item, each with its place.

    Raises
    ------
    ConfigError
        If two rows answer one item, or a probability is of a label that it does not have.
    """
    by_id = {item.id: item for item in items}
    by_question: dict[tuple[str, frozenset[str]], list[Item]] = defaultdict(list)
    for one in items:
        by_question[_asked(one.question), frozenset(f.name for f in one.photographs)].append(one)
    predictions: dict[str, Prediction] = {}
    source: dict[str, str] = {}
    unmatched: list[str] = []
    for row in rows:
        item, why_not = _item_of(row, by_id, by_question)
        if item is None:
            unmatched.append(f"{row.told()} ({why_not})")
            continue
        if item.id in predictions and not predictions[item.id].error:
            raise ConfigError(
                f"two answers to the item {item.id!r}",
                where=f"{source[item.id]} and {row.where}",
                mend="keep one of them",
            )
        predictions[item.id] = _prediction(item, row)
        source[item.id] = row.where
    return predictions, tuple(unmatched)


def _item_of(
    row: FileRow,
    by_id: Mapping[str, Item],
    by_question: Mapping[tuple[str, frozenset[str]], list[Item]],
) -> tuple[Item | None, str]:
    """Return the item that a row answers, or why there is none."""
    if (item := by_id.get(row.id)) is not None:
        asked = [*item.before, item.question]
        pairs = zip(reversed(row.questions), reversed(asked), strict=False)
        # more words than the item's are instructions; other words are another question
        if len(row.questions) <= len(asked) and all(_asked(q) in _asked(said) for said, q in pairs):
            return item, ""
        return None, "the item of this id asks something else"
    if not row.questions:
        return None, "no item has this id, and no question stands beside it"
    names = frozenset(PurePosixPath(name.replace("\\", "/")).name for name in row.photographs)
    found = by_question.get((_asked(row.questions[-1]), names), [])
    found = [item for item in found if _continues(row, item)]
    nearest = _nearest(row, found)
    if len(nearest) == 1:
        return nearest[0], ""
    if not found:
        return None, "no item asks this about a photograph of this name"
    return None, f"{len(nearest)} items ask this about a photograph of this name"


def _continues(row: FileRow, item: Item) -> bool:
    """Whether what was asked before is the same, where the row tells it."""
    before = [_asked(question) for question in row.questions[:-1]]
    return not item.before or before == [_asked(question) for question in item.before]


def _nearest(row: FileRow, items: Sequence[Item]) -> list[Item]:
    """Return the items whose photographs share most with the row's paths, read from their ends."""
    if len(items) < 2 or len(row.photographs) != 1:
        return list(items)
    said = PurePosixPath(row.photographs[0].replace("\\", "/")).parts[::-1]
    shared = [
        len(list(takewhile(lambda pair: pair[0] == pair[1], zip(said, own, strict=False))))
        for own in (item.photographs[0].parts[::-1] for item in items)
    ]
    return [item for item, n in zip(items, shared, strict=True) if n == max(shared)]


def _asked(question: str) -> str:
    return " ".join(question.replace(_MARK, " ").split())


def _prediction(item: Item, row: FileRow) -> Prediction:
    known = labels_in(item)
    strange = [label for label in row.probabilities if label not in known]
    if strange:
        raise ConfigError(
            f"a probability of {strange[0]!r}, which is no label of {item.id!r}",
            where=row.where,
            mend=f"its labels are {', '.join(known)}" if known else "its labels have none",
        )
    if row.error:
        return Prediction(item.id, "", error=row.error)
    if not row.answer.strip():
        return Prediction(item.id, "", error="the file has no answer")
    return Prediction(item.id, row.answer, dict(row.probabilities))


# files


def read_file_rows(file: Path) -> Iterator[FileRow]:
    """Yield the answers of a file.

    Raises
    ------
    ConfigError
        If it is missing, or a row is of no known form.
    LabelError
        If a table is not well-formed.
    """
    if not file.is_file():
        raise ConfigError("no such file of predictions", where=str(file), mend="check the path")
    if file.suffix.lower() in _TABLES:
        yield from _table_rows(file)
        return
    for where, held in _json_rows(file):
        if "qa_pairs" in held:
            yield from _pairs(where, held)
        else:
            yield _flat(where, held)


def _json_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = file.read_text(encoding="utf-8-sig")
    try:
        if text.lstrip().startswith("["):
            held = [(f"{file.name}: row {n}", row) for n, row in enumerate(json.loads(text), 1)]
        else:
            lines = enumerate(text.split("\n"), 1)
            held = [(f"{file.name}:{n}", json.loads(line)) for n, line in lines if line.strip()]
    except ValueError as problem:
        raise ConfigError(f"no JSON: {problem}", where=str(file), mend="mend the file") from None
    for where, row in held:
        if not isinstance(row, dict):
            raise ConfigError("a row is no JSON object", where=where, mend="mend the file")
        yield where, row


def _pairs(where: str, held: Mapping[str, Any]) -> Iterator[FileRow]:
    """Yield the answers of a row with `qa_pairs`; each was asked after those before it.

    `fundoscope answer` asks the questions of a row one after the other, so the last one of a
    conversation knows the others. RetinalGPT's script asks each anew; its ids are no item's, and
    its pairs are matched one by one.
    """
    id, photographs = str(held.get("id", "")), _names(held, where)
    pairs = held["qa_pairs"]
    try:
        asked = [(str(pair["question"]), str(pair["answer"])) for pair in pairs]
    except (TypeError, KeyError) as problem:
        raise ConfigError(
            "qa_pairs must be a list of objects with question and answer",
            where=where,
            mend="mend the row",
        ) from problem
    if held.get("error"):
        yield FileRow(where, id, photographs, (), "", error=str(held["error"]))
        return
    questions = tuple(question for question, _ in asked)
    for number, (_, answer) in enumerate(asked, 1):
        place = f"{where}, pair {number}" if len(asked) > 1 else where
        mine = id if number == len(asked) else ""
        yield FileRow(place, mine, photographs, questions[:number], answer)


def _flat(where: str, held: Mapping[str, Any]) -> FileRow:
    answer = _first(held, _ANSWERS)
    error = str(held.get("error") or "")
    if answer is None and not error:
        raise ConfigError(
            f"no answer among {', '.join(map(repr, held))}",
            where=where,
            mend="name it `answer`, or `text` as LLaVA does",
        )
    question = _first(held, _QUESTIONS)
    return FileRow(
        where,
        str(_first(held, _IDS) or ""),
        _names(held, where),
        () if question is None else (str(question),),
        str(answer or ""),
        _chances(held.get("probabilities") or {}, where),
        error,
    )


def _table_rows(file: Path) -> Iterator[FileRow]:
    for row in read_rows(file, []):
        cells = {name.strip(): cell for name, cell in row.cells.items()}
        chances = {
            name.removeprefix(_PROBABILITY): cell
            for name, cell in cells.items()
            if name.startswith(_PROBABILITY) and cell.strip()
        }
        yield _flat(row.origin, {**cells, "probabilities": chances})


def _chances(said: Any, where: str) -> dict[str, float]:
    if not isinstance(said, Mapping):
        raise ConfigError("probabilities must be by label", where=where, mend="mend the row")
    found = {}
    for label, value in said.items():
        try:
            chance = float(value)
        except (TypeError, ValueError):
            chance = math.nan
        if not 0 <= chance <= 1:
            raise ConfigError(
                f"the probability of {label!r} is {value!r}", where=where, mend="give 0 to 1"
            )
        found[str(label)] = chance
    return found


def _first(held: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((held[name] for name in names if held.get(name) is not None), None)


def _names(held: Mapping[str, Any], where: str) -> tuple[str, ...]:
    said = _first(held, _PHOTOGRAPHS)
    names = [] if said in (None, "") else [said] if isinstance(said, str) else said
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError("image must be the name of a file", where=where, mend="mend the row")
    return tuple(names)
