"""What stands between the network and the review page: hosts, origins, token, sizes, time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING

from fundoscope.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 512_000
BODY_WAIT_S = 15.0
"""Longest pause within a request's body."""
SHORTEST_TOKEN = 16
COOKIE = "fundoscope_review"
OPEN_PATHS = ("/", "/api/enter")
"""What is shown without a token, beside the page's own files."""

HEADERS = (
    ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self';"
     " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
     " frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
)  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_token(file: Path | None, host: str) -> str:
    """Return the token in a file; empty where none is given and none is needed.

    Raises
    ------
    ConfigError
        If `host` is not loopback and there is no token, or the token is short or not there.
    """
    if file is None:
        if not is_loopback(host):
            raise ConfigError(
                f"{host} can be reached from other machines, and there is no token",
                mend="give --token-file FILE with a secret of at least 16 characters",
            )
        return ""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"the token cannot be read: {problem}", where=str(file), mend="give a text file"
        ) from problem
    if len(token) < SHORTEST_TOKEN:
        raise ConfigError(
            f"the token has fewer than {SHORTEST_TOKEN} characters",
            where=str(file),
            mend="write a longer one, such as `openssl rand -hex 24` gives",
        )
    return token


class Guard:
    """Refuses what did not come from the page itself, and puts headers on every answer.

    Without a token only names of this machine are answered to, so that no page of another site
    can reach the run through a name of its own.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token
        self._cookie = _cookie_of(token) if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _WithHeaders(send, scope["path"])
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if refusal := self._refusal(scope["method"], scope["path"], headers):
            await _refuse(guarded, *refusal)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, guarded)
            return
        body = await _whole_body(receive)
        if isinstance(body, bytes):
            await self._app(scope, _again(body, receive), guarded)
        elif body:
            await _refuse(guarded, *body)

    def _refusal(
        self, method: str, path: str, headers: Mapping[str, str]
    ) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._token and not is_loopback(_name_of(host)):
            return 403, "this page answers to this machine's own names only"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and (
            path.startswith("/api/")
        ):
            return 403, "a page of another site may not ask"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "a page of another site may not ask"
        if method == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return 415, "a request's body is JSON"
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > MOST_BODY_BYTES:
                return 413, f"a request's body holds at most {MOST_BODY_BYTES:,} bytes"
        is_open = not self._token or path in OPEN_PATHS or path.startswith("/static/")
        return (
            None if is_open or self._is_known(headers) else (401, "the token is missing or wrong")
        )

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if bearer and hmac.compare_digest(bearer.encode(), self._token.encode()):
            return True
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookie[COOKIE].value if COOKIE in cookie else ""
        return hmac.compare_digest(given.encode(), self._cookie.encode())


def cookie_for(given: str, token: str) -> str | None:
    """Return the cookie's value for whoever gave the right token; None for anybody else."""
    if not hmac.compare_digest(given.encode(), token.encode()):
        return None
    return _cookie_of(token)


def _cookie_of(token: str) -> str:
    """Return what the browser keeps in the token's place."""
    return hmac.new(token.encode(), b"fundoscope review", hashlib.sha256).hexdigest()


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] or host


async def _whole_body(receive: Receive) -> bytes | tuple[int, str] | None:
    """Return a request's body; what to answer where it is too large or too slow; None: gone."""
    body = b""
    while True:
        try:
            message = await asyncio.wait_for(receive(), BODY_WAIT_S)
        except TimeoutError:
            return 408, "the request's body did not come in time"
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            return 413, f"a request's body holds at most {MOST_BODY_BYTES:,} bytes"
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was already read."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def once() -> Message:
        return waiting.pop() if waiting else await receive()

    return once


class _WithHeaders:
    """A `send` that puts our headers on every answer; what is not a file of ours is not stored."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        if path.startswith("/static/"):
            self._added = [
                *HEADERS,
                ("cache-control", "no-cache"),
            ]  # a newer version is seen at once
        elif path.startswith("/api/") and path != "/api/photograph":
            self._added = [*HEADERS, ("cache-control", "no-store")]
        else:
            self._added = [*HEADERS]

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                *((name.encode(), value.encode()) for name, value in self._added),
            ]
        await self._send(message)


async def _refuse(send: Send | _WithHeaders, status: int, what: str) -> None:
    body = json.dumps({"what": what}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
