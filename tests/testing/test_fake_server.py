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


def messages(number: int = 0, language: Language = "en") -> list[dict[str, str]]:
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
    for number in range(150):
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


# how it fails


def failing(**faults: Any) -> FakeServer:
    return FakeServer(FakeServerSettings(latency_s=0, faults=Faults(**faults)), in_thread=True)


def error(answered: Answered) -> tuple[int, str | None]:
    return answered[0], json.loads(answered[2])["error"]["code"]


def test_of_many_requests_each_fault_befalls_its_share() -> None:
    faults = Faults(**dict.fromkeys(FAULTS, 0.05))
    befell = [faults.befalls(0, number, 1) for number in range(20_000)]
    for name in FAULTS:
        assert befell.count(name) == pytest.approx(1000, abs=150)
    assert befell.count("") == pytest.approx(20_000 * (1 - 0.05 * len(FAULTS)), abs=400)


def test_another_attempt_or_seed_meets_another_fate() -> None:
    faults = Faults(server_error=0.5)
    fates = {(faults.befalls(seed, "a", n)) for seed in range(9) for n in range(9)}
    assert fates == {"", "server_error"}
    assert {faults.befalls(0, "a", n) for n in range(30)} == fates
    assert {faults.befalls(seed, "a", 1) for seed in range(30)} == fates
    assert faults.befalls(3, "a", 1) == faults.befalls(3, "a", 1)


def test_too_many_tells_how_long_to_wait_in_three_ways() -> None:
    said = {}
    for style in ("seconds", "fraction", "date"):
        with failing(too_many=1, retry_after_style=style, retry_after_s=1.5) as server:
            (answered,) = post(server, body())
            assert error(answered) == (429, "rate_limit_exceeded")
            said[style] = answered[1]["Retry-After"]
    assert said["seconds"] == "2"
    assert said["fraction"] == "1.500"
    wait = parsedate_to_datetime(said["date"]) - datetime.now(UTC)
    assert 0 < wait.total_seconds() < 3


def test_server_errors_are_of_three_kinds() -> None:
    with failing(server_error=1) as server:
        answers = post(server, *map(body, range(30)))
    assert {answered[0] for answered in answers} == {500, 502, 503}


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        ({"wrong_key": True}, 401, "invalid_api_key"),
        ({"quota_spent": True}, 429, "insufficient_quota"),
        ({"unknown_model": True}, 404, "model_not_found"),
        ({"content_filter": 1}, 400, "content_filter"),
    ],
)
def test_a_refusal_bears_its_code(mode: dict[str, Any], status: int, code: str) -> None:
    with failing(**mode) as server:
        assert error(post(server, body())[0]) == (status, code)


def test_only_the_right_key_and_a_known_model_are_let_in() -> None:
    settings = FakeServerSettings(latency_s=0, key="secret", models=("m",))
    with FakeServer(settings, in_thread=True) as server:
        assert error(post(server, body())[0])[0] == 401
        client = openai.OpenAI(base_url=server.url, api_key="secret", max_retries=0)
        with client:
            assert [model.id for model in client.models.list()] == ["m"]
            client.chat.completions.create(model="m", messages=messages())
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                client.chat.completions.create(model="n", messages=messages())
        assert "secret" not in json.dumps(server.seen())


def raw_request(said: dict[str, Any]) -> bytes:
    sent = json.dumps(said).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


