"""Dialogues with their photographs as WebDataset's tar shards."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fundoscope.errors import PhotographError
from fundoscope.export.photograph_files import check_nameless, existing
from fundoscope.export.placed import Add, Placed, row_with_provenance
from fundoscope.export.whole_files import Delivery, json_text

SHARD_DIALOGUES = 1000
SHARD_BYTES = 500_000_000
"""Of photographs; a shard is closed before it would pass either bound."""

_KEPT_IN_KEYS = re.compile(r"[^\w-]")


@contextmanager
def webdataset(delivery: Delivery) -> Iterator[Add]:
    """Write tar shards: KEY.json beside the photograph's own bytes, KEY.jpg or as it is called.

    Dialogues about no photograph have shards of their own, `SPLIT.TRACK.text-000000.tar`: a
    reader that takes photograph and text together would stop at the first that has only text.
    """
    shards: dict[str, _Shards] = {}
    try:
        yield lambda placed: shards.setdefault(_kind(placed), _Shards(delivery)).add(placed)
    finally:
        for mine in shards.values():
            mine.close()


def webdataset_key(id: str) -> str:
    """Return an id without dots and slashes; different ids give different keys.

    Examples
    --------
    >>> webdataset_key("idrid/train/IDRiD_1.a/instruction/en")
    'idrid+train+IDRiD_1=2E=a+instruction+en'
    """
    return "+".join(
        _KEPT_IN_KEYS.sub(lambda found: f"={ord(found[0]):X}=", part) for part in id.split("/")
    )


class _Shards:
    """The shards of one split and track, of which the last is open."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._tar: tarfile.TarFile | None = None
        self._name = ""
        self._begun = self._dialogues = self._bytes = 0

    def add(self, placed: Placed) -> None:
        key = webdataset_key(placed.id)
        if not placed.has_photograph:
            tar = self._with_room(_kind(placed), 0)
            self._add_row(tar, key, row_with_provenance(placed))
            return
        file = existing(placed.folder, placed.dialogue.record.photograph)
        check_nameless(file)
        n_bytes = file.stat().st_size
        suffix = _suffix(file, placed)
        tar = self._with_room(_kind(placed), n_bytes)
        with file.open("rb") as stream:
            _add_member(tar, key + suffix, stream, n_bytes)
        self._add_row(tar, key, {**row_with_provenance(placed), "image": key + suffix})
        self._bytes += n_bytes

    def _add_row(self, tar: tarfile.TarFile, key: str, row: dict[str, Any]) -> None:
        text = json_text(row).encode()
        _add_member(tar, f"{key}.json", io.BytesIO(text), len(text))
        self._dialogues += 1

    def _with_room(self, name: str, n_bytes: int) -> tarfile.TarFile:
        if self._dialogues == SHARD_DIALOGUES or (
            self._dialogues and self._bytes + n_bytes > SHARD_BYTES
        ):
            self.close()
        return self._tar or self._begin(name)

    def _begin(self, name: str) -> tarfile.TarFile:
        self._name = f"{name}-{self._begun:06d}.tar"
        self._begun += 1
        self._dialogues = self._bytes = 0
        self._tar = tarfile.open(fileobj=self._delivery.open(self._name), mode="w")  # noqa: SIM115
        return self._tar

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._delivery.close(self._name)
            self._tar = None


def _kind(placed: Placed) -> str:
    """Return the name, without number, of the shards that a dialogue goes to."""
    return placed.name if placed.has_photograph else f"{placed.name}.text"


def _suffix(file: Path, placed: Placed) -> str:
    suffix = file.suffix.lower()
    if suffix in ("", ".json"):
        raise PhotographError(
            f"the photograph {file.name!r} has no suffix that says what it is",
            where=placed.id,
            mend="name photographs .jpg, .png or .tif",
        )
    return suffix


def _add_member(tar: tarfile.TarFile, name: str, stream: IO[bytes], n_bytes: int) -> None:
    """Add bytes under a name; no time or owner, so that the same bytes make the same tar."""
    member = tarfile.TarInfo(name)
    member.size = n_bytes
    tar.addfile(member, stream)
