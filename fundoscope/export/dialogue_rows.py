"""Rows of dialogue files from elsewhere, streamed, each with its place: JSON lists and JSONL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fundoscope.errors import DialogueError

_CHUNK = 1 << 20
_NEAR_END = 16
"""An error so near the end of what was read may be a word cut off there."""


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row as it stands in its file."""

    place: str
    """`item 3` of a list, `line 3` of JSONL, from 1."""
    row: object
    unreadable: str = ""
    """Why it is not JSON; empty where it is."""
    text: str = ""
    """What could not be read: a line, or all the rest of a list."""


def dialogue_rows(file: Path) -> Iterator[FileRow]:
    """Yield the rows of a JSON list or of JSONL, told apart by the first character.

    A line that is not JSON is yielded as unreadable and reading goes on; a list that breaks off
    ends with one unreadable row, for nothing after it can be trusted.

    Raises
    ------
    DialogueError
        If the file is missing, empty, not UTF-8, or neither a list nor lines of objects.
    """
    if not file.is_file():
        raise DialogueError("no such file", where=str(file), mend="check the path")
    try:
        with file.open(encoding="utf-8-sig") as stream:
            first = _first_line(stream)
            stream.seek(0)
            if first.startswith("["):
                yield from _list_rows(stream)
            elif first.startswith("{") and first != "{":
                yield from _line_rows(stream)
            else:
                raise DialogueError(
                    f"the file begins with {first[:20]!r}" if first else "the file is empty",
                    where=str(file),
                    mend="give a JSON list of dialogues, or one JSON object a line",
                )
    except UnicodeDecodeError as problem:
        raise DialogueError(
            f"not UTF-8: {problem.reason} at byte {problem.start}",
            where=str(file),
            mend="save the file as UTF-8",
        ) from problem


def _first_line(stream: IO[str]) -> str:
    while line := stream.readline(_CHUNK):
        if line.strip():
            return line.strip()
    return ""


def _line_rows(stream: IO[str]) -> Iterator[FileRow]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            row = _decoder.decode(line)
        except json.JSONDecodeError as problem:
            yield FileRow(place, None, f"{problem.msg}, column {problem.colno}", line.rstrip("\n"))
        except (ValueError, RecursionError) as problem:  # endless digits, endless brackets
            yield FileRow(place, None, str(problem), line.rstrip("\n"))
        else:
            yield FileRow(place, row)


def _list_rows(stream: IO[str]) -> Iterator[FileRow]:
    ahead = _Ahead(stream)
    ahead.take()  # the bracket
    number = 0
    while True:
        mark = ahead.peek()
        if mark == "]" and (ahead.after_row or number == 0):
            ahead.take()
            if ahead.peek():
                yield ahead.broken(number, "text after the end of the list")
            return
        if ahead.after_row:
            if mark != ",":
                reason = "the list is not closed" if not mark else "a comma is missing"
                yield ahead.broken(number, reason)
                return
            ahead.take()
        number += 1
        try:
            row = ahead.row()
        except json.JSONDecodeError as problem:
            yield ahead.broken(number, problem.msg, problem.pos)
            return
        except (ValueError, RecursionError) as problem:
            yield ahead.broken(number, str(problem))
            return
        yield FileRow(f"item {number}", row)


class _Ahead:
    """Text of a stream, read on only as far as the next row needs."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._ended = False
        self._line = self._column = 1  # of the text's first character
        self.after_row = False

    def _read_on(self) -> None:
        """Read as much again as is held, so that a long row costs time in line with its length."""
        self._line, self._column = self._place(self._at)
        self._text = self._text[self._at :]
        self._at = 0
        more = self._stream.read(max(_CHUNK, len(self._text)))
        self._text += more
        self._ended = not more

    def _place(self, at: int) -> tuple[int, int]:
        n_lines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if n_lines else self._column + at
        return self._line + n_lines, column

    def peek(self) -> str:
        """Return the next character that is no blank, or nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read_on()

    def take(self) -> None:
        """Pass the next character that is no blank."""
        self.peek()
        self._at += 1
        self.after_row = False

    def row(self) -> object:
        """Return the next JSON value."""
        self.peek()
        while True:
            try:
                value, end = _decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as problem:
                cut_off = problem.msg.startswith("Unterminated string")
                cut_off = cut_off or problem.pos >= len(self._text) - _NEAR_END
                if self._ended or not cut_off:
                    raise
                self._read_on()
                continue
            after = self._text[end : end + 1]  # a number may go on: 0 is not yet all of 0.5
            if self._ended or (after and (after in " \t\r\n,]" or after not in "0123456789.eE+-")):
                self._at = end
                self.after_row = True
                return value
            self._read_on()

    def broken(self, number: int, reason: str, at: int | None = None) -> FileRow:
        """Return the row that says where and why the list breaks off, with all that is left."""
        at = self._at if at is None else at
        line, column = self._place(at)
        place = f"item {max(number, 1)}"
        rest = self._text[self._at :] + self._stream.read()
        return FileRow(place, None, f"{reason}, line {line}, column {column}", rest)
