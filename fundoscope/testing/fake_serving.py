"""What the fake endpoint does with each request (`fake_server` starts and stops it)."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from aiohttp import web

from fundoscope.errors import FundoscopeError
from fundoscope.testing.fake_answers import Prompt, read_prompt, written
from fundoscope.testing.fake_batch_routes import BatchRoutes
from fundoscope.testing.fake_completions import (
    MADE_AT,
    Told,
    completion,
    completion_bytes,
    events,
)
from fundoscope.testing.fake_faults import faulty
from fundoscope.testing.fake_refusals import (
    Refusal,
    bad_request,
    content_filtered,
    refusal_of,
    server_error,
    too_many,
    unfit,
)
from fundoscope.testing.fake_sending import close, in_pieces, send, send_half, send_pieces
from fundoscope.testing.fake_settings import CONTENT_FAULTS, FakeServerSettings
from fundoscope.testing.fake_tally import Tally, Window

CHAT = "/v1/chat/completions"
_JSON, _EVENTS = "application/json", "text/event-stream"
_KEPT = 4096
"""Prompts whose answers are kept, and idempotency keys likewise."""
_BODY_FAULTS = ("malformed_json", "null_content", "empty_choices")
"""Bodies of status 200 that hold no answer."""
_Response = web.StreamResponse


@dataclass(slots=True)
class _Call:
    """A request for a chat completion on its way."""

    request: web.BaseRequest
    arrived: float
    key: int = 0
    attempt: int = 0
    keep: bool = False
    """Whether its answer is kept for its key."""
    replayed: bool = False
    """Whether its answer was kept."""
    outcome: str = "disconnected"
    """The word under which it is counted; it stands unless the request gets further."""


@dataclass(slots=True)
class _Made:
    """A prompt and its right answer, ready to be sent."""

    prompt: Prompt
    told: Told
    body: bytes
    messages: list[dict[str, Any]] | None = None
    """Where a function answers."""


class Serving:
    """The state of a running fake endpoint, and its handlers."""

    def __init__(self, settings: FakeServerSettings) -> None:
        self.settings = settings
        self.tally = Tally()
        self._batches = BatchRoutes(self.tally, self._complete)
        self._requests, self._tokens = Window(), Window()
        self._attempts: dict[int, int] = {}
        self._made: dict[int, _Made] = {}
        self._kept: dict[int, Told] = {}
        self._seen: deque[tuple[web.BaseRequest, bytes]] = deque(maxlen=settings.seen_kept)
        self._routes: dict[str, Callable[[web.BaseRequest], Awaitable[_Response]]] = {
            CHAT: self.chat,
            "/v1/models": self.models,
            "/fake/counts": self.counts,
            "/fake/seen": self.look_back,
            "/fake/set": self.change,
        }

    async def handle(self, request: web.BaseRequest) -> _Response:
        """Answer any request."""
        handler = self._routes.get(request.raw_path)
        if handler is not None:
            return await handler(request)
        return await self._batches.handle(request, self.settings)

    async def close(self) -> None:
        """Stop what is under way and delete what was uploaded."""
        await self._batches.close()

    async def chat(self, request: web.BaseRequest) -> _Response:
        """Answer a request for a chat completion, or do to it what the faults say."""
        call = _Call(request, time.monotonic())
        self.tally.arrive()
        try:
            return await self._chat(call)
        except ConnectionError:  # the client left while it was answered
            call.outcome = "disconnected"
            return web.Response()
        finally:
            self.tally.leave(CHAT, call.outcome)

    async def _chat(self, call: _Call) -> _Response:
        settings, request = self.settings, call.request
        small, photographs = await self._read(request)
        if refused := refusal_of(request, settings):
            return await self._refuse(call, refused)
        try:
            made = self._make(small)
        except (ValueError, TypeError, AttributeError, KeyError) as problem:
            return await self._refuse(call, bad_request(str(problem)))
        if refused := unfit(made.prompt, settings) or self._over_limit(made.told):
            return await self._refuse(call, refused)
        given = request.headers.get("Idempotency-Key")
        call.key = _number(given.encode() if given else small + photographs)
        call.keep = bool(given) and settings.keep_answers
        if call.keep and call.key in self._kept:
            call.replayed = True
            return await self._answer(call, made, self._kept[call.key])
        call.attempt = self._attempts[call.key] = self._attempts.get(call.key, 0) + 1
        fault = settings.faults.befalls(settings.seed, f"{call.key:x}", call.attempt)
        told = self._tell(made, fault)
        if fault and fault not in CONTENT_FAULTS:
            return await self._fail(call, made, told, fault)
        return await self._answer(call, made, told)

    async def _read(self, request: web.BaseRequest) -> tuple[bytes, bytes]:
        """Return a body without its photographs; these are not held while the answer waits."""
        body = await request.content.read()
        self._seen.append((request, body))
        return without_photographs(body)

    def _make(self, small: bytes) -> _Made:
        number = hash(small)
        made = self._made.get(number)
        if made is None:
            prompt, messages = read_prompt(small)
            text = written(prompt.turns, prompt.language, prompt.wants_json)
            told = Told.to(prompt, text)
            made = _Made(prompt, told, completion_bytes(told, self.settings.usage))
            if self.settings.answer:
                made.messages = messages
            _remember(self._made, number, made)
        return made

    def _tell(self, made: _Made, fault: str) -> Told:
        if self.settings.answer and made.messages is not None:
            return Told.to(made.prompt, self.settings.answer(made.messages))
        if fault in CONTENT_FAULTS and not made.prompt.repair:
            return Told.to(made.prompt, *faulty(fault, made.prompt))
        return made.told

    async def _answer(self, call: _Call, made: _Made, told: Told) -> _Response:
        """Answer as asked, in one piece or as a stream."""
        usage = self.settings.usage
        await self._wait(call)
        if made.prompt.stream:
            pieces = events(told, made.prompt.stream_usage)
            response = await send_pieces(call.request, pieces, _EVENTS)
        else:
            body = made.body if told is made.told else completion_bytes(told, usage)
            response = await send(call.request, self._response(body))
        self._answered(call, told, "answered")
        return response

    def _answered(self, call: _Call, told: Told, outcome: str) -> None:
        """Count an answer that was written whole, and keep it for its key."""
        call.outcome = outcome
        self.tally.answer(call.key, call.replayed, told.prompt_tokens, told.answer_tokens)
        if call.keep and not call.replayed:
            _remember(self._kept, call.key, told)

    async def _fail(self, call: _Call, made: _Made, told: Told, fault: str) -> _Response:
        """Do to a request what its fault says; only a slow answer is one in the end."""
        settings = self.settings
        if fault in ("too_many", "server_error", "content_filter"):
            await self._wait(call)
            return await self._refuse(call, self._refusal(call, fault))
        if fault == "hang":
            call.outcome = fault
            await asyncio.Event().wait()
        await self._wait(call)
        if fault == "dropped":
            call.outcome = fault
            close(call.request)
            return web.Response()
        asked_fault = fault if fault in _BODY_FAULTS else ""
        if made.prompt.stream:
            kind, pieces = _EVENTS, events(told, made.prompt.stream_usage, asked_fault)
        else:
            body = completion_bytes(told, settings.usage, asked_fault)
            kind, pieces = _JSON, in_pieces(body)
        if fault == "cut_body":
            call.outcome = fault
            return await send_half(call.request, b"".join(pieces), kind)
        seconds = settings.faults.slow_s if fault == "slow" else 0
        response = await send_pieces(call.request, pieces, kind, seconds=seconds)
        if fault == "slow":
            self._answered(call, told, fault)
        else:
            call.outcome = fault
        return response

    def _complete(self, body: bytes, custom_id: str) -> dict[str, Any]:
        """Return the completion of a request in a batch; faults of content may befall it."""
        settings = self.settings
        small, _ = without_photographs(body)
        made = self._make(small)
        if refused := unfit(made.prompt, settings):
            raise ValueError(refused.message)
        key = _number(custom_id.encode())
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        told = self._tell(made, settings.faults.befalls(settings.seed, f"{key:x}", attempt))
        self.tally.batch_answered += 1
        return completion(told, settings.usage)

    def _refusal(self, call: _Call, fault: str) -> Refusal:
        faults = self.settings.faults
        if fault == "too_many":
            return too_many(faults, "requests", faults.retry_after_s)
        if fault == "content_filter":
            return content_filtered()
        return server_error(self.settings.seed, f"{call.key:x}", call.attempt)

    async def _refuse(self, call: _Call, refusal: Refusal) -> _Response:
        response = await send(call.request, refusal.response())
        call.outcome = refusal.outcome
        return response

    async def _wait(self, call: _Call) -> None:
        rest = call.arrived + self.settings.latency_s - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)

    def _over_limit(self, told: Told) -> Refusal | None:
        """Return the refusal of what is more than a minute allows; what it allows is spent."""
        faults = self.settings.faults
        now = time.monotonic()
        limits = (
            ("requests", self._requests, 1, faults.requests_per_minute),
            ("tokens", self._tokens, told.usage["total_tokens"], faults.tokens_per_minute),
        )
        for of, window, cost, limit in limits:
            if limit is not None and (wait_s := window.wait_s(cost, limit, now)):
                return too_many(faults, of, wait_s)
        for _, window, cost, limit in limits:
            if limit is not None:
                window.spend(cost, now)
        return None

    def _response(self, body: bytes) -> web.Response:
        response = web.Response(body=body, content_type=_JSON)
        faults = self.settings.faults
        for of, window, limit in (
            ("requests", self._requests, faults.requests_per_minute),
            ("tokens", self._tokens, faults.tokens_per_minute),
        ):
            if limit is not None:
                response.headers[f"x-ratelimit-limit-{of}"] = str(limit)
                response.headers[f"x-ratelimit-remaining-{of}"] = str(window.left(limit))
        return response

    async def models(self, request: web.BaseRequest) -> _Response:
        """List the models."""
        if refused := refusal_of(request, self.settings):
            return refused.response()
        names = self.settings.models or ("fake-model",)
        listed = [
            {"id": name, "object": "model", "created": MADE_AT, "owned_by": "fundoscope"}
            for name in names
        ]
        return web.json_response({"object": "list", "data": listed})

    async def counts(self, request: web.BaseRequest) -> _Response:
        """Tell what happened so far."""
        return web.json_response(self.tally.told())

    async def look_back(self, request: web.BaseRequest) -> _Response:
        """Tell the last requests."""
        return web.json_response([_looked_back(*seen) for seen in list(self._seen)])

    async def change(self, request: web.BaseRequest) -> _Response:
        """Change the settings while running."""
        try:
            self.settings = self.settings.changed(json.loads(await request.content.read()))
        except (FundoscopeError, TypeError, ValueError) as problem:
            return bad_request(str(problem)).response()
        self._made.clear()
        return web.json_response({})


def without_photographs(body: bytes) -> tuple[bytes, bytes]:
    """Return a body without the photographs written into it, and a fingerprint of these.

    To read 400 KB of JSON for a few words would cost the server more than all else. The
    fingerprint is of the length, both ends and one byte in 4,099 of each photograph.
    """
    mark = body.find(b";base64,")
    if mark < 0:
        return body, b""
    words: list[bytes] = []
    prints: list[bytes] = []
    at = 0
    while mark >= 0:
        start = mark + len(b";base64,")
        end = body.find(b'"', start)
        if end < 0:
            break
        words.append(body[at:start])
        prints += [b"%d" % (end - start), body[start : start + 256], body[end - 256 : end]]
        prints.append(body[start:end:4099])
        at = end
        mark = body.find(b";base64,", end)
    words.append(body[at:])
    return b"".join(words), b"".join(prints)


def _number(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")


def _remember(kept: dict[int, Any], key: int, what: Any) -> None:
    if len(kept) >= _KEPT:
        del kept[next(iter(kept))]
    kept[key] = what


def _looked_back(request: web.BaseRequest, body: bytes) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "authorization" in headers:
        headers["authorization"] = "(hidden)"
    try:
        said = json.loads(body)
    except ValueError:
        said = body.decode("utf-8", "replace")
    return {"path": request.raw_path, "headers": headers, "body": said}
