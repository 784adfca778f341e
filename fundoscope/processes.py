"""The same work on many things, over processes, in order and with little in hand."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from fundoscope.errors import ConfigError

A = TypeVar("A")
B = TypeVar("B")
IN_HAND = 4
"""Things in hand for each process; more only holds memory."""


def process_pool(processes: int) -> ProcessPoolExecutor:
    """Return processes that work for this one and end with it, even when it is killed."""
    # spawned, not forked: a fork of a process with threads (a progress bar's, BLAS') can hang
    return ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with_parent
    )


def end_with_parent() -> None:
    """Watch the process that asked for this one: a killed one cannot say goodbye."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    with process_pool(jobs) as pool:
        waiting: deque[Future[B]] = deque(
            pool.submit(work, t) for t in islice(things, IN_HAND * jobs)
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, thing) for thing in islice(things, 1))
