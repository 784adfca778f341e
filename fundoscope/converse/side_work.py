"""Work handed from an event loop to processes beside it, many small pieces at a time.

Over pipes that the loop itself reads: threads, as a ProcessPoolExecutor has them, fight the loop
for the interpreter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeVar

from fundoscope.processes import end_with_parent

R = TypeVar("R")
Piece = tuple[Callable[..., Any], tuple[Any, ...]]
Parcel = list[tuple[Piece, asyncio.Future[Any]]]

AT_A_TIME = 32
"""Most pieces in one parcel; the price of sending one is paid so many times less often."""


class SideWork:
    """Processes that do what would keep an event loop from its network.

    Parameters
    ----------
    processes : int
        0 does the work in the loop itself.
    """

    def __init__(self, processes: int) -> None:
        self._count = processes
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        self._idle: list[Connection] = []
        self._at_work: dict[Connection, Parcel] = {}
        self._waiting: deque[tuple[Piece, asyncio.Future[Any]]] = deque()

    async def __aenter__(self) -> SideWork:
        # spawned, not forked: a fork of a process with threads can hang
        context = get_context("spawn")
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            loop.add_reader(ours.fileno(), self._receive, ours)
            self._processes.append(process)
            self._pipes.append(ours)
        self._idle = list(self._pipes)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipe in self._pipes:
            self._close(pipe)
        for process in self._processes:
            process.terminate()  # it holds nothing
            process.join()
            process.close()

    async def do(self, work: Callable[..., R], *arguments: Any) -> R:
        """Return what `work` makes of its arguments, made beside.

        Raises
        ------
        RuntimeError
            If the process that worked on it died.
        """
        if not self._count:
            return work(*arguments)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(((work, arguments), answer))
        self._send()
        return await answer

    def _send(self) -> None:
        """Give every idle process a parcel; never a second one, so that no pipe can fill up."""
        while self._idle and self._waiting:
            share = -(-len(self._waiting) // len(self._idle))
            pipe = self._idle.pop()
            parcel = [self._waiting.popleft() for _ in range(min(AT_A_TIME, share))]
            self._at_work[pipe] = parcel
            pipe.send([piece for piece, _ in parcel])

    def _receive(self, pipe: Connection) -> None:
        parcel = self._at_work.pop(pipe, [])
        try:
            results = pipe.recv()
        except (EOFError, OSError):
            self._died(pipe, parcel)
            return
        for (_, answer), (fine, result) in zip(parcel, results, strict=True):
            if answer.done():
                continue
            if fine:
                answer.set_result(result)
            else:
                answer.set_exception(result)
        self._idle.append(pipe)
        self._send()

    def _died(self, pipe: Connection, parcel: Parcel) -> None:
        self._close(pipe)
        self._pipes.remove(pipe)
        lost = parcel if self._pipes else [*parcel, *self._waiting]
        for _, answer in lost:
            if not answer.done():
                answer.set_exception(RuntimeError("a process beside this one died at its work"))

    def _close(self, pipe: Connection) -> None:
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        pipe.close()


def _serve(pipe: Connection) -> None:
    """Do parcels of pieces until nobody asks any more; a piece that fails fails alone."""
    end_with_parent()
    while True:
        try:
            parcel: list[Piece] = pipe.recv()
        except (EOFError, OSError):
            return
        results: list[tuple[bool, Any]] = []
        for work, arguments in parcel:
            try:
                results.append((True, work(*arguments)))
            except Exception as problem:  # handed to whoever asked
                results.append((False, problem))
        pipe.send(results)
