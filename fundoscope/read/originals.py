"""The original files of a set, found by the names under which they are published and copied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fundoscope.errors import LabelError, nearest
from fundoscope.read.label_files import header
from fundoscope.read.photographs import PhotographIndex
from fundoscope.read.sources import SourceRequest


def original_labels(request: SourceRequest, spellings: Sequence[str]) -> list[Path]:
    """Return the label files of a request: those given, else those under its root, sorted.

    Parameters
    ----------
    request : SourceRequest
    spellings : patterns such as `*mmac*task*1*.csv`
        Compared in lower case, with `_` for every blank.

    Raises
    ------
    LabelError
        If none is given and none of the spellings is found.
    """
    if request.labels:
        return list(request.labels)
    found = sorted(
        path
        for path in request.root.rglob("*")
        if path.is_file() and not path.name.startswith((".", "~$")) and _fits(path, spellings)
    )
    if not found:
        raise LabelError(
            request.root,
            found="no label file",
            expected=" or ".join(spellings),
            mend="pass the label file itself, or the folder that holds it",
        )
    return found


def _fits(path: Path, spellings: Iterable[str]) -> bool:
    name = path.name.lower().replace(" ", "_")
    return any(fnmatchcase(name, spelling.lower()) for spelling in spellings)


def check_columns(file: Path, needed: Collection[str], known: Collection[str]) -> list[str]:
    """Return the columns of a label table, none missing and none unknown.

    Raises
    ------
    LabelError
        Naming the first column that is missing or unknown, what was found and what is expected.
    """
    if not file.is_file():
        raise LabelError(
            file, found="no such file", expected="a label table", mend="check the path"
        )
    names = [name for name in header(file) if name]
    for column in needed:
        if column not in names:
            raise LabelError(
                file,
                line=1,
                column=column,
                found=f"columns {', '.join(names) or 'none'}",
                expected=f"columns {', '.join(needed)}",
                mend=nearest(column, names) if names else "check the file",
            )
    for column in names:
        if column not in known and column not in needed:
            raise LabelError(
                file,
                line=1,
                column=column,
                found=f"an unknown column {column!r}",
                expected=f"only {', '.join([*needed, *(k for k in known if k not in needed)])}",
                mend=nearest(column, {*known, *needed}),
            )
    return names


def photographs_of(request: SourceRequest) -> PhotographIndex | None:
    """Return the photographs of a request; None where only labels are asked and no folder is."""
    folder = request.photographs or request.root
    if request.labels_only and not folder.is_dir():
        return None
    return PhotographIndex(folder)


def split_in_name(name: str) -> str:
    """Return `train`, `val` or `test` as a file's name says it, or empty."""
    lower = name.lower()
    for word, split in (("train", "train"), ("val", "val"), ("test", "test")):
        if word in lower:
            return split
    return ""
