"""A server that speaks OpenAI's chat completions as a predictor: nothing is paid for twice.

A request is a row of the run's ledger before it is sent, and its answer is committed before it
counts, so that after `kill -9` the same call asks only what is missing. A request is known by a
hash of all that decides its answer; two items that ask the very same are asked once.
"""

from __future__ import annotations

import asyncio
import json
import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fundoscope.asked import Answer, Request
from fundoscope.config import Endpoint
from fundoscope.converse.asker import Asker, GaveUp, NotedUseless
from fundoscope.converse.chat_client import Completion, Refused, Stop, base_url
from fundoscope.converse.money import OutOfBudget, Purse, price_of
from fundoscope.converse.request_bodies import Message, body_of
from fundoscope.converse.sent_photographs import FOLDER, sent_photograph
from fundoscope.converse.side_work import SideWork
from fundoscope.errors import EndpointError, PhotographError
from fundoscope.evaluate.answer_spaces import Boxes
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.label_words import label_texts
from fundoscope.ledger import Ledger
from fundoscope.records import Language

TRACK = "evaluate"
LEAST_MASS = 0.5
"""Of the first token's probability that must lie on labels; with less the answer begins with
something else, and tells nothing of them."""
_EVALUATED = {"photograph": True, "structured": False}
"""What an evaluation decides, whatever the endpoint says."""
_ASIDE = " \t\n.,:;!?\"'*()[]。，：；！？"


