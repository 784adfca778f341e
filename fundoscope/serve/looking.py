"""One photograph, looked at and measured once, however often and by however many it is shown."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fundoscope.errors import PhotographError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.perceived import masks_of, stated_scale
from fundoscope.measure.survey import survey
from fundoscope.perceive.perceiving import Perceived, perceive_photograph
from fundoscope.read.photographs import BYTE_LIMIT
from fundoscope.records import Eye
from fundoscope.serve.repeats_known import with_known
from fundoscope.serve.replies import Seen
from fundoscope.serve.shown_records import record_of

MOST_KEPT = 16
"""Photographs that are kept; one of 1500 x 1000 pixels takes about 60 megabytes."""
SHOWN = "the photograph shown"
"""What an error calls a photograph whose name is nobody's business."""


class Looker:
    """What was seen in the photographs shown last, by the hash of their bytes.

    Two callers with one photograph look once: the second waits for the first. A photograph that
    cannot be read is not remembered.

    Parameters
    ----------
    most : photographs that are kept.
    repeats : as `survey` has it; 0 leaves repeatability to what is known of the tool.
    """

    def __init__(self, most: int = MOST_KEPT, repeats: int = 0) -> None:
        self._most, self._repeats = most, repeats
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, Future[Seen]] = OrderedDict()

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return what is seen in a photograph.

        Parameters
        ----------
        photograph : a file, or its bytes. Name and head are not kept, but for the eye and the
            scale that DICOM states.
        eye : which eye it is, as the asker states it; it outweighs what the file says.
        visit : label of the visit, where two of one eye are shown.

        Raises
        ------
        PhotographError
            If it is missing, empty, broken, too large or no image.
        """
        raw = photograph if isinstance(photograph, bytes) else _bytes_of(photograph)
        seen = self._once(raw)
        side = eye or seen.perceived.file_facts.eye
        record = replace(seen.record, photograph=replace(seen.record.photograph, eye=side))
        return replace(seen, record=record, eye=side, visit=visit)

    def _once(self, raw: bytes) -> Seen:
        """Return what is seen, from the cache or by the first caller who asks."""
        sha256 = hashlib.sha256(raw).hexdigest()
        with self._lock:
            waiting = self._seen.get(sha256)
            mine = waiting is None
            if waiting is None:
                waiting = self._seen[sha256] = Future()
            self._seen.move_to_end(sha256)
            while len(self._seen) > self._most:
                self._seen.popitem(last=False)
        if mine:
            self._fulfil(waiting, sha256, raw)
        return waiting.result()

    def _fulfil(self, promise: Future[Seen], sha256: str, raw: bytes) -> None:
        try:
            promise.set_result(_looked_at(raw, sha256, self._repeats))
        except BaseException as problem:
            with self._lock:
                self._seen.pop(sha256, None)
            promise.set_exception(problem)


def _looked_at(raw: bytes, sha256: str, repeats: int) -> Seen:
    started = time.perf_counter()
    name = sha256[:12]
    with _as_file(raw) as path:
        try:
            found = replace(perceive_photograph(path), name=name)
        except PhotographError as problem:
            raise PhotographError(problem.what, where=SHOWN, mend=problem.mend) from None
    masks = _masks(found)
    record = with_known(record_of(found, masks, survey(masks, repeats=repeats), sha256))
    return Seen(sha256, found, masks, record, seconds=time.perf_counter() - started)


def _masks(found: Perceived) -> MaskSet:
    return masks_of(found, None if found.refused else stated_scale(found))


def _bytes_of(path: Path) -> bytes:
    """Return a file's bytes, but for those of one that is refused anyway."""
    try:
        if not path.is_file():
            raise PhotographError("there is no such file", where=SHOWN, mend="check the path")
        if path.stat().st_size > BYTE_LIMIT:
            raise PhotographError(
                f"the photograph is too large to be safe: more than {BYTE_LIMIT:,} bytes",
                where=SHOWN,
                mend="scale it down, or leave it out",
            )
        return path.read_bytes()
    except (OSError, ValueError) as problem:  # a null byte in the name is a ValueError
        raise PhotographError(
            "the file cannot be read", where=SHOWN, mend="check the path and its permissions"
        ) from problem


@contextmanager
def _as_file(raw: bytes) -> Iterator[Path]:
    """Give bytes a path; in memory where the system can, so that a killed process leaves none."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("photograph")
        try:
            with os.fdopen(handle, "wb", closefd=False) as stream:
                stream.write(raw)
            yield Path(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
        return
    with tempfile.TemporaryDirectory(prefix="fundoscope-") as folder:
        path = Path(folder, "photograph")
        path.write_bytes(raw)
        yield path
