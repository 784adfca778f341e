"""The same work on many things, over processes, in order and with little in hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from fundoscope.errors import ConfigError

A = TypeVar("A")
B = TypeVar("B")
IN_HAND = 4
"""Things in hand for each process; more only holds memory."""


def mapped(work: Callable[[A], B], things: Iterable[A], jobs: int) -> Iterator[B]:
    """Yield what `work` makes of each thing, in order; one process does it here.

    Raises
    ------
    ConfigError
        If `jobs` is not at least 1.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs wants at least one process, got {jobs}", mend="--jobs 2")
    if jobs == 1:
        yield from map(work, things)
        return
    things = iter(things)
    # spawned, not forked: a fork of a process with threads (a progress bar's, BLAS') can hang
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[B]] = deque(
            pool.submit(work, t) for t in islice(things, IN_HAND * jobs)
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, thing) for thing in islice(things, 1))
