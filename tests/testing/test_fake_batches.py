"""The fake endpoint's files and batches, asked as the official client asks."""

import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from fundoscope import description
from fundoscope.testing import FakeServer, FakeServerSettings, Faults, synthetic_record

URL = "/v1/chat/completions"
COUNT = 60


def requests(count: int = COUNT) -> list[dict[str, Any]]:
    facts = ["FACTS\n" + description(synthetic_record(number), "en") for number in range(count)]
    return [
        {
            "custom_id": f"ask {number}",
            "method": "POST",
            "url": URL,
            "body": {"model": "m", "messages": [{"role": "user", "content": text}]},
        }
        for number, text in enumerate(facts)
    ]


def as_lines(said: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in said)


class Asking:
    """A client that sends a batch and waits for it."""

    def __init__(self, server: FakeServer, client: openai.OpenAI) -> None:
        self.server, self.client = server, client

    def upload(self, content: bytes, name: str = "requests.jsonl") -> str:
        return self.client.files.create(file=(name, content), purpose="batch").id

    def send(self, content: bytes, **more: Any) -> Any:
        return self.client.batches.create(
            input_file_id=self.upload(content), endpoint=URL, completion_window="24h", **more
        )

    def done(self, content: bytes) -> Any:
        batch = self.send(content)
        while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
            time.sleep(0.01)
            batch = self.client.batches.retrieve(batch.id)
        return batch

    def lines(self, file: str | None) -> list[dict[str, Any]]:
        return (
            [json.loads(x) for x in self.client.files.content(file).text.splitlines()]
            if file
            else []
        )


def asking(**settings: Any) -> Iterator[Asking]:
    settings = {"batch_seconds": 0.1, "latency_s": 0} | settings
    with (
        FakeServer(FakeServerSettings(**settings), in_thread=True) as server,
        openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client,
    ):
        yield Asking(server, client)


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Iterator[Asking]:
    """An asking client; a test's parameter holds the settings."""
    yield from asking(**getattr(request, "param", {}))


def test_every_request_is_answered_as_it_would_be_alone_but_in_another_order(ask: Asking) -> None:
    asked = requests()
    batch = ask.done(as_lines(asked))
    assert (batch.status, batch.error_file_id, batch.errors) == ("completed", None, None)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (COUNT, COUNT, 0)
    lines = ask.lines(batch.output_file_id)
    ids = [line["custom_id"] for line in lines]
    assert ids != [one["custom_id"] for one in asked]
    answers = {line["custom_id"]: line["response"]["body"] for line in lines}
    assert len(answers) == COUNT
    for one in asked[:5]:
        alone = ask.client.chat.completions.create(**one["body"])
        told = answers[one["custom_id"]]["choices"][0]["message"]["content"]
        assert told == alone.choices[0].message.content
    assert ask.server.counts()["batch_answered"] == COUNT


def test_a_batch_passes_through_its_states_and_tells_what_it_was_told(ask: Asking) -> None:
    ask.server.set(batch_seconds=0.5)
    batch = ask.send(as_lines(requests()), metadata={"run": "one"})
    seen = [batch.status]
    while seen[-1] not in ("completed", "failed"):
        batch = ask.client.batches.retrieve(batch.id)
        seen += [batch.status] if batch.status != seen[-1] else []
        assert (batch.output_file_id is None) or batch.status != "validating"
    assert seen == ["validating", "in_progress", "completed"]
    assert batch.metadata == {"run": "one"}
    assert batch.created_at <= batch.in_progress_at <= batch.completed_at


@pytest.mark.parametrize(
    "ask",
    [{"faults": Faults(batch_error=0.2, batch_null=0.2, batch_expired=0.2)}],
    indirect=True,
)
def test_what_fails_expires_or_is_null_is_told_and_can_be_asked_again(ask: Asking) -> None:
    asked = requests()
    batch = ask.done(as_lines(asked))
    assert batch.status == "expired"
    output, errors = ask.lines(batch.output_file_id), ask.lines(batch.error_file_id)
    ids = sorted(line["custom_id"] for line in output + errors)
    assert ids == sorted(one["custom_id"] for one in asked)
    null = [line for line in output if line["response"] is None]
    expired = [line for line in errors if line["error"]]
    failed = [line for line in errors if line["response"]]
    assert null and expired and failed
    assert {line["error"]["code"] for line in expired} == {"batch_expired"}
    assert {line["response"]["status_code"] for line in failed} == {429, 500}
    counts = batch.request_counts
    assert (counts.completed, counts.failed) == (len(output), len(failed))

    lost = {line["custom_id"] for line in null + errors}
    again = ask.done(as_lines([one for one in asked if one["custom_id"] in lost]))
    answered = [one for one in ask.lines(again.output_file_id) if one["response"]]
    assert 0 < len(answered) < len(lost)


