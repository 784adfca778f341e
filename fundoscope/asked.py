"""What was asked of a language model and what it answered: part of the ledger.

A request is a row before it is sent; its answer is a row before it is looked at. Rows are never
replaced by another job's: the hash of what was asked is part of their key.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple


class Request(NamedTuple):
    """One question to the model: about which record, and after how many repairs."""

    record: int
    """Row of the record in the ledger."""
    track: str
    language: str
    hash: bytes
    """Of all that decides the answer."""
    round: int = 0
    """0 for the first question, then one more each time the answer is sent back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, word for word, and what it cost."""

    raw: str
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    attempts: int = 1
    cut: bool = False
    """Whether the server stopped it before its end."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has paid for."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


_KEY = "record = ? AND track = ? AND language = ? AND hash = ? AND round = ?"


class Asked:
    """The table of requests, in the ledger's database and by its one writer."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def ask(self, request: Request, *, batch: str = "") -> tuple[int, int]:
        """Note that a request goes out, alone or in a batch file.

        Returns
        -------
        (row, useless)
            The request's row, and how many answers of no use it has had.
        """
        row, useless = self._db.execute(
            "INSERT INTO asked (record, track, language, hash, round, state, batch)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (record, track, language, hash, round)"
            " DO UPDATE SET state = excluded.state, batch = excluded.batch RETURNING id, useless",
            (*request, "packed" if batch else "asked", batch),
        ).fetchone()
        return row, useless

    def note_useless(self, row: int, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        """Count an answer of no use, and what it cost; the request is still open."""
        self._db.execute(
            "UPDATE asked SET useless = useless + 1, prompt_tokens = prompt_tokens + ?,"
            " completion_tokens = completion_tokens + ?, cost_usd = cost_usd + ? WHERE id = ?",
            (tokens_in, tokens_out, cost_usd, row),
        )

    def answer(self, row: int, answer: Answer) -> None:
        """Keep the answer to the request in a row."""
        self._db.execute(
            "UPDATE asked SET state = 'answered', raw = ?, model = ?, attempts = ?, cut = ?,"
            " prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ?,"
            " cost_usd = cost_usd + ? WHERE id = ?",
            (answer.raw, answer.model, answer.attempts, answer.cut, answer.prompt_tokens,
             answer.completion_tokens, answer.cost_usd, row),
        )  # fmt: skip

    def judge(self, row: int, problem: str, judged: str) -> None:
        """Keep what was found of an answer: what is wrong with it, and its claims by aspect."""
        self._db.execute(
            "UPDATE asked SET problem = ?, judged = ? WHERE id = ?", (problem, judged, row)
        )

    def forget(self, row: int) -> None:
        """Take back a request that was never answered, so that it is asked again."""
        self._db.execute("DELETE FROM asked WHERE id = ? AND state <> 'answered'", (row,))

    def answers(self, request: Request) -> list[tuple[int, str, bool]]:
        """Return (row, answer as it came, whether it was cut) of every round so far."""
        rows = self._db.execute(
            "SELECT id, raw, cut FROM asked WHERE record = ? AND track = ? AND language = ?"
            " AND hash = ? AND state = 'answered' ORDER BY round",
            request[:4],
        )
        return [(row, raw, bool(cut)) for row, raw, cut in rows]

    def batch_of(self, request: Request) -> str:
        """Return the batch file in which a request waits, or nothing."""
        row = self._db.execute(
            f"SELECT batch FROM asked WHERE {_KEY} AND state = 'packed'", request
        ).fetchone()
        return str(row[0]) if row else ""

    def put_back(self, batch: str) -> int:
        """Forget the requests of a batch that have no answer; they are asked again."""
        return self._db.execute(
            "DELETE FROM asked WHERE batch = ? AND state = 'packed'", (batch,)
        ).rowcount

    def waiting(self) -> int:
        """Return how many requests wait in batch files."""
        (n,) = self._db.execute("SELECT count(*) FROM asked WHERE state = 'packed'").fetchone()
        return int(n)

    def find(self, record: int, hash_: bytes, number: int) -> tuple[int, Request, str] | None:
        """Return (row, request, state) by what stands in the name that a batch file gives it."""
        found = self._db.execute(
            "SELECT id, record, track, language, hash, round, state FROM asked"
            " WHERE record = ? AND hash = ? AND round = ?",
            (record, hash_, number),
        ).fetchone()
        return (found[0], Request(*found[1:6]), found[6]) if found else None

    def spent(self) -> Spent:
        """Return what all answers so far cost, those to earlier jobs in the run included."""
        row = self._db.execute(
            "SELECT coalesce(sum(state = 'answered'), 0) + coalesce(sum(useless), 0),"
            " coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),"
            " coalesce(sum(cost_usd), 0) FROM asked"
        ).fetchone()
        return Spent(*row)

    def judged_at_first(self) -> list[tuple[str, int]]:
        """Return (counts of claims as JSON, how often) of the first answers that still count."""
        return self._db.execute(
            "SELECT a.judged, count(*) FROM asked a JOIN dialogues d ON d.record = a.record"
            " AND d.track = a.track AND d.language = a.language AND d.hash = a.hash"
            " WHERE a.state = 'answered' AND a.round = 0 GROUP BY a.judged"
        ).fetchall()
