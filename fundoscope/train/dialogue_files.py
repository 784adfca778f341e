"""Files of dialogues to train on, read row by row: only where each row lies is held in memory.

LLaVA's JSON list, JSONL, Parquet and WebDataset's tar shards, in any dialect that
`fundoscope export` writes. Any row can be read at any time, so that training can shuffle all of a
file, share it between processes, and go on from any place in it.
"""

from __future__ import annotations

import json
import mmap
import re
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import DialogueError, MissingExtra
from fundoscope.export.dialogue_turns import turns_of
from fundoscope.export.photograph_files import leads_out
from fundoscope.models.prompt_templates import MARK, Exchange

_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_PICTURED = re.compile(rb'"images?"\s*:\s*(?:\[\s*)?"')
_TABLE_GROUPS = 4
"""Row groups of Parquet kept at hand."""


class Inside(NamedTuple):
    """A photograph that lies in a tar shard, as its bytes."""

    shard: Path
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class TrainingDialogue:
    """A dialogue as it is trained on."""

    id: str
    exchanges: tuple[Exchange, ...]
    """`<image>` in the questions says where photographs stand."""
    photographs: tuple[Path | Inside, ...] = ()

    def __post_init__(self) -> None:
        marks = sum(exchange.question.count(MARK) for exchange in self.exchanges)
        if marks != len(self.photographs):
            raise DialogueError(
                f"{marks} times {MARK}, but {len(self.photographs)} photographs",
                where=self.id,
                mend="give as many photographs as there are marks",
            )
        if any(MARK in exchange.answer for exchange in self.exchanges):
            raise DialogueError(
                f"an answer holds {MARK}", where=self.id, mend="only questions show photographs"
            )


class DialogueFile(Protocol):
    """Rows that can be read in any order."""

    lengths: NDArray[np.int32]
    """About how long each row is: its bytes."""
    pictured: NDArray[np.bool_]
    """Whether each row seems to have a photograph."""

    def __len__(self) -> int: ...

    def dialogue(self, row: int, epoch: int = 0) -> TrainingDialogue:
        """Return a row; DialogueError where it cannot be trained on."""
        ...


def open_dialogues(file: Path, photographs: Path | None = None) -> DialogueFile:
    """Return the rows of a file of dialogues, or of a folder of tar shards.

    Parameters
    ----------
    photographs : folder of the photographs; that of the file by default

    Raises
    ------
    DialogueError
        If the file is missing, or is none that can be told.
    MissingExtra
        If it is Parquet and pyarrow is not installed.
    """
    folder = photographs or file.parent
    if file.is_dir():
        return TarRows(sorted(file.glob("*.tar")), file)
    if not file.is_file():
        raise DialogueError("no such file", where=str(file), mend="check the path")
    if file.suffix == ".tar":
        return TarRows([file], file)
    if file.suffix == ".parquet":
        return TableRows(file, folder)
    return JsonRows(file, folder)


class JsonRows:
    """A JSON list, or JSONL, told apart by the first character."""

    def __init__(self, file: Path, photographs: Path) -> None:
        self.file, self.folder = file, photographs
        starts, ends, pictured = array("q"), array("q"), bytearray()
        if file.stat().st_size:
            with (
                file.open("rb") as stream,
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as held,
            ):
                for start, end in _rows_in(held, file):
                    starts.append(start)
                    ends.append(end)
                    pictured.append(_PICTURED.search(held, start, end) is not None)
        if not starts:
            raise DialogueError("it holds no dialogue", where=str(file), mend="check the path")
        self._starts = np.array(starts, np.int64)
        self.lengths = (np.array(ends, np.int64) - self._starts).astype(np.int32)
        self.pictured = np.array(pictured, np.bool_)

    def __len__(self) -> int:
        return len(self._starts)

    def dialogue(self, row: int, epoch: int = 0) -> TrainingDialogue:
        """Return a row; DialogueError where it cannot be trained on."""
        with self.file.open("rb") as stream:  # anew each time: workers may not share a place
            stream.seek(int(self._starts[row]))
            text = stream.read(int(self.lengths[row]))
        where = f"{self.file}, row {row + 1}"
        try:
            held = json.loads(text)
        except ValueError as problem:
            raise DialogueError(f"no JSON: {problem}", where=where, mend="run `fix` on it") from (
                problem
            )
        return _dialogue(held, where, self.folder)


def _rows_in(held: mmap.mmap, file: Path) -> Iterator[tuple[int, int]]:
    """Yield where each row begins and ends."""
    begin = 3 if held[:3] == b"\xef\xbb\xbf" else 0  # UTF-8's mark
    first = re.compile(rb"\S").search(held, begin)
    if first is not None and first[0] == b"[":
        yield from _list_rows(held, first.end(), file)
        return
    if first is not None and first[0] != b"{":
        raise DialogueError(
            f"the file begins with {held[first.start() : first.start() + 20]!r}",
            where=str(file),
            mend="give a JSON list of dialogues, or one JSON object a line",
        )
    while begin < len(held):
        found = held.find(b"\n", begin)
        end = found if found >= 0 else len(held)
        if held[begin:end].strip():
            yield begin, end
        begin = end + 1


