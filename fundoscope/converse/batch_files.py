"""Requests packed into files of the Batch API, and answers unpacked from them.

A request's `custom_id` is its row in the ledger, its round and the hash of all that was asked: no
two are alike over sources, splits, languages and runs, and an answer can only go where it belongs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from fundoscope.asked import Answer, Request
from fundoscope.config import Job, make_job
from fundoscope.converse.asking import Prepared, examined, prepared
from fundoscope.converse.chat_client import (
    Completion,
    Later,
    Refused,
    Stop,
    base_url,
    completion,
    trouble,
)
from fundoscope.converse.endpoint import Item, Made, endpoint_of, manner_of
from fundoscope.converse.money import OutOfBudget, Price, Purse, picture_tokens, price_of
from fundoscope.converse.request_bodies import Message, body_of, first_turns, sent_back
from fundoscope.errors import ConfigError, LedgerError
from fundoscope.ledger import Ledger, Settled
from fundoscope.processes import mapped

FOLDER = "batches"
"""In the run's folder."""
MOST_REQUESTS = 50_000
"""In one file; OpenAI's limit."""
MOST_BYTES = 190_000_000
"""Of one file; OpenAI takes 200 MB."""
PATH = "/v1/chat/completions"
BATCH_DISCOUNT = 0.5
"""What a batched token costs of one asked for directly, as OpenAI has it."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a file of answers brought."""

    kept: int = 0
    rejected: int = 0
    to_repair: int = 0
    """Wrong or unreadable: packed again with what is wrong in them."""
    failed: int = 0
    """Errors of the server: packed again as they were."""
    known: int = 0
    """Answers that an earlier call had unpacked."""
    strange: int = 0
    """Lines that are no answer to a request of this run."""

    def __add__(self, other: Unpacked) -> Unpacked:
        return Unpacked(*(getattr(self, n) + getattr(other, n) for n in self.__slots__))


def job_of(ledger: Ledger) -> Job:
    """Return the job that a run was built by.

    Raises
    ------
    LedgerError
        If nothing was built yet.
    """
    said = ledger.recall("job")
    if not said:
        raise LedgerError(
            f"{ledger.run} holds no job", mend="fundoscope build --engine batches ..."
        )
    return make_job(**{k: v for k, v in said.items() if k not in ("command", "fundoscope")})


