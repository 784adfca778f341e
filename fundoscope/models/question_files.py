"""Files of questions answered line by line: nothing lost, nothing twice, order kept.

A line is written whole or not at all, in the order of the questions. After `kill -9` the same
command goes on behind the last whole line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from fundoscope.errors import ConfigError, ModelError
from fundoscope.models.answering import Answered, Asked
from fundoscope.models.prompt_templates import MARK, Exchange

_HUMAN, _ASSISTANT = ("human", "user"), ("gpt", "assistant")
_FIELDS = ("id", "image", "images", "question", "questions", "messages")


class Engine(Protocol):
    """What answers; `Answering` is one."""

    batch: int

    def answer(self, asked: list[Asked]) -> list[Answered]:
        """Return the answers to conversations, in order."""
        ...


@dataclass(frozen=True)
class _Row:
    id: Any
    shown: dict[str, Any]
    """`image` or `images`, as the file says."""
    asked: Asked | None
    error: str = ""


@dataclass(frozen=True)
class FileAnswered:
    """What became of a file of questions."""

    rows: int
    failed: int
    """Of them, with an `error`."""
    found: int
    """Of them, answered by an earlier run."""


def answer_questions(
    questions_file: Path,
    output: Path,
    engine: Engine,
    photographs: Path | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> FileAnswered:
    """Answer every row of a file; return how many there were.

    Parameters
    ----------
    questions_file : Path
        JSONL, or a JSON list. A row has `id`, `image` or `images`, and `question`, `questions`
        (asked one after the other) or `messages` (`from`/`role`, `value`/`content`). Messages
        that end with a question are what was said before it; else every question is asked anew.
    output : Path
        JSONL: `id`, `image`, `qa_pairs` of `question` and `answer`, and `error` where it failed.
        If it is there, the run goes on behind its last whole line.
    engine : Answering
    photographs : Path, optional
        Folder that `image` is relative to, and may not leave; that of the file by default.

    Raises
    ------
    ConfigError
        If the file is missing or no JSON, or if `output` holds answers to other questions.
    """
    folder = (photographs or questions_file.parent).resolve()
    if not folder.is_dir():
        raise ConfigError("no such folder of photographs", where=str(folder), mend="check the path")
    rows = (_row(number, held, folder) for number, held in _read(questions_file))
    done, failed = _skip_answered(rows, output)
    progress(done)
    found = done
    with output.open("ab") as stream:
        while chunk := list(islice(rows, engine.batch)):
            answered = iter(engine.answer([row.asked for row in chunk if row.asked is not None]))
            lines = [
                _line(row, Answered((), error=row.error) if row.asked is None else next(answered))
                for row in chunk
            ]
            stream.write(b"".join(json_line(line) for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
            done += len(chunk)
            failed += sum("error" in line for line in lines)
            progress(len(chunk))
    return FileAnswered(done, failed, found)


def json_line(row: dict[str, Any]) -> bytes:
    """Return a row as one line of JSONL."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _line(row: _Row, answered: Answered) -> dict[str, Any]:
    questions = row.asked.questions if row.asked else ()
    pairs = [
        {"question": question, "answer": answer}
        for question, answer in zip(questions, answered.answers, strict=False)
    ]
    told = {"error": answered.error} if answered.error else {}
    return {"id": row.id, **row.shown, "qa_pairs": pairs, **told}