def _list_rows(held: mmap.mmap, begin: int, file: Path) -> Iterator[tuple[int, int]]:
    depth, start = 0, begin
    for found in _STRING_OR_BRACKET.finditer(held, begin):
        mark = found[0]
        if mark in (b"{", b"["):
            if depth == 0:
                start = found.start()
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                yield start, found.end()
            if depth < 0:
                return
    raise DialogueError(
        "the list breaks off", where=f"{file}, byte {len(held)}", mend="write or fetch it again"
    )


class TableRows:
    """A Parquet table, a row group at a time."""

    def __init__(self, file: Path, photographs: Path) -> None:
        self.file, self.folder = file, photographs
        lengths, pictured, groups = array("i"), bytearray(), [0]
        table = _parquet().ParquetFile(file)
        for number in range(table.num_row_groups):
            rows = table.read_row_group(number).to_pylist()
            lengths.extend(len(json.dumps(row, ensure_ascii=False).encode()) for row in rows)
            pictured.extend(bool(row.get("image") or row.get("images")) for row in rows)
            groups.append(groups[-1] + len(rows))
        self._groups = np.array(groups, np.int64)
        self.lengths = np.array(lengths, np.int32)
        self.pictured = np.array(pictured, np.bool_)

    def __len__(self) -> int:
        return int(self._groups[-1])

    def dialogue(self, row: int, epoch: int = 0) -> TrainingDialogue:
        """Return a row; DialogueError where it cannot be trained on."""
        group = int(np.searchsorted(self._groups, row, "right")) - 1
        held = _row_group(self.file, group)[row - int(self._groups[group])]
        return _dialogue(held, f"{self.file}, row {row + 1}", self.folder)


@lru_cache(_TABLE_GROUPS)
def _row_group(file: Path, number: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _parquet().ParquetFile(file).read_row_group(number).to_pylist()
    return rows


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingExtra(
            "Parquet needs pyarrow", mend="pip install 'fundoscope[parquet]'"
        ) from problem
    return pyarrow.parquet


class TarRows:
    """WebDataset's shards: KEY.json beside KEY.jpg, or as the photograph is called."""

    def __init__(self, shards: list[Path], where: Path) -> None:
        self._rows: list[Inside] = []
        self._photographs: list[Inside | None] = []
        for shard in shards:
            self._look_into(shard)
        if not self._rows:
            raise DialogueError("no dialogue in its shards", where=str(where), mend="export again")
        self.lengths = np.array([row.size for row in self._rows], np.int32)
        self.pictured = np.array([p is not None for p in self._photographs], np.bool_)

    def _look_into(self, shard: Path) -> None:
        photographs: dict[str, Inside] = {}
        rows: list[tuple[str, Inside]] = []
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                place = Inside(shard, member.name, member.offset_data, member.size)
                if suffix == "json":
                    rows.append((key, place))
                else:
                    photographs[key] = place
        for key, place in rows:
            self._rows.append(place)
            self._photographs.append(photographs.get(key))

    def __len__(self) -> int:
        return len(self._rows)

    def dialogue(self, row: int, epoch: int = 0) -> TrainingDialogue:
        """Return a row; DialogueError where it cannot be trained on."""
        place = self._rows[row]
        where = f"{place.shard}, {place.name}"
        return _dialogue(json.loads(bytes_of(place)), where, None, self._photographs[row])


def bytes_of(place: Inside) -> bytes:
    """Return a file's bytes out of its shard."""
    with place.shard.open("rb") as stream:
        stream.seek(place.offset)
        return stream.read(place.size)


def _dialogue(
    row: object, where: str, folder: Path | None, inside: Inside | None = None
) -> TrainingDialogue:
    try:
        turns = [turn for turn in turns_of(row) if turn.role != "system"]
        assert isinstance(row, dict)  # turns_of refuses others
        roles = [turn.role for turn in turns]
        if not roles or roles != ["human", "gpt"] * (len(roles) // 2):
            raise DialogueError("turns do not alternate, human first", mend="run `fix` on it")
        exchanges = [
            Exchange(question.text, answer.text)
            for question, answer in zip(turns[::2], turns[1::2], strict=True)
        ]
        named = row.get("image") or row.get("images") or []
        names = [named] if isinstance(named, str) else list(named)
        photographs: list[Path | Inside] = []
        if folder is None:
            photographs = [inside] if inside and names else []
        else:
            photographs = [_inside(name, folder) for name in names]
        return TrainingDialogue(str(row.get("id", where)), tuple(exchanges), tuple(photographs))
    except DialogueError as problem:
        raise DialogueError(problem.what, where=where, mend=problem.mend) from problem


def _inside(name: object, folder: Path) -> Path:
    if not isinstance(name, str) or leads_out(name):
        raise DialogueError(
            f"the path {name!r} leads out of the folder of photographs",
            mend="give paths inside the folder",
        )
    return folder / name
