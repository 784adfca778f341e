"""The fake endpoint itself: what it does with each request (`fake_server` starts and stops it)."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from aiohttp import web

from fundoscope.errors import FundoscopeError
from fundoscope.testing.fake_answers import Asked, asked_by, faithful, written
from fundoscope.testing.fake_refusals import Refusal, bad_request, refusal_of, server_error
from fundoscope.testing.fake_settings import FakeServerSettings

JSON = "application/json"
CHAT = "/v1/chat/completions"
MADE_KEPT = 4096
"""Answers that are kept, of prompts and of idempotency keys each."""
TOKENS_PER_PHOTOGRAPH = 765
"""As told for a photograph of 1,024 x 1,024 pixels; any number would do."""
_MADE_AT = 1_767_225_600
"""One moment for all answers, so that a request alone decides its answer."""


@dataclass(slots=True)
class Told:
    """An answer and what it costs."""

    text: str
    finish: str
    prompt_tokens: int
    answer_tokens: int


@dataclass
class Tally:
    """What happened so far."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    answered: int = 0
    repeated: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    distinct: set[int] = field(default_factory=set)
    """A number for each key that was answered."""

    def told(self) -> dict[str, Any]:
        """Return the counts as `FakeServer.counts` gives them."""
        requests: dict[str, dict[str, int]] = {}
        for (path, outcome), count in sorted(self.outcomes.items()):
            requests.setdefault(path, {})[outcome] = count
        return {
            "requests": requests,
            "answered": self.answered,
            "distinct": len(self.distinct),
            "repeated": self.repeated,
            "replayed": self.replayed,
            "paid": self.answered - self.replayed,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.answer_tokens,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }


class Serving:
    """The state of a running fake endpoint and its handlers."""

    def __init__(self, settings: FakeServerSettings) -> None:
        self.settings = settings
        self.tally = Tally()
        self.attempts: dict[int, int] = {}
        self.kept: dict[int, Told] = {}
        self.seen: deque[tuple[web.BaseRequest, bytes]] = deque(maxlen=settings.seen_kept)
        self.routes: dict[str, Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]] = {
            CHAT: self.chat,
            "/v1/models": self.models,
            "/fake/counts": self.counts,
            "/fake/seen": self.look_back,
            "/fake/set": self.change,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        path = request.raw_path
        handler = self.routes.get(path)
        if handler is None:
            return Refusal(404, f"Unknown request URL: {request.method} {path}").response()
        return await handler(request)

    async def chat(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for a chat completion, or do to it what the faults say."""
        tally = self.tally
        tally.in_flight += 1
        tally.most_in_flight = max(tally.most_in_flight, tally.in_flight)
        outcome = "disconnected"
        try:
            outcome, response = await self._chat(request)
            return response
        finally:
            tally.in_flight -= 1
            tally.outcomes[CHAT, outcome] += 1

    async def _chat(self, request: web.BaseRequest) -> tuple[str, web.StreamResponse]:
        arrived = time.monotonic()
        body = await request.content.read()
        self.seen.append((request, body))
        settings = self.settings
        if refused := refusal_of(request, settings):
            return refused.outcome, await _sent(request, refused.response())
        small, photographs = without_photographs(body)
        try:
            asked = asked_by(small)
        except (ValueError, TypeError, AttributeError, KeyError) as problem:
            return "bad_request", await _sent(request, bad_request(str(problem)).response())
        given = request.headers.get("Idempotency-Key")
        key = _number(given.encode() if given else small + photographs)
        told = self.kept.get(key) if given and settings.keep_answers else None
        replayed = told is not None
        fault = ""
        if told is None:
            attempt = _bump(self.attempts, key)
            fault = settings.faults.befalls(settings.seed, f"{key:x}", attempt)
            if fault in ("too_many", "server_error"):
                refused = server_error(settings, fault, key, attempt)
                await self._wait(arrived)
                return fault, await _sent(request, refused.response())
            told = self._told(asked)
        await self._wait(arrived)
        response = await _sent(request, _completion(told, asked, settings.usage))
        if given and settings.keep_answers:
            _keep(self.kept, key, told)
        self._count(key, told, replayed)
        return "answered", response

    async def _wait(self, arrived: float) -> None:
        rest = arrived + self.settings.latency_s - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)

    def _told(self, asked: Asked) -> Told:
        if self.settings.answer is not None:
            text = self.settings.answer(asked.messages)
        else:
            language, turns = faithful(asked)
            text = written(turns, language, asked.wants_json)
        prompt = len(asked.text) // 4 + TOKENS_PER_PHOTOGRAPH * asked.photographs
        return Told(text, "stop", prompt, len(text) // 4 + 1)

    def _count(self, key: int, told: Told, replayed: bool) -> None:
        tally = self.tally
        tally.answered += 1
        tally.replayed += replayed
        tally.repeated += key in tally.distinct
        tally.distinct.add(key)
        if not replayed:
            tally.prompt_tokens += told.prompt_tokens
            tally.answer_tokens += told.answer_tokens

    async def models(self, request: web.BaseRequest) -> web.StreamResponse:
        """List the models."""
        names = self.settings.models or ("fake-model",)
        listed = [
            {"id": name, "object": "model", "created": _MADE_AT, "owned_by": "fundoscope"}
            for name in names
        ]
        return web.json_response({"object": "list", "data": listed})

    async def counts(self, request: web.BaseRequest) -> web.StreamResponse:
        """Tell what happened so far."""
        return web.json_response(self.tally.told())

    async def look_back(self, request: web.BaseRequest) -> web.StreamResponse:
        """Tell the last requests."""
        return web.json_response([_looked_back(*seen) for seen in list(self.seen)])

    async def change(self, request: web.BaseRequest) -> web.StreamResponse:
        """Change the settings while running."""
        try:
            self.settings = self.settings.changed(json.loads(await request.content.read()))
        except (FundoscopeError, TypeError, ValueError) as problem:
            return bad_request(str(problem)).response()
        return web.json_response({})


async def _sent(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Write a response whole, now, so that what is counted afterwards was written."""
    await response.prepare(request)
    await response.write_eof()
    return response


def _completion(told: Told, asked: Asked, usage: bool) -> web.Response:
    said: dict[str, Any] = {
        "id": f"chatcmpl-{_number(told.text.encode()):x}",
        "object": "chat.completion",
        "created": _MADE_AT,
        "model": asked.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": told.text, "refusal": None},
                "logprobs": None,
                "finish_reason": told.finish,
            }
        ],
    }
    if usage:
        said["usage"] = {
            "prompt_tokens": told.prompt_tokens,
            "completion_tokens": told.answer_tokens,
            "total_tokens": told.prompt_tokens + told.answer_tokens,
        }
    body = json.dumps(said, ensure_ascii=False).encode()
    return web.Response(body=body, content_type=JSON)


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


def _bump(attempts: dict[int, int], key: int) -> int:
    attempts[key] = attempts.get(key, 0) + 1
    return attempts[key]


def _keep(kept: dict[int, Told], key: int, told: Told) -> None:
    if len(kept) >= MADE_KEPT:
        del kept[next(iter(kept))]
    kept[key] = told


def _looked_back(request: web.BaseRequest, body: bytes) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "authorization" in headers:
        headers["authorization"] = "(hidden)"
    try:
        said = json.loads(body)
    except ValueError:
        said = body.decode("utf-8", "replace")
    return {"path": request.raw_path, "headers": headers, "body": said}
