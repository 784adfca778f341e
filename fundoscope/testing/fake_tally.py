"""What the fake endpoint did so far, and how much it may do within a minute."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 60.0


@dataclass
class Tally:
    """What happened so far."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each (path, outcome)."""
    answered: int = 0
    repeated: int = 0
    replayed: int = 0
    batch_answered: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    distinct: set[int] = field(default_factory=set)
    """A number for each key that was answered."""

    def arrive(self) -> None:
        """Count a request that came."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leave(self, path: str, outcome: str) -> None:
        """Count a request that is done with."""
        self.in_flight -= 1
        self.outcomes[path, outcome] += 1

    def answer(self, key: int, replayed: bool, prompt_tokens: int, answer_tokens: int) -> None:
        """Count an answer that was written whole."""
        self.answered += 1
        self.repeated += key in self.distinct
        self.distinct.add(key)
        if replayed:
            self.replayed += 1
        else:
            self.prompt_tokens += prompt_tokens
            self.answer_tokens += answer_tokens

    def told(self) -> dict[str, Any]:
        """Return the counts as `FakeServer.counts` gives them."""
        requests: dict[str, dict[str, int]] = {}
        for (path, outcome), count in sorted(self.outcomes.items()):
            requests.setdefault(path, {})[outcome] = count
        return {
            "requests": requests,
            "answered": self.answered,
            "distinct": len(self.distinct),
            "repeated": self.repeated,
            "replayed": self.replayed,
            "paid": self.answered - self.replayed,
            "batch_answered": self.batch_answered,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.answer_tokens,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }


class Window:
    """How much was spent within the last minute."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def wait_s(self, cost: int, limit: int, now: float) -> float:
        """Return after how many seconds `cost` can be spent; 0: now."""
        while self._spent and self._spent[0][0] <= now - WINDOW_S:
            self._total -= self._spent.popleft()[1]
        over = self._total + cost - limit
        if over <= 0:
            return 0.0
        for moment, spent in self._spent:
            over -= spent
            if over <= 0:
                return moment + WINDOW_S - now
        return WINDOW_S

    def spend(self, cost: int, now: float) -> None:
        """Count what is spent."""
        self._spent.append((now, cost))
        self._total += cost

    def left(self, limit: int) -> int:
        """Return what is left of a limit."""
        return max(0, limit - self._total)
