"""How a source is asked for its records: one plain function each, registered by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fundoscope.plugins import Registry
from fundoscope.records import LeftOut, Record


@dataclass(frozen=True)
class SourceRequest:
    """Where a source's original files lie, and what to make of them."""

    root: Path
    """The folder that holds the set, in its original layout or flat."""
    labels: Sequence[Path] = ()
    """Label files, when they are not to be found under `root` by their original names."""
    photographs: Path | None = None
    """Folder of the photographs, when it is not under `root`; searched with its subfolders."""
    labels_only: bool = False
    """Also give records of labels whose photograph is not there."""
    max_boxes: int = 10
    """Most boxes a kind of lesion; see `fundoscope.read.masks`."""
    max_per_topic: int = 100
    """Most dialogues about one condition, for the source that is asked about conditions."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """For a user's table: our column name -> the file's column name."""


Source = Callable[[SourceRequest], Iterator[Record | LeftOut]]
sources: Registry[Source] = Registry("sources")
"""Every source by name; `sources.get("aptos")(SourceRequest(root))` streams its records."""
