"""The engine that asks a server: a bounded window of requests, each answer kept before it counts.

One item is a record, a track and a language. It is asked, its answer examined, sent back with what
is wrong, and settled: kept, or rejected with its reason. Whatever an earlier run was answered is
read from the ledger and not asked again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

from fundoscope.asked import Answer, Request
from fundoscope.config import Endpoint, Job
from fundoscope.converse.asker import Asker, GaveUp, NotedUseless
from fundoscope.converse.asking import (
    Examined,
    Manner,
    Prepared,
    asked_version,
    examined,
    prepared,
    warmed,
)
from fundoscope.converse.chat_client import Refused, Stop, base_url
from fundoscope.converse.money import OutOfBudget, Purse, price_of
from fundoscope.converse.request_bodies import Message, body_of, first_turns, sent_back
from fundoscope.converse.sent_photographs import FOLDER
from fundoscope.converse.side_work import SideWork
from fundoscope.errors import ConfigError, EndpointError, FundoscopeError
from fundoscope.ledger import Ledger, Settled, Tally
from fundoscope.records import Language

NOT_ANSWERED = b""
"""Hash of an item that was given up without an answer: the next run asks it again."""
PREPARED_AT_ONCE = 32
TELL_EVERY_S = 0.5

Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Item:
    """One dialogue to be had."""

    row: int
    line: bytes
    """The record as JSON."""
    track: str
    language: Language
    hash: bytes

    def request(self, number: int = 0) -> Request:
        """Return the request of a round."""
        return Request(self.row, self.track, self.language, self.hash, number)


@dataclass(frozen=True, slots=True)
class Made:
    """What an engine did."""

    dialogues: int
    """Settled by this call, kept or rejected."""
    stopped: str = ""
    """Why it ended before all was done; empty where it did not."""
    waiting: int = 0
    """Requests in batch files that a server has not answered yet."""


def endpoint_of(job: Job) -> Endpoint:
    """Return the job's server, or a ConfigError where it names none."""
    if job.endpoint is None:
        raise ConfigError(
            f"the engine {job.engine} needs a server and a model",
            mend="give --model NAME, and --base-url for another server than OpenAI's",
        )
    return job.endpoint


def asks_by(job: Job, track: str, language: Language) -> str:
    """Return what, besides the record, decides a request: prompt, model, temperature, ..."""
    deciding = json.dumps(endpoint_of(job).deciding(), sort_keys=True, ensure_ascii=False)
    return f"{asked_version(track, language, job.source)}|{deciding}"


def manner_of(job: Job, run: Path) -> Manner:
    """Return how a job asks."""
    endpoint = endpoint_of(job)
    return Manner(
        engine=job.engine,
        source=job.source,
        model=endpoint.model,
        seed=job.seed,
        structured=endpoint.structured,
        photographs=(job.photographs or job.root) if endpoint.photograph else None,
        cache=run / FOLDER,
        photograph_px=endpoint.photograph_px,
        jpeg_quality=endpoint.jpeg_quality,
    )


def converse_by_endpoint(
    ledger: Ledger,
    job: Job,
    items: Iterator[Item],
    progress: Progress | None = None,
    processes: int = 1,
) -> Made:
    """Have the dialogues of `items` with the job's server, into the ledger.

    Parameters
    ----------
    items : what is not settled yet; read as it is needed.
    processes : beside this one, for prompts, photographs and verdicts.

    Raises
    ------
    EndpointError
        If the server answers nobody: wrong key, spent quota, unknown model, gone. What was
        answered until then stays.
    ConfigError
        If the address, the key or the price is missing or makes no sense.
    """
    try:
        return asyncio.run(_Conversing(ledger, job, progress).all(items, processes))
    except* FundoscopeError as group:  # of one task of many
        raise group.exceptions[0] from None


