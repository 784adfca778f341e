"""Requests as a server reads them: messages, the photograph, what is asked of the answer."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from fundoscope.config import Endpoint
from fundoscope.converse.asking import Prepared
from fundoscope.converse.chat_client import limit_field
from fundoscope.converse.prompts import SCHEMA

Message = dict[str, Any]
_HERE = "data:image/jpeg;base64,@"
"""Where the coded photograph goes; put in at the last moment, so that few are in memory."""


def first_turns(words: Prepared) -> list[Message]:
    """Return the messages of a first question."""
    content: Any = words.user
    if words.photograph:
        content = [
            {"type": "text", "text": words.user},
            {"type": "image_url", "image_url": {"url": _HERE}},
        ]
    return [{"role": "system", "content": words.system}, {"role": "user", "content": content}]


def sent_back(messages: list[Message], raw: str, tell: str) -> list[Message]:
    """Return the messages that send an answer back with what is wrong in it."""
    return [*messages, {"role": "assistant", "content": raw}, {"role": "user", "content": tell}]


def body_of(
    endpoint: Endpoint, messages: list[Message], photograph: Path | None, url: str
) -> bytes:
    """Return the JSON of a chat completion's request; the photograph is read and coded here."""
    body: dict[str, Any] = {"model": endpoint.model, "messages": messages}
    body[limit_field(url)] = endpoint.max_tokens
    if endpoint.temperature is not None:
        body["temperature"] = endpoint.temperature
    if endpoint.structured:
        schema = {"name": "dialogue", "strict": True, "schema": SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    coded = json.dumps(body | endpoint.body, ensure_ascii=False).encode()
    if photograph is None:
        return coded
    before, mark, after = coded.partition(_HERE.encode())
    return b"".join((before, mark[:-1], b64encode(photograph.read_bytes()), after))
