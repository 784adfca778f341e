"""What a server can say, and what is to be done about it."""

import json
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from fundoscope.config import Endpoint
from fundoscope.converse.chat_client import (
    Later,
    Refused,
    Stop,
    base_url,
    completion,
    completions_url,
    key_of,
    limit_field,
    proxy_for,
    seconds_of,
    trouble,
)
from fundoscope.errors import ConfigError

WHOLE = {
    "model": "m-1",
    "choices": [{"message": {"content": "User: a?\nAssistant: b."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}


def error(message: str, code: str = "") -> bytes:
    return json.dumps({"error": {"message": message, "code": code}}).encode()


def test_an_answer_is_read_with_its_tokens() -> None:
    done = completion(json.dumps(WHOLE).encode())
    assert (done.text, done.model) == ("User: a?\nAssistant: b.", "m-1")
    assert (done.prompt_tokens, done.completion_tokens, done.finish) == (7, 3, "stop")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>bad gateway</html>",
        json.dumps(WHOLE).encode()[:60],
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": "  "}}]}',
        b"[1, 2]",
        b'{"error": {"message": "overloaded"}}',
    ],
)
def test_a_body_without_an_answer_is_asked_again(body: bytes) -> None:
    with pytest.raises(Later) as told:
        completion(body)
    assert told.value.useless  # under another name, else a server might repeat it


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, error("Incorrect API key"), Stop),
        (403, error("Country not supported"), Stop),
        (404, error("The model `gpt-9` does not exist", "model_not_found"), Stop),
        (400, error("no such model", "model_not_found"), Stop),
        (429, error("You exceeded your current quota", "insufficient_quota"), Stop),
        (429, error("Rate limit reached", "rate_limit_exceeded"), Later),
        (408, b"", Later),
        (500, b"oops", Later),
        (503, error("overloaded"), Later),
        (529, error("overloaded"), Later),
        (400, error("context length exceeded", "context_length_exceeded"), Refused),
        (422, b'{"detail": "max_tokens"}', Refused),
        (413, b"too large", Refused),
    ],
)
def test_an_error_stops_all_or_this_request_or_waits(
    status: int, body: bytes, kind: type[Exception]
) -> None:
    problem = trouble(status, body, None)
    assert isinstance(problem, kind)
    assert str(problem)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("3") == 3
    assert seconds_of("0.5") == 0.5
    assert seconds_of(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert seconds_of(formatdate(time.time() - 30, usegmt=True)) == 0
    assert seconds_of("soon") is None
    assert seconds_of(None) is None
    assert seconds_of("86400") == 600  # nobody sits through a day


def test_the_address_is_the_jobs_then_the_environments_then_openais(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert base_url(Endpoint(model="m")) == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://there:8000/v1/")
    assert base_url(Endpoint(model="m")) == "http://there:8000/v1"
    assert base_url(Endpoint(model="m", base_url="http://here/v1")) == "http://here/v1"


@pytest.mark.parametrize("url", ["here:8000", "ftp://here/v1", "http://", "http://me:pw@here/v1"])
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        base_url(Endpoint(model="m", base_url=url))
    assert "pw" not in str(told.value)


def test_a_query_of_the_address_stays_behind_the_path() -> None:
    azure = "https://eye.openai.azure.com/openai/v1?api-version=preview"
    assert completions_url(azure) == (
        "https://eye.openai.azure.com/openai/v1/chat/completions?api-version=preview"
    )
    assert limit_field(azure) == limit_field("https://api.openai.com/v1") == "max_completion_tokens"
    assert limit_field("http://127.0.0.1:8000/v1") == "max_tokens"


def test_the_key_is_in_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", " sk-1 ")
    assert key_of(Endpoint(model="m", key_env="MY_KEY")) == "sk-1"
    (tmp_path / "key").write_text("sk-2\n")
    assert key_of(Endpoint(model="m", key_file=tmp_path / "key")) == "sk-2"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ConfigError, match="MY_KEY is empty"):
        key_of(Endpoint(model="m", key_env="MY_KEY"))
    assert key_of(Endpoint(model="m", key_env="MY_KEY", base_url="http://localhost/v1")) == ""
    with pytest.raises(ConfigError, match="cannot be read"):
        key_of(Endpoint(model="m", key_file=tmp_path / "gone"))


def test_the_environments_proxy_is_used_and_what_it_leaves_out_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("https://api.openai.com/v1") is None
    monkeypatch.setenv("https_proxy", "http://gate:3128")
    monkeypatch.setenv("no_proxy", "localhost,.ward.example")
    assert proxy_for("https://api.openai.com/v1") == "http://gate:3128"
    assert proxy_for("https://llm.ward.example/v1") is None
    assert proxy_for("http://localhost:8000/v1") is None
