"""The fake endpoint's batches: a file of requests, and after a while files of what became of them.

Lines come back in another order than asked; some may end in the error file, expire, or say
`"response": null`, and a batch may fail as a whole, all as the faults say.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fundoscope.testing.fake_files import Files, StoredFile
from fundoscope.testing.fake_refusals import bad_request, not_found, overloaded
from fundoscope.testing.fake_settings import FakeServerSettings, draw

Complete = Callable[[bytes, str], dict[str, Any]]
"""From the body of a request and its `custom_id` to a chat completion; ValueError if unfit."""
_AT_A_TIME = 20
"""Lines that are worked on before others get their turn."""
_VALIDATED_AFTER = 0.1
"""Share of a batch's time after which its file was read."""
_LOOKS_S = 0.05
"""Seconds between looks whether a batch was cancelled."""
_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
_STAMPS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


@dataclass
class Batch:
    """A batch and how far it is."""

    id: str
    number: int
    input: StoredFile
    endpoint: str
    window: str
    metadata: dict[str, str] | None
    created_at: int
    status: str = "validating"
    stamps: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    completed: int = 0
    failed: int = 0
    output: StoredFile | None = None
    error: StoredFile | None = None

    def become(self, status: str) -> None:
        """Note a new status and its time."""
        self.status = status
        self.stamps[status] = int(time.time())

    def told(self) -> dict[str, Any]:
        """Return the batch as the endpoint tells of it."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input.id,
            "completion_window": self.window,
            "status": self.status,
            "output_file_id": self.output.id if self.output else None,
            "error_file_id": self.error.id if self.error else None,
            "created_at": self.created_at,
            "expires_at": self.created_at + 24 * 3600,
            **{f"{status}_at": self.stamps.get(status) for status in _STAMPS},
            "request_counts": {
                "total": self.total,
                "completed": self.completed,
                "failed": self.failed,
            },
            "metadata": self.metadata,
        }


class Batches:
    """The batches of a fake endpoint."""

    def __init__(self, files: Files, complete: Complete) -> None:
        self._files, self._complete = files, complete
        self._batches: dict[str, Batch] = {}
        self._attempts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, id: str) -> Batch:
        """Return a batch; raise the refusal that says it is not there."""
        if id not in self._batches:
            raise not_found(f"No batch found with id '{id}'.")
        return self._batches[id]

    def create(self, said: dict[str, Any], settings: FakeServerSettings) -> Batch:
        """Start a batch, or raise the refusal that says why not."""
        file = self._files.get(str(said.get("input_file_id")))
        if file.purpose != "batch":
            raise bad_request(f"{file.id} was not uploaded with purpose batch")
        if said.get("endpoint") != "/v1/chat/completions":
            raise bad_request(f"Invalid value for 'endpoint': {said.get('endpoint')!r}")
        if said.get("completion_window") != "24h":
            raise bad_request("Invalid value for 'completion_window': only '24h' is supported")
        if sum(1 for _ in file.lines()) > settings.batch_max_requests:
            most = settings.batch_max_requests
            raise bad_request(f"The batch holds more than {most} requests, the most there may be.")
        number = len(self._batches) + 1
        batch = Batch(
            f"batch_fake{number:06d}",
            number,
            file,
            said["endpoint"],
            said["completion_window"],
            said.get("metadata"),
            int(time.time()),
        )
        self._batches[batch.id] = batch
        task = asyncio.create_task(self._run(batch, settings))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return batch

    def listed(self, limit: int, after: str) -> dict[str, Any]:
        """Return at most `limit` batches, the newest first, that were made before `after`."""
        ids = list(reversed(self._batches))
        ids = ids[ids.index(self.get(after).id) + 1 :] if after else ids
        page = [self._batches[id].told() for id in ids[:limit]]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(ids) > limit,
        }

    def cancel(self, id: str) -> Batch:
        """Stop a batch; what is done already stays."""
        batch = self.get(id)
        if batch.status not in _UNDER_WAY:
            raise bad_request(f"Cannot cancel a batch with status '{batch.status}'.")
        batch.become("cancelling")
        return batch

    async def close(self) -> None:
        """Stop all batches."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, batch: Batch, settings: FakeServerSettings) -> None:
        begun = time.monotonic()
        await _until(begun + _VALIDATED_AFTER * settings.batch_seconds, batch)
        if draw(settings.seed, "batch", batch.number) < settings.faults.batch_failed:
            batch.errors = [_error("token_limit_exceeded", "Enqueued token limit reached.", None)]
        else:
            places, batch.errors = await _validated(batch)
        if batch.errors:
            batch.become("failed")
            return
        batch.total = len(places)
        if batch.status == "validating":
            batch.become("in_progress")
        if settings.faults.batch_shuffled:
            random.Random(f"{settings.seed}/{batch.number}").shuffle(places)
        expired = await self._work(batch, places, settings)
        await _until(begun + settings.batch_seconds, batch)
        if batch.status == "cancelling":
            batch.become("cancelled")
            return
        batch.become("finalizing")
        batch.become("expired" if expired else "completed")

    async def _work(self, batch: Batch, places: list[int], settings: FakeServerSettings) -> bool:
        """Write the output and the error file; return whether a request expired."""
        output = self._files.new(f"{batch.id}_output.jsonl", "batch_output")
        error = self._files.new(f"{batch.id}_error.jsonl", "batch_output")
        expired = False
        with (
            batch.input.path.open("rb") as file,
            output.path.open("wb") as good,
            error.path.open("wb") as bad,
        ):
            for done, place in enumerate(places):
                if done % _AT_A_TIME == 0:
                    await asyncio.sleep(0)
                    if batch.status == "cancelling":
                        break
                file.seek(place)
                fate, line = self._line(json.loads(file.readline()), settings)
                batch.completed += fate == "completed"
                batch.failed += fate == "failed"
                expired |= fate == "expired"
                (good if fate == "completed" else bad).write(line)
        if output.path.stat().st_size:
            self._files.add(output)
            batch.output = output
        if error.path.stat().st_size:
            self._files.add(error)
            batch.error = error
        return expired

    def _line(self, asked: dict[str, Any], settings: FakeServerSettings) -> tuple[str, bytes]:
        """Return what becomes of a request, and the line that says so."""
        id = str(asked["custom_id"])
        self._attempts[id] += 1
        fate = "completed"
        said: dict[str, Any] = {"response": None, "error": None}
        befell = _befalls(id, self._attempts[id], settings)
        if befell == "batch_expired":
            fate = "expired"
            what = "This request could not be executed before the completion window expired."
            said["error"] = {"code": "batch_expired", "message": what}
        elif befell == "batch_error":
            fate = "failed"
            refusal = overloaded(draw(settings.seed, "kind", id, self._attempts[id]))
            said["response"] = _response(id, refusal.status, {"error": refusal.error()})
        elif not befell:
            try:
                body = json.dumps(asked["body"], ensure_ascii=False).encode()
                said["response"] = _response(id, 200, self._complete(body, id))
            except (ValueError, TypeError, AttributeError, KeyError) as problem:
                fate = "failed"
                error = bad_request(str(problem)).error()
                said["response"] = _response(id, 400, {"error": error})
        line = {"id": f"batch_req_{_digits(id)}", "custom_id": id, **said}
        return fate, json.dumps(line, ensure_ascii=False).encode() + b"\n"


