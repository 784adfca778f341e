"""How fast a server may be asked: rates, how many at once, how long to wait after a refusal."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

FIRST_AT_ONCE = 8
MOST_AT_ONCE = 256
"""Of a window that finds its own size."""
_SLOWER = 2.5
"""Answers this much slower than the quickest ones say that the server queues: ask no more."""
_MARGIN = 1.01
"""A limit is kept with this much to spare, since the server's clock is another."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
_BUSY_PAUSE_S = 0.25
"""Everybody waits this long after a 429 that names no time."""

Clock = Callable[[], float]


class Pace:
    """Requests and tokens per minute, spread evenly: no burst can break a limit of the server.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : int
        0 for no limit.
    """

    def __init__(
        self,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._request_s = _MARGIN * 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_s = _MARGIN * 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._free_at = clock()

    async def turn(self, tokens: int) -> None:
        """Wait until a request of about so many tokens may go out."""
        while (wait_s := self._free_at - self._clock()) > 0:
            await asyncio.sleep(wait_s)
        self._free_at = max(self._free_at, self._clock()) + max(
            self._request_s, tokens * self._token_s
        )

    def pause(self, seconds: float) -> None:
        """Let nobody go out for so long."""
        self._free_at = max(self._free_at, self._clock() + seconds)


class Window:
    """How many requests are in flight: a given number, or as many as the server bears.

    Left to itself it doubles with every round until the server refuses or slows down, then adds
    one a round and halves at each refusal (additive increase, multiplicative decrease: Chiu and
    Jain 1989, 10.1016/0169-7552(89)90019-6).
    """

    def __init__(self, at_once: int = 0, clock: Clock = time.monotonic) -> None:
        self.fixed = at_once > 0
        self.size = float(at_once or FIRST_AT_ONCE)
        self.most = at_once or MOST_AT_ONCE
        self.in_flight = 0
        self._clock = clock
        self._doubling = True
        self._quickest_s = float("inf")
        self._usual_s = 0.0
        self._shrunk_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places."""
        while self.in_flight >= int(self.size):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def _wake(self) -> None:
        room = int(self.size) - self.in_flight
        while room > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1

    def went_well(self, seconds: float) -> None:
        """Note an answer and how long it took."""
        if self.fixed:
            return
        self._quickest_s = min(self._quickest_s, seconds)
        self._usual_s = seconds if not self._usual_s else 0.9 * self._usual_s + 0.1 * seconds
        if self._usual_s > _SLOWER * self._quickest_s:
            self._doubling = False
            return
        self.size = min(self.most, self.size + (1 if self._doubling else 1 / self.size))

    def was_too_much(self) -> None:
        """Note that the server refused, or did not answer in time."""
        now = self._clock()
        if self.fixed or now - self._shrunk_at < max(self._usual_s, 0.1):
            return  # the others of the same round were refused with it
        self._shrunk_at = now
        self._doubling = False
        self.size = max(1.0, self.size / 2)


def wait_s(attempt: int, asked_s: float | None, rng: random.Random) -> float:
    """Return how long to wait before trying again: what the server asks, else longer each time.

    Full jitter, so that those refused together do not come back together.
    """
    if asked_s is not None:
        return asked_s + rng.uniform(0, 0.1 + 0.1 * asked_s)
    return rng.uniform(0, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**attempt))


def common_pause_s(asked_s: float | None) -> float:
    """Return how long everybody waits after one was told that it was too much."""
    return _BUSY_PAUSE_S if asked_s is None else asked_s