def packed_batches(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Return what is known of every batch file of a run, by name."""
    return ledger.recall_all("batch/")


def pack(ledger: Ledger, job: Job, items: Iterator[Item], processes: int = 1) -> Made:
    """Write what is not settled into batch files, and note in the ledger where each request waits.

    What waits in a file already is left there. A file counts only when it is whole: a kill while
    packing leaves a partial one that the next call writes anew.

    Raises
    ------
    ConfigError
        If the job names no server, or a budget and no price.
    """
    return _Packing(ledger, job).all(items, processes)


class _Packing:
    """One call of `pack`."""

    def __init__(self, ledger: Ledger, job: Job) -> None:
        self.ledger, self.endpoint = ledger, endpoint_of(job)
        self.manner = manner_of(job, ledger.run)
        self.url = base_url(self.endpoint)
        price = _half(price_of(self.endpoint))
        self.purse = Purse(price, self.endpoint.budget_usd, ledger.asked.spent().cost_usd)
        self.folder = ledger.run / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.number = len(packed_batches(ledger))
        self.file: IO[bytes] | None = None
        self.requests: list[Request] = []
        self.bytes = 0

    def all(self, items: Iterator[Item], processes: int) -> Made:
        stopped = ""
        work = partial(_worded, self.manner)
        try:
            for item, words in mapped(work, self._to_ask(items), processes):
                if not words.problem:
                    self._add(item, words)
        except OutOfBudget:
            stopped = f"another request could pass the budget of ${self.endpoint.budget_usd:.2f}"
        self._close()
        return Made(0, stopped, self.ledger.asked.waiting())

    def _to_ask(self, items: Iterator[Item]) -> Iterator[Item]:
        asked = self.ledger.asked
        for item in items:
            number = len(asked.answers(item.request()))
            if not asked.batch_of(item.request(number)):
                yield item

    def _add(self, item: Item, words: Prepared) -> None:
        earlier = self.ledger.asked.answers(item.request())
        request = item.request(len(earlier))
        messages = self._messages(item, words, earlier)
        body = body_of(self.endpoint, messages, words.photograph, self.url)
        line = _line(custom_id(request), body)
        pictures = picture_tokens(self.endpoint.photograph_px) if words.photograph else 0
        text_bytes = len(line) if not words.photograph else len(words.system + words.user) * 2
        self.purse.set_aside(text_bytes, pictures, self.endpoint.max_tokens)
        full = len(self.requests) >= MOST_REQUESTS or self.bytes + len(line) > MOST_BYTES
        if self.file and full:
            self._close()
        if self.file is None:
            self.file = self._partial().open("wb")
        self.file.write(line)
        self.bytes += len(line)
        self.requests.append(request)

    def _messages(
        self, item: Item, words: Prepared, earlier: list[tuple[int, str, bool]]
    ) -> list[Message]:
        messages = first_turns(words)
        for _, raw, cut in earlier:
            found = examined(self.manner, item.line, item.track, item.language, raw, cut)
            messages = sent_back(messages, raw, found.tell)
        return messages

    def _name(self) -> str:
        return f"{self.number + 1:04d}"

    def _partial(self) -> Path:
        return self.folder / f"{self._name()}.jsonl.partial"

    def _close(self) -> None:
        if self.file is None:
            return
        self.file.close()
        self._partial().replace(self.folder / f"{self._name()}.jsonl")
        for request in self.requests:
            self.ledger.asked.ask(request, batch=self._name())
        about = {"requests": len(self.requests), "bytes": self.bytes, "state": "packed"}
        self.ledger.remember(f"batch/{self._name()}", about)
        self.ledger.commit()
        self.number, self.file, self.requests, self.bytes = self.number + 1, None, [], 0


def _worded(manner: Any, item: Item) -> tuple[Item, Prepared]:
    return item, prepared(manner, item.line, item.track, item.language)


def _half(price: Price | None) -> Price | None:
    if price is None:
        return None
    return Price(price.tokens_in * BATCH_DISCOUNT, price.tokens_out * BATCH_DISCOUNT)


def _line(name: str, body: bytes) -> bytes:
    head = json.dumps({"custom_id": name, "method": "POST", "url": PATH}).encode()
    return head[:-1] + b', "body": ' + body + b"}\n"


def custom_id(request: Request) -> str:
    """Return the name of a request in a batch file."""
    return f"{request.record}.{request.round}.{request.hash.hex()}"


def _named(name: object) -> tuple[int, bytes, int] | None:
    """Return (record, hash, round) of a `custom_id`, or None where it is none of ours."""
    try:
        record, number, digest = str(name).split(".")
        return int(record), bytes.fromhex(digest), int(number)
    except ValueError:
        return None


def unpack(ledger: Ledger, job: Job, file: Path) -> Unpacked:
    """Take the answers of an output or error file into the ledger, in whatever order they stand.

    Done twice, the second time changes nothing. A line that cannot be read, or answers nothing
    that this run asked, is counted as strange and left.

    Raises
    ------
    ConfigError
        If the file is not there.
    """
    unpacking = _Unpacking(ledger, job)
    total = Unpacked()
    try:
        lines = file.open("rb")
    except OSError as problem:
        raise ConfigError(f"no file {file}: {problem.strerror}", mend="check the path") from problem
    with lines:
        for number, line in enumerate(lines):
            if line.strip():
                total += unpacking.line(line)
            if number % 500 == 499:
                ledger.commit()
    ledger.commit()
    return total


class _Unpacking:
    """One call of `unpack`."""

    def __init__(self, ledger: Ledger, job: Job) -> None:
        self.ledger, self.endpoint = ledger, endpoint_of(job)
        self.manner = manner_of(job, ledger.run)
        self.price = _half(price_of(self.endpoint)) or Price(0.0, 0.0)

    def line(self, line: bytes) -> Unpacked:
        try:
            told = json.loads(line)
            named = _named(told["custom_id"])
        except (ValueError, LookupError, TypeError):
            return Unpacked(strange=1)
        found = self.ledger.asked.find(*named) if named else None
        if found is None:
            return Unpacked(strange=1)
        row, request, state = found
        if state == "answered":
            return Unpacked(known=1)
        try:
            return self._answered(row, request, _completion_in(told))
        except Refused as problem:  # it will be, however often it is asked
            self._settle(request, Settled(False, f"refused: {problem}"))
            return Unpacked(rejected=1)
        except (Later, Stop):
            self.ledger.asked.forget(row)
            return Unpacked(failed=1)

    def _settle(self, request: Request, end: Settled) -> None:
        self.ledger.settle(request.record, request.track, request.language, request.hash, end)

    def _answered(self, row: int, request: Request, done: Completion) -> Unpacked:
        cut = done.finish == "length"
        cost = self.price.of(done.prompt_tokens, done.completion_tokens)
        model = done.model or self.endpoint.model
        self.ledger.asked.answer(
            row,
            Answer(done.text, model, done.prompt_tokens, done.completion_tokens, cost, 1, cut),
        )
        line = self.ledger.line_of(request.record)
        if line is None:
            return Unpacked(strange=1)  # the source no longer holds the record
        language: Any = request.language
        found = examined(self.manner, line, request.track, language, done.text, cut)
        self.ledger.asked.judge(row, found.end.reason, found.end.judged)
        if not found.end.kept and request.round < self.endpoint.repairs:
            return Unpacked(to_repair=1)
        end = found.end if found.end.kept else replace(found.end, raw=done.text)
        self._settle(request, end)
        return Unpacked(kept=1) if end.kept else Unpacked(rejected=1)


def _completion_in(told: dict[str, Any]) -> Completion:
    """Return the answer of one line; Later, Refused or Stop where it is an error."""
    response = told.get("response")
    if not isinstance(response, dict):
        raise Later(str(told.get("error")))
    body = json.dumps(response.get("body")).encode()
    status = int(response.get("status_code") or 500)
    if status != 200:
        raise trouble(status, body, None)
    return completion(body)
