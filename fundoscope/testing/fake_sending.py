"""How the fake endpoint's answers leave: whole, slowly, cut, or not at all."""

from __future__ import annotations

import asyncio

from aiohttp import web

_PIECES = 20
"""Pieces in which a slow answer comes."""


async def send(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Write a response now, whole, so that what is counted afterwards was written."""
    await response.prepare(request)
    await response.write_eof()
    return response


async def send_pieces(
    request: web.BaseRequest, pieces: list[bytes], content_type: str, *, seconds: float = 0
) -> web.StreamResponse:
    """Write a response piece by piece, over as many seconds."""
    response = web.StreamResponse()
    response.content_type = content_type
    if content_type == "application/json":
        response.content_length = sum(map(len, pieces))
    await response.prepare(request)
    for piece in pieces:
        if seconds:
            await asyncio.sleep(seconds / len(pieces))
        await response.write(piece)
    await response.write_eof()
    return response


async def send_half(request: web.BaseRequest, body: bytes, content_type: str) -> web.StreamResponse:
    """Promise a body, write half of it, and close the connection."""
    response = web.StreamResponse()
    response.content_type = content_type
    if content_type == "application/json":
        response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    close(request)
    return response


def close(request: web.BaseRequest) -> None:
    """Close the connection, after what was written."""
    if request.transport is not None:
        request.transport.close()


def in_pieces(body: bytes) -> list[bytes]:
    """Return a body in pieces for sending it slowly."""
    step = max(1, -(-len(body) // _PIECES))
    return [body[at : at + step] for at in range(0, len(body), step)]
