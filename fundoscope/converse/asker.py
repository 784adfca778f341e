"""One request seen through to its answer: in turn, within the budget, again where that helps."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from fundoscope.config import Endpoint
from fundoscope.converse.chat_client import ChatClient, Completion, Later, Refused, Stop
from fundoscope.converse.money import OutOfBudget, Purse, picture_tokens
from fundoscope.converse.pace import Pace, Window, common_pause_s, wait_s
from fundoscope.ledger import Ledger

FAILURES_IN_A_ROW = 40
"""Failed requests without one answer between them, after which a server counts as gone; at least
three for each place of the window."""
REFUSALS_IN_A_ROW = 5
"""Requests refused outright without one answer: then the fault is in all of them."""
_LOOK_AGAIN_S = 0.02
_TOKENS_A_BYTE = 0.3
"""Of our prompts, about; to keep a limit of tokens per minute."""


@dataclass(frozen=True, slots=True)
class Paid:
    """An answer and what it took."""

    completion: Completion
    cost_usd: float
    attempts: int


class GaveUp(Exception):
    """A request was sent as often as it may be, and never answered."""


class Useless(Protocol):
    """Answers to one request that came whole and were of no use."""

    count: int

    def note(self, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        """Count one more, with what it cost."""


@dataclass
class NotedUseless:
    """Answers of no use to one request, noted in the ledger at once: they are paid for."""

    ledger: Ledger
    row: int
    count: int

    def note(self, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        self.count += 1
        self.ledger.asked.note_useless(self.row, tokens_in, tokens_out, cost_usd)
        self.ledger.commit()


class Asker:
    """Asks one server, for many at once, and knows when to stop asking.

    Parameters
    ----------
    purse : pays for every answer.
    seed : of the jitter between attempts alone.
    """

    def __init__(self, endpoint: Endpoint, purse: Purse, seed: int = 0) -> None:
        self.endpoint, self.purse = endpoint, purse
        self.client = ChatClient(endpoint)
        self.window = Window(endpoint.at_once)
        self._pace = Pace(endpoint.requests_per_minute, endpoint.tokens_per_minute)
        self._rng = random.Random(seed)
        self._failures = self._refusals = 0
        self._picture = picture_tokens(endpoint.photograph_px) if endpoint.photograph else 0

    async def __aenter__(self) -> Asker:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.__aexit__(kind, problem, trace)

    async def ask(self, body: bytes, words_bytes: int, key: str, useless: Useless) -> Paid:
        """Return the answer to a request.

        Parameters
        ----------
        body : the request as JSON.
        words_bytes : how much of it is text and not photograph.
        key : its name, by which a server that remembers knows it again.
        useless : knows how many answers of no use came before, and is told of each further one:
            the next has another name, else the server might repeat it.

        Raises
        ------
        GaveUp, Refused
            If this request has no answer.
        Stop, OutOfBudget
            If no request should be sent any more.
        """
        tokens = round(words_bytes * _TOKENS_A_BYTE) + self._picture + self.endpoint.max_tokens // 3
        why = ""
        for attempt in range(self.endpoint.attempts):
            try:
                return await self._once(
                    body, words_bytes, tokens, f"{key}-{useless.count}", attempt
                )
            except Later as problem:
                why = str(problem)
                if problem.useless:
                    useless.note(*problem.tokens, self.purse.cost_of(*problem.tokens))
                self._failed(problem)
                if attempt + 1 < self.endpoint.attempts and not problem.useless:
                    await asyncio.sleep(wait_s(attempt, problem.after_s, self._rng))
            except Refused as problem:
                self._refused(problem)
                raise
        raise GaveUp(f"after {self.endpoint.attempts} attempts: {why}")

    async def _once(
        self, body: bytes, words_bytes: int, tokens: int, key: str, attempt: int
    ) -> Paid:
        async with self.window.place():
            await self._pace.turn(tokens)
            aside = await self._money(words_bytes)
            started, used = time.monotonic(), (0, 0)
            try:
                done = await self.client.complete(body, key)
                used = done.prompt_tokens, done.completion_tokens
            except Later as problem:
                used = problem.tokens
                raise
            finally:
                cost = self.purse.settle(aside, *used)
        self._failures = self._refusals = 0
        self.window.went_well(time.monotonic() - started)
        return Paid(done, cost, attempt + 1)

    async def _money(self, words_bytes: int) -> float:
        """Set aside what a request may cost; near the end, wait for others to cost less."""
        while True:
            try:
                return self.purse.set_aside(words_bytes, self._picture, self.endpoint.max_tokens)
            except OutOfBudget:
                if self.purse.aside_usd <= 0:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _failed(self, problem: Later) -> None:
        if problem.busy or problem.slow:
            self.window.was_too_much()
        if problem.busy:
            self._pace.pause(common_pause_s(problem.after_s))
            return  # it is there, and will answer
        self._failures += 1
        if self._failures >= max(FAILURES_IN_A_ROW, 3 * int(self.window.size)):
            raise Stop(
                f"{self._failures} requests in a row failed, the last one: {problem}",
                "see whether the server runs; the same command goes on from here",
            ) from problem

    def _refused(self, problem: Refused) -> None:
        self._refusals += 1
        if self._refusals >= REFUSALS_IN_A_ROW:
            raise Stop(
                f"{self._refusals} requests in a row were refused, the last one: {problem}",
                "mend the job; the same command goes on from here",
            ) from problem
