"""The addresses of the fake endpoint's files and batches."""

from __future__ import annotations

import json
from collections.abc import Callable

from aiohttp import web

from fundoscope.testing.fake_batches import Batches, Complete
from fundoscope.testing.fake_files import Files
from fundoscope.testing.fake_refusals import (
    Refusal,
    bad_request,
    not_found,
    refusal_of,
    server_error,
    too_many,
)
from fundoscope.testing.fake_sending import send
from fundoscope.testing.fake_settings import FakeServerSettings
from fundoscope.testing.fake_tally import Tally


class BatchRoutes:
    """Answers requests under `/v1/files` and `/v1/batches`."""

    def __init__(self, tally: Tally, complete: Complete) -> None:
        self._tally = tally
        self._files = Files()
        self._batches = Batches(self._files, complete)
        self._asked = 0

    async def close(self) -> None:
        """Stop all batches and delete all files."""
        await self._batches.close()
        self._files.close()

    async def handle(
        self, request: web.BaseRequest, settings: FakeServerSettings
    ) -> web.StreamResponse:
        """Answer a request, and count it by the address without its ids."""
        parts = request.path.strip("/").split("/")[1:]
        address = "/v1/" + "/".join("{id}" if place == 1 else p for place, p in enumerate(parts))
        outcome = "disconnected"
        self._asked += 1
        try:
            response = await self._answer(request, parts, settings)
            outcome = "answered"
            return response
        except Refusal as refusal:
            outcome = refusal.outcome
            while not request.content.at_eof():  # else the client fails while it is sending
                await request.content.readany()
            return await send(request, refusal.response())
        except ConnectionError:
            return web.Response()
        finally:
            self._tally.outcomes[f"{request.method} {address}", outcome] += 1

    async def _answer(
        self, request: web.BaseRequest, parts: list[str], settings: FakeServerSettings
    ) -> web.StreamResponse:
        if refused := refusal_of(request, settings) or self._refusal(settings):
            raise refused
        match request.method, parts:
            case "POST", ["files"]:
                return await _told(request, await self._files.upload(request, settings))
            case "GET", ["files"]:
                return await _told(request, self._files.listed())
            case "GET", ["files", id]:
                return await _told(request, self._files.get(id).told())
            case "DELETE", ["files", id]:
                return await _told(request, self._files.delete(id))
            case "GET", ["files", id, "content"]:
                return await self._files.stream(request, id)
            case "POST", ["batches"]:
                said = await _read(request)
                return await _told(request, self._batches.create(said, settings).told())
            case "GET", ["batches"]:
                limit = int(request.query.get("limit", "20"))
                listed = self._batches.listed(limit, request.query.get("after", ""))
                return await _told(request, listed)
            case "GET", ["batches", id]:
                return await _told(request, self._batches.get(id).told())
            case "POST", ["batches", id, "cancel"]:
                return await _told(request, self._batches.cancel(id).told())
        raise not_found(f"Unknown request URL: {request.method} {request.path}")

    def _refusal(self, settings: FakeServerSettings) -> Refusal | None:
        """Return what befalls the request: of the faults, only 429 and 5xx do here."""
        faults = settings.faults
        befell = faults.befalls(settings.seed, "files and batches", self._asked)
        refusals: dict[str, Callable[[], Refusal]] = {
            "too_many": lambda: too_many(faults, "requests", faults.retry_after_s),
            "server_error": lambda: server_error(settings.seed, "batches", self._asked),
        }
        return refusals[befell]() if befell in refusals else None


async def _read(request: web.BaseRequest) -> dict[str, object]:
    try:
        said = json.loads(await request.content.read())
    except ValueError as problem:
        raise bad_request(f"the body is not JSON: {problem}") from problem
    if not isinstance(said, dict):
        raise bad_request("the body is not a JSON object")
    return said


async def _told(request: web.BaseRequest, said: dict[str, object]) -> web.StreamResponse:
    return await send(request, web.json_response(said))
