"""Work handed from an event loop to processes beside it, many small pieces at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from fundoscope.processes import process_pool

R = TypeVar("R")
Piece = tuple[Callable[..., Any], tuple[Any, ...]]

AT_A_TIME = 16
"""Pieces in one parcel; the price of sending one is paid so many times less often."""
PATIENCE_S = 0.004
"""How long a piece may wait for company."""


class SideWork:
    """Processes that do what would keep an event loop from its network.

    Parameters
    ----------
    processes : int
        0 does the work in the loop itself.
    """

    def __init__(self, processes: int) -> None:
        self._pool = process_pool(processes) if processes else None
        self._parcel: list[Piece] = []
        self._answers: list[asyncio.Future[Any]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> SideWork:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    async def do(self, work: Callable[..., R], *arguments: Any) -> R:
        """Return what `work` makes of its arguments, made beside."""
        if self._pool is None:
            return work(*arguments)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._parcel.append((work, arguments))
        self._answers.append(answer)
        if len(self._parcel) >= AT_A_TIME:
            self._send()
        elif self._timer is None:
            self._timer = loop.call_later(PATIENCE_S, self._send)
        return await answer

    def _send(self) -> None:
        assert self._pool is not None
        if self._timer:
            self._timer.cancel()
        parcel, answers = self._parcel, self._answers
        self._parcel, self._answers, self._timer = [], [], None
        sent = asyncio.wrap_future(self._pool.submit(_done, parcel))
        sent.add_done_callback(lambda future: _hand_out(future, answers))


def _done(parcel: list[Piece]) -> list[tuple[bool, Any]]:
    """Do every piece; one that fails fails alone."""
    results: list[tuple[bool, Any]] = []
    for work, arguments in parcel:
        try:
            results.append((True, work(*arguments)))
        except Exception as problem:  # handed to whoever asked
            results.append((False, problem))
    return results


def _hand_out(
    future: asyncio.Future[list[tuple[bool, Any]]], answers: list[asyncio.Future[Any]]
) -> None:
    waiting = [answer for answer in answers if not answer.done()]
    if future.cancelled():
        for answer in waiting:
            answer.cancel()
    elif problem := future.exception():
        for answer in waiting:
            answer.set_exception(problem)
    else:
        for answer, (fine, result) in zip(answers, future.result(), strict=True):
            if not answer.done():
                if fine:
                    answer.set_result(result)
                else:
                    answer.set_exception(result)
