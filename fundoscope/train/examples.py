"""Prepared photographs for training outliners, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

IGNORED = 128
"""Bit of a truth that says: nobody knows here, do not learn from it."""
ONLY_FIRST = 64
"""Bit that says: the first part is known here, the others are not."""


@dataclass(frozen=True, eq=False)
class Example:
    """One photograph, evenly lit at a fixed size, with what is outlined in it."""

    name: str
    camera: str
    """The set it comes from: what is held out together."""
    picture: Bytes
    """Shape (N, N, C)."""
    truth: Bytes
    """Shape (N, N); bit k: the k-th part is here; `IGNORED`, `ONLY_FIRST`: not known."""
    known: int
    """Bits of the parts that somebody looked for in this photograph."""


Prepare = Callable[[], Iterable[Example]]


def examples_of(folder: Path, prepare: Prepare) -> list[Example]:
    """Return the examples of a folder, made by `prepare` the first time.

    Each example is written whole before it counts, so that a cut preparation is taken up where
    it stopped being complete: the list of names comes last.
    """
    listing = folder / "examples.json"
    if not listing.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [_keep(folder, example) for example in prepare()]
        listing.write_text(json.dumps(rows, indent=1))
    return [
        Example(
            row["name"],
            row["camera"],
            np.load(folder / f"{row['file']}.picture.npy"),
            np.load(folder / f"{row['file']}.truth.npy"),
            row["known"],
        )
        for row in json.loads(listing.read_text())
    ]


def _keep(folder: Path, example: Example) -> dict[str, Any]:
    file = f"{example.camera}-{example.name}"
    np.save(folder / f"{file}.picture.npy", example.picture)
    np.save(folder / f"{file}.truth.npy", example.truth)
    return {"name": example.name, "camera": example.camera, "file": file, "known": example.known}


def known_of(coded: Bytes, part: int) -> npt.NDArray[np.bool_]:
    """Return where coded truth (H, W) tells of a part."""
    unknown = IGNORED | (ONLY_FIRST if part else 0)
    known: npt.NDArray[np.bool_] = (coded & unknown) == 0
    return known