@pytest.mark.parametrize("ask", [{"faults": Faults(batch_failed=1)}], indirect=True)
def test_a_batch_can_fail_as_a_whole(ask: Asking) -> None:
    batch = ask.done(as_lines(requests()))
    assert (batch.status, batch.output_file_id) == ("failed", None)
    assert [one.code for one in batch.errors.data] == ["token_limit_exceeded"]


def test_faults_of_content_befall_batches_too(ask: Asking) -> None:
    ask.server.set(unreadable=1)
    batch = ask.done(as_lines(requests(1)))
    (line,) = ask.lines(batch.output_file_id)
    assert line["response"]["body"]["choices"][0]["message"]["content"].startswith("I'm sorry")


def changed(place: int, **changes: Any) -> bytes:
    asked = requests(3)
    asked[place] |= changes
    return as_lines(asked)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (as_lines(requests(2)) + b"{nonsense\n", "invalid_json_line", 3),
        (changed(2, custom_id="ask 0"), "duplicate_custom_id", 3),
        (changed(1, url="/v1/embeddings"), "mismatched_endpoint", 2),
        (changed(1, body={"model": "other", "messages": []}), "mismatched_model", 2),
        (b"\n", "empty_file", None),
    ],
)
def test_a_file_that_does_not_keep_the_format_fails_with_its_line(
    ask: Asking, content: bytes, code: str, line: int | None
) -> None:
    batch = ask.done(content)
    assert batch.status == "failed"
    assert [(one.code, one.line) for one in batch.errors.data] == [(code, line)]


@pytest.mark.parametrize(
    "ask", [{"batch_max_requests": 5, "batch_max_bytes": 100_000}], indirect=True
)
def test_too_many_requests_and_too_large_files_are_refused(ask: Asking) -> None:
    assert ask.done(as_lines(requests(5))).status == "completed"
    with pytest.raises(openai.BadRequestError, match="more than 5 requests"):
        ask.send(as_lines(requests(6)))
    with pytest.raises(openai.BadRequestError, match="larger than 100000 bytes"):
        ask.upload(b" " * 1_000_000)


def test_the_limits_are_those_of_the_real_endpoint() -> None:
    settings = FakeServerSettings()
    assert (settings.batch_max_requests, settings.batch_max_bytes) == (50_000, 209_715_200)


def test_files_are_listed_told_of_and_deleted(ask: Asking) -> None:
    content = as_lines(requests(3))
    id = ask.upload(content)
    files = ask.client.files
    assert files.retrieve(id).bytes == len(content)
    assert [file.id for file in files.list()] == [id]
    assert files.content(id).read() == content
    assert files.delete(id).deleted
    with pytest.raises(openai.NotFoundError):
        files.retrieve(id)
    with pytest.raises(openai.BadRequestError, match=r"\.jsonl"):
        ask.upload(content, "requests.txt")


def test_batches_are_listed_page_by_page(ask: Asking) -> None:
    ids = [ask.send(as_lines(requests(1))).id for _ in range(5)]
    assert [batch.id for batch in ask.client.batches.list(limit=2)] == ids[::-1]
    with pytest.raises(openai.NotFoundError):
        ask.client.batches.retrieve("batch_of_another")


@pytest.mark.parametrize("ask", [{"batch_seconds": 60}], indirect=True)
def test_a_batch_can_be_cancelled_while_it_runs(ask: Asking) -> None:
    batch = ask.send(as_lines(requests()))
    started = time.monotonic()
    assert ask.client.batches.cancel(batch.id).status == "cancelling"
    while (batch := ask.client.batches.retrieve(batch.id)).status == "cancelling":
        time.sleep(0.01)
    assert (batch.status, batch.output_file_id) == ("cancelled", None)
    assert time.monotonic() - started < 30
    with pytest.raises(openai.BadRequestError, match="cancelled"):
        ask.client.batches.cancel(batch.id)
    refused = {"answered": 1, "bad_request": 1}
    assert ask.server.counts()["requests"]["POST /v1/batches/{id}/cancel"] == refused


def test_a_finished_batch_cannot_be_cancelled(ask: Asking) -> None:
    batch = ask.done(as_lines(requests(1)))
    with pytest.raises(openai.BadRequestError, match="completed"):
        ask.client.batches.cancel(batch.id)


def test_refusals_befall_files_and_batches_too(ask: Asking) -> None:
    ask.server.set(server_error=1)
    with pytest.raises(openai.InternalServerError):
        ask.upload(as_lines(requests(20)))
    ask.server.set(server_error=0, key="secret")
    with pytest.raises(openai.AuthenticationError):
        ask.client.batches.list()
