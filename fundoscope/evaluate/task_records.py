"""The records that a task is about, from the user's copy of its set; the rest with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.evaluate import folder_source
from fundoscope.evaluate.looking import looked_at
from fundoscope.evaluate.tasks import Part, Task
from fundoscope.export.splits import assign_splits
from fundoscope.read.all_sources import sources
from fundoscope.read.automorph import FeatureTable, join_features
from fundoscope.read.measurement_tables import is_measurement_table, join_measurements
from fundoscope.read.sources import Source, SourceRequest
from fundoscope.records import Eye, Language, LeftOut, Record

Why = Literal[
    "not in the set",
    "another part",
    "beyond the limit",
    "truth not told",
    "missing photograph",
    "unreadable photograph",
    "trained on",
]
MOST_BOXES = 1000
"""Boxes of one kind in a truth; more than any photograph has, so that none are merged."""
_WHYS: Mapping[str, Why] = {
    "label without photograph": "missing photograph",
    "unreadable photograph": "unreadable photograph",
}
_EYES: Mapping[str, Eye] = {
    "od": "right", "right": "right", "r": "right", "os": "left", "oi": "left", "left": "left",
    "l": "left",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copy:
    """The user's copy of a set."""

    root: Path = Path()
    photographs: Path | None = None
    """Folder of the photographs, where they do not lie where the task says."""
    labels: tuple[Path, ...] = ()
    """Label files, where the task does not find them."""
    features: tuple[Path, ...] = ()
    """Tables of measurements beside those that the task finds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the questions that a task can ask are asked."""

    languages: tuple[Language, ...] = ("en",)
    wordings: int = 1
    """How many wordings of each question; 0 asks all."""
    most: int | None = None
    """Most photographs, drawn by patient; a larger number keeps those of a smaller one."""
    seed: int = 0
    part: Part | Literal[""] = ""
    """Another part than the task's; `all` asks about every photograph."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Something that no item is about, and why."""

    key: str
    """Of a record; of a form, `key/form`; else what the source calls it."""
    why: Why
    reason: str
    origin: str = ""


def task_records(task: Task, copy: Copy, choice: Choice, left: list[NotAsked]) -> list[Record]:
    """Return the records that are asked about, their photographs there; add the rest to `left`.

    Raises
    ------
    ConfigError
        If a label file or table that the task names is not there.
    ReadError
        If the set cannot be read.
    """
    part = _part(_all_records(task, copy, left), task, choice, left)
    return list(_present(_few(part, choice, left), photographs_folder(task, copy), left))


def _all_records(task: Task, copy: Copy, left: list[NotAsked]) -> list[Record]:
    request = SourceRequest(
        root=copy.root,
        labels=copy.labels or _fitting(copy.root, task.labels, "label file"),
        photographs=photographs_folder(task, copy),
        max_boxes=MOST_BOXES,
        max_per_topic=1,
        columns=task.columns,
    )
    found = _source(task.source)(request)
    tables = copy.features or _fitting(copy.root, task.features, "table")
    ours = [FeatureTable(file) for file in tables if is_measurement_table(file)]
    others = [FeatureTable(file) for file in tables if not is_measurement_table(file)]
    if ours:
        found = join_measurements(found, ours)
    if others:
        found = join_features(found, others)
    records = []
    for one in found:
        if isinstance(one, LeftOut):
            why = _WHYS.get(one.what, "not in the set")
            left.append(NotAsked(one.name, why, one.reason, one.origin))
        else:
            records.append(_named(one, task.names))
    return records


def _source(name: str) -> Source:
    if name == folder_source.NAME:
        return folder_source.read_folder
    if name not in sources.names():
        from fundoscope.measure import all_sources  # noqa: F401  # heavy, and adds few sources
    return sources.get(name)


def _fitting(root: Path, patterns: Sequence[str], what: str) -> tuple[Path, ...]:
    found = tuple(sorted({file for pattern in patterns for file in root.glob(pattern)}))
    if patterns and not found:
        raise ConfigError(
            f"no {what} {' or '.join(patterns)}",
            where=str(root),
            mend="give the folder that the task's `your_copy` describes, or the file itself",
        )
    return found


def photographs_folder(task: Task, copy: Copy) -> Path:
    """Return the folder below which a task's photographs lie."""
    return copy.photographs or copy.root / task.photographs


def _named(record: Record, names: str) -> Record:
    """Return a record with the patient and the eye that its name tells."""
    found = re.search(names, record.photograph.id) if names else None
    if found is None:
        return record
    told = found.groupdict()
    photograph = record.photograph
    return replace(
        record,
        photograph=replace(
            photograph,
            patient=photograph.patient or told.get("patient"),
            eye=photograph.eye or _EYES.get((told.get("eye") or "").lower()),
        ),
    )


def _part(
    records: list[Record], task: Task, choice: Choice, left: list[NotAsked]
) -> Iterator[Record]:
    part = choice.part or task.split.part
    if part == "all":
        yield from records
        return
    drawn: Mapping[str, str] = {}
    if task.split.drawn is not None:
        photographs = (record.photograph for record in records)
        drawn = assign_splits(photographs, task.split.drawn, {}, seed=task.split.seed).split_of
    for record in records:
        split = drawn.get(record.key, record.photograph.split)
        if split == part:
            yield record
        else:
            left.append(NotAsked(record.key, "another part", f"it is in the part {split!r}"))


def _few(records: Iterator[Record], choice: Choice, left: list[NotAsked]) -> Iterator[Record]:
    """Yield the records of patients drawn one after the other, up to the limit."""
    if choice.most is None:
        yield from records
        return
    known = list(records)
    drawn = sorted(
        known, key=lambda record: (drawn_by(choice.seed, patient_of(record)), record.key)
    )
    kept = {record.key for record in drawn[: choice.most]}
    for record in known:
        if record.key in kept:
            yield record
        else:
            left.append(NotAsked(record.key, "beyond the limit", f"of {choice.most} photographs"))


def drawn_by(seed: int, name: str) -> bytes:
    """Return bytes that decide about a name, the same for a seed whatever else there is."""
    return blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()


def patient_of(record: Record) -> str:
    """Return who is drawn by the bootstrap: the patient of the dataset, else the photograph."""
    photograph = record.photograph
    if photograph.patient is None:
        return record.key
    return f"{photograph.dataset}//{photograph.patient}"


def _present(records: Iterator[Record], folder: Path, left: list[NotAsked]) -> Iterator[Record]:
    for record in records:
        file = record.photograph.file
        if record.topic or (file and (folder / file).is_file()):
            yield record
        else:
            left.append(NotAsked(record.key, "missing photograph", f"no file {file!r}"))


def readable(
    records: list[Record], folder: Path, left: list[NotAsked], jobs: int
) -> Iterator[Record]:
    """Yield records with what their photographs' files tell; add those that cannot be read."""
    looked = looked_at([folder / record.photograph.file for record in records], jobs)
    for record, seen in zip(records, looked, strict=True):
        if isinstance(seen, PhotographError):
            left.append(NotAsked(record.key, "unreadable photograph", seen.what))
            continue
        photograph = replace(
            record.photograph,
            width_px=seen.width_px,
            height_px=seen.height_px,
            sha256=seen.sha256,
            perceptual_hash=f"{seen.perceptual_hash:064x}",
        )
        yield replace(record, photograph=photograph)
