"""Work that is done so many at a time, of which only so much may wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fundoscope.serve.refusals import busy

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")
_WEIGHT_OF_LAST = 0.1
_PATIENCE_S = 0.05


class Pace:
    """How long one piece of work takes, so that who is refused knows when to come back."""

    def __init__(self, at_once: int, first_guess_s: float) -> None:
        self._at_once, self.mean_s = at_once, first_guess_s

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what is done within `with`, if it ends well."""
        began = time.monotonic()
        yield
        self.mean_s += _WEIGHT_OF_LAST * (time.monotonic() - began - self.mean_s)

    def wait_s(self, waiting: int) -> float:
        """Return how long so many waiting pieces will take, in seconds."""
        return self.mean_s * (waiting + 1) / self._at_once


class Lane:
    """Threads for work that blocks: `at_once` of them, and at most `waiting` pieces for them.

    Parameters
    ----------
    at_once : threads.
    waiting : pieces of work that wait beside those that run; one more is refused with 429.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="answer")
        self._most = at_once + waiting
        self._pace = Pace(at_once, first_guess_s=0.05)
        self.inside = 0
        """Pieces that run or wait, those included that nobody waits for any more."""

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what `work` returns; cancelled before its turn, it is never done."""
        if self.inside >= self._most:
            raise busy("too many questions wait for an answer", self._pace.wait_s(self.inside))
        return await self.rejoin(work, *arguments)

    async def rejoin(self, work: Callable[..., T], *arguments: Any) -> T:
        """As `run`, for the next piece of work that was let in already: it is never refused."""
        self.inside += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(self._timed, work, *arguments)
        # a thread cannot be cancelled, so a place is free only when it is done
        future.add_done_callback(lambda done: self._left(loop, done))
        return await asyncio.wrap_future(future)

    def _timed(self, work: Callable[..., T], *arguments: Any) -> T:
        with self._pace.timed():
            return work(*arguments)

    def _left(self, loop: asyncio.AbstractEventLoop, _: Future[Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._one_less)

    def _one_less(self) -> None:
        self.inside -= 1

    def close(self) -> None:
        """Let the threads finish what they do, and nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class ClientGone(Exception):
    """Whoever asked does not wait for the answer any more."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, or cancel it when the client goes away.

    The body has been read before: then all that can still come is the end of the connection.

    Raises
    ------
    ClientGone
    """
    doing = asyncio.ensure_future(work)
    watched: set[asyncio.Future[Any]] = {doing}
    try:
        # most answers are there before a client could go
        if not (await asyncio.wait(watched, timeout=_PATIENCE_S))[0]:
            watched.add(gone := asyncio.ensure_future(_disconnected(request)))
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not doing.done():
                raise ClientGone
        return doing.result()
    finally:
        for task in watched:
            task.cancel()
        if not all(task.done() for task in watched):
            await asyncio.gather(*watched, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
