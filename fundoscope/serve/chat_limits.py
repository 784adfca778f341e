"""What the chat page's server does not take: files on its disk, and bodies without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fundoscope.serve.chat_views import MOST_MEGABYTES
from fundoscope.serve.shown_photographs import MOST_SHOWN

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = int((MOST_SHOWN * MOST_MEGABYTES * 4 / 3 + 1) * 2**20)
"""Of a request: its photographs in base64, and some words."""
CLOSED = ("/gradio_api/upload", "/gradio_api/file", "/gradio_api/proxy", "/gradio_api/stream")
"""Routes of Gradio that the page does not use: they write files or fetch them."""


class Limits:
    """Refuses closed routes, and ends a request whose body is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, within limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if any(route in scope["path"] for route in CLOSED):
            await _refuse(send, 404, b"not found")
            return
        promised = dict(scope["headers"]).get(b"content-length", b"0")
        if not promised.isdigit() or int(promised) > MOST_BYTES:
            await _refuse(send, 413, b"the body is too large")
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BYTES:
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, counted, send)


async def _refuse(send: Send, status: int, words: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
