"""Files of dialogues from elsewhere: checked, mended and merged, a row at a time.

They may be LLaVA's JSON list, the same as JSONL, ShareGPT's or messages with or without parts.
What `fix` and `merge` write is always LLaVA's: a list if the name ends in `.json`, else JSONL.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundoscope.errors import ConfigError, DialogueError
from fundoscope.export.dialogue_complaints import Severity, complaints
from fundoscope.export.dialogue_repairs import Repaired, as_llava, repaired
from fundoscope.export.dialogue_rows import FileRow, dialogue_rows
from fundoscope.export.dialogue_turns import image_of, row_bytes
from fundoscope.export.photograph_files import leads_out
from fundoscope.export.whole_files import JsonRows, whole_file


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file of dialogues."""

    place: str
    """`item 3` of a list, `line 3` of JSONL, from 1."""
    id: str
    """Empty where the row has none."""
    what: str
    mend: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class FixReport:
    """What `fix` did."""

    read: int
    written: int
    repairs: Mapping[str, int]
    """How many rows were mended, by what was mended."""
    rejected: Mapping[str, int]
    """How many rows could not be mended, by reason."""
    rejects: Path | None
    """Where they stand, with place and reason; None where there are none."""
    duplicates: int
    """Rows left out because the very same row came before."""
    renamed: tuple[tuple[str, str], ...]
    """(id, new id) of different rows that had one id."""


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What `merge` did."""

    read: Mapping[str, int]
    """Rows by file."""
    written: int
    duplicates: int
    """Rows left out because the very same row came before."""
    renamed: tuple[tuple[str, str], ...]
    """(id, new id) of different rows that had one id."""


def validate(file: Path, photographs: Path | None = None) -> list[Problem]:
    """Return all that is wrong in a file of dialogues, in its order.

    Parameters
    ----------
    file : Path
        JSON list or JSONL, streamed.
    photographs : Path, optional
        Folder in which every photograph must exist.

    Raises
    ------
    DialogueError
        If the file is missing, empty, not UTF-8, or neither a list nor lines of objects.
    """
    return list(_problems(file, photographs))


def _problems(file: Path, photographs: Path | None) -> Iterator[Problem]:
    place_of: dict[bytes, str] = {}
    any_row = False
    for found in dialogue_rows(file):
        any_row = True
        id = _id_of(found.row)
        if found.unreadable:
            mend = "mend it by hand, or let `fix` put it into the rejects"
            yield Problem(found.place, id, f"not JSON: {found.unreadable}", mend)
            continue
        for complaint in complaints(found.row):
            yield Problem(found.place, id, complaint.what, complaint.mend, complaint.severity)
        before = place_of.setdefault(_digest(id.encode(errors="replace")), found.place)
        if id and before != found.place:
            mend = "`fix` drops the very same row, and renames a different one"
            yield Problem(found.place, id, f"the id stands at {before} already", mend)
        if photographs is not None:
            yield from _missing_photograph(found, id, photographs)
    if not any_row:
        yield Problem("item 1", "", "the list holds no dialogue", "give a file with dialogues")


def _missing_photograph(found: FileRow, id: str, photographs: Path) -> Iterator[Problem]:
    try:
        image = image_of(found.row) if isinstance(found.row, dict) else ""
    except DialogueError:
        return  # complained of already
    if leads_out(image):
        mend = "give paths inside the folder of photographs"
        yield Problem(found.place, id, f"the path {image!r} leads out of the folder", mend)
    elif image and not (photographs / image).is_file():
        mend = f"put it into {photographs}, or drop the row"
        yield Problem(found.place, id, f"there is no photograph {image!r}", mend)


def fix(file: Path, out: Path) -> FixReport:
    """Mend what can be mended without inventing; put the rest aside with its reason.

    Role names, the place of `<image>`, blanks, turns of one side in a row and texts that swallowed
    the next turns are mended; a last question without an answer is dropped. What cannot be mended
    goes to `STEM.rejects.jsonl` beside `out`, each row whole, with its place and reason.

    Raises
    ------
    ConfigError
        If `out` is `file`.
    DialogueError
        If the file is missing, empty, not UTF-8, or neither a list nor lines of objects.
    """
    _refuse_same([file], out)
    rejects = out.with_name(f"{out.stem}.rejects.jsonl")
    repairs: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    ids = _Ids()
    read = 0
    with ExitStack() as stack:
        good = JsonRows(stack.enter_context(whole_file(out)), out.name)
        bad = JsonRows(stack.enter_context(whole_file(rejects)), rejects.name)
        for found in dialogue_rows(file):
            read += 1
            try:
                mended = _mended(found, file.stem)
            except DialogueError as problem:
                rejected[problem.what] += 1
                bad.add(_reject(found, problem.what))
                continue
            if ids.is_new(mended.row):
                repairs.update(mended.repairs)
                good.add(ids.with_own_id(mended.row))
        good.end()
    if not bad.rows:
        rejects.unlink()
    return FixReport(
        read=read,
        written=good.rows,
        repairs=dict(repairs.most_common()),
        rejected=dict(rejected.most_common()),
        rejects=rejects if bad.rows else None,
        duplicates=ids.duplicates,
        renamed=tuple(ids.renamed),
    )


def merge(files: Sequence[Path], out: Path) -> MergeReport:
    """Write the rows of several files into one, in order, streamed.

    The very same row is written once. Different rows with one id are all kept: the later one is
    called `STEM/ID` after its file.

    Parameters
    ----------
    files : sequence of Path
        JSON lists, JSONL, ShareGPT and messages may be mixed.
    out : Path
        A list if it ends in `.json`, else JSONL.

    Raises
    ------
    ConfigError
        If there is no file, or `out` is one of them.
    DialogueError
        If a row cannot be read or told; `fix` that file first.
    """
    _refuse_same(files, out)
    if not files:
        raise ConfigError("no file to merge", mend="name one at least")
    read: dict[str, int] = {}
    ids = _Ids()
    with whole_file(out) as stream:
        rows = JsonRows(stream, out.name)
        for file in files:
            read[str(file)] = 0
            for found in dialogue_rows(file):
                read[str(file)] += 1
                row = _as_llava(found, file)
                if ids.is_new(row):
                    rows.add(ids.with_own_id(row, f"{file.stem}/"))
        rows.end()
    return MergeReport(read, rows.rows, ids.duplicates, tuple(ids.renamed))


def _as_llava(found: FileRow, file: Path) -> dict[str, Any]:
    try:
        if found.unreadable:
            raise DialogueError(f"not JSON: {found.unreadable}")
        return as_llava(found.row)
    except DialogueError as problem:
        raise DialogueError(
            problem.what, where=f"{file}, {found.place}", mend="run `fix` on the file first"
        ) from problem


class _Ids:
    """Rows and ids that were seen, as digests: 32 bytes a row and what Python adds."""

    def __init__(self) -> None:
        self._rows: set[bytes] = set()
        self._ids: set[bytes] = set()
        self.duplicates = 0
        self.renamed: list[tuple[str, str]] = []

    def is_new(self, row: Mapping[str, Any]) -> bool:
        """Whether the very same row, id included, was not seen before."""
        digest = _digest(row_bytes(row))
        self.duplicates += digest in self._rows
        new = digest not in self._rows
        self._rows.add(digest)
        return new

    def with_own_id(self, row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return the row under an id that no other has: its own, else prefixed, else numbered."""
        id = wanted = row["id"]
        if _digest(id.encode()) in self._ids:
            id = wanted = prefix + wanted
        again = 2
        while _digest(id.encode()) in self._ids:
            id = f"{wanted}-{again}"
            again += 1
        self._ids.add(_digest(id.encode()))
        if id != row["id"]:
            self.renamed.append((row["id"], id))
        return {**row, "id": id}


def _mended(found: FileRow, stem: str) -> Repaired:
    if found.unreadable:
        raise DialogueError(f"not JSON: {found.unreadable.partition(',')[0]}")
    return repaired(found.row, f"{stem}-{found.place.replace(' ', '-')}")


def _reject(found: FileRow, reason: str) -> dict[str, object]:
    named = {"place": found.place, "reason": found.unreadable or reason}
    if found.unreadable:
        return {**named, "text": found.text}
    try:
        row_bytes(found.row)
    except DialogueError:
        return {**named, "text": json.dumps(found.row)}  # escaped, half characters and all
    return {**named, "row": found.row}


def _refuse_same(files: Iterable[Path], out: Path) -> None:
    for file in files:
        if file.resolve() == out.resolve():
            raise ConfigError(f"{out} is the file that is read", mend="give another name to write")


def _id_of(row: object) -> str:
    id = row.get("id") if isinstance(row, dict) else None
    return "" if id is None else str(id)


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()