def with_photograph(number: int = 0, size: int = 300_000) -> dict[str, Any]:
    said = body(number)
    url = "data:image/jpeg;base64," + "Az+/" * (size // 4)
    parts = [{"type": "text", "text": said["messages"][1]["content"]}]
    parts.append({"type": "image_url", "image_url": {"url": url}})
    said["messages"][1]["content"] = parts
    return said


def test_photographs_can_be_refused() -> None:
    with failing(refuse_images=True) as server:
        photograph, text = post(server, with_photograph(), body())
    assert (photograph[0], text[0]) == (400, 200)


def test_photographs_do_not_change_the_answer_but_cost_tokens(server: FakeServer) -> None:
    photograph, text = post(server, with_photograph(), body())
    assert content(photograph) == content(text)
    tokens = [json.loads(a[2])["usage"]["prompt_tokens"] for a in (photograph, text)]
    assert tokens[0] == tokens[1] + 765
    told = [json.loads(a[2])["usage"] for a in (photograph, text)]
    counts = server.counts()
    assert counts["prompt_tokens"] == sum(tokens)
    assert counts["completion_tokens"] == sum(one["completion_tokens"] for one in told) > 0


def test_two_photographs_with_the_same_words_are_two_requests(server: FakeServer) -> None:
    post(server, with_photograph(size=300_000), with_photograph(size=300_004))
    assert server.counts()["distinct"] == 2


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("cut_body", aiohttp.ClientPayloadError),
        ("dropped", aiohttp.ServerDisconnectedError),
        ("hang", TimeoutError),
    ],
)
def test_a_lost_answer_raises_in_the_client_and_does_not_count(
    fault: str, raised: type[Exception]
) -> None:
    async def ask(url: str) -> None:
        timeout = aiohttp.ClientTimeout(total=1)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url + "/chat/completions", json=body()) as answer,
        ):
            await answer.read()

    with failing(**{fault: 1}) as server:
        with pytest.raises(raised):
            asyncio.run(ask(server.url))
        while (counts := server.counts())["in_flight"]:
            time.sleep(0.01)
    assert counts["requests"] == {CHAT: {fault: 1}}
    assert counts["answered"] == counts["paid"] == 0


def test_who_leaves_before_the_answer_has_not_been_answered() -> None:
    with FakeServer(FakeServerSettings(latency_s=0.5), in_thread=True) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(raw_request(body()))
            while not server.counts()["in_flight"]:
                time.sleep(0.01)
        while (counts := server.counts())["in_flight"]:
            time.sleep(0.01)
    assert counts["requests"] == {CHAT: {"disconnected": 1}}
    assert counts["answered"] == 0


def test_a_slow_answer_comes_whole_in_its_time() -> None:
    with failing(slow=1, slow_s=0.5) as server:
        started = time.monotonic()
        assert content(post(server, body())[0])
        assert time.monotonic() - started >= 0.45
        assert server.counts()["answered"] == 1


def test_bodies_that_hold_no_answer() -> None:
    bodies = {}
    for fault in ("malformed_json", "null_content", "empty_choices"):
        with failing(**{fault: 1}) as server:
            (answered,) = post(server, body())
            assert answered[0] == 200
            assert server.counts()["answered"] == 0
            bodies[fault] = answered[2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies["malformed_json"])
    assert json.loads(bodies["null_content"])["choices"][0]["message"]["content"] is None
    assert json.loads(bodies["empty_choices"])["choices"] == []


def test_each_fault_of_content_looks_as_it_is_called() -> None:
    texts = {}
    for fault in CONTENT_FAULTS:
        with failing(**{fault: 1}) as server:
            (answered,) = post(server, body(2))
            texts[fault] = content(answered)
            finish = json.loads(answered[2])["choices"][0]["finish_reason"]
            assert finish == ("length" if fault == "length" else "stop")
            assert server.counts()["paid"] == 1
    with FakeServer(QUICK, in_thread=True) as server:
        right = content(post(server, body(2))[0])
    assert len({right, *texts.values()}) == len(CONTENT_FAULTS) + 1
    assert right.startswith(texts["length"])
    assert texts["chinese_roles"].startswith("用户：What")
    assert texts["markdown"].startswith("## Dialogue\n\n### 1.\n\n**User:** What")
    assert right in texts["prose"] and not texts["prose"].startswith("User: ")
    assert len(json.loads(texts["json_answer"])["turns"]) == right.count("User: ")
    assert "User" not in texts["unreadable"]
    assert re.search(r"^User: [^\n]+\Z", texts["missing_last_answer"], re.MULTILINE)
    assert any(
        not line.startswith(("User: ", "Assist")) for line in texts["many_lines"].split("\n")
    )
    changed = [(a, b) for a, b in zip(right, texts["wrong_content"], strict=True) if a != b]
    assert len(changed) == 1 and "".join(changed[0]).isdigit()


