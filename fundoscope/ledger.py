"""A run's memory: what was read, asked, answered, verified, kept. One SQLite file, one writer.

An answer is committed before it counts, so `kill -9` at any moment loses at most the batch that
was being composed, and the same command finishes what is missing. What was asked is known by a
hash of everything that decides the answer; only what changed is asked again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter

from fundoscope.asked import Asked
from fundoscope.errors import LedgerError
from fundoscope.records import (
    Conversation,
    Dialogue,
    LeftOut,
    Record,
    Reject,
    Verdict,
    record_from_json,
    record_to_json,
)

FILE_NAME = "ledger.sqlite"
FORMAT = 2
"""Raised when the tables change; a ledger of another format is refused."""

WAL_PAGES = 8000
"""Pages (32 MB) that are gathered before they are moved into place, which waits for the disk."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, ordinal INTEGER NOT NULL,
    pass INTEGER NOT NULL, record BLOB NOT NULL);
CREATE INDEX records_by_ordinal ON records (ordinal);
CREATE TABLE dialogues (
    record INTEGER NOT NULL REFERENCES records (id), track TEXT NOT NULL, language TEXT NOT NULL,
    hash BLOB NOT NULL, state TEXT NOT NULL CHECK (state IN ('kept', 'rejected')),
    conversation BLOB, reason TEXT NOT NULL DEFAULT '', raw TEXT NOT NULL DEFAULT '',
    judged TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (record, track, language)) WITHOUT ROWID;
CREATE TABLE left_out (
    ordinal INTEGER NOT NULL, pass INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL,
    reason TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (what, name, origin)) WITHOUT ROWID;
CREATE TABLE asked (
    id INTEGER PRIMARY KEY, useless INTEGER NOT NULL DEFAULT 0,
    record INTEGER NOT NULL, track TEXT NOT NULL, language TEXT NOT NULL, hash BLOB NOT NULL,
    round INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('asked', 'packed', 'answered')),
    raw TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '',
    prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    cut INTEGER NOT NULL DEFAULT 0, judged TEXT NOT NULL DEFAULT '{}',
    batch TEXT NOT NULL DEFAULT '',
    UNIQUE (record, track, language, hash, round));
