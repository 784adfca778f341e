"""`/v1/chat/completions` and `/v1/models`: what OpenAI's own client speaks with."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fundoscope.serve.questions import Question, read_question, tokens_of
from fundoscope.serve.queueing import unless_gone
from fundoscope.serve.refusals import Refusal
from fundoscope.serve.replies import Reply, Seen
from fundoscope.serve.service import (
    SAFE_HEADERS,
    Service,
    answer,
    is_of_kind,
    json_bytes,
    not_taken,
)
from fundoscope.serve.shapes import (
    MODEL,
    AnswerMessage,
    ChatCompletion,
    Choice,
    ModelList,
    ModelShape,
    Usage,
    our_answer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGE_BYTES = 2_000_000
"""A body from this size on is taken apart in a thread, so that others do not wait."""


def chat_routes(service: Service, errors: dict[int | str, dict[str, Any]]) -> APIRouter:
    """Return the routes of OpenAI's clients."""
    routes = APIRouter(tags=["OpenAI"])
    born = int(time.time())

    @routes.get("/v1/models", response_model=ModelList)
    async def models() -> Response:
        """List the models: the assistant is the only one."""
        return answer(ModelList(data=(ModelShape(created=born),)))

    @routes.get("/v1/models/{model}", response_model=ModelShape, responses=errors)
    async def model(model: str) -> Response:
        """Return what is said of the assistant as a model."""
        if model != MODEL:
            raise Refusal(404, "there is no such model here", "model_not_found", param="model")
        return answer(ModelShape(created=born))

    @routes.post("/v1/chat/completions", response_model=ChatCompletion, responses=errors)
    async def chat(request: Request) -> Response:
        """Answer the last question about the photographs of the conversation.

        Photographs come as data URLs; nothing is fetched from anywhere. With `stream` the answer
        comes as server-sent events. What it rests on stands in the field `fundoscope`.
        """
        if not is_of_kind(request, "application/json"):
            raise not_taken("application/json")
        with await service.bodies.read(request) as raw:
            if len(raw) > LARGE_BYTES:
                question = await asyncio.to_thread(read_question, raw, service.settings)
            else:
                question = read_question(raw, service.settings)
            looked = await service.look_at_all(
                request, question.photographs, question.eyes, question.visits
            )
        seen = [each.seen for each in looked]
        if question.streamed:
            return await _streamed(service, question, seen)
        work = service.lane.run(service.assistant.reply, question.messages, seen, question.language)
        return answer(_completion(await unless_gone(request, work), question, seen))

    return routes


def _completion(reply: Reply, question: Question, seen: list[Seen]) -> ChatCompletion:
    return ChatCompletion(
        id=_new_id(),
        created=int(time.time()),
        model=MODEL,
        choices=(Choice(message=AnswerMessage(content=reply.text)),),
        usage=_usage(question, reply),
        fundoscope=our_answer(reply, tuple(each.sha256 for each in seen)),
    )


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def _usage(question: Question, reply: Reply) -> Usage:
    asked, answered = question.tokens, tokens_of(reply.text)
    return Usage(prompt_tokens=asked, completion_tokens=answered, total_tokens=asked + answered)


async def _streamed(service: Service, question: Question, seen: list[Seen]) -> Response:
    """Return the answer as events; the first piece is waited for, so that errors keep a status."""
    pieces = iter(service.assistant.stream(question.messages, seen, question.language))
    first = await service.lane.run(next, pieces, None)

    async def events() -> AsyncGenerator[bytes, None]:
        async with aclosing(_pieces(service, first, pieces)) as all_pieces:
            async for event in _events(all_pieces, question, seen):
                yield b"data: " + event + b"\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers=SAFE_HEADERS)


async def _pieces(
    service: Service, first: str | Reply | None, pieces: Iterator[str | Reply]
) -> AsyncGenerator[str | Reply, None]:
    piece: str | Reply | None = first
    try:
        while piece is not None:
            yield piece
            if isinstance(piece, Reply):
                return
            piece = await service.lane.rejoin(next, pieces, None)
    finally:
        with suppress(ValueError):  # a thread may be in the middle of the next piece
            pieces.close()  # type: ignore[attr-defined]


async def _events(
    pieces: AsyncGenerator[str | Reply, None], question: Question, seen: list[Seen]
) -> AsyncGenerator[bytes, None]:
    head = {
        "id": _new_id(), "object": "chat.completion.chunk", "created": int(time.time()),
        "model": MODEL,
    }  # fmt: skip
    usage_field = {"usage": None} if question.with_usage else {}
    yield _chunk(head | usage_field, {"role": "assistant", "content": ""})
    async for piece in pieces:
        if isinstance(piece, str):
            yield _chunk(head | usage_field, {"content": piece})
            continue
        ours = our_answer(piece, tuple(each.sha256 for each in seen)).model_dump(mode="json")
        yield _chunk(head | usage_field, {}, "stop", fundoscope=ours)
        if question.with_usage:
            usage = _usage(question, piece).model_dump()
            yield json_bytes({**head, "choices": [], "usage": usage})
    yield b"[DONE]"


def _chunk(
    head: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None, **more: Any
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return json_bytes({**head, "choices": [choice], **more})
