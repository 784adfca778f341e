"""The source without labels: every photograph below a folder, known by its name."""

from __future__ import annotations

from collections.abc import Iterator

from fundoscope.read.photographs import PhotographIndex
from fundoscope.read.sources import SourceRequest
from fundoscope.records import LeftOut, Photograph, Record

NAME = "photographs"
"""What a task calls it; no dialogues can be built from it, so no job knows it."""


def read_folder(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph, which says nothing but where it lies.

    For sets whose labels are in the names or in a table that no source knows; a task's truths
    read them. The dataset bears the folder's name, the id is the file's name without suffix; a
    second file of a name is left out.

    Raises
    ------
    PhotographError
        If the folder is not there.
    """
    index = PhotographIndex(request.photographs or request.root)
    ids: dict[str, str] = {}
    for path in index.unmatched():
        file = index.relative(path)
        id = path.stem
        if ids.setdefault(id, file) != file:
            yield LeftOut("duplicate", file, f"{ids[id]} has the same name")
            continue
        yield Record(Photograph(request.root.resolve().name or "photographs", "all", id, file))
