"""One question to a server that speaks OpenAI's chat completions, and what can come back.

aiohttp by hand, not the official client: see benchmarks/endpoint.py for both beside each other.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from fundoscope.config import Endpoint
from fundoscope.errors import ConfigError

OPENAI = "https://api.openai.com/v1"
_WAIT_MOST_S = 600.0
"""A server that asks for more patience than this is taken to mean this."""
_TOLD = 300
"""Characters of a server's own message that are passed on."""


class Later(Exception):
    """The same request may succeed later."""

    def __init__(
        self,
        why: str,
        *,
        after_s: float | None = None,
        busy: bool = False,
        slow: bool = False,
        useless: bool = False,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(why)
        self.after_s = after_s
        """How long the server asks to wait, where it says so."""
        self.busy = busy
        """Whether the server said that it is asked too much."""
        self.slow = slow
        """Whether it took too long."""
        self.useless = useless
        """Whether it was a whole answer, only of no use: another one is wanted."""
        self.tokens = tokens
        """In and out, of an answer that was of no use and yet is paid for."""


class Refused(Exception):
    """This request will never succeed; others may."""


class Stop(Exception):
    """No request will succeed: the key is wrong, the quota spent, the model unknown."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server answered."""

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    finish: str
    """`stop`, `length` (cut at max_tokens) or another reason of the server's."""
    logprobs: Any = None
    """Log-probabilities of the tokens as the server wrote them, where it was asked for them."""


def base_url(endpoint: Endpoint) -> str:
    """Return the server's address: the job's, else the environment's, else OpenAI's.

    Raises
    ------
    ConfigError
        If it is no http(s) address, or holds a name and password.
    """
    url = (endpoint.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no address of a server", mend="such as http://HOST:8000/v1")
    if parts.username or parts.password:
        raise ConfigError(
            "the server's address holds a name or password", mend="put the key into --key-env"
        )
    return url


def is_local(url: str) -> bool:
    """Whether a server runs on this machine, where no key is usual."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def key_of(endpoint: Endpoint) -> str:
    """Return the key, from the environment or its file; empty for a server of one's own.

    Raises
    ------
    ConfigError
        If there is none and the server is not on this machine, or the file cannot be read.
    """
    if endpoint.key_file:
        try:
            return endpoint.key_file.read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise ConfigError(
                f"the file of the key cannot be read: {problem.strerror}",
                where=str(endpoint.key_file),
                mend="check the path",
            ) from problem
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key and not is_local(base_url(endpoint)):
        raise ConfigError(
            f"no key: the variable {endpoint.key_env} is empty",
            mend=f"export {endpoint.key_env}=..., or give --key-file",
        )
    return key


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for a server, if it names one.

    Looked up once: aiohttp's own `trust_env` asks a thread for each request, at twice the cost.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def limit_field(url: str) -> str:
    """Return what a server calls the most tokens of an answer; OpenAI renamed it."""
    host = urlsplit(url).hostname or ""
    renamed = host.endswith(("api.openai.com", ".azure.com"))
    return "max_completion_tokens" if renamed else "max_tokens"


def completions_url(url: str) -> str:
    """Return where chat completions are asked for; a query, as Azure's version, stays behind."""
    head, mark, query = url.partition("?")
    return f"{head.rstrip('/')}/chat/completions{mark}{query}"


class ChatClient:
    """A session with one server. Its key never leaves it but in the request's own header.

    Raises
    ------
    ConfigError
        As `base_url` and `key_of`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        url, key = base_url(endpoint), key_of(endpoint)
        azure = (urlsplit(url).hostname or "").endswith(".azure.com")
        secret = {"api-key": key} if azure else {"Authorization": f"Bearer {key}"}
        self._secret = key.encode()
        self._headers = {"Content-Type": "application/json"} | (secret if key else {})
        self._url = completions_url(url)
        self._proxy = proxy_for(url)
        self._timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s, sock_connect=20)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ChatClient:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, headers=self._headers
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def complete(self, body: bytes, key: str) -> Completion:
        """Send one request and return the answer.

        Parameters
        ----------
        body : JSON of a chat completion's request.
        key : the request's own name; a server that knows `Idempotency-Key` answers it once.

        Raises
        ------
        Later, Refused, Stop
            By what can be done about it.
        """
        assert self._session is not None
        try:
            async with self._session.post(
                self._url, data=body, headers={"Idempotency-Key": key}, proxy=self._proxy
            ) as response:
                raw = await response.read()
                if response.status == 200:
                    return completion(raw)
                if self._secret:  # some servers say which key they refuse
                    raw = raw.replace(self._secret, b"***")
                raise trouble(response.status, raw, response.headers.get("Retry-After"))
        except TimeoutError as problem:
            raise Later("no answer in time", slow=True) from problem
        except aiohttp.ClientPayloadError as problem:
            raise Later("the answer was cut on its way") from problem
        except (aiohttp.InvalidURL, aiohttp.ClientConnectorCertificateError) as problem:
            raise Stop(f"the server cannot be asked: {problem}", "check --base-url") from problem
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as problem:
            raise Later(f"the connection failed: {type(problem).__name__}") from problem


def completion(raw: bytes) -> Completion:
    """Return what the body of a successful answer says.

    Raises
    ------
    Later
        If it is no chat completion, or holds no text.
    """
    try:
        told = json.loads(raw)
        tokens = _tokens(told.get("usage"))
    except (ValueError, AttributeError) as problem:
        raise Later(f"no chat completion: {_shown(raw)}", useless=True) from problem
    try:
        choice = told["choices"][0]
        text = choice["message"]["content"]
    except (LookupError, TypeError) as problem:
        raise Later(f"no chat completion: {_shown(raw)}", useless=True, tokens=tokens) from problem
    if not isinstance(text, str) or not text.strip():
        raise Later("the answer is empty", useless=True, tokens=tokens)
    finish = str(choice.get("finish_reason") or "stop")
    likely = choice.get("logprobs")
    return Completion(text, str(told.get("model") or ""), *tokens, finish, likely)


def _tokens(usage: Any) -> tuple[int, int]:
    """Return tokens in and out, 0 where the server does not say."""
    told = usage if isinstance(usage, dict) else {}
    return int(told.get("prompt_tokens") or 0), int(told.get("completion_tokens") or 0)


def trouble(status: int, raw: bytes, retry_after: str | None) -> Exception:
    """Return what to do about an answer that is an error."""
    message, code = _error_of(raw)
    if status in (401, 403):
        return Stop(f"the server refuses the key ({status}): {message}", "check the key")
    if status == 404:
        return Stop(
            f"the server knows no such model or address (404): {message}",
            "check --model and --base-url",
        )
    if code in ("insufficient_quota", "billing_hard_limit_reached"):
        return Stop(f"the account's quota is spent: {message}", "top it up, then run again")
    if code == "model_not_found":
        return Stop(f"the server knows no such model: {message}", "check --model")
    if status in (408, 409, 425, 429) or status >= 500:
        return Later(
            f"HTTP {status}: {message}",
            after_s=seconds_of(retry_after),
            busy=status in (429, 503, 529),
        )
    return Refused(f"HTTP {status}: {message}")


def seconds_of(retry_after: str | None) -> float | None:
    """Return what a Retry-After header asks for, seconds; it may be a number or a date."""
    if not retry_after:
        return None
    try:
        wait_s = float(retry_after)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(wait_s, 0.0), _WAIT_MOST_S)


def _error_of(raw: bytes) -> tuple[str, str]:
    """Return (message, code) of an error's body."""
    try:
        error = json.loads(raw)
        error = error.get("error", error)
        if isinstance(error, str):
            return error[:_TOLD], ""
        code = error.get("code") or error.get("type") or ""
        return str(error.get("message") or _shown(raw))[:_TOLD], str(code)
    except (ValueError, AttributeError):
        return _shown(raw), ""


def _shown(raw: bytes) -> str:
    return raw[:_TOLD].decode("utf-8", "replace").strip() or "nothing"