def _read(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield (number, row); a line that is no JSON is None."""
    if not file.is_file():
        raise ConfigError("no such file of questions", where=str(file), mend="check the path")
    with file.open(encoding="utf-8-sig") as stream:
        first = stream.read(1)
        while first.isspace():
            first = stream.read(1)
        stream.seek(0)
        if first == "[":
            try:
                held = json.load(stream)
            except ValueError as problem:
                raise ConfigError(f"no JSON: {problem}", where=str(file), mend="mend it") from None
            yield from enumerate(held, start=1)
            return
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, None


def _row(number: int, held: Any, folder: Path) -> _Row:
    if not isinstance(held, dict):
        return _Row(f"line {number}", {}, None, "the line is no JSON object")
    id = held.get("id", held.get("question_id", number))
    shown = {name: held[name] for name in ("image", "images") if name in held}
    try:
        return _Row(id, shown, _asked(held, folder))
    except ModelError as problem:
        return _Row(id, shown, None, problem.what)


def _asked(held: dict[str, Any], folder: Path) -> Asked:
    names = [name for name in ("question", "questions", "messages") if held.get(name)]
    if len(names) != 1:
        raise ModelError(
            f"one of question, questions and messages is needed, found {names or 'none'}"
        )
    photographs = tuple(_inside(name, folder) for name in _photographs(held))
    said = held[names[0]]
    if names[0] == "messages":
        questions, history = _messages(said)
        return Asked(questions, photographs, history)
    texts = [said] if names[0] == "question" else said
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ModelError(f"{names[0]} must be text")
    return Asked(tuple(texts), photographs)


def _photographs(held: dict[str, Any]) -> list[str]:
    if held.get("image") and held.get("images"):
        raise ModelError("image and images are both given")
    said = held.get("images") or held.get("image") or []
    names = [said] if isinstance(said, str) else said
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError("image must be the name of a file, images a list of names")
    return names


def _inside(name: str, folder: Path) -> Path:
    """Return the path of a photograph; a name that leads out of the folder is refused."""
    try:
        place = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as problem:
        raise ModelError(f"no name of a file: {name!r}") from problem
    if not place.is_relative_to(folder):
        raise ModelError(f"the name leads out of the folder of photographs: {name!r}")
    return place


def _messages(said: Any) -> tuple[tuple[str, ...], tuple[Exchange, ...]]:
    """Return the questions to ask, and what was said before."""
    if not isinstance(said, list) or not all(isinstance(turn, dict) for turn in said):
        raise ModelError("messages must be a list of turns")
    turns = [(turn.get("from", turn.get("role")), _text(turn)) for turn in said]
    for place, (role, _) in enumerate(turns):
        if role not in (_HUMAN, _ASSISTANT)[place % 2]:
            raise ModelError(f"message {place + 1} is of {role!r}; human and assistant take turns")
    questions = [text for _, text in turns[::2]]
    answers = [text for _, text in turns[1::2]]
    if len(questions) > len(answers):
        history = tuple(Exchange(q, a) for q, a in zip(questions, answers, strict=False))
        return (questions[-1],), history
    return tuple(questions), ()


def _text(turn: dict[str, Any]) -> str:
    said = turn.get("value", turn.get("content"))
    if isinstance(said, list):
        parts = [part if isinstance(part, dict) else {} for part in said]
        texts = [p.get("text") if p.get("type") == "text" else MARK for p in parts]
        said = "\n".join(str(text) for text in texts)
    if not isinstance(said, str):
        raise ModelError("a message has no text")
    return said


def _skip_answered(rows: Iterator[_Row], output: Path) -> tuple[int, int]:
    """Pass over the rows that are answered; return how many there are, and failed among them.

    A line that a killed run left unfinished is cut off.
    """
    if not output.exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        return 0, 0
    done = failed = whole = 0
    with output.open("rb") as stream:
        for line in stream:
            held = _whole_line(line)
            if held is None:
                break
            row = next(rows, None)
            if row is None or held.get("id") != row.id:
                raise ConfigError(
                    f"it holds answers to other questions: line {done + 1} has the id "
                    f"{held.get('id')!r}, the questions {row.id if row else 'none'!r}",
                    where=str(output),
                    mend="name another output, or remove it",
                )
            done, failed, whole = done + 1, failed + ("error" in held), whole + len(line)
    with output.open("rb+") as stream:
        stream.truncate(whole)
    return done, failed


def _whole_line(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        held = json.loads(line)
    except ValueError:
        return None
    return held if isinstance(held, dict) else None
