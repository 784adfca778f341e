"""Photographs opened once: their bytes' hash, their size, and what makes near-duplicates alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fundoscope.errors import PhotographError
from fundoscope.processes import mapped
from fundoscope.read.photographs import Look, look


def looked_at(files: Sequence[Path], jobs: int = 1) -> Iterator[Look | PhotographError]:
    """Yield what one reading of each photograph tells, or why it cannot be read; in order."""
    return mapped(_look, files, jobs)


def _look(file: Path) -> Look | PhotographError:
    try:
        return look(file)
    except PhotographError as problem:
        return problem