def test_more_than_a_minute_allows_is_refused_until_it_has_passed() -> None:
    with failing(requests_per_minute=3) as server:
        answers = post(server, *map(body, range(5)))
    assert sorted(answered[0] for answered in answers) == [200, 200, 200, 429, 429]
    refused = next(answered for answered in answers if answered[0] == 429)
    assert 55 <= int(refused[1]["Retry-After"]) <= 61
    left = {a[1]["x-ratelimit-remaining-requests"] for a in answers if a[0] == 200}
    assert "0" in left


def test_tokens_are_limited_likewise() -> None:
    with FakeServer(QUICK, in_thread=True) as server:
        tokens = json.loads(post(server, body())[0][2])["usage"]["total_tokens"]
    with failing(tokens_per_minute=2 * tokens) as server:
        statuses = [post(server, body())[0][0] for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_what_is_not_a_request_is_refused(server: FakeServer) -> None:
    bodies = ({}, {"model": "m"}, {"model": "m", "messages": []}, [], {"messages": messages()})
    assert {answered[0] for answered in post(server, *bodies)} == {400}
    assert post(server, {}, path="/nothing")[0][0] == 404


@pytest.mark.parametrize(
    "faults",
    [
        {"retry_after_style": "minutes"},
        {"too_many": 1.2},
        {"hang": -0.1},
        {"slow": 0.6, "hang": 0.6},
        {"batch_null": 2},
    ],
)
def test_faults_that_cannot_be_are_refused(faults: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Faults(**faults)


def test_it_stops_although_requests_hang() -> None:
    with failing(hang=1) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(raw_request(body()))
        while not server.counts()["in_flight"]:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    with client:
        assert client.recv(1) == b""


# what it remembers


def test_the_same_key_gets_the_same_answer_and_pays_once() -> None:
    with failing(wrong_content=0.5) as server:
        answers = {post(server, body(), key="one")[0][2] for _ in range(6)}
        counts = server.counts()
    assert len(answers) == 1
    told = ("answered", "distinct", "repeated", "replayed", "paid")
    assert [counts[name] for name in told] == [6, 1, 5, 5, 1]


def test_keys_need_not_be_heeded() -> None:
    settings = FakeServerSettings(latency_s=0, keep_answers=False)
    with FakeServer(settings, in_thread=True) as server:
        post(server, body(), body(), key="one")
        counts = server.counts()
    assert [counts[name] for name in ("distinct", "repeated", "replayed", "paid")] == [1, 1, 0, 2]


def test_a_request_without_a_key_is_paid_each_time(server: FakeServer) -> None:
    post(server, body(), body(), body(1))
    counts = server.counts()
    assert [counts[name] for name in ("distinct", "repeated", "paid")] == [2, 1, 3]


def test_latency_and_the_most_requests_at_once() -> None:
    with FakeServer(FakeServerSettings(latency_s=0.2), in_thread=True) as server:
        started = time.monotonic()
        post(server, *map(body, range(20)))
        assert 0.2 <= time.monotonic() - started < 2
        assert server.counts()["most_in_flight"] == 20


def test_the_last_requests_can_be_looked_at() -> None:
    settings = FakeServerSettings(latency_s=0, seen_kept=2)
    with FakeServer(settings, in_thread=True) as server:
        for number in range(3):
            post(server, body(number), key=f"key {number}")
        seen = server.seen()
    assert [one["body"] for one in seen] == [body(1), body(2)]
    assert [one["headers"]["idempotency-key"] for one in seen] == ["key 1", "key 2"]


def test_faults_can_be_set_while_it_runs(server: FakeServer) -> None:
    server.set(unknown_model=True)
    assert post(server, body())[0][0] == 404
    server.set(unknown_model=False, usage=False)
    assert "usage" not in json.loads(post(server, body())[0][2])
    with pytest.raises(ConfigError, match="cannot be set"):
        server.set(too_meny=1)
    with pytest.raises(ConfigError, match="share"):
        server.set(too_many=7)


# a process of its own


def test_it_runs_in_a_process_of_its_own_and_takes_its_settings_along() -> None:
    settings = FakeServerSettings(latency_s=0, faults=Faults(too_many=1), models=("m",))
    with FakeServer(settings) as server:
        assert post(server, body())[0][0] == 429
        server.set(too_many=0)
        assert post(server, body())[0][0] == 200
        assert server.counts()["requests"][CHAT] == {"answered": 1, "too_many": 1}
    with pytest.raises(ConnectionRefusedError):
        server.counts()


def test_a_port_in_use_is_said(capfd: pytest.CaptureFixture[str], server: FakeServer) -> None:
    with (
        pytest.raises(ConfigError, match="did not start"),
        FakeServer(FakeServerSettings(port=server.port)),
    ):
        pass
    with pytest.raises(OSError), FakeServer(FakeServerSettings(port=server.port), in_thread=True):
        pass


def test_it_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "fundoscope.testing.fake_server"]
    options = ["--latency", "0", "--too-many", "1", "--models", "a", "b", "--no-usage"]
    with subprocess.Popen(command + options, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        server = FakeServer(in_thread=True)
        server.port = int(re.findall(r":(\d+)/v1", line)[0])
        assert post(server, body() | {"model": "a"})[0][0] == 429
        process.terminate()
        assert process.wait(10) == 0


def test_every_setting_is_an_option() -> None:
    command = [sys.executable, "-m", "fundoscope.testing.fake_server", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for one in (*fields(Faults), *fields(FakeServerSettings)):
        if one.name not in ("faults", "answer"):
            assert "--" + one.name.replace("latency_s", "latency").replace("_", "-") in said


def test_the_server_needs_no_heavy_imports() -> None:
    program = (
        "import sys, fundoscope.testing.fake_server;"
        "print(sorted({'numpy', 'cv2', 'pydantic', 'yaml', 'openai'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("[]\n", "")


# the official client


def test_the_official_client_is_answered_and_streamed_to(server: FakeServer) -> None:
    with openai.OpenAI(base_url=server.url, api_key="any") as client:
        said = client.chat.completions.create(model="m", messages=messages())
        chunks = list(
            client.chat.completions.create(
                model="m",
                messages=messages(),
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed == said.choices[0].message.content
    assert chunks[-1].usage == said.usage and said.usage is not None
    assert chunks[-2].choices[0].finish_reason == said.choices[0].finish_reason == "stop"


def test_the_official_asynchronous_client_tries_again_after_faults() -> None:
    faults = Faults(too_many=0.1, server_error=0.1, dropped=0.1)

    async def ask(url: str) -> int:
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=9) as client:
            create = client.chat.completions.create
            answers = [create(model="m", messages=messages(number)) for number in range(30)]
            said = await asyncio.gather(*answers)
        return len({one.choices[0].message.content for one in said})

    settings = FakeServerSettings(latency_s=0, faults=faults)
    with FakeServer(settings, in_thread=True) as server:
        assert asyncio.run(ask(server.url)) == 30
        outcomes = server.counts()["requests"][CHAT]
    assert outcomes["too_many"] and outcomes["server_error"] and outcomes["dropped"]


@pytest.mark.parametrize("fault", ["cut_body", "slow", "null_content", "malformed_json"])
def test_a_stream_meets_faults_too(fault: str) -> None:
    with (
        failing(**{fault: 1}, slow_s=0.2) as server,
        openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client,
    ):
        text = ""
        problem = ""
        try:
            for chunk in client.chat.completions.create(
                model="m", messages=messages(), stream=True
            ):
                text += chunk.choices[0].delta.content or ""
        except Exception as raised:  # which error is the client's affair
            problem = type(raised).__name__
    assert bool(problem) == (fault in ("cut_body", "malformed_json")), problem
    assert bool(text) == (fault in ("cut_body", "slow")), text
