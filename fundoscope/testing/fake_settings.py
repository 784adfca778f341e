"""What the fake endpoint does wrong, how often, and how fast it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, get_args

from fundoscope.errors import ConfigError, nearest

Answer = Callable[[list[dict[str, Any]]], str]
"""From the messages of a request to the words of its answer."""
RetryAfter = Literal["seconds", "fraction", "date", "none"]

CONTENT_FAULTS = (
    "wrong_content",
    "markdown",
    "many_lines",
    "chinese_roles",
    "prose",
    "json_answer",
    "unreadable",
    "missing_last_answer",
    "length",
)
"""Answers that arrive whole and say or look otherwise than asked."""
FAULTS = (
    "too_many",
    "server_error",
    "hang",
    "slow",
    "cut_body",
    "dropped",
    "malformed_json",
    "null_content",
    "empty_choices",
    "content_filter",
    *CONTENT_FAULTS,
)
"""What can happen to one request, of which at most one does."""


def draw(*parts: object) -> float:
    """Return a number from 0 to below 1 that the parts alone decide."""
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True)
class Faults:
    """Shares, 0 to 1, of the requests to which something happens, and modes of the whole server.

    What happens to a request is drawn from the server's seed, the request's `Idempotency-Key` (or,
    without one, its body) and the number of the attempt: the same run meets the same faults. At
    most one thing happens to a request, so the shares add up to 1 at most.
    """

    too_many: float = 0.0
    """429 with a `Retry-After` header."""
    server_error: float = 0.0
    """500, 502 or 503."""
    hang: float = 0.0
    """Never answered; the connection stays open."""
    slow: float = 0.0
    """The answer comes in small pieces over `slow_s` seconds."""
    cut_body: float = 0.0
    """Half of the answer, then the connection is closed."""
    dropped: float = 0.0
    """The connection is closed without an answer."""
    malformed_json: float = 0.0
    """A whole body that is not JSON."""
    null_content: float = 0.0
    """`"content": null`."""
    empty_choices: float = 0.0
    """`"choices": []`."""
    content_filter: float = 0.0
    """400 with the code `content_filter`."""
    wrong_content: float = 0.0
    """A faithful-looking answer with one digit altered."""
    markdown: float = 0.0
    """Headings, bold roles and numbered turns."""
    many_lines: float = 0.0
    """Answers of several lines."""
    chinese_roles: float = 0.0
    """`用户：` and `助手：`, whatever the language."""
    prose: float = 0.0
    """Words before and behind the dialogue."""
    json_answer: float = 0.0
    """JSON although lines were asked for."""
    unreadable: float = 0.0
    """No dialogue at all."""
    missing_last_answer: float = 0.0
    """The last question stands without its answer."""
    length: float = 0.0
    """`finish_reason: "length"`, the text cut."""
    retry_after_style: RetryAfter = "seconds"
    """How `Retry-After` is written."""
    retry_after_s: float = 1.0
    """Seconds that `Retry-After` tells to wait."""
    slow_s: float = 1.0
    """Seconds that a slow answer takes."""
    wrong_key: bool = False
    """401 to all."""
    quota_spent: bool = False
    """429 with the code `insufficient_quota` to all."""
    unknown_model: bool = False
    """404 with the code `model_not_found` to all."""
    refuse_images: bool = False
    """400 to requests that hold a photograph."""
    requests_per_minute: int | None = None
    """More requests than this within any 60 seconds are answered with 429."""
    tokens_per_minute: int | None = None
    """Likewise for tokens of prompts and answers."""
    batch_error: float = 0.0
    """Share of a batch's requests that end in its error file."""
    batch_expired: float = 0.0
    """Share of a batch's requests that are not answered in time."""
    batch_null: float = 0.0
    """Share of a batch's requests whose line in the output says `"response": null`."""
    batch_failed: float = 0.0
    """Share of batches that fail as a whole."""
    batch_shuffled: bool = True
    """Whether results come in another order than asked, as they may."""

    def __post_init__(self) -> None:
        batch = ("batch_error", "batch_expired", "batch_null", "batch_failed")
        for name in (*FAULTS, *batch):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} is a share, got {getattr(self, name)!r}", mend="give 0 to 1"
                )
        if self.retry_after_style not in get_args(RetryAfter):
            raise ConfigError(
                f"retry_after_style cannot be {self.retry_after_style!r}",
                mend=nearest(self.retry_after_style, get_args(RetryAfter)),
            )
        for names in (FAULTS, batch[:3]):
            if sum(getattr(self, name) for name in names) > 1 + 1e-9:
                raise ConfigError(
                    f"the shares of {', '.join(names)} add up to more than 1",
                    mend="at most one thing happens to a request: give smaller shares",
                )

    @cached_property
    def _steps(self) -> tuple[tuple[float, str], ...]:
        steps: list[tuple[float, str]] = []
        total = 0.0
        for name in FAULTS:
            if share := getattr(self, name):
                total += share
                steps.append((total, name))
        return tuple(steps)

    def befalls(self, seed: int, key: object, attempt: int) -> str:
        """Return what happens to an attempt at a request, a name of `FAULTS`, or nothing."""
        if not self._steps:
            return ""
        drawn = draw(seed, key, attempt)
        return next((name for upto, name in self._steps if drawn < upto), "")


@dataclass(frozen=True)
class FakeServerSettings:
    """How the fake endpoint behaves."""

    latency_s: float = 0.05
    """Seconds from a request's arrival to its answer."""
    faults: Faults = field(default_factory=Faults)
    """What goes wrong, and how often."""
    seed: int = 0
    """Decides which requests meet a fault."""
    answer: Answer | None = None
    """Gives the answers; needs `in_thread=True`. None: faithful ones, made from the prompt.

    It is given the messages without the bytes of their photographs, which `FakeServer.seen` has.
    """
    usage: bool = True
    """Whether answers tell their tokens."""
    key: str = ""
    """The key that requests must bear; empty: any or none."""
    port: int = 0
    """Port on loopback; 0: any that is free."""
    models: tuple[str, ...] = ()
    """The models that are known; none named: every model is."""
    keep_answers: bool = True
    """Whether the same `Idempotency-Key` again gets the same answer, not paid anew."""
    seen_kept: int = 50
    """How many requests `FakeServer.seen` can look back; photographs make them large."""
    batch_seconds: float = 0.2
    """Seconds that a batch takes."""
    batch_max_requests: int = 50_000
    """More requests in one batch are refused."""
    batch_max_bytes: int = 200 * 1024 * 1024
    """Larger files are refused."""

    def changed(self, changes: Mapping[str, Any]) -> FakeServerSettings:
        """Return these settings with others, of their own or of their faults, by name.

        Raises
        ------
        ConfigError
            If a name is not known, or can be set at the start only.
        """
        faults = {f.name for f in fields(Faults)}
        own = {f.name for f in fields(self)} - {"faults", "answer", "port", "seen_kept"}
        for name in changes:
            if name not in faults | own:
                raise ConfigError(
                    f"{name!r} cannot be set on a running server", mend=nearest(name, faults | own)
                )
        of_faults = {name: value for name, value in changes.items() if name in faults}
        of_own = {name: value for name, value in changes.items() if name in own}
        return replace(self, faults=replace(self.faults, **of_faults), **of_own)

    def as_json(self) -> dict[str, Any]:
        """Return all but `answer`, as JSON can hold it."""
        return {name: value for name, value in asdict(self).items() if name != "answer"}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> FakeServerSettings:
        """Return the settings that `as_json` wrote."""
        faults = Faults(**said["faults"])
        return cls(**{**said, "faults": faults, "models": tuple(said["models"])})
