"""The main job in one call: on drawn phantoms, or on the user's own photographs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fundoscope.config import Job
from fundoscope.converse.build import BuildReport, Progress, build
from fundoscope.converse.jobs import TRACKS
from fundoscope.errors import ConfigError
from fundoscope.export.card import write_card
from fundoscope.export.montage import draw_montage
from fundoscope.export.run_files import DIALOGUES, write_run_files
from fundoscope.ledger import Ledger
from fundoscope.phantoms import write_phantoms
from fundoscope.read.recognise import recognise
from fundoscope.records import Record

PHANTOMS = 24
PICTURED = 6


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo put what it made."""

    report: BuildReport
    dialogues: Path
    card: Path
    picture: Path


def run_demo(
    folder: Path,
    photographs: Path | None = None,
    labels: Path | None = None,
    *,
    command: str = "",
    progress: Progress | None = None,
) -> Demo:
    """Build dialogues, a card and a picture from phantoms, or from photographs with their labels.

    Parameters
    ----------
    folder : Path
        Where all is written; an earlier demo there is replaced.
    photographs, labels : Path, optional
        The user's own: the kind of label file is told from its columns.
    """
    shutil.rmtree(folder / "run", ignore_errors=True)
    job = _job(folder, photographs, labels)
    report = build(job, folder / "run", command=command, progress=progress)
    write_run_files(folder / "run")
    card, _ = write_card(folder / "run")
    picture = draw_montage(
        _pictured(folder / "run"), job.photographs or job.root, folder / "picture.png"
    )
    return Demo(report, folder / "run" / DIALOGUES, card, picture)


def _job(folder: Path, photographs: Path | None, labels: Path | None) -> Job:
    if photographs and labels is None:
        raise ConfigError(
            f"the labels of {photographs} are not given",
            mend="give the label file too: make demo PHOTOS=DIR LABELS=FILE",
        )
    if labels is None:
        root = _drawn(folder / "phantoms")
        return Job(source="phantoms", root=root, photographs=root / "photographs", tracks=TRACKS)
    return Job(
        source=recognise(labels),
        root=labels.parent,
        labels=(labels,),
        photographs=photographs or labels.parent,
        tracks=TRACKS,
    )


def _drawn(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return write_phantoms(folder, PHANTOMS)


def _pictured(run: Path) -> list[Record]:
    """Return a few records with photographs, those with lesions first."""
    with Ledger(run) as ledger:
        records = [
            r for r, _ in zip(ledger.records(), range(200), strict=False) if r.photograph.file
        ]
    records.sort(key=lambda record: not record.lesions)
    return records[:PICTURED]
