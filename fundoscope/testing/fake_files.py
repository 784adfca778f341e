"""The fake endpoint's files: uploaded, listed, told of, streamed back, deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import BodyPartReader, web

from fundoscope.testing.fake_refusals import Refusal, bad_request, not_found
from fundoscope.testing.fake_settings import FakeServerSettings

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class StoredFile:
    """A file that the endpoint holds."""

    id: str
    name: str
    purpose: str
    path: Path
    created_at: int

    def told(self) -> dict[str, Any]:
        """Return the file as the endpoint tells of it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.path.stat().st_size,
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the place and the bytes of every line that is not empty."""
        place = 0
        with self.path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield place, line
                place += len(line)


class Files:
    """The files that a fake endpoint holds, in a folder that goes with it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="fake-endpoint-")
        self._files: dict[str, StoredFile] = {}
        self._count = 0

    def close(self) -> None:
        """Delete all files."""
        self._folder.cleanup()

    def get(self, id: str) -> StoredFile:
        """Return a file; raise the refusal that says it is not there."""
        if id not in self._files:
            raise not_found(f"No such File object: {id}")
        return self._files[id]

    def new(self, name: str, purpose: str) -> StoredFile:
        """Return a file that is yet to be written, and will be listed once `add` was called."""
        self._count += 1
        id = f"file-fake{self._count:06d}"
        return StoredFile(id, name, purpose, Path(self._folder.name) / id, int(time.time()))

    def add(self, file: StoredFile) -> None:
        """List a file."""
        self._files[file.id] = file

    async def upload(
        self, request: web.BaseRequest, settings: FakeServerSettings
    ) -> dict[str, Any]:
        """Keep the file of a multipart request."""
        if not request.content_type.startswith("multipart/"):
            raise bad_request("a file is sent as multipart/form-data")
        purpose = ""
        file: StoredFile | None = None
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise bad_request("a part within a part")
            if part.name == "purpose":
                purpose = await part.text()
            elif part.name == "file":
                file = self.new(part.filename or "file", "")
                await _written(part, file.path, settings.batch_max_bytes)
        if file is None or not purpose:
            raise bad_request("'file' and 'purpose' are required")
        problem = _problem(file, purpose, settings)
        if problem:
            file.path.unlink()
            raise Refusal(400, problem, param="file", outcome="bad_request")
        self.add(StoredFile(file.id, file.name, purpose, file.path, file.created_at))
        return self._files[file.id].told()

    def listed(self) -> dict[str, Any]:
        """Return all files, the newest first."""
        files = [file.told() for file in reversed(self._files.values())]
        return {"object": "list", "data": files, "has_more": False}

    def delete(self, id: str) -> dict[str, Any]:
        """Delete a file."""
        self.get(id).path.unlink()
        del self._files[id]
        return {"id": id, "object": "file", "deleted": True}

    async def stream(self, request: web.BaseRequest, id: str) -> web.StreamResponse:
        """Send the content of a file."""
        path = self.get(id).path
        response = web.StreamResponse()
        response.content_type = "application/octet-stream"
        response.content_length = path.stat().st_size
        await response.prepare(request)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                await response.write(chunk)
        await response.write_eof()
        return response


async def _written(part: BodyPartReader, path: Path, most_bytes: int) -> None:
    """Write a part to a file, of which what is too much is left out."""
    size = 0
    with path.open("wb") as file:
        while chunk := await part.read_chunk(_CHUNK_BYTES):
            size += len(chunk)
            if size <= most_bytes + _CHUNK_BYTES:
                file.write(chunk)


def _problem(file: StoredFile, purpose: str, settings: FakeServerSettings) -> str:
    if purpose != "batch":
        return ""
    if not file.name.endswith(".jsonl"):
        return f"Invalid file format for purpose batch: {file.name} does not end in .jsonl"
    if file.path.stat().st_size > settings.batch_max_bytes:
        return f"The file is larger than {settings.batch_max_bytes} bytes, the most for a batch."
    return ""
