"""A request for a chat completion, taken apart: words, photographs, and what is wrong with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fundoscope.records import Eye, Language
from fundoscope.serve.bodies import checked, json_of
from fundoscope.serve.refusals import Refusal, wrong
from fundoscope.serve.replies import Message
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.shapes import MODEL, ChatMessage, ChatRequest, OurOptions, TextPart
from fundoscope.serve.uploads import from_data_url

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, about which photographs."""

    messages: tuple[Message, ...]
    photographs: Mapping[str, bytes]
    """By SHA-256, each different one once, in the order in which they come."""
    language: Language | None
    eyes: tuple[Eye | None, ...]
    visits: tuple[str, ...]
    streamed: bool
    with_usage: bool

    @property
    def tokens(self) -> int:
        """Size of the words asked, photographs left out."""
        return sum(tokens_of(message.text) for message in self.messages)


def tokens_of(text: str) -> int:
    """Return the size of a text in tokens, reckoned as four bytes each."""
    return -(-len(text.encode()) // _BYTES_A_TOKEN)


def read_question(raw: bytes | bytearray, settings: ServeSettings) -> Question:
    """Return the question that a body asks.

    Raises
    ------
    Refusal
        4xx that names what is wrong and where.
    """
    asked = checked(ChatRequest, json_of(raw))
    if asked.model != MODEL:
        raise Refusal(
            404, "there is no such model here", "model_not_found", param="model",
            mend=f"ask {MODEL!r}",
        )  # fmt: skip
    if len(asked.messages) > settings.messages:
        raise wrong(
            f"{len(asked.messages)} messages, the limit is {settings.messages}",
            "too_many_messages",
            param="messages",
            mend="leave the oldest out",
        )
    photographs: dict[str, bytes] = {}
    messages = tuple(
        _message(number, message, photographs, settings)
        for number, message in enumerate(asked.messages)
    )
    if messages[-1].role != "user" or not messages[-1].text.strip():
        raise wrong(
            "the question is empty",
            "empty_question",
            param=f"messages.{len(messages) - 1}.content",
            mend="end with a user's message that asks something",
        )
    _check_options(asked.fundoscope, len(photographs))
    return Question(
        messages=messages,
        photographs=photographs,
        language=asked.fundoscope.language,
        eyes=asked.fundoscope.eyes,
        visits=asked.fundoscope.visits,
        streamed=bool(asked.stream),
        with_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )


def _message(
    number: int, message: ChatMessage, photographs: dict[str, bytes], settings: ServeSettings
) -> Message:
    """Return the words of a message; its photographs are added to those found before."""
    place = f"messages.{number}.content"
    texts = []
    parts = [TextPart(type="text", text=message.content)] if isinstance(message.content, str) else message.content  # fmt: skip  # noqa: E501
    for index, part in enumerate(parts):
        if isinstance(part, TextPart):
            texts.append(part.text)
            continue
        where = f"{place}.{index}.image_url.url"
        if message.role != "user":
            raise wrong("only a user shows photographs", "misplaced_photograph", param=where)
        raw = from_data_url(part.image_url.url, settings, where)
        photographs.setdefault(hashlib.sha256(raw).hexdigest(), raw)
        if len(photographs) > settings.photographs:
            raise wrong(
                f"more than {settings.photographs} different photographs",
                "too_many_photographs",
                param=where,
                mend="ask about fewer at once",
            )
    text = "\n".join(texts)
    _check_text(text, message.role, place, settings)
    role = "system" if message.role == "developer" else message.role
    return Message(role, text)


def _check_text(text: str, role: str, place: str, settings: ServeSettings) -> None:
    most = settings.question_characters if role == "user" else settings.message_characters
    if len(text) > most:
        raise wrong(
            f"the text has {len(text):,} characters, the limit is {most:,}",
            "text_too_long",
            param=place,
            mend="ask more briefly",
        )
    if _CONTROL.search(text):
        raise wrong("the text holds control characters", "control_characters", param=place)


def _check_options(options: OurOptions, photographs: int) -> None:
    for name, given in (("eyes", options.eyes), ("visits", options.visits)):
        if len(given) > photographs:
            raise wrong(
                f"{len(given)} {name} for {photographs} different photographs",
                "invalid_field",
                param=f"fundoscope.{name}",
            )
