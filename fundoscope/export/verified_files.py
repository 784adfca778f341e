"""Dialogues of any origin held against records: a file in, a verdict for every row out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from fundoscope.errors import DialogueError, ReadError
from fundoscope.export.dialogue_repairs import as_llava
from fundoscope.export.dialogue_rows import FileRow, dialogue_rows
from fundoscope.ledger import FILE_NAME, Ledger
from fundoscope.records import Conversation, Language, Record, Turn, record_from_json
from fundoscope.verify.check import Facts
from fundoscope.verify.knowledge import judge_said
from fundoscope.verify.style import IMAGE

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """A dialogue that is not faithful, or cannot be read."""

    place: str
    id: str
    turn: int
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a file of dialogues is worth."""

    read: int
    faithful: int
    without_record: int
    by_aspect: dict[str, dict[str, int]]
    """Claims supported, contradicted and unsupported, by aspect."""
    faults: tuple[Fault, ...]


def verify_dialogues(file: Path, against: Path) -> VerifyReport:
    """Return the verdict on every dialogue of a file.

    A dialogue finds its record by an id that begins with `dataset/split/id`, else by its
    photograph's path or name, where only one record has it.

    Raises
    ------
    DialogueError, ReadError
        If the file, or what it is held against, cannot be read.
    """
    find = _Finder(_records(against))
    read = faithful = without_record = 0
    by_aspect: dict[str, dict[str, int]] = {}
    faults: list[Fault] = []
    for row in dialogue_rows(file):
        read += 1
        try:
            said = _read(row)
        except DialogueError as problem:
            faults.append(Fault(row.place, "", 0, problem.what))
            continue
        record = find.record(said)
        if record is None:
            without_record += 1
            continue
        verdict = judge_said(_conversation(said, record), record, Facts.of(record), "traced")
        for one in verdict.judged:
            mine = by_aspect.setdefault(one.claim.statement.aspect, {})
            mine[one.judgement] = mine.get(one.judgement, 0) + 1
        if verdict.kept:
            faithful += 1
        else:
            faults.append(Fault(row.place, said["id"], verdict.turn or 0, verdict.reason))
    return VerifyReport(read, faithful, without_record, by_aspect, tuple(faults))


def _records(against: Path) -> Iterator[Record]:
    if (against / FILE_NAME).is_file():
        with Ledger(against) as ledger:
            yield from ledger.records()
        return
    file = against / "records.jsonl" if against.is_dir() else against
    if not file.is_file():
        raise ReadError(f"no records at {against}", mend="give a run's folder or a records.jsonl")
    with file.open("rb") as lines:
        yield from (record_from_json(line) for line in lines if line.strip())


class _Finder:
    """Records by key, by photograph, and by photograph's name where that is unique."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._by_name: dict[str, Record | None] = {}
        for record in records:
            self._by_name[record.key] = record
            file = record.photograph.file
            for name in {file, PurePosixPath(file).name, record.photograph.id} - {""}:
                self._by_name[name] = None if name in self._by_name else record

    def record(self, said: dict[str, Any]) -> Record | None:
        key = "/".join(said["id"].split("/")[:3])
        image = said.get("image") or ""
        for name in (key, image, PurePosixPath(image).name, PurePosixPath(image).stem, said["id"]):
            if (found := self._by_name.get(name)) is not None:
                return found
        return None


def _read(row: FileRow) -> dict[str, Any]:
    if row.unreadable:
        raise DialogueError(row.unreadable)
    return as_llava(row.row)


def _conversation(said: dict[str, Any], record: Record) -> Conversation:
    messages = [message["value"] for message in said["conversations"]]
    messages[0] = _without_image(messages[0])
    turns = tuple(Turn(q, a) for q, a in zip(messages[::2], messages[1::2], strict=False))
    provenance = said.get("provenance") or {}
    facts = provenance.get("facts") or said.get("facts") or []
    if facts and len(facts) == len(turns):
        turns = tuple(replace(t, facts=tuple(f)) for t, f in zip(turns, facts, strict=True))
    text = "".join(messages)
    language: Language = "zh" if _CHINESE.search(text) else "en"
    track = (
        provenance.get("track")
        or said.get("track")
        or ("alignment" if len(turns) == 1 else "instruction")
    )
    return Conversation(record.key, track, language, turns, "elsewhere", "", 0)


def _without_image(question: str) -> str:
    """Return the first question without the `<image>` that ends it."""
    return question.rstrip().removesuffix(IMAGE).rstrip()
