"""Who may come in: a token where others can reach the server, and no page of another site."""

from __future__ import annotations

import binascii
import hmac
import ipaddress
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fundoscope.errors import ConfigError
from fundoscope.serve.refusals import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

VARIABLE = "FUNDOSCOPE_TOKEN"
LEAST_CHARACTERS = 16
OPEN = ("/healthz", "/readyz")
"""What tells nothing but that the server runs, so that a watchdog needs no token."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_for(host: str, file: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the token that the server asks for; empty where it needs none.

    Parameters
    ----------
    host : address that the server listens on.
    file : holds the token; else the variable FUNDOSCOPE_TOKEN does.

    Raises
    ------
    ConfigError
        If there is none though others can reach the server, or it is too short to be one, or its
        file can be read by everyone.
    """
    token = environment.get(VARIABLE, "").strip() if file is None else _from_file(file)
    if not token and file is None and is_loopback(host):
        return ""
    if not token:
        raise ConfigError(
            f"others can reach {host}, so the server needs a token, and there is none",
            mend=f"--token-file FILE, or the variable {VARIABLE}, or --host 127.0.0.1",
        )
    if len(token) < LEAST_CHARACTERS or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token is not {LEAST_CHARACTERS} or more printable ASCII characters",
            mend="make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


def _from_file(file: Path) -> str:
    try:
        if os.name == "posix" and file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise ConfigError(
                "everyone on this machine may read the token's file",
                where=str(file),
                mend=f"chmod 600 {file}",
            )
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            "the token's file cannot be read", where=str(file), mend="check the path"
        ) from problem


class Door:
    """Lets in who may come, before anything else is looked at.

    On a loopback address the name in the `Host` header must be one of this machine's, or a page
    of another site could have its own name resolve to here and read the answers (DNS rebinding).
    A request that a page of another site makes carries that site's `Origin` and is refused.

    Parameters
    ----------
    app : what lies behind the door.
    token : empty lets in everybody who can reach the server.
    local_only : whether the server listens on a loopback address.
    """

    def __init__(self, app: ASGIApp, token: str, local_only: bool) -> None:
        self._app, self._token, self._local_only = app, token.encode("ascii"), local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in; refuse the rest with 401, 403 or 421."""
        if scope["type"] in ("http", "websocket"):
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self._local_only and not is_loopback(_name_of(host)):
            raise Refusal(
                421, "the server is asked under a name that is not its own", "wrong_host",
                mend="use 127.0.0.1 or localhost",
            )  # fmt: skip
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc != host:
            raise Refusal(403, "pages of other sites may not ask this server", "other_site")
        if self._token and scope["path"] not in OPEN and not self._knows(headers):
            told = "Basic" if not scope["path"].startswith("/v1/") else "Bearer"
            raise Refusal(
                401, "the token is missing or wrong", "invalid_api_key",
                mend="send the header Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": f'{told} realm="fundoscope"'},
            )  # fmt: skip

    def _knows(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the request bears the token; a browser sends it as a password of any user."""
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        given = given.strip()
        if kind.lower() == b"basic":
            try:
                given = binascii.a2b_base64(given, strict_mode=True).partition(b":")[2]
            except binascii.Error:
                given = b""
        elif kind.lower() != b"bearer":
            given = b""
        return hmac.compare_digest(given, self._token)


def _name_of(host: str) -> str:
    """Return the name of a `Host` header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
