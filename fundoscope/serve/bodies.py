"""The body of a request: read in pieces, within limits, and taken for JSON without guessing."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from fundoscope.errors import nearest
from fundoscope.serve.queueing import ClientGone
from fundoscope.serve.refusals import Refusal, busy, wrong
from fundoscope.serve.settings import ServeSettings

if TYPE_CHECKING:
    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)


class Bodies:
    """Reads bodies, and knows how many bytes of them are in hand."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self.in_hand_bytes = 0

    async def read(self, request: Request) -> Body:
        """Return the whole body; leave it with `with`, so that its bytes are given back.

        Raises
        ------
        Refusal
            413 if it is or becomes too large, 408 if it comes too slowly, 429 if too many are
            in hand.
        ClientGone
            If the client breaks off.
        """
        from starlette.requests import ClientDisconnect

        self._check_promise(request)
        body = Body(self)
        try:
            async with asyncio.timeout(self._settings.body_limit_s):
                async for piece in request.stream():
                    body.add(piece)
                    if len(body.raw) > self._settings.body_bytes:
                        raise self._too_large()
                    if self.in_hand_bytes > self._settings.bodies_bytes:
                        raise busy("too many bytes are being sent at once", 5)
        except BaseException as problem:
            body.__exit__()
            if isinstance(problem, ClientDisconnect):
                raise ClientGone from None
            if isinstance(problem, TimeoutError):
                raise Refusal(
                    408, "the body of the request came too slowly", "slow_body",
                    headers={"Connection": "close"},
                ) from None  # fmt: skip
            raise
        return body

    def _check_promise(self, request: Request) -> None:
        """Refuse by the head what its head already says to be too large."""
        if "content-encoding" in request.headers:
            raise Refusal(
                415, "a compressed body is not read", "content_encoding", mend="send it as it is"
            )
        promised = request.headers.get("content-length", "0")
        if promised.isdigit() and int(promised) > self._settings.body_bytes:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            f"the body of the request is larger than {self._settings.body_bytes:,} bytes",
            "body_too_large",
            mend="send fewer or smaller photographs",
        )


class Body:
    """The bytes of one request, counted as long as they are in hand."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.raw = bytearray()

    def add(self, piece: bytes) -> None:
        """Append the next piece."""
        self.raw += piece
        self._bodies.in_hand_bytes += len(piece)

    def __enter__(self) -> bytearray:
        return self.raw

    def __exit__(self, *_: object) -> None:
        self._bodies.in_hand_bytes -= len(self.raw)
        self.raw = bytearray()


def json_of(raw: bytes | bytearray) -> dict[str, Any]:
    """Return the one object that a body of JSON holds.

    Raises
    ------
    Refusal
        400 if it is no UTF-8, no JSON, nested too deeply, no object, names a field twice, or
        holds a number that JSON does not have.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise wrong("the body is not UTF-8", "not_utf8", mend="send JSON in UTF-8") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except RecursionError:
        raise wrong("the JSON is nested too deeply", "json_too_deep") from None
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise wrong(f"the body is not JSON: {problem.msg} at {place}", "invalid_json") from None
    except ValueError:  # an integer of thousands of digits
        raise wrong("the body holds a number that cannot be read", "invalid_json") from None
    if _HALF_A_CHARACTER.search(text) and not _encodes(value):
        raise wrong("a text holds half a character", "not_utf8", mend="send whole ones")
    if not isinstance(value, dict):
        raise wrong("the body is not a JSON object", "invalid_json", mend="send {...}")
    return value


_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that is sound only beside its other half."""


def _encodes(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(f"the field {twice[:40]!r} is there twice", "duplicate_field")
    return found


def _no_number(word: str) -> float:
    raise wrong(f"{word} is no number of JSON", "invalid_json")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits[:20])


def checked(model: type[M], fields: dict[str, Any]) -> M:
    """Return the fields of a request as its model.

    Raises
    ------
    Refusal
        400 that names the first wrong field, and the nearest known one where it is unknown.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:80]
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])[:40]
        known = model.model_fields if len(first["loc"]) == 1 else ()
        raise wrong(
            f"the field {name!r} is not known",
            "unknown_field",
            param=place,
            mend=nearest(name, known) if known else "leave it out",
        )
    raise wrong(f"the field {place!r} is wrong: {first['msg']}", "invalid_field", param=place)
