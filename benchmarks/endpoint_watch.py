"""A command in a process of its own: what it said, its CPU time, its memory and its children's.

Linux: memory is read from /proc, twenty times a second.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

LOOK_EVERY_S = 0.05
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    code: int
    """Its exit code; minus the signal that ended it."""
    wall_s: float
    """From its start to its end."""
    cpu_s: float
    """Of it and of those it started and waited for."""
    main_mb: float
    """The most memory (RSS) that it held itself."""
    tree_mb: float
    """The most that it and its children held together; what they share is counted in each."""
    errors: str

    def or_exit(self) -> Ended:
        """Return this, or end the benchmark where the command failed."""
        if self.code:
            raise SystemExit(f"{self.errors}\nended with {self.code}")
        return self


class Watched:
    """A running command; it writes lines of JSON, which `said` returns."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        # files, not pipes, which a program that says much would fill and wait at
        self._out = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by __exit__)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._started = time.monotonic()
        # a session of its own, so that whatever a kill leaves behind can be found and ended
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdout=self._out,
            stderr=self._errors,
            env=os.environ | environment,
            start_new_session=True,
        )
        self._main_kb = self._tree_bytes = 0
        self._ended: Ended | None = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended is None:
            self.signal(signal.SIGKILL)
            self.wait()
        self.end_orphans()
        self._out.close()
        self._errors.close()

    def said(self) -> list[dict[str, Any]]:
        """Return the whole lines of JSON written so far; other lines are a program's chatter."""
        lines = os.pread(self._out.fileno(), 2**24, 0).decode(errors="replace").split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith('{"')]

    def look(self) -> bool:
        """Note the memory held now; return whether the command still runs."""
        if self._ended is None:
            pid = self._process.pid
            self._main_kb = max(self._main_kb, _peak_kb(pid))
            self._tree_bytes = max(self._tree_bytes, sum(map(_rss_bytes, family(pid))))
            self._reap(os.WNOHANG)
        return self._ended is None

    def wait(self, most_s: float = float("inf")) -> Ended:
        """Return what it came to, looking until it ends; it is killed after `most_s` seconds."""
        end = time.monotonic() + most_s
        while self.look():
            time.sleep(LOOK_EVERY_S)
            if time.monotonic() > end:
                self.signal(signal.SIGKILL)
        assert self._ended is not None
        return self._ended

    def signal(self, number: int) -> None:
        """Send the command a signal; its children get none."""
        if self._ended is None:
            os.kill(self._process.pid, number)

    def end_orphans(self, patience_s: float = 3.0) -> int:
        """End what the command left running, and does not end by itself; return how many."""
        end = time.monotonic() + patience_s
        while (left := list(_of_session(self._process.pid))) and time.monotonic() < end:
            time.sleep(LOOK_EVERY_S)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)

    def _reap(self, options: int) -> None:
        pid, status, usage = os.wait4(self._process.pid, options)
        if pid:
            self._errors.seek(0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._ended = Ended(
                self._process.returncode,
                time.monotonic() - self._started,
                usage.ru_utime + usage.ru_stime,
                self._main_kb * 1024 / 1e6,
                self._tree_bytes / 1e6,
                self._errors.read(),
            )


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for parent in found:  # grows while it is read
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:  # ended meanwhile
                continue
    return found


def _of_session(session: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            yield int(folder.name)


def _rss_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _peak_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
