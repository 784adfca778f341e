"""In which order the dialogues of a run are reviewed: the doubtful, the rejected, a sample, all."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, takewhile
from pathlib import Path
from typing import Literal, get_args

from fundoscope.ledger import FILE_NAME
from fundoscope.reviewed import Which

Mode = Literal["doubtful", "rejects", "sample", "all"]
MODES: tuple[Mode, ...] = get_args(Mode)

_TABLE = """
CREATE TEMP TABLE queue AS
SELECT r.key AS record, d.track AS track, d.language AS language,
    substr(r.key, 1, instr(r.key, '/') - 1) AS dataset, d.state AS state,
    bad(d.judged) AS bad, good(d.judged) AS good,
    length(CAST(coalesce(d.conversation, '') AS TEXT)) AS length,
    coalesce((SELECT max(round) FROM asked a WHERE a.record = d.record AND a.track = d.track
        AND a.language = d.language AND a.hash = d.hash AND a.state = 'answered'), 0) AS repairs,
    instr(r.record, '"suspected"') > 0 AS suspected,
    draw(r.key || '/' || d.track || '/' || d.language) AS draw,
    row_number() OVER (ORDER BY r.ordinal, d.track, d.language) AS ordinal
FROM main.records r JOIN main.dialogues d ON d.record = r.id;
CREATE INDEX temp.queue_as_read ON queue (ordinal);
CREATE INDEX temp.queue_of ON queue (record, track, language);
CREATE INDEX temp.queue_drawn ON queue (draw);
CREATE INDEX temp.queue_doubtful
    ON queue (state, repairs DESC, suspected DESC, good * 1.0 / max(length, 1), ordinal);
