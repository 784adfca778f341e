"""Chat completions as OpenAI's endpoint writes them: one body, or a stream of events."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from fundoscope.testing.fake_answers import Prompt

MADE_AT = 1_767_225_600
"""One moment for all answers, so that a request alone decides its answer."""
_TOKENS_PER_PHOTOGRAPH = 765
"""As told for a photograph of 1,024 x 1,024 pixels; any number would do."""
_EVENTS = 8
"""Pieces in which a streamed text comes."""


@dataclass(frozen=True, slots=True)
class Told:
    """The words of an answer, and what they cost."""

    text: str
    finish: str
    model: str
    prompt_tokens: int
    answer_tokens: int

    @classmethod
    def to(cls, prompt: Prompt, text: str, finish: str = "stop") -> Told:
        """Return an answer with its tokens: one for four letters, and more for a photograph."""
        tokens = prompt.letters // 4 + _TOKENS_PER_PHOTOGRAPH * prompt.photographs
        return cls(text, finish, prompt.model, tokens, len(text) // 4 + 1)

    @property
    def usage(self) -> dict[str, int]:
        """The tokens as an answer tells them."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.answer_tokens,
            "total_tokens": self.prompt_tokens + self.answer_tokens,
        }


def completion(told: Told, usage: bool, fault: str = "") -> dict[str, Any]:
    """Return a chat completion; `fault` may be `null_content` or `empty_choices`."""
    content = None if fault == "null_content" else told.text
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "logprobs": None,
        "finish_reason": told.finish,
    }
    choices = [] if fault == "empty_choices" else [choice]
    said = _frame(told, "chat.completion") | {"choices": choices}
    if usage:
        said["usage"] = told.usage
    return said


def completion_bytes(told: Told, usage: bool, fault: str = "") -> bytes:
    """Return the body of a chat completion; `malformed_json` leaves out its end."""
    body = json.dumps(completion(told, usage, fault), ensure_ascii=False).encode()
    return body[: 2 * len(body) // 3] if fault == "malformed_json" else body


def events(told: Told, usage: bool, fault: str = "") -> list[bytes]:
    """Return a chat completion as server-sent events, each ready to be sent."""
    frame = _frame(told, "chat.completion.chunk")
    step = max(1, -(-len(told.text) // _EVENTS))
    words = [told.text[at : at + step] for at in range(0, len(told.text), step)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [] if fault == "null_content" else [{"content": piece} for piece in words]
    chunks = [frame | {"choices": [_choice(delta, None)]} for delta in deltas]
    chunks.append(frame | {"choices": [_choice({}, told.finish)]})
    if fault == "empty_choices":
        chunks = [frame | {"choices": []}]
    if usage:
        chunks.append(frame | {"choices": [], "usage": told.usage})
    lines = [b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks]
    if fault == "malformed_json":
        lines[1] = lines[1][: len(lines[1]) // 2] + b"\n\n"
    return [*lines, b"data: [DONE]\n\n"]


def _frame(told: Told, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{zlib.crc32(told.text.encode()):08x}",
        "object": kind,
        "created": MADE_AT,
        "model": told.model,
    }


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
