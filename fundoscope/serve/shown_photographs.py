"""Which photographs each browser session shows: its own and no other's, and not for ever."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from fundoscope.records import Eye
from fundoscope.serve.replies import Seen

MOST_SHOWN = 2
"""Photographs of one session: one, both eyes, or two visits."""
MOST_SESSIONS = 48
"""Sessions whose photographs are kept; the one used longest ago loses its own. One photograph of
1500 x 1000 pixels takes about 25 megabytes."""


class ShownPhotographs:
    """What was seen in the photographs of each session, by the session's random name."""

    def __init__(self, most_sessions: int = MOST_SESSIONS) -> None:
        self._most = most_sessions
        self._lock = threading.Lock()
        self._shown: OrderedDict[str, tuple[Seen, ...]] = OrderedDict()

    def of(self, session: str) -> tuple[Seen, ...]:
        """Return the photographs of a session, none where it has none or lost them."""
        with self._lock:
            if session in self._shown:
                self._shown.move_to_end(session)
            return self._shown.get(session, ())

    def keep(self, session: str, seen: tuple[Seen, ...]) -> None:
        """Let a session show these photographs."""
        with self._lock:
            self._shown[session] = tuple(map(lightened, seen[:MOST_SHOWN]))
            self._shown.move_to_end(session)
            while len(self._shown) > self._most:
                self._shown.popitem(last=False)

    def forget(self, session: str) -> None:
        """Let go of a session's photographs."""
        with self._lock:
            self._shown.pop(session, None)

    def __len__(self) -> int:
        """How many sessions show something."""
        return len(self._shown)


def lightened(seen: Seen) -> Seen:
    """Return what was seen without the probabilities of every pixel, which no answer needs."""
    found = replace(seen.perceived, vessels=None, disc_cup=None, lesions=None)
    return replace(seen, perceived=found)


def labelled(seen: Seen, eye: Eye | None, visit: str) -> Seen:
    """Return the same photograph as another eye or visit."""
    photograph = replace(seen.record.photograph, eye=eye)
    return replace(seen, eye=eye, visit=visit, record=replace(seen.record, photograph=photograph))