CREATE INDEX temp.queue_rejects ON queue (state, bad, ordinal);
"""
_ORDERS: dict[Mode, str] = {
    "doubtful": "state = 'kept' ORDER BY repairs DESC, suspected DESC,"
    " good * 1.0 / max(length, 1), ordinal",
    "rejects": "state = 'rejected' ORDER BY bad, ordinal",
    "sample": "state = 'kept' ORDER BY draw, ordinal",
    "all": "1 ORDER BY ordinal",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which dialogues are wanted; empty means all."""

    track: str = ""
    language: str = ""
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A dialogue in a queue, and why it stands where it does."""

    place: int
    """From 0."""
    which: Which
    state: str
    """`kept` or `rejected` by the verifier."""
    bad: int
    """Claims that are contradicted or unsupported."""
    good: int
    repairs: int
    """How often its words were sent back before they passed."""
    suspected: bool
    """Whether its record holds a finding that is suspected, not certain."""

    @property
    def why(self) -> str:
        """Why somebody should look at it."""
        reasons = []
        if self.bad:
            reasons.append(_counted(self.bad, "claim does", "claims do") + " not hold")
        if self.repairs:
            reasons.append(f"repaired {_counted(self.repairs, 'time', 'times')}")
        if self.suspected:
            reasons.append("a finding is only suspected")
        reasons.append(_counted(self.good, "claim holds", "claims hold"))
        return ", ".join(reasons)


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


class Queue:
    """The queues of a run, laid out once and again when the run was built further.

    `doubtful`: what was kept, those first that were repaired most often, then those with a finding
    that is only suspected, then those with fewest checked claims for their length: words that
    nothing was read from are words that nothing checked. `rejects`: nearest to passing first.
    `sample`: what was kept, in an order drawn by `seed`. `all`: as the source has it.
    """

    def __init__(self, run: Path, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            run / FILE_NAME, isolation_level=None, check_same_thread=False, timeout=30
        )
        self._db.create_function("bad", 1, lambda judged: _counts(judged)[1], deterministic=True)
        self._db.create_function("good", 1, lambda judged: _counts(judged)[0], deterministic=True)
        self._db.create_function("draw", 1, lambda id: _drawn(seed, id), deterministic=True)
        self._laid: tuple[object, ...] | None = None

    def close(self) -> None:
        """Let go of the run."""
        with self._lock:
            self._db.close()

    def choices(self) -> dict[str, list[str]]:
        """Return what there is to filter by."""
        with self._laid_out() as db:
            return {
                name: [v for (v,) in db.execute(f"SELECT DISTINCT {name} FROM queue ORDER BY 1")]
                for name in ("track", "language", "dataset")
            }

    def count(self, mode: Mode, filters: Filters = Filters()) -> int:
        """Return how many dialogues a queue holds."""
        where, values = _where(mode, filters)
        with self._laid_out() as db:
            (n,) = db.execute(
                f"SELECT count(*) FROM queue WHERE {where.partition('ORDER BY')[0]}", values
            ).fetchone()
        return int(n)

    def page(
        self, mode: Mode, filters: Filters = Filters(), start: int = 0, limit: int = 50
    ) -> list[Queued]:
        """Return dialogues of a queue, from place `start`."""
        where, values = _where(mode, filters)
        with self._laid_out() as db:
            rows = db.execute(
                "SELECT record, track, language, state, bad, good, repairs, suspected FROM queue"
                f" WHERE {where} LIMIT ? OFFSET ?",
                (*values, limit, start),
            ).fetchall()
        return [
            Queued(place, Which(*row[:3]), row[3], row[4], row[5], row[6], bool(row[7]))
            for place, row in enumerate(rows, start)
        ]

    def members(self, mode: Mode, filters: Filters = Filters(), start: int = 0) -> Iterator[Queued]:
        """Yield a queue from a place on, page by page."""
        while found := self.page(mode, filters, start, 500):
            yield from found
            start += len(found)

    def count_of(self, done: Iterable[Which], mode: Mode, filters: Filters = Filters()) -> int:
        """Return how many of some dialogues stand in a queue."""
        where, values = _where(mode, filters)
        query = (
            "SELECT count(*) FROM queue WHERE record = ? AND track = ? AND language = ?"
            f" AND {where.partition('ORDER BY')[0]}"
        )
        with self._laid_out() as db:
            return sum(db.execute(query, (*which, *values)).fetchone()[0] for which in done)

    def next_undone(
        self, done: Collection[Which], mode: Mode, filters: Filters, after: int
    ) -> Queued | None:
        """Return the next dialogue behind a place that is not done, from the front again."""
        behind = self.members(mode, filters, after + 1)
        front = takewhile(lambda queued: queued.place < after, self.members(mode, filters))
        return next((one for one in chain(behind, front) if one.which not in done), None)

    @contextmanager
    def _laid_out(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection, for one thread at a time, with the queues as the run is now."""
        with self._lock:
            self._lay()
            yield self._db

    def _lay(self) -> None:
        state = tuple(
            self._db.execute(
                "SELECT name, value FROM meta WHERE name IN ('pass', 'finished', 'finished_at')"
                " ORDER BY name"
            ).fetchall()
        )
        if state != self._laid:
            self._db.execute("DROP TABLE IF EXISTS temp.queue")
            self._db.executescript(_TABLE)
            self._laid = state


def _where(mode: Mode, filters: Filters) -> tuple[str, tuple[str, ...]]:
    asked = {name: getattr(filters, name) for name in ("track", "language", "dataset")}
    wanted = {name: value for name, value in asked.items() if value}
    return "".join(f"{name} = ? AND " for name in wanted) + _ORDERS[mode], tuple(wanted.values())


@lru_cache(maxsize=4096)
def _counts(judged: str) -> tuple[int, int]:
    """Return (claims that hold, claims that do not)."""
    good = bad = 0
    for by_judgement in json.loads(judged).values():
        for judgement, n in by_judgement.items():
            if judgement == "supported":
                good += n
            else:
                bad += n
    return good, bad


def _drawn(seed: int, id: str) -> int:
    return int.from_bytes(blake2b(f"{seed}\0{id}".encode(), digest_size=7).digest(), "big")