CREATE TABLE looks (
    file TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    look TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many dialogues a run holds."""

    records: int
    kept: int
    rejected: int
    left_out: int
    spent_usd: float = 0.0
    """By engines that ask a server."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a request came to, as it is kept: small enough to be sent between processes."""

    kept: bool
    reason: str = ""
    conversation: bytes | None = None
    """As JSON; None where the answer could not be read as one."""
    raw: str = ""
    judged: str = "{}"
    """JSON: aspect -> judgement -> how many claims."""


def settled(conversation: Conversation, verdict: Verdict) -> Settled:
    """Return a judged conversation as the ledger keeps it."""
    return Settled(
        verdict.kept,
        verdict.reason,
        _conversations().dump_json(conversation),
        judged=json.dumps(_judged_counts(verdict)),
    )


@cache
def _conversations() -> TypeAdapter[Conversation]:
    return TypeAdapter(Conversation)


class Ledger:
    """The memory of one run folder.

    Parameters
    ----------
    run : Path
        The run's folder; the ledger is `ledger.sqlite` in it.
    write : bool
        Whether to create or change it. A second writer is refused at once; readers never wait.

    Raises
    ------
    LedgerError
        If the folder holds no ledger (reading), one of another format, or is being written.
    """

    def __init__(self, run: Path, *, write: bool = False) -> None:
        self.run = run
        file = run / FILE_NAME
        if not write and not file.is_file():
            raise LedgerError(
                f"{run} holds no ledger", mend="give the folder that `fundoscope build -o` wrote"
            )
        self._lock = writers_lock(run) if write else None
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL" if write else "PRAGMA query_only = ON")
        self._db.execute("PRAGMA synchronous = NORMAL")  # WAL keeps commits whole on kill -9
        self._db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        self._pass = self._ordinal = 0
        self._open(write)
        self.asked = Asked(self._db)

    def _open(self, write: bool) -> None:
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0 and write:
            self._db.executescript(f"BEGIN; {_TABLES} COMMIT;")
            self.remember("format", FORMAT)
        if self.recall("format") != FORMAT:
            raise LedgerError(
                f"the ledger in {self.run} has format {self.recall('format')}, expected {FORMAT}",
                mend="build into a new folder",
            )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit and let go of the file."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._db.close()
        if self._lock:
            self._lock.close()

    # what is known of the run as a whole

    def remember(self, name: str, value: object) -> None:
        """Keep a JSON value under a name."""
        self._db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            (name, json.dumps(value, ensure_ascii=False)),
        )

    def recall(self, name: str) -> Any:
        """Return the value kept under a name, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def recall_all(self, prefix: str) -> dict[str, Any]:
        """Return every value whose name begins with `prefix`, by the rest of the name."""
        rows = self._db.execute(
            "SELECT name, value FROM meta WHERE name >= ? AND name < ? ORDER BY name",
            (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)),
        )
        return {name.removeprefix(prefix): json.loads(value) for name, value in rows}

    # writing, by the one writer

    def begin(self) -> None:
        """Go on writing to what a pass has read; `commit` makes it last."""
        self._pass = self.recall("pass") or 0
        self._db.execute("BEGIN")

    def begin_pass(self, job: dict[str, object]) -> None:
        """Start reading the source from its beginning; what an earlier pass kept stays known."""
        self._pass = (self.recall("pass") or 0) + 1
        self._ordinal = 0
        self.remember("pass", self._pass)
        self.remember("finished", False)
        self.remember("job", job)
        self._db.execute("BEGIN")

    def add_record(self, record: Record) -> int:
        """Keep a record at the next place of this pass; return its row."""
        self._ordinal += 1
        row = self._db.execute(
            "INSERT INTO records (key, ordinal, pass, record) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET ordinal = excluded.ordinal, pass = excluded.pass,"
            " record = excluded.record WHERE records.pass < excluded.pass RETURNING id",
            (record.key, self._ordinal, self._pass, record_to_json(record)),
        ).fetchone()
        if row is None:
            raise LedgerError(
                f"two records have the key {record.key!r}",
                where="; ".join(record.origin),
                mend="give them different ids, splits or datasets",
            )
        return int(row[0])

    def leave_out(self, thing: LeftOut) -> None:
        """Keep what was read and not used."""
        self._ordinal += 1
        self._db.execute(
            "INSERT OR REPLACE INTO left_out VALUES (?, ?, ?, ?, ?, ?)",
            (self._ordinal, self._pass, thing.what, thing.name, thing.reason, thing.origin),
        )

    def is_done(self, record: int, track: str, language: str, request_hash: bytes) -> bool:
        """Whether this very request was already answered and judged."""
        found = self._db.execute(
            "SELECT hash FROM dialogues WHERE record = ? AND track = ? AND language = ?",
            (record, track, language),
        ).fetchone()
        return found is not None and found[0] == request_hash

    def judge(
        self, record: int, conversation: Conversation, request_hash: bytes, verdict: Verdict
    ) -> None:
        """Keep or reject a conversation, with the counts of what was judged."""
        self.settle(record, conversation.track, conversation.language, request_hash,
                    settled(conversation, verdict))  # fmt: skip

    def settle(
        self, record: int, track: str, language: str, request_hash: bytes, end: Settled
    ) -> None:
        """Keep or reject what a request came to."""
        self._db.execute(
            "INSERT OR REPLACE INTO dialogues"
            " (record, track, language, hash, state, conversation, reason, raw, judged)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record,
                track,
                language,
                request_hash,
                "kept" if end.kept else "rejected",
                end.conversation,
                end.reason,
                end.raw,
                end.judged,
            ),
        )

    def commit(self) -> None:
        """Make all so far survive a kill."""
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def finish_pass(self, *, complete: bool = True) -> None:
        """Say that the source was read to its end: what it no longer holds is forgotten.

        `complete` tells whether every dialogue was had, too.
        """
        for table in ("dialogues WHERE record IN (SELECT id FROM records WHERE pass < ?)",
                      "records WHERE pass < ?", "left_out WHERE pass < ?"):  # fmt: skip
            self._db.execute(f"DELETE FROM {table}", (self._pass,))
        self.remember("finished", complete)
        self.remember("finished_at", time.strftime("%Y-%m-%d %H:%M:%S"))
        self._db.execute("COMMIT")

    # what is known of photograph files, so that a resumed run need not decode them again

    def look_of(self, file: Path) -> dict[str, Any] | None:
        """Return what was seen of a file, if it has not changed since."""
        stat = file.stat()
        row = self._db.execute(
            "SELECT look FROM looks WHERE file = ? AND size = ? AND modified_ns = ?",
            (str(file), stat.st_size, stat.st_mtime_ns),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def remember_look(self, file: Path, look: dict[str, Any]) -> None:
        """Keep what was seen of a file."""
        stat = file.stat()
        self._db.execute(
            "INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?)",
            (str(file), stat.st_size, stat.st_mtime_ns, json.dumps(look)),
        )

    # reading, streamed in the source's order

    def tally(self) -> Tally:
        """Return how many records, kept and rejected dialogues, and left-out things there are."""
        count = lambda where: self._db.execute(f"SELECT count(*) FROM {where}").fetchone()[0]  # noqa: E731
        return Tally(
            count("records"),
            count("dialogues WHERE state = 'kept'"),
            count("dialogues WHERE state = 'rejected'"),
            count("left_out"),
            self.asked.spent().cost_usd,
        )

    def records(self) -> Iterator[Record]:
        """Yield every record."""
        for (line,) in self._db.execute("SELECT record FROM records ORDER BY ordinal"):
            yield record_from_json(line)

    def kept(self) -> Iterator[Dialogue]:
        """Yield every dialogue that was kept, by record, track and language."""
        for line, conversation, _, _ in self._dialogues("kept"):
            yield Dialogue(record_from_json(line), _conversations().validate_json(conversation))

    def rejects(self) -> Iterator[Reject]:
        """Yield every dialogue that was not kept, with its reason."""
        for line, conversation, reason, raw in self._dialogues("rejected"):
            spoken = _conversations().validate_json(conversation) if conversation else None
            yield Reject(record_from_json(line), spoken, reason, raw)

    def found(self, key: str, track: str, language: str) -> tuple[Dialogue | Reject, str] | None:
        """Return a dialogue, kept or not, and its version (`version_of`); None where none is."""
        row = self._db.execute(
            "SELECT r.record, d.conversation, d.raw, d.state, d.reason FROM records r"
            " JOIN dialogues d ON d.record = r.id"
            " WHERE r.key = ? AND d.track = ? AND d.language = ?",
            (key, track, language),
        ).fetchone()
        if row is None:
            return None
        line, conversation, raw, state, reason = row
        version = version_of(line, conversation, raw)
        record = record_from_json(line)
        said = _conversations().validate_json(conversation) if conversation else None
        if state == "kept" and said:
            return Dialogue(record, said), version
        return Reject(record, said, reason, raw), version

    def spoken(self) -> Iterator[tuple[Dialogue, str]]:
        """Yield every dialogue that could be read, kept or not, with its version (`version_of`)."""
        for line, conversation in self._db.execute(
            "SELECT r.record, d.conversation FROM records r JOIN dialogues d ON d.record = r.id"
            " WHERE d.conversation IS NOT NULL ORDER BY r.ordinal, d.track, d.language"
        ):
            said = _conversations().validate_json(conversation)
            yield Dialogue(record_from_json(line), said), version_of(line, conversation)

    def _dialogues(self, state: str) -> Iterator[tuple[bytes, bytes, str, str]]:
        yield from self._db.execute(
            "SELECT r.record, d.conversation, d.reason, d.raw FROM records r"
            " JOIN dialogues d ON d.record = r.id WHERE d.state = ?"
            " ORDER BY r.ordinal, d.track, d.language",
            (state,),
        )

    def left_out(self) -> Iterator[LeftOut]:
        """Yield everything that was read and not used."""
        for row in self._db.execute(
            "SELECT what, name, reason, origin FROM left_out ORDER BY ordinal"
        ):
            yield LeftOut(*row)

    def judged_by_aspect(self) -> dict[str, dict[str, int]]:
        """Return how many claims of each aspect were supported, contradicted or unsupported."""
        counts = self._db.execute("SELECT judged, count(*) FROM dialogues GROUP BY judged")
        return _summed(counts)

    def judged_at_first(self) -> dict[str, dict[str, int]]:
        """Return the same of a model's first answers, before any was sent back."""
        return _summed(self.asked.judged_at_first())

    def line_of(self, row: int) -> bytes | None:
        """Return a record as JSON, by its row."""
        found = self._db.execute("SELECT record FROM records WHERE id = ?", (row,)).fetchone()
        return found[0] if found else None

    def items(self, at_a_time: int = 256) -> Iterator[tuple[int, bytes]]:
        """Yield (row, record as JSON) of every record of this pass; writing meanwhile is fine."""
        last = 0
        while page := self._db.execute(
            "SELECT id, record, ordinal FROM records WHERE ordinal > ? AND pass = ?"
            " ORDER BY ordinal LIMIT ?",
            (last, self._pass, at_a_time),
        ).fetchall():
            last = page[-1][2]
            yield from ((row, line) for row, line, _ in page)

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        return asdict(self.tally())


