"""Processes that look at photographs: each photograph once, so many at a time, so many waiting."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace

from fundoscope.errors import PhotographError
from fundoscope.records import Eye
from fundoscope.serve import looked
from fundoscope.serve.looked import Looked
from fundoscope.serve.queueing import Pace
from fundoscope.serve.refusals import Refusal, busy, unreadable, wrong
from fundoscope.serve.settings import ServeSettings

Look = Callable[[bytes], Looked]
"""Runs in another process, so a function of a module."""
WarmUp = Callable[[], object]
"""Likewise."""


class Worker:
    """One process; it can be ended while it works, and is then replaced."""

    def __init__(self, photograph_px: int) -> None:
        self._photograph_px = photograph_px
        self.lost = False
        """Whether it died or hangs, and wants to be replaced."""
        self._start()

    def _start(self) -> None:
        # spawned, not forked: a fork of a process with threads can hang
        self.executor: Executor = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=looked.begin,
            initargs=(self._photograph_px,),
        )
        self._pid = self.executor.submit(os.getpid)

    def replace(self) -> None:
        """End the process, whatever it does, and start another."""
        with suppress(Exception):  # it may never have started
            os.kill(self._pid.result(timeout=0), signal.SIGKILL)
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.lost = False
        self._start()


@dataclass(eq=False)
class _Job:
    """A photograph that is being looked at, or waits for it."""

    task: asyncio.Task[Looked]
    wanted_by: int = 0
    running: bool = False


@dataclass(eq=False)
class Counts:
    """What happened so far, for the metrics."""

    looked: int = 0
    found_again: int = 0
    refused: int = 0
    ended: int = 0
    """Processes that died or were ended."""


@dataclass(eq=False)
class _Kept:
    """The records of the photographs asked about last."""

    most: int
    most_bytes: int
    by_hash: OrderedDict[str, Looked] = field(default_factory=OrderedDict)
    size_bytes: int = 0

    def get(self, sha256: str) -> Looked | None:
        found = self.by_hash.get(sha256)
        if found is not None:
            self.by_hash.move_to_end(sha256)
        return found

    def add(self, sha256: str, found: Looked) -> None:
        self.by_hash[sha256] = found
        self.size_bytes += found.size_bytes
        while self.by_hash and (len(self.by_hash) > self.most or self.size_bytes > self.most_bytes):
            _, oldest = self.by_hash.popitem(last=False)
            self.size_bytes -= oldest.size_bytes


class Looking:
    """Looks at photographs in processes, and keeps what was seen by the hash of their bytes.

    Parameters
    ----------
    settings : limits.
    look : what is done with a photograph's bytes, in the other process.
    worker : makes one process.
    """

    def __init__(
        self,
        settings: ServeSettings,
        look: Look = looked.look_at,
        worker: Callable[[int], Worker] = Worker,
    ) -> None:
        self._settings, self._look, self._make = settings, look, worker
        self._kept = _Kept(settings.kept_photographs, settings.kept_bytes)
        self._jobs: dict[str, _Job] = {}
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        self._mending: set[asyncio.Task[None]] = set()
        self._workers: list[Worker] = []
        self.pace = Pace(at_once=settings.workers, first_guess_s=4)
        self.counts = Counts()
        self.ready = False

    async def start(self, warm_up: WarmUp | None = looked.warm_up) -> None:
        """Start the processes; `ready` is set once each has its networks in memory."""
        self._warm_up = warm_up
        count = self._settings.workers
        self._workers = [self._make(self._settings.photograph_px) for _ in range(count)]
        await asyncio.gather(*map(self._warmed, self._workers))
        for each in self._workers:
            self._free.put_nowait(each)
        self.ready = True

    async def _warmed(self, worker: Worker) -> None:
        if self._warm_up is not None:
            await asyncio.wrap_future(worker.executor.submit(self._warm_up))

    async def stop(self) -> None:
        """End the processes once they have finished what they do."""
        self.ready = False
        for task in (*(job.task for job in self._jobs.values()), *self._mending):
            task.cancel()
        for each in self._workers:
            await asyncio.to_thread(each.executor.shutdown, wait=True, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """Photographs that wait for a process."""
        return sum(not job.running for job in self._jobs.values())

    @property
    def running(self) -> int:
        """Photographs that are being looked at."""
        return sum(job.running for job in self._jobs.values())

    def known(self, sha256: str) -> Looked | None:
        """Return what was seen in a photograph before, if it is still kept."""
        found = self._kept.get(sha256)
        self.counts.found_again += found is not None
        return found

    async def look(self, sha256: str, raw: bytes) -> Looked:
        """Return what is seen in a photograph; from memory where its bytes were seen before.

        Whoever asks for one that is just being looked at waits for it. When nobody waits for a
        photograph any more, it loses its place in the queue; one that a process has begun is
        finished and kept, since to end the process would cost more.

        Parameters
        ----------
        sha256 : of the bytes, hexadecimal.
        raw : the file.

        Raises
        ------
        Refusal
            429 if too many wait, 400 if it cannot be read, 504 if it takes too long.
        """
        return self._kept.get(sha256) or await self._once(sha256, raw)

    async def _once(self, sha256: str, raw: bytes) -> Looked:
        job = self._jobs.get(sha256)
        if job is None:
            job = self._begin(sha256, raw)
        else:
            self.counts.found_again += 1
        job.wanted_by += 1
        try:
            return await asyncio.shield(job.task)
        finally:
            job.wanted_by -= 1
            if not job.wanted_by and not job.running:
                job.task.cancel()
                self._forget(sha256, job)

    def _begin(self, sha256: str, raw: bytes) -> _Job:
        if self.waiting >= self._settings.photographs_waiting + self._free.qsize():
            self.counts.refused += 1
            raise busy("too many photographs wait to be looked at", self.pace.wait_s(self.waiting))
        job = _Job(asyncio.create_task(self._in_turn(sha256, raw)))
        self._jobs[sha256] = job
        job.task.add_done_callback(lambda task: self._ended(sha256, job, task))
        return job

    def _ended(self, sha256: str, job: _Job, task: asyncio.Task[Looked]) -> None:
        self._forget(sha256, job)
        if not task.cancelled() and task.exception() is None:
            self._kept.add(sha256, task.result())

    def _forget(self, sha256: str, job: _Job) -> None:
        if self._jobs.get(sha256) is job:
            del self._jobs[sha256]

    async def _in_turn(self, sha256: str, raw: bytes) -> Looked:
        worker = await self._free.get()
        self._jobs[sha256].running = True
        try:
            with self.pace.timed():
                found = await self._looked_by(worker, raw)
            self.counts.looked += 1
            return found
        except PhotographError as problem:
            raise unreadable(problem) from None
        finally:
            self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        """Let the next photograph have a process; one that is lost is replaced before."""
        if not worker.lost:
            self._free.put_nowait(worker)
            return
        task = asyncio.create_task(self._mend_and_give_back(worker))
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)

    async def _mend_and_give_back(self, worker: Worker) -> None:
        while worker.lost:
            await self._mend(worker)
        self._free.put_nowait(worker)

    async def _mend(self, worker: Worker) -> None:
        """Replace a process, and wait until the new one has its networks in memory."""
        self.counts.ended += 1
        worker.replace()
        try:
            await self._warmed(worker)
        except BrokenProcessPool:  # no room for it just now
            worker.lost = True
            await asyncio.sleep(1)

    async def _looked_by(self, worker: Worker, raw: bytes) -> Looked:
        for _ in range(2):
            if worker.lost:
                await self._mend(worker)
            try:
                work = asyncio.wrap_future(worker.executor.submit(self._look, raw))
                return await asyncio.wait_for(work, self._settings.look_limit_s)
            except TimeoutError:
                worker.lost = True
                raise Refusal(
                    504, "the photograph took too long to look at", "too_slow",
                    mend="send a smaller one",
                ) from None  # fmt: skip
            except BrokenProcessPool:  # once may be the system's fault: out of memory, killed
                worker.lost = True
        raise wrong(
            "the photograph cannot be looked at: it ended the process that tried, twice",
            "photograph_unreadable",
            param="photograph",
        )


def as_asked(found: Looked, eye: Eye | None, visit: str) -> Looked:
    """Return what was seen with the eye and the visit that the asker states."""
    if eye is None and not visit:
        return found
    seen = found.seen
    side = eye or seen.eye
    record = replace(seen.record, photograph=replace(seen.record.photograph, eye=side))
    return replace(found, seen=replace(seen, record=record, eye=side, visit=visit))
