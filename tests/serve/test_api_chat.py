"""OpenAI's own client, unchanged, against the running server."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from fundoscope.testing.fake_assistant import FAKE_PHOTOGRAPH, FakeAssistant, fake_value
from fundoscope.testing.served_here import served_here


@pytest.fixture(scope="module")
def assistant() -> FakeAssistant:
    return FakeAssistant()


@pytest.fixture(scope="module")
def address(assistant: FakeAssistant) -> Iterator[str]:
    with served_here(assistant) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def data_url(raw: bytes) -> str:
    return "data:image/bmp;base64," + base64.b64encode(raw).decode()


def asked(text: str, *photographs: bytes) -> Any:
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(raw)}} for raw in photographs]
    return {"role": "user", "content": parts}


ONE, OTHER = FAKE_PHOTOGRAPH + b"one", FAKE_PHOTOGRAPH + b"other"


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def test_the_answer_is_about_the_photograph_that_was_sent(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="fundoscope", messages=[asked("How?", ONE)])
    assert done.choices[0].message.content == f"How? [eye::{sha(ONE)}]"
    assert done.choices[0].finish_reason == "stop"
    ours = done.fundoscope  # type: ignore[attr-defined]
    assert ours["evidence"][0]["words"] == f"D is {fake_value(sha(ONE))}"
    assert ours["photographs"] == [sha(ONE)]
    assert (ours["urgent"], ours["refused"], ours["notice"]) == (False, "", "")
    assert ours["engine"] == "offline"
    assert ours["disclaimer"] == "Research use; not a medical device."


def test_urgent_answers_say_so_in_a_field_of_their_own(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="fundoscope", messages=[asked("urgent?", ONE)])
    assert done.fundoscope["urgent"] is True  # type: ignore[attr-defined]


def test_usage_counts_four_bytes_of_text_as_a_token(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="fundoscope", messages=[asked("12345678")])
    assert done.usage is not None
    assert done.usage.prompt_tokens == 2
    assert done.usage.completion_tokens == 3  # "12345678 []" has 11 bytes
    assert done.usage.total_tokens == 5


def test_a_streamed_answer_is_the_same_answer(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="fundoscope",
            messages=[asked("How many now?", ONE)],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    words = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(words) == f"How many now? [eye::{sha(ONE)}]"
    assert len(words) == 4, "word by word"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    last = [c for c in chunks if c.choices and c.choices[0].finish_reason]
    assert [c.choices[0].finish_reason for c in last] == ["stop"]
    assert last[0].fundoscope["photographs"] == [sha(ONE)]  # type: ignore[attr-defined]
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == -(-len("".join(words)) // 4)


def test_without_being_asked_a_stream_tells_no_usage(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="fundoscope", messages=[asked("How?")], stream=True
    )
    assert [chunk.usage for chunk in chunks if chunk.usage is not None] == []


def test_the_asynchronous_client_gets_many_answers_at_once_each_its_own(address: str) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none") as client:

            async def one(number: int) -> None:
                raw = FAKE_PHOTOGRAPH + b"%d" % number
                done = await client.chat.completions.create(
                    model="fundoscope", messages=[asked(f"q{number}", raw)]
                )
                assert done.choices[0].message.content == f"q{number} [eye::{sha(raw)}]"
                words = ""
                async for chunk in await client.chat.completions.create(
                    model="fundoscope", messages=[asked(f"s{number}", raw)], stream=True
                ):
                    words += chunk.choices[0].delta.content or ""
                assert words == f"s{number} [eye::{sha(raw)}]"

            await asyncio.gather(*(one(number) for number in range(40)))

    asyncio.run(ask())


def test_a_conversation_goes_on_with_the_answers_sent_back_as_they_came(
    client: openai.OpenAI, assistant: FakeAssistant
) -> None:
    first = client.chat.completions.create(model="fundoscope", messages=[asked("How?", ONE)])
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        asked("How?", ONE),
        first.choices[0].message,
        {"role": "user", "content": "And how sure?"},
    ]
    done = client.chat.completions.create(model="fundoscope", messages=messages)
    assert done.choices[0].message.content == f"And how sure? [eye::{sha(ONE)}]"
    roles = [message.role for message in assistant.asked[-1]]
    assert roles == ["system", "user", "assistant", "user"]


def test_eyes_visits_and_language_are_told_beside_openais_fields(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(
        model="fundoscope",
        messages=[asked("Both", ONE, OTHER, ONE)],
        extra_body={
            "fundoscope": {"eyes": ["left", "right"], "visits": ["2023", ""], "language": "zh"}
        },
    )
    text = done.choices[0].message.content
    assert text == f"Both [left:2023:{sha(ONE)} right::{sha(OTHER)}]", "each photograph once"
    assert done.fundoscope["language"] == "zh"  # type: ignore[attr-defined]


def test_there_is_one_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["fundoscope"]
    assert client.models.retrieve("fundoscope").owned_by == "fundoscope"
    with pytest.raises(openai.NotFoundError, match="no such model"):
        client.models.retrieve("gpt-4o")
    with pytest.raises(openai.NotFoundError) as told:
        client.chat.completions.create(model="gpt-4o", messages=[asked("How?")])
    assert told.value.code == "model_not_found"


HARMLESS: dict[str, Any] = {
    "temperature": 0.3, "top_p": 0.9, "seed": 3, "presence_penalty": 0.1, "frequency_penalty": 0,
    "max_tokens": 5, "max_completion_tokens": 5, "user": "u", "metadata": {"a": "b"}, "n": 1,
    "response_format": {"type": "text"}, "tools": [], "tool_choice": "none", "logprobs": False,
    "reasoning_effort": "low", "store": False, "stop": None, "modalities": ["text"],
}  # fmt: skip
MEANT: dict[str, Any] = {
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "functions": [{"name": "f"}], "n": 2, "logprobs": True, "stop": ["\n"], "store": True,
    "response_format": {"type": "json_object"}, "tool_choice": "required",
    "modalities": ["audio"], "audio": {"voice": "alloy", "format": "mp3"},
    "logit_bias": {"50256": -100}, "web_search_options": {}, "prediction": {}, "top_logprobs": 3,
}  # fmt: skip


def posted(address: str, **fields: Any) -> httpx.Response:
    body = {"model": "fundoscope", "messages": [asked("How?")], **fields}
    return httpx.post(f"{address}/v1/chat/completions", json=body)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_field_that_changes_nothing_is_taken(address: str, name: str) -> None:
    assert posted(address, **{name: HARMLESS[name]}).status_code == 200


@pytest.mark.parametrize("name", MEANT)
def test_a_field_that_would_change_the_answer_is_refused(address: str, name: str) -> None:
    response = posted(address, **{name: MEANT[name]})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith(name)


def test_a_misspelt_field_is_told_its_neighbour(address: str) -> None:
    error = posted(address, temperatur=0.1).json()["error"]
    assert error == {
        "message": "the field 'temperatur' is not known: did you mean 'temperature'?",
        "type": "invalid_request_error",
        "param": "temperatur",
        "code": "unknown_field",
    }


def test_markup_in_a_message_comes_back_as_text_that_no_page_would_run(address: str) -> None:
    markup = "<script>alert('x')</script>&<img src=x onerror=alert(1)>"
    response = posted(address, messages=[asked(markup)])
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert b"<" not in response.content and b"&" not in response.content
    assert response.json()["choices"][0]["message"]["content"] == f"{markup} []"
    streamed = posted(address, messages=[asked(markup)], stream=True)
    assert b"<" not in streamed.content
    lines = [line[6:] for line in streamed.text.splitlines() if line.startswith("data: {")]
    words = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines]
    assert "".join(words) == f"{markup} []"


def test_a_bug_is_a_plain_500_that_repeats_nothing(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = posted(address, messages=[asked("bug of Jane Doe")])
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "Jane" not in response.text
    assert "RuntimeError in fake_assistant.py" in caplog.text
    assert "Jane" not in caplog.text
    assert posted(address).status_code == 200
