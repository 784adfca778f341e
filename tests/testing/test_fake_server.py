"""The fake endpoint answers as a real one does, and fails as one does."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import openai
import pytest

from fundoscope import Conversation, Turn, description, judge
from fundoscope.errors import ConfigError
from fundoscope.records import LANGUAGES, Language, Record
from fundoscope.testing import FakeServer, FakeServerSettings, Faults, synthetic_record
from fundoscope.testing.fake_answers import read_prompt
from fundoscope.testing.fake_faults import faulty
from fundoscope.testing.fake_settings import CONTENT_FAULTS, FAULTS

QUICK = FakeServerSettings(latency_s=0)
HEADING = {"en": "FACTS\n", "zh": "已知事实：\n"}
ROLES = {"en": ("User: ", "Assistant: "), "zh": ("用户：", "助手：")}
CHAT = "/v1/chat/completions"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(QUICK, in_thread=True) as running:
        yield running


def messages(number: int = 0, language: Language = "en", **more: str) -> list[dict[str, str]]:
    facts = HEADING[language] + description(synthetic_record(number), language)
    return [{"role": "system", "content": "Talk."}, {"role": "user", "content": facts}]


def body(number: int = 0, language: Language = "en") -> dict[str, Any]:
    return {"model": "m", "messages": messages(number, language)}


def turns_of(text: str, language: Language) -> tuple[Turn, ...]:
    user, assistant = ROLES[language]
    lines = text.split("\n")
    pairs = zip(lines[::2], lines[1::2], strict=True)
    assert all(q.startswith(user) and a.startswith(assistant) for q, a in pairs)
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return tuple(Turn(q.removeprefix(user), a.removeprefix(assistant)) for q, a in pairs)


def conversation(record: Record, language: Language, turns: tuple[Turn, ...]) -> Conversation:
    track = "instruction" if len(turns) > 1 else "alignment"
    return Conversation(record.key, track, language, turns, "fake", "1", 0)


Answered = tuple[int, dict[str, str], bytes]


def post(
    server: FakeServer, *bodies: Any, key: str = "", path: str = "/chat/completions"
) -> list[Answered]:
    """Return (status, headers, body) of requests sent at once."""

    async def all_at_once() -> list[Answered]:
        headers = {"Idempotency-Key": key} if key else {}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def one(said: Any) -> Answered:
                async with session.post(server.url + path, json=said) as answer:
                    return answer.status, dict(answer.headers), await answer.read()

            return await asyncio.gather(*map(one, bodies))

    return asyncio.run(all_at_once())


def content(answered: Answered) -> str:
    assert answered[0] == 200, answered
    return str(json.loads(answered[2])["choices"][0]["message"]["content"])


# what it answers


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_verifier_keeps_every_answer(server: FakeServer, language: Language) -> None:
    answers = post(server, *(body(number, language) for number in range(100)))
    for number, answered in enumerate(answers):
        record = synthetic_record(number)
        turns = turns_of(content(answered), language)
        verdict = judge(conversation(record, language, turns), record)
        assert verdict.kept, (verdict.reason, turns)


@pytest.mark.parametrize("language", LANGUAGES)
def test_asked_for_one_turn_it_gives_one_that_is_kept(
    server: FakeServer, language: Language
) -> None:
    asked = [body(number, language) for number in range(30)]
    for one in asked:
        one["messages"][0]["content"] = "ONE_TURN please."
    for number, answered in enumerate(post(server, *asked)):
        record = synthetic_record(number)
        turns = turns_of(content(answered), language)
        assert len(turns) == 1
        assert judge(conversation(record, language, turns), record).kept


def test_asked_for_json_it_gives_the_same_turns_as_json(server: FakeServer) -> None:
    schema = {"name": "dialogue", "schema": {"type": "object"}}
    as_json = body() | {"response_format": {"type": "json_schema", "json_schema": schema}}
    lines, said = post(server, body(), as_json)
    turns = json.loads(content(said))["turns"]
    assert tuple(Turn(t["question"], t["answer"]) for t in turns) == turns_of(content(lines), "en")


def test_the_same_request_is_answered_in_the_same_words_by_any_server(server: FakeServer) -> None:
    with FakeServer(FakeServerSettings(latency_s=0, seed=5), in_thread=True) as other:
        assert post(server, body())[0][2] == post(other, body())[0][2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_verifier_refuses_every_answer_with_an_altered_digit(language: Language) -> None:
    for number in range(300):
        prompt, _ = read_prompt(json.dumps(body(number, language)).encode())
        text, _ = faulty("wrong_content", prompt)
        record = synthetic_record(number)
        assert not judge(conversation(record, language, turns_of(text, language)), record).kept


def test_a_repair_round_is_always_right() -> None:
    wrong = FakeServerSettings(latency_s=0, faults=Faults(wrong_content=1))
    with FakeServer(wrong, in_thread=True) as server:
        (first,) = post(server, body(7))
        again = body(7)
        again["messages"] += [
            {"role": "assistant", "content": content(first)},
            {"role": "user", "content": "The number is wrong, try again."},
        ]
        (second,) = post(server, again)
    record = synthetic_record(7)
    kept = [
        judge(conversation(record, "en", turns_of(content(a), "en")), record).kept
        for a in (first, second)
    ]
    assert kept == [False, True]


def test_a_function_gives_the_answers() -> None:
    settings = FakeServerSettings(latency_s=0, answer=lambda said: said[-1]["content"][:5])
    with FakeServer(settings, in_thread=True) as server:
        assert content(post(server, body())[0]) == "FACTS"


def test_a_function_cannot_answer_in_another_process() -> None:
    with pytest.raises(ConfigError, match="another process"):
        FakeServer(FakeServerSettings(answer=lambda said: ""))