class EndpointPredictor:
    """Answers items by asking a server.

    Photographs are sent as data URLs with the first question of a conversation: cropped to the
    field of view, and whole where boxes are asked for, since these are shares of the whole.

    Parameters
    ----------
    endpoint : server, model and limits. Where it does not say a temperature, it is 0.
    run : folder of the ledger and of the photographs as they are sent.
    top_logprobs : how many likely first tokens to ask for; 0 asks for none. Where the server
        tells them, `probabilities` says how likely the answer is to begin with each label's
        shortest text, of all that begin with one; empty where that is less than `LEAST_MASS`.
    processes : beside this one, that prepare photographs; 0 prepares them here.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        run: Path,
        *,
        name: str = "",
        top_logprobs: int = 0,
        processes: int = 1,
    ) -> None:
        changes: dict[str, Any] = dict(_EVALUATED)
        if "temperature" not in endpoint.model_fields_set:
            changes["temperature"] = 0.0
        if top_logprobs:
            changes["body"] = endpoint.body | {"logprobs": True, "top_logprobs": top_logprobs}
        self.endpoint = endpoint.model_copy(update=changes)
        self.run, self.name, self.processes = run, name or endpoint.model, processes

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield a prediction for every item, in the order in which the server answers.

        Raises
        ------
        EndpointError
            If the server answers nobody, or one more request could pass the budget. What was
            answered until then stays in the ledger.
        ConfigError
            If the address, the key or the price is missing or makes no sense.
        LedgerError
            If another process writes the ledger.
        """
        with Ledger(self.run, write=True) as ledger, asyncio.Runner() as runner:
            ledger.begin()
            asking = _Asking(ledger, self.endpoint, items, self.processes)
            runner.run(asking.begin())
            try:
                while (made := runner.run(asking.next())) is not None:
                    yield made
            finally:
                runner.run(asking.end())


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer as the ledger keeps it."""

    text: str
    first: Mapping[str, float] = field(default_factory=dict)
    """Log-probability of each likely first token, where the server told."""

    def as_json(self) -> str:
        return json.dumps({"text": self.text, "first": dict(self.first)}, ensure_ascii=False)


class _Asking:
    """One call: workers that take items, and a queue of what they made."""

    def __init__(
        self, ledger: Ledger, endpoint: Endpoint, items: Iterable[Item], processes: int
    ) -> None:
        self._ledger, self._endpoint, self._items = ledger, endpoint, iter(items)
        self._url = base_url(endpoint)
        spent = ledger.asked.spent().cost_usd
        self._purse = Purse(price_of(endpoint), endpoint.budget_usd, spent)
        self._asker = Asker(endpoint, self._purse)
        self._side = SideWork(processes)
        self._made: asyncio.Queue[Prediction | BaseException | None] = asyncio.Queue()
        self._open: dict[bytes, asyncio.Task[_Said]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._left = 0

    async def begin(self) -> None:
        await self._side.__aenter__()
        await self._asker.__aenter__()
        self._left = self._asker.window.most
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._left)]

    async def next(self) -> Prediction | None:
        """Return the next prediction, or None when there is no more."""
        while self._left:
            made = await self._made.get()
            if isinstance(made, Prediction):
                return made
            if made is not None:
                raise self._told(made)
            self._left -= 1
        return None

    async def end(self) -> None:
        for task in (*self._workers, *self._open.values()):
            task.cancel()
        await asyncio.gather(*self._workers, *self._open.values(), return_exceptions=True)
        await self._asker.__aexit__(None, None, None)
        await self._side.__aexit__(None, None, None)

    def _told(self, problem: BaseException) -> BaseException:
        """Return what the caller is told of why no request should be sent any more."""
        if isinstance(problem, Stop):
            return EndpointError(str(problem), mend=problem.mend)
        if isinstance(problem, OutOfBudget):
            return EndpointError(
                f"${self._purse.spent_usd:.4f} is spent and one more request could pass "
                f"${self._endpoint.budget_usd:.2f}",
                mend="allow more with --budget; the same command goes on from here",
            )
        return problem

    async def _work(self) -> None:
        try:
            for item in self._items:
                await self._made.put(await self._prediction(item))
            await self._made.put(None)
        except Exception as problem:
            await self._made.put(problem)

    async def _prediction(self, item: Item) -> Prediction:
        try:
            said = await self._conversation(item)
        except PhotographError as problem:
            return Prediction(item.id, "", error=f"the photograph cannot be sent: {problem.what}")
        except Refused as problem:
            return Prediction(item.id, "", error=f"refused: {problem}")
        except GaveUp as problem:
            return Prediction(item.id, "", error=f"no answer {problem}")
        likely = likely_labels(said.first, label_texts(item.space, item.language))
        return Prediction(item.id, said.text, likely)

    async def _conversation(self, item: Item) -> _Said:
        """Return the answer to the last question of an item's conversation."""
        shown = [await self._shown(file, item) for file in item.photographs]
        turns: list[str] = []
        for question in (*item.before, item.question):
            turns.append(question)
            said = await self._once(turns, shown, item.language)
            turns.append(said.text)
        return said

    async def _shown(self, file: Path, item: Item) -> Path:
        endpoint, cache = self._endpoint, self._ledger.run / FOLDER
        whole = isinstance(item.space, Boxes)  # boxes are told in parts of the full photograph
        try:
            return await self._side.do(
                sent_photograph, file, cache, endpoint.photograph_px, endpoint.jpeg_quality, whole
            )
        except OSError as problem:
            raise PhotographError(problem.strerror or str(problem), where=file.name) from problem

    async def _once(self, turns: Sequence[str], shown: Sequence[Path], language: Language) -> _Said:
        """Return the answer to a conversation so far: an earlier run's, another item's, or anew."""
        coded = [file.read_bytes() for file in shown]
        decides = [self._endpoint.deciding(), turns, [_digest(one).hex() for one in coded]]
        hash_ = _digest(json.dumps(decides, sort_keys=True, ensure_ascii=False).encode())
        request = Request(0, TRACK, language, hash_)
        if earlier := self._ledger.asked.answers(request):
            return _Said(**json.loads(earlier[0][1]))
        if hash_ not in self._open:
            asked = self._asked(request, _messages(turns, coded), sum(map(len, coded)))
            self._open[hash_] = asyncio.create_task(asked)
        return await asyncio.shield(self._open[hash_])

    async def _asked(self, request: Request, messages: list[Message], picture_bytes: int) -> _Said:
        row, count = self._ledger.asked.ask(request)
        self._ledger.commit()
        body = body_of(self._endpoint, messages, None, self._url)
        words = max(0, len(body) - picture_bytes * 4 // 3)
        useless = NotedUseless(self._ledger, row, count)
        paid = await self._asker.ask(body, words, request.hash.hex(), useless)
        done = paid.completion
        said = _Said(done.text, first_tokens(done))
        self._ledger.asked.answer(
            row,
            Answer(
                said.as_json(),
                done.model or self._endpoint.model,
                done.prompt_tokens,
                done.completion_tokens,
                paid.cost_usd,
                paid.attempts,
                done.finish == "length",
            ),
        )
        self._ledger.commit()
        self._open.pop(request.hash, None)  # from here on the ledger knows
        return said


def _messages(turns: Sequence[str], photographs: Sequence[bytes]) -> list[Message]:
    """Return questions and answers in turn as messages, the photographs in the first."""
    messages: list[Message] = [
        {"role": "assistant" if place % 2 else "user", "content": text}
        for place, text in enumerate(turns)
    ]
    if photographs:
        urls = [f"data:image/jpeg;base64,{b64encode(one).decode()}" for one in photographs]
        messages[0]["content"] = [
            {"type": "text", "text": turns[0]},
            *({"type": "image_url", "image_url": {"url": url}} for url in urls),
        ]
    return messages


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def first_tokens(done: Completion) -> dict[str, float]:
    """Return the log-probability of each likely first token of an answer, where the server told.

    Tokens of blanks alone are passed over.
    """
    told = done.logprobs if isinstance(done.logprobs, dict) else {}
    for place in told.get("content") or ():
        if str(place.get("token", "")).strip():
            likely = place.get("top_logprobs") or [place]
            return {str(one["token"]): float(one["logprob"]) for one in likely}
    return {}


def likely_labels(first: Mapping[str, float], texts: Mapping[str, str]) -> dict[str, float]:
    """Return how likely an answer is to begin with each label's text, of all that begin with one.

    Parameters
    ----------
    first : log-probability of each likely first token.
    texts : the shortest text of every label, by label.

    Returns
    -------
    dict
        Shares that sum to 1; empty where the tokens that begin exactly one label's text have less
        than `LEAST_MASS` of the probability.

    Examples
    --------
    >>> likely_labels({"Yes": -0.1, " yes": -3.0, "No": -4.0}, {"yes": "Yes", "no": "No"})["yes"]
    0.9806...
    """
    mass = dict.fromkeys(texts, 0.0)
    for token, value in first.items():
        start = token.strip(_ASIDE).lower()
        fitting = [label for label, text in texts.items() if _begins(text.lower(), start)]
        if start and len(fitting) == 1:
            mass[fitting[0]] += math.exp(value)
    total = sum(mass.values())
    if total < LEAST_MASS:
        return {}
    return {label: share / total for label, share in mass.items()}


def _begins(text: str, start: str) -> bool:
    """Whether a token begins a label's text; a Chinese token may go on behind it (是的)."""
    return text.startswith(start) or (not text.isascii() and start.startswith(text))
