"""Batch files sent to a server, watched, and fetched back, on OpenAI's own client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from fundoscope.config import Job
from fundoscope.converse.batch_files import FOLDER, Unpacked, packed_batches, unpack
from fundoscope.converse.chat_client import base_url, key_of
from fundoscope.converse.endpoint import endpoint_of
from fundoscope.errors import EndpointError, MissingExtra
from fundoscope.ledger import Ledger

OURS = "fundoscope"
"""Name under which a batch remembers the hash of its file, by which it is known again."""
POLL_S = 30.0
_ENDED = ("completed", "expired", "cancelled", "failed")
_PIECE = 1 << 20

Told = Callable[[str, str], None]
"""Called with a batch file's name and what happens to it."""


def _silent(name: str, what: str) -> None:
    """Tell nobody."""


def submit(ledger: Ledger, job: Job, told: Told = _silent) -> int:
    """Send every packed file that was not sent, and return how many were.

    Killed between sending and noting it, the same call finds the batch at the server by the hash
    of its file and sends nothing twice.

    Raises
    ------
    EndpointError
        If the server refuses.
    """
    sent = 0
    with _client(job) as client:
        for name, about in packed_batches(ledger).items():
            if about["state"] != "packed":
                continue
            file = ledger.run / FOLDER / f"{name}.jsonl"
            digest = _digest(file)
            batch = _known(client, digest) or _sent(client, file, digest)
            _note(ledger, name, about | {"state": "submitted", "batch": batch})
            told(name, f"submitted as {batch}")
            sent += 1
    return sent


def _sent(client: Any, file: Path, digest: str) -> str:
    with file.open("rb") as stream:
        uploaded = client.files.create(file=stream, purpose="batch")
    made = client.batches.create(
        input_file_id=uploaded.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={OURS: digest},
    )
    return str(made.id)


def _known(client: Any, digest: str) -> str | None:
    """Return the batch that was made of a file already."""
    for batch in client.batches.list(limit=100):
        if (batch.metadata or {}).get(OURS) == digest and batch.status != "failed":
            return str(batch.id)
    return None


def _digest(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def fetch(
    ledger: Ledger, job: Job, *, wait: bool = False, poll_s: float = POLL_S, told: Told = _silent
) -> Unpacked:
    """Fetch and unpack what the server has finished.

    Requests of a finished batch that have no answer (errors, expired ones, a batch that failed
    whole) are put back: `pack` packs them again.

    Parameters
    ----------
    wait : whether to go on until nothing is in work any more.

    Raises
    ------
    EndpointError
        If the server refuses.
    """
    total = Unpacked()
    with _client(job) as client:
        while True:
            in_work = 0
            for name, about in packed_batches(ledger).items():
                if about["state"] != "submitted":
                    continue
                batch = client.batches.retrieve(about["batch"])
                if batch.status not in _ENDED:
                    in_work += 1
                    told(name, _progress_of(batch))
                    continue
                total += _collected(ledger, job, client, name, batch)
                _note(ledger, name, about | {"state": batch.status})
                told(name, f"{batch.status}{_errors_of(batch)}")
            if not (wait and in_work):
                return total
            time.sleep(poll_s)


def _progress_of(batch: Any) -> str:
    counts = batch.request_counts
    if counts is None or not counts.total:
        return str(batch.status)
    return f"{batch.status}: {counts.completed + counts.failed:,} of {counts.total:,}"


def _errors_of(batch: Any) -> str:
    first = next(iter(batch.errors.data or []), None) if batch.errors else None
    return f": {first.message}" if first else ""


def _collected(ledger: Ledger, job: Job, client: Any, name: str, batch: Any) -> Unpacked:
    total = Unpacked()
    for kind, file_id in (("output", batch.output_file_id), ("errors", batch.error_file_id)):
        if not file_id:
            continue
        file = ledger.run / FOLDER / f"{name}.{kind}.jsonl"
        if not file.exists():
            _download(client, file_id, file)
        total += unpack(ledger, job, file)
    ledger.asked.put_back(name)
    ledger.commit()
    return total


def _download(client: Any, file_id: str, file: Path) -> None:
    partial = file.with_name(file.name + ".partial")
    with client.files.with_streaming_response.content(file_id) as response, partial.open("wb") as f:
        for piece in response.iter_bytes(_PIECE):
            f.write(piece)
    partial.replace(file)


def _note(ledger: Ledger, name: str, about: dict[str, Any]) -> None:
    ledger.remember(f"batch/{name}", about)
    ledger.commit()


@contextmanager
def _client(job: Job) -> Iterator[Any]:
    """Give OpenAI's client for the job's server; what it raises is told as one of our errors."""
    try:
        import openai  # half a second and 30 MB, and only wanted here
    except ImportError as problem:
        raise MissingExtra(
            "batch files are sent by OpenAI's client, which is not installed",
            mend="pip install 'fundoscope[batches]'; packing and unpacking work without it",
        ) from problem

    endpoint = endpoint_of(job)
    url, key = base_url(endpoint), key_of(endpoint)
    try:
        with openai.OpenAI(base_url=url, api_key=key or "none", timeout=endpoint.timeout_s) as c:
            yield c
    except openai.APIStatusError as problem:
        message = str(problem.message)[:300]
        if key:
            message = message.replace(key, "***")
        raise EndpointError(
            f"the server refuses ({problem.status_code}): {message}",
            mend="mend it, then run the same command again",
        ) from problem
    except openai.APIConnectionError as problem:
        raise EndpointError(
            f"the server {url} cannot be reached", mend="see whether it runs, then run it again"
        ) from problem