def _judged_counts(verdict: Verdict) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for judged in verdict.judged:
        mine = counts.setdefault(judged.claim.statement.aspect, {})
        mine[judged.judgement] = mine.get(judged.judgement, 0) + 1
    return {aspect: counts[aspect] for aspect in sorted(counts)}


def _summed(counts: Iterable[tuple[str, int]]) -> dict[str, dict[str, int]]:
    """Return the sum of counts (JSON: aspect -> judgement -> number) that occur n times each."""
    total: dict[str, dict[str, int]] = {}
    for said, n in counts:
        for aspect, by_judgement in json.loads(said).items():
            mine = total.setdefault(aspect, {})
            for judgement, k in by_judgement.items():
                mine[judgement] = mine.get(judgement, 0) + k * n
    return total


def version_of(record: bytes, conversation: bytes | None, raw: str = "") -> str:
    """Return what names a dialogue's words and its record, as they stand in a ledger.

    Whoever judged a dialogue judged this; where either changes, so does it.
    """
    digest = blake2b(record, digest_size=16)
    digest.update(b"\0")
    digest.update(raw.encode() if conversation is None else conversation)
    return digest.hexdigest()


def writers_lock(run: Path, wait_s: float = 0) -> sqlite3.Connection:
    """Hold an exclusive lock that the system drops when the process dies, on any platform.

    Raises
    ------
    LedgerError
        If another process holds it for longer than `wait_s` seconds.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(run / "writer.lock", isolation_level=None, timeout=wait_s)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as problem:
        lock.close()
        raise LedgerError(
            f"another process is writing {run}", mend="wait for it, or build into another folder"
        ) from problem
    return lock
