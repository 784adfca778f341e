"""What a model was trained on, read from what the training left behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fundoscope.errors import ConfigError, ReadError
from fundoscope.evaluate.audit import Training
from fundoscope.read.label_files import header, read_rows
from fundoscope.records import record_from_json

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
        A run of `fundoscope build` or its `records.jsonl`; the folder of a stage of
        `fundoscope train`, whose `stage.yaml` names the runs that it learned from; or a CSV or
        JSONL with any of the columns `key`, `dataset`, `patient`, `sha256`, `perceptual_hash`.
        A key is `dataset/split/id`. Without key and dataset, a patient of the same name in any
        set counts as the same.

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
    elif path.suffix == ".jsonl":
        yield from _of_lines(path)
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
        yield from _of_lines(folder / RECORDS)
        return
    if not (folder / STAGE).is_file():
        raise ConfigError(
            f"{folder} holds neither {RECORDS} nor {STAGE}",
            mend="give the folder of a run of `fundoscope build` or of a stage of training",
        )
    told = yaml.safe_load((folder / STAGE).read_text(encoding="utf-8")) or {}
    for source in told.get("data", ()):
        yield from _of_source(source, folder)


def _of_source(source: Mapping[str, Any], folder: Path) -> Iterator[Trained]:
    """Yield what one source of a stage was made of: its records, or those beside its dialogues."""
    named = source.get("records") or source.get("dialogues")
    if not named:
        return
    file = Path(str(named))
    beside = file if file.is_dir() else file.parent
    records = file if source.get("records") and file.is_file() else beside / RECORDS
    if not records.is_file():
        raise ConfigError(
            f"{folder / STAGE} says that {named} was trained on, but {records} is not there",
            mend="put the run back, or give a table of what was trained on",
        )
    yield from _of_lines(records)


def _of_lines(file: Path) -> Iterator[Trained]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _of_line(line, f"{file}, line {number}")


def _of_line(line: str, where: str) -> Trained:
    try:
        told = json.loads(line)
        if "photograph" not in told:
            return Trained(**{name: str(told[name]) for name in COLUMNS if told.get(name)})
    except (ValueError, TypeError) as problem:
        raise ReadError(f"no line of a training set: {problem}", where=where, mend="mend it") from (
            problem
        )
    photograph = record_from_json(line).photograph
    return Trained(
        photograph.key,
        photograph.dataset,
        photograph.patient or "",
        photograph.sha256,
        photograph.perceptual_hash,
    )