class _Conversing:
    """One call of the engine."""

    def __init__(self, ledger: Ledger, job: Job, progress: Progress | None) -> None:
        self.ledger, self.endpoint = ledger, endpoint_of(job)
        self.manner = manner_of(job, ledger.run)
        self.url = base_url(self.endpoint)
        spent_usd = ledger.asked.spent().cost_usd
        self.purse = Purse(price_of(self.endpoint), self.endpoint.budget_usd, spent_usd)
        self.asker = Asker(self.endpoint, self.purse, job.seed)
        self.tally, self.progress, self.told_at = ledger.tally(), progress, 0.0
        self.languages = job.languages
        self.made = 0
        self.end: Stop | OutOfBudget | None = None
        self.commit: asyncio.Future[None] | None = None

    async def all(self, items: Iterator[Item], processes: int) -> Made:
        places = self.asker.window.most
        ready: asyncio.Queue[tuple[Item, Prepared] | None] = asyncio.Queue(places)
        async with SideWork(processes) as self.side, self.asker, asyncio.TaskGroup() as tasks:
            tasks.create_task(self.side.do(warmed, self.languages))
            tasks.create_task(self._prepare(items, ready, places))
            for _ in range(places):
                tasks.create_task(self._work(ready))
        self.ledger.commit()
        return self._made()

    def _made(self) -> Made:
        if isinstance(self.end, Stop):
            raise EndpointError(str(self.end), mend=self.end.mend)
        if self.end is None:
            return Made(self.made)
        spent, budget = self.purse.spent_usd, self.endpoint.budget_usd
        return Made(
            self.made, f"${spent:.4f} is spent and one more request could pass ${budget:.2f}"
        )

    async def _prepare(
        self, items: Iterator[Item], ready: asyncio.Queue[tuple[Item, Prepared] | None], places: int
    ) -> None:
        """Put prompts into the queue, no more of them than it holds."""
        async for item, words in self._with_words(items):
            await ready.put((item, words))
        for _ in range(places):
            await ready.put(None)

    async def _with_words(self, items: Iterator[Item]) -> AsyncIterator[tuple[Item, Prepared]]:
        while not self.end and (some := list(islice(items, PREPARED_AT_ONCE))):
            work = [
                self.side.do(prepared, self.manner, item.line, item.track, item.language)
                for item in some
            ]
            for item, words in zip(some, await asyncio.gather(*work), strict=True):
                yield item, words

    async def _work(self, ready: asyncio.Queue[tuple[Item, Prepared] | None]) -> None:
        while (next_ := await ready.get()) is not None:
            if self.end:
                continue  # empty the queue, so that nobody waits to fill it
            item, words = next_
            try:
                if words.problem:
                    self._settle(item, Settled(False, words.problem), NOT_ANSWERED)
                else:
                    await self._converse(item, words)
            except (OutOfBudget, Stop) as end:
                self.end = self.end or end

    async def _converse(self, item: Item, words: Prepared) -> None:
        """Ask, examine and send back until the answer is kept or the rounds are used up."""
        earlier = self.ledger.asked.answers(item.request())
        messages = first_turns(words)
        for number in count():
            request = item.request(number)
            try:
                row, raw, cut = (
                    earlier[number]
                    if number < len(earlier)
                    else await self._asked(request, messages, words.photograph)
                )
            except Refused as problem:  # it will be, however often it is asked
                self._settle(item, Settled(False, f"refused: {problem}"), item.hash)
                return
            except GaveUp as problem:
                self._settle(item, Settled(False, f"no answer {problem}"), NOT_ANSWERED)
                return
            found: Examined = await self.side.do(
                examined, self.manner, item.line, item.track, item.language, raw, cut
            )
            self.ledger.asked.judge(row, found.end.reason, found.end.judged)
            if found.end.kept or number >= self.endpoint.repairs:
                end = found.end if found.end.kept else replace(found.end, raw=raw)
                self._settle(item, end, item.hash)
                return
            messages = sent_back(messages, raw, found.tell)

    async def _asked(
        self, request: Request, messages: list[Message], photograph: Path | None
    ) -> tuple[int, str, bool]:
        """Return (row, answer, whether it was cut); the ledger has it when this returns."""
        row, count = self.ledger.asked.ask(request)
        body = body_of(self.endpoint, messages, photograph, self.url)
        words_bytes = len(body) - (photograph.stat().st_size * 4 // 3 if photograph else 0)
        name = f"{request.hash.hex()}-{request.round}"
        paid = await self.asker.ask(body, words_bytes, name, NotedUseless(self.ledger, row, count))
        done, cut = paid.completion, paid.completion.finish == "length"
        self.ledger.asked.answer(
            row,
            Answer(
                done.text,
                done.model or self.endpoint.model,
                done.prompt_tokens,
                done.completion_tokens,
                paid.cost_usd,
                paid.attempts,
                cut,
            ),
        )
        await self._committed()
        return row, done.text, cut

    async def _committed(self) -> None:
        """Return when all so far survives a kill; what comes in together is committed together."""
        if self.commit is None:
            loop = asyncio.get_running_loop()
            self.commit = loop.create_future()
            loop.call_soon(self._commit)
        await self.commit

    def _commit(self) -> None:
        assert self.commit is not None
        self.ledger.commit()
        self.commit.set_result(None)
        self.commit = None

    def _settle(self, item: Item, end: Settled, known_by: bytes) -> None:
        self.ledger.settle(item.row, item.track, item.language, known_by, end)
        self.made += 1
        kept, rejected = self.tally.kept + end.kept, self.tally.rejected + (not end.kept)
        self.tally = replace(self.tally, kept=kept, rejected=rejected)
        if self.progress and time.monotonic() - self.told_at > TELL_EVERY_S:
            self.told_at = time.monotonic()
            self.progress(replace(self.tally, spent_usd=self.purse.spent_usd))
