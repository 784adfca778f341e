"""What each reviewer has decided, kept in mind so that a long review stays quick."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from fundoscope.reviewed import Acts, Which


@dataclass
class _Mine:
    last: int = 0
    done: dict[Which, str] = field(default_factory=dict)


class Decided:
    """Decisions by reviewer: only acts that are new are looked at, and all when the run changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: object = None
        self._by: dict[str, _Mine] = {}

    def by(self, acts: Acts, who: str) -> dict[Which, str]:
        """Return what a reviewer decided about each dialogue as it is now: the verb of the act."""
        with self._lock:
            if (state := acts.state()) != self._state:
                self._state = state
                self._by.clear()
            mine = self._by.get(who, _Mine())
            new = acts.by(who, mine.last)
            for which in dict.fromkeys(act.which for act in new if act.role == "review"):
                decided = acts.standing(which).reviews.get(who)
                if decided:
                    mine.done[which] = decided.what
                else:
                    mine.done.pop(which, None)
            if new:
                mine.last = new[-1].id
                self._by[who] = mine  # a name without acts is not kept in mind
            return dict(mine.done)
