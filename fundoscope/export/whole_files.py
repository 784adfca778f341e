"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fundoscope.errors import ConfigError

MANIFEST = "manifest.json"
"""Written last: a folder that holds it is finished."""
_REPLACED = ".manifest.json.replaced"


def part_of(path: Path) -> Path:
    """Return the name in the same folder under which a file is written before it is whole."""
    return path.with_name(f".{path.name}.part")


def close_on_disk(stream: IO[Any]) -> None:
    """Close a stream with its bytes on the disk; a closed one stays closed."""
    if not stream.closed:
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a stream for the bytes of `path`; on any error `path` is left as it was."""
    stream = part_of(path).open("wb")
    try:
        yield stream
        close_on_disk(stream)
        part_of(path).replace(path)
    finally:
        stream.close()
        part_of(path).unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_text(value: object, indent: int | None = None) -> str:
    """Return JSON with Chinese left readable; NaN is refused, for JSON has none."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


class JsonRows:
    """Rows streamed as one JSON list (`.json`), or one object a line (any other suffix)."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._is_list = name.endswith(".json")
        self.rows = 0

    def add(self, row: Mapping[str, object]) -> None:
        """Write one row."""
        start = ("[\n" if self.rows == 0 else ",\n") if self._is_list else ""
        end = "" if self._is_list else "\n"
        self._stream.write(f"{start}{json_text(row)}{end}".encode())
        self.rows += 1

    def end(self) -> None:
        """Close the list; a list without rows is `[]`."""
        if self._is_list:
            self._stream.write(b"\n]\n" if self.rows else b"[]\n")


class Delivery:
    """A folder of files that all take their names together, the manifest last.

    Until `finish` an earlier export stays as it was. Then its manifest is put aside first, and the
    files that it lists and that were not written again are removed, so that a folder with a
    manifest never holds a mixture of two exports.

    Parameters
    ----------
    out : Path
        Made where it is missing. One process at a time.

    Raises
    ------
    ConfigError
        If `out` is a file, or holds another program's manifest.
    """

    def __init__(self, out: Path) -> None:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"{out} is a file", mend="give a folder to export into")
        self.out = out
        self._streams: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Delivery:
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / MANIFEST).exists():
            _listed_files(self.out / MANIFEST)
        for left_over in self.out.glob(".*.part"):
            left_over.unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, stream in self._streams.items():
            stream.close()
            part_of(self.out / name).unlink(missing_ok=True)

    def open(self, name: str) -> IO[bytes]:
        """Return a stream for the bytes of a file of this name; `finish` puts it in its place."""
        if name in self._streams:
            raise ValueError(f"{name} was opened before")
        self._streams[name] = part_of(self.out / name).open("wb")
        return self._streams[name]

    def close(self, name: str) -> None:
        """Let go of a stream before the end, for a process may hold only so many."""
        close_on_disk(self._streams[name])

    def finish(self, manifest: Mapping[str, object]) -> dict[str, str]:
        """Put every file in its place and write the manifest; return each file's SHA-256."""
        for stream in self._streams.values():
            close_on_disk(stream)
        if (self.out / MANIFEST).exists():
            (self.out / MANIFEST).replace(self.out / _REPLACED)
        for name in self._streams:
            part_of(self.out / name).replace(self.out / name)
        self._remove_replaced()
        hashes = {name: sha256_of(self.out / name) for name in sorted(self._streams)}
        files = {
            name: {"sha256": sha256, "bytes": (self.out / name).stat().st_size}
            for name, sha256 in hashes.items()
        }
        self._streams = {}
        _sync_folder(self.out)
        with whole_file(self.out / MANIFEST) as stream:
            stream.write((json_text({**manifest, "files": files}, indent=2) + "\n").encode())
        (self.out / _REPLACED).unlink(missing_ok=True)
        _sync_folder(self.out)
        return hashes

    def _remove_replaced(self) -> None:
        if (self.out / _REPLACED).exists():
            for name in _listed_files(self.out / _REPLACED):
                if name not in self._streams and Path(name).name == name:
                    (self.out / name).unlink(missing_ok=True)


def _listed_files(manifest: Path) -> list[str]:
    """Return the names that a manifest of ours lists; ConfigError where it is another's."""
    try:
        loaded = json.loads(manifest.read_bytes())
        if "fundoscope" in loaded:
            return list(loaded["files"])
    except (ValueError, TypeError, KeyError):
        pass
    raise ConfigError(
        f"{manifest.parent} holds a {MANIFEST} that no export wrote",
        mend="export into another folder",
    )


def _sync_folder(folder: Path) -> None:
    """Make renames survive a loss of power, where the system lets a folder be opened."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
