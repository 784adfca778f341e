"""What a model was trained on, read from what the training left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fundoscope.errors import ConfigError, ReadError
from fundoscope.evaluate.audit import Training
from fundoscope.export.dialogue_rows import dialogue_rows
from fundoscope.read.label_files import header, read_rows

COLUMNS = ("key", "dataset", "patient", "sha256", "perceptual_hash")
"""What a table of a training set may tell of a photograph; any of them will do."""
RECORDS, STAGE = "records.jsonl", "stage.yaml"


@dataclass(frozen=True, slots=True)
class Trained:
    """One photograph that a model was trained on; what is not told is empty."""

    key: str = ""
    dataset: str = ""
    patient: str = ""
    sha256: str = ""
    perceptual_hash: str = ""


def read_training(path: Path) -> Training:
    """Return the training set that a file or folder tells of.

    Parameters
    ----------
    path : Path
        The folder of a stage of `fundoscope train`: exactly what it learned from. Or a run of
        `fundoscope build` or its `records.jsonl`: all that is in it, whatever part was trained on.
        Or dialogues that it exported, `train.instruction.json`. Or a CSV or JSONL with any of the
        columns `key`, `dataset`, `patient`, `sha256`, `perceptual_hash`. A key is
        `dataset/split/id`; a patient without key and dataset is the same in any set.

    Raises
    ------
    ConfigError
        If it is none of these, or tells of no photograph.
    ReadError
        If a line cannot be read.
    """
    found = _training(str(path), _trained(path))
    if not found.photographs:
        raise ConfigError(
            f"{path} tells of no photograph that was trained on",
            mend=f"give a run with {RECORDS}, or a table with {', '.join(COLUMNS)}",
        )
    return found


def _training(name: str, rows: Iterable[Trained]) -> Training:
    keys: set[str] = set()
    patients: dict[tuple[str, str], str] = {}
    sha256: dict[str, str] = {}
    hashes: dict[int, str] = {}
    n = unhashed = 0
    for n, row in enumerate(rows, start=1):
        key = row.key or f"row {n}"
        keys.add(key)
        if row.patient:
            dataset = row.dataset or row.key.partition("/")[0]
            patients.setdefault((dataset, row.patient), key)
        if row.sha256:
            sha256.setdefault(row.sha256.lower(), key)
        if row.perceptual_hash:
            hashes.setdefault(_hash(row), key)
        else:
            unhashed += 1
    return Training(name, frozenset(keys), patients, sha256, hashes, n, unhashed)


def _hash(row: Trained) -> int:
    try:
        return int(row.perceptual_hash, 16)
    except ValueError as problem:
        raise ReadError(
            f"{row.perceptual_hash!r} is no perceptual hash",
            where=row.key,
            mend="64 hexadecimal digits, as fundoscope writes them",
        ) from problem


def _trained(path: Path) -> Iterator[Trained]:
    if path.is_dir():
        yield from _of_folder(path)
    elif path.suffix in (".json", ".jsonl"):
        yield from _with_records(list(_of_rows(path)), path)
    elif path.is_file():
        known = [name for name in header(path) if name in COLUMNS]
        if not known:
            raise ConfigError(
                f"{path} has none of the columns {', '.join(COLUMNS)}", mend="add one"
            )
        for row in read_rows(path):
            yield Trained(**{name: row.text_or_none(name) or "" for name in known})
    else:
        raise ConfigError(f"there is no {path}", mend="check the path")


def _of_folder(folder: Path) -> Iterator[Trained]:
    if (folder / RECORDS).is_file():
        yield from _of_rows(folder / RECORDS)
        return
    if not (folder / STAGE).is_file():
        raise ConfigError(
            f"{folder} holds neither {RECORDS} nor {STAGE}",
            mend="give the folder of a run of `fundoscope build` or of a stage of training",
        )
    told = yaml.safe_load((folder / STAGE).read_text(encoding="utf-8")) or {}
    for source in told.get("data", ()):
        yield from _of_source(source, str(folder / STAGE))


def _of_source(source: Mapping[str, Any], where: str) -> Iterator[Trained]:
    """Yield what one source of a stage was made of."""
    named = Path(str(source.get("dialogues") or source.get("records")))
    if named.suffix in (".json", ".jsonl") and named.is_file():
        yield from _trained(named)
        return
    records = _records_of(named)
    if records is None:
        raise ConfigError(
            f"{named} was trained on, and neither it nor its {RECORDS} can be read",
            where=where,
            mend="put the run back, or give a table of what was trained on",
        )
    yield from _of_rows(records)  # shards or Parquet: all of the run that they are of


def _with_records(rows: list[Trained], file: Path) -> Iterator[Trained]:
    """Yield what is trained on, with what the run's records tell of those that have only a key."""
    bare = {row.key for row in rows if row.key and not (row.sha256 or row.perceptual_hash)}
    records = _records_of(file) if bare and file.name != RECORDS else None
    known = {row.key: row for row in _of_rows(records) if row.key in bare} if records else {}
    seen: set[str] = set()
    for row in rows:
        if row.key not in seen:  # a photograph has many dialogues
            yield known.get(row.key, row)
        if row.key:
            seen.add(row.key)


def _records_of(file: Path) -> Path | None:
    """Return the records of the run that a file was exported from: beside it, or a folder above."""
    folders = (file, file.parent, file.parent.parent)
    return next((folder / RECORDS for folder in folders if (folder / RECORDS).is_file()), None)


def _of_rows(file: Path) -> Iterator[Trained]:
    for one in dialogue_rows(file):
        found = _of_row(one.row) if isinstance(one.row, dict) else None
        if found is None:
            raise ReadError(
                one.unreadable or f"a row tells none of {', '.join(COLUMNS)}",
                where=f"{file}, {one.place}",
                mend="give records or dialogues of fundoscope, or a table of a training set",
            )
        yield found


def _of_row(row: Mapping[str, Any]) -> Trained | None:
    """Return what a row tells: a record, a dialogue of ours, or columns of a table."""
    photograph = row.get("photograph")
    if isinstance(photograph, dict):
        told = {name: str(photograph[name]) for name in COLUMNS[1:] if photograph.get(name)}
        parts = (str(photograph.get(name)) for name in ("dataset", "split", "id"))
        return Trained("/".join(parts), **told)
    provenance = row.get("provenance")
    key: Any = provenance.get("key") if isinstance(provenance, dict) else None
    if key is None and any(turns in row for turns in ("conversations", "messages")):
        named = str(row.get("id", "")).split("/")  # dataset/split/id/track/language, or more
        key = "/".join(named[:3]) if len(named) >= 5 else None
    if key:
        return Trained(str(key), str(key).partition("/")[0])
    told = {name: str(row[name]) for name in COLUMNS if row.get(name)}
    return Trained(**told) if told else None
