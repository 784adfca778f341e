"""Who is let in, and who is not."""

import base64
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import openai
import pytest

from fundoscope.errors import ConfigError
from fundoscope.serve.api import serve
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.tokens import is_loopback, token_for
from fundoscope.testing.fake_assistant import FakeAssistant
from fundoscope.testing.served_here import served_here

# nothing is encrypted here, and to load certificates takes longer than to ask
get = partial(httpx.get, verify=False, timeout=120)
post = partial(httpx.post, verify=False, timeout=120)
options = partial(httpx.options, verify=False, timeout=120)

TOKEN = "a-token-of-more-than-sixteen"
QUESTION = {"model": "fundoscope", "messages": [{"role": "user", "content": "How?"}]}


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with served_here(token=TOKEN) as address:
        yield address


@pytest.fixture(scope="module")
def opened() -> Iterator[str]:
    with served_here() as address:
        yield address


def test_only_loopback_addresses_are_called_so() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST")))
    strangers = ("0.0.0.0", "::", "", "192.168.1.7", "localhost.example.org", "127.0.0.1.nip.io")
    assert not any(is_loopback(host) for host in strangers)


def test_on_loopback_no_token_is_needed() -> None:
    assert token_for("127.0.0.1", None, {}) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "retina.example.org"])
def test_elsewhere_the_server_refuses_to_start_without_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="needs a token"):
        token_for(host, None, {})


def test_the_refusal_comes_before_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUNDOSCOPE_TOKEN", raising=False)
    told: list[str] = []
    with pytest.raises(ConfigError, match="needs a token"):
        serve(FakeAssistant(), ServeSettings(host="0.0.0.0", port=0), told=told.append)
    assert told == []


def test_a_token_comes_from_the_variable_or_from_a_file(tmp_path: Path) -> None:
    assert token_for("0.0.0.0", None, {"FUNDOSCOPE_TOKEN": TOKEN}) == TOKEN
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    assert token_for("127.0.0.1", file, {}) == TOKEN


def test_a_token_that_everyone_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="everyone"):
        token_for("0.0.0.0", file, {})


@pytest.mark.parametrize(
    "token", ["short", "", "ünïcödé-of-more-than-sixteen", "with\x00null-and-long"]
)
def test_what_is_no_token_is_refused_and_never_repeated(token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as told:
        token_for("0.0.0.0", file, {})
    assert not token or token not in str(told.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        token_for("0.0.0.0", tmp_path / "none", {})


WRONG = [
    {},
    {"Authorization": "Bearer wrong-token-of-sixteen-characters"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": TOKEN},
    {"Authorization": "Basic not-base64"},
    {"Authorization": "Basic " + base64.b64encode(b"user:wrong").decode()},
    {"Authorization": "Bearer " + "x" * 5000},
    {"Authorization": "Bearer \xff\xfe".encode("latin-1")},
]


@pytest.mark.parametrize("headers", WRONG)
def test_a_wrong_or_missing_token_is_401(guarded: str, headers: dict[str, str]) -> None:
    for path in ("/v1/models", "/metrics", "/docs", "/openapi.json"):
        response = get(guarded + path, headers=headers)
        assert response.status_code == 401, path
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert TOKEN not in response.text
    response = post(f"{guarded}/v1/chat/completions", headers=headers, json=QUESTION)
    assert response.status_code == 401


def test_the_right_token_opens_as_bearer_and_as_a_browsers_password(guarded: str) -> None:
    as_password = "Basic " + base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    for told in (f"Bearer {TOKEN}", f"bearer  {TOKEN}", as_password):
        headers = {"Authorization": told}
        assert get(f"{guarded}/v1/models", headers=headers).status_code == 200
    with openai.OpenAI(base_url=f"{guarded}/v1", api_key=TOKEN) as client:
        assert client.models.retrieve("fundoscope").id == "fundoscope"
    with (
        openai.OpenAI(base_url=f"{guarded}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_a_browser_is_asked_for_the_password_and_a_program_for_the_token(guarded: str) -> None:
    assert get(f"{guarded}/docs").headers["www-authenticate"].startswith("Basic")
    assert get(f"{guarded}/v1/models").headers["www-authenticate"].startswith("Bearer")


def test_a_watchdog_needs_no_token(guarded: str) -> None:
    assert get(f"{guarded}/healthz").json() == {"status": "ok"}
    assert get(f"{guarded}/readyz").json() == {"status": "ready"}


def test_a_name_that_another_site_lets_resolve_to_here_is_refused(opened: str) -> None:
    port = opened.rpartition(":")[2]
    for host in ("evil.example.org", f"evil.example.org:{port}", "127.0.0.1.nip.io", "0.0.0.0"):
        response = get(f"{opened}/v1/models", headers={"Host": host})
        assert response.status_code == 421, host
    for host in (f"localhost:{port}", "[::1]:80", "127.0.0.1"):
        assert get(f"{opened}/v1/models", headers={"Host": host}).status_code == 200, host


def test_a_page_of_another_site_is_refused_and_gets_no_leave_to_read(opened: str) -> None:
    for origin in ("https://evil.example.org", "null", "http://localhost:1", "http://127.0.0.1"):
        headers = {"Origin": origin}
        response = post(f"{opened}/v1/chat/completions", json=QUESTION, headers=headers)
        assert response.status_code == 403, origin
        assert "access-control-allow-origin" not in response.headers
        asked_before = options(f"{opened}/v1/chat/completions", headers=headers)
        assert asked_before.status_code == 403


def test_our_own_page_may_ask(opened: str) -> None:
    response = post(f"{opened}/v1/chat/completions", json=QUESTION, headers={"Origin": opened})
    assert response.status_code == 200
