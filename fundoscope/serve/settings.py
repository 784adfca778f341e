"""What a server may vary: where it listens, how much it takes, and for how long."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fundoscope.errors import ConfigError, nearest


class ServeSettings(BaseModel):
    """Limits of a server. What is over one of them is refused at once, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """Address to listen on; any but a loopback address needs a token."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free one."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Processes that look at photographs, one photograph each at a time."""
    photograph_bytes: int = Field(default=20_000_000, ge=1)
    """Largest file of one photograph."""
    photograph_px: int = Field(default=40_000_000, ge=1)
    """Most pixels of one photograph: three times a large fundus camera's."""
    photographs: int = Field(default=4, ge=1, le=16)
    """Most different photographs of one conversation: both eyes at two visits."""
    body_bytes: int = Field(default=64_000_000, ge=1000)
    """Largest body of one request."""
    bodies_bytes: int = Field(default=512_000_000, ge=1000)
    """Bytes of all bodies in hand at one time."""
    messages: int = Field(default=100, ge=1)
    """Most messages of one conversation."""
    question_characters: int = Field(default=4000, ge=1)
    """Longest text of one question."""
    message_characters: int = Field(default=40_000, ge=1)
    """Longest text of another message: an earlier answer, or a system's."""
    photographs_waiting: int = Field(default=64, ge=0)
    """Photographs that wait for a process; one more is told to come later."""
    answers_at_once: int = Field(default=4, ge=1)
    """Answers that are composed at one time; more than the cores only helps language models."""
    answers_waiting: int = Field(default=256, ge=0)
    head_limit_s: float = Field(default=10, gt=0)
    """How long a client may take to send the head of a request."""
    body_limit_s: float = Field(default=30, gt=0)
    """How long it may take to send the body."""
    time_limit_s: float = Field(default=120, gt=0)
    """How long a request may take altogether, waiting included."""
    look_limit_s: float = Field(default=60, gt=0)
    """How long one photograph may be looked at, before its process is ended."""
    kept_photographs: int = Field(default=256, ge=1)
    """Photographs whose records are kept for the questions that follow."""
    kept_bytes: int = Field(default=256_000_000, ge=0)
    """Bytes of what is kept; the photographs themselves never are."""


def serve_settings(**fields: Any) -> ServeSettings:
    """Return the settings of a server, or a ConfigError that names the wrong one."""
    for name in fields:
        if name not in ServeSettings.model_fields:
            raise ConfigError(
                f"a server has no setting {name!r}", mend=nearest(name, ServeSettings.model_fields)
            )
    try:
        return ServeSettings(**fields)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"setting {name!r} of the server: {first['msg'].lower()}",
            mend="see `fundoscope serve --help`",
        ) from problem
