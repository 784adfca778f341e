"""Our own `records.jsonl`, read again, so that a later stage can start from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fundoscope.errors import LabelError, ReadError
from fundoscope.read.originals import original_labels
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import LeftOut, Record, record_from_json


@sources.register("records")
def read_records(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield the records of a `records.jsonl` as they were written, one a line.

    Layout: one JSON object a line, as `record_to_json` writes it. Licence and scales: those of
    each record. A key that was read before is an error, for a key is a photograph's only name.

    Raises
    ------
    LabelError
        If a line is no record, or repeats a key.
    """
    lines_of: dict[str, str] = {}
    for file in original_labels(request, ("records*.jsonl",)):
        for line, record in _records(file):
            here = f"{file.name}:{line}"
            before = lines_of.setdefault(record.key, here)
            if before != here:
                raise LabelError(
                    file,
                    line=line,
                    found=f"the key {record.key!r} again",
                    expected=f"each key once; {before} has it",
                )
            yield record


def _records(file: Path) -> Iterator[tuple[int, Record]]:
    if not file.is_file():
        raise LabelError(
            file, found="no such file", expected="a records.jsonl", mend="check the path"
        )
    with file.open(encoding="utf-8") as text:
        for line, content in enumerate(text, start=1):
            if not content.strip():
                continue
            try:
                yield line, record_from_json(content)
            except ReadError as problem:
                raise LabelError(
                    file, line=line, found=problem.what, expected="a record", mend=problem.mend
                ) from problem
