"""What every route of the API works with: the assistant, the processes, the queues, the limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from fundoscope.errors import MissingExtra
from fundoscope.records import Eye
from fundoscope.serve.bodies import Bodies
from fundoscope.serve.looked import Looked
from fundoscope.serve.prometheus import Metrics
from fundoscope.serve.queueing import Lane, unless_gone
from fundoscope.serve.refusals import Refusal
from fundoscope.serve.replies import Answerer
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.workers import Looking, as_asked

try:
    from starlette.responses import Response
except ImportError as missing:
    raise MissingExtra(
        "the API is served with FastAPI, which is not installed",
        mend="pip install 'fundoscope[serve]'",
    ) from missing

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")
SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of every answer of the API: nothing in it is ever run, and nobody keeps it."""
_MARKUP = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


class Service:
    """One running API.

    Parameters
    ----------
    assistant : answers.
    settings : limits.
    looking : the processes that look at photographs.
    """

    def __init__(self, assistant: Answerer, settings: ServeSettings, looking: Looking) -> None:
        self.assistant, self.settings, self.looking = assistant, settings, looking
        self.bodies = Bodies(settings)
        self.lane = Lane(settings.answers_at_once, settings.answers_waiting)
        self.metrics = Metrics(looking, self.lane, lambda: self.bodies.in_hand_bytes)

    async def look_at_all(
        self,
        request: Request,
        photographs: Mapping[str, bytes],
        eyes: Sequence[Eye | None] = (),
        visits: Sequence[str] = (),
    ) -> list[Looked]:
        """Return what is seen in each photograph (by SHA-256), unless the client goes away."""
        eyes = [*eyes, *[None] * len(photographs)]
        visits = [*visits, *[""] * len(photographs)]
        known = [self.looking.known(sha256) for sha256 in photographs]
        if None in known:
            looks = (self.looking.look(*each) for each in photographs.items())
            known = list(await unless_gone(request, _all_of(looks)))
        return [
            as_asked(found, eye, visit)
            for found, eye, visit in zip(known, eyes, visits, strict=False)
            if found is not None
        ]


async def _all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    return await asyncio.gather(*work)


def is_of_kind(request: Request, kind: str) -> bool:
    """Whether a body says to be of a kind, such as `application/json`."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == kind


def not_taken(*kinds: str) -> Refusal:
    """Return the refusal of a body of another kind than these."""
    return Refusal(
        415, "the body is of another kind than is read here", "unsupported_media_type",
        param="Content-Type", mend=f"send {' or '.join(kinds)}",
    )  # fmt: skip


def json_bytes(content: BaseModel | Mapping[str, Any]) -> bytes:
    """Return JSON in which no byte could be taken for markup."""
    if isinstance(content, BaseModel):
        raw = content.model_dump_json().encode()
    else:
        raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    for mark, escaped in _MARKUP:
        raw = raw.replace(mark, escaped)
    return raw


def answer(
    content: BaseModel | Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return JSON as a response."""
    return Response(
        json_bytes(content),
        status,
        headers={**SAFE_HEADERS, **(headers or {})},
        media_type="application/json",
    )


def refuse(refusal: Refusal) -> Response:
    """Return a refusal as a response."""
    return answer(refusal.body(), refusal.status, refusal.headers)
