"""Connections whose client sends the head of a request too slowly, or not at all, are closed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fundoscope.serve.refusals import Refusal


def protocol(head_limit_s: float) -> type[H11Protocol]:
    """Return uvicorn's protocol with a limit for the head; its own only ends idle connections."""

    class Patient(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            if self._deadline is None and self._waits_for_a_request():
                self._wait()
            super().data_received(data)

        def handle_events(self) -> None:
            super().handle_events()
            if not self._waits_for_a_request():
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP, or has too large a head, in the form of other errors."""
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.close()
                return
            refusal = Refusal(400, "the request is not HTTP, or its head is too large", "bad_http")
            self._send(400, refusal.body().model_dump())

        def _waits_for_a_request(self) -> bool:
            """Whether a head is to come, or the rest of a body that was answered already."""
            answered = self.cycle is not None and self.cycle.response_complete
            return self.conn.their_state is h11.IDLE or answered

        def _wait(self) -> None:
            self._deadline = self.loop.call_later(head_limit_s, self._too_slow)

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_slow(self) -> None:
            if not self.transport.is_closing():
                refusal = Refusal(408, "the head of the request came too slowly", "slow_head")
                self._send(408, refusal.body().model_dump())

        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            events = (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            with suppress(h11.LocalProtocolError):  # in the middle of a request there is no answer
                self.transport.write(b"".join(self.conn.send(each) or b"" for each in events))
            self.transport.close()

    return Patient