async def _until(moment: float, batch: Batch) -> None:
    """Wait until a moment, or until the batch is cancelled."""
    while batch.status != "cancelling" and (rest := moment - time.monotonic()) > 0:
        await asyncio.sleep(min(_LOOKS_S, rest))


def _befalls(id: str, attempt: int, settings: FakeServerSettings) -> str:
    """Return what befalls a request of a batch, or nothing."""
    drawn = draw(settings.seed, "line", id, attempt)
    for name in ("batch_error", "batch_expired", "batch_null"):
        drawn -= getattr(settings.faults, name)
        if drawn < 0:
            return name
    return ""


def _response(id: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"status_code": status, "request_id": f"req_{_digits(id)}", "body": body}


def _digits(id: str) -> str:
    return f"{int(draw('request', id) * 2**52):013x}"


async def _validated(batch: Batch) -> tuple[list[int], list[dict[str, Any]]]:
    """Return where the lines of a batch's file begin, and what is wrong with them."""
    places: list[int] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    model = None
    for number, (place, line) in enumerate(batch.input.lines(), 1):
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
        places.append(place)
        try:
            said = json.loads(line)
            id, asked = said["custom_id"], said["body"]
            model = model or asked["model"]
        except (ValueError, TypeError, KeyError) as problem:
            errors.append(
                _error("invalid_json_line", f"This line is no request: {problem}", number)
            )
            continue
        if id in seen:
            what = f"The custom_id '{id}' for this request is a duplicate of another request."
            errors.append(_error("duplicate_custom_id", what, number))
        seen.add(id)
        if said.get("method") != "POST" or said.get("url") != batch.endpoint:
            what = f"The request must be a POST to {batch.endpoint}."
            errors.append(_error("mismatched_endpoint", what, number))
        if asked["model"] != model:
            errors.append(_error("mismatched_model", f"All requests must ask {model}.", number))
    if not places:
        errors.append(_error("empty_file", "The input file holds no requests.", None))
    return places, errors


def _error(code: str, message: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": line}
