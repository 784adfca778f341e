"""Which photographs a command line means: files, and folders with all that lies below them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fundoscope.errors import PhotographError
from fundoscope.read.photographs import PhotographIndex


def photographs_of(paths: Iterable[Path]) -> list[Path]:
    """Return the photographs of files and folders, each once, in order; folders sorted.

    Raises
    ------
    PhotographError
        If a path is not there, nothing is found, or two photographs share a name: what is
        written about them bears it.
    """
    found: dict[Path, None] = {}
    asked = list(paths)
    for path in asked:
        if not path.exists():
            raise PhotographError("there is no such file", where=str(path), mend="check the path")
        inside = PhotographIndex(path).unmatched() if path.is_dir() else [path]
        found.update(dict.fromkeys(inside))
    if not found:
        raise PhotographError(
            "no photograph was found",
            where=", ".join(map(str, asked)),
            mend="pass photographs (JPEG, PNG, TIFF, BMP) or a folder that holds them",
        )
    _check_names(found)
    return list(found)


def _check_names(paths: Iterable[Path]) -> None:
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(path.stem, path)
        if other != path:
            raise PhotographError(
                f"two photographs are called {path.stem!r}",
                where=f"{other} and {path}",
                mend="pass them in two calls with two output folders, or rename one",
            )
