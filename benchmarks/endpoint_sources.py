"""What the benchmark of the endpoint engine asks about: labels, rich records, photographs."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fundoscope.read.odir import read_odir
from fundoscope.read.sources import SourceRequest
from fundoscope.records import (
    LANGUAGES,
    Grade,
    Measured,
    Photograph,
    Record,
    record_to_json,
)
from fundoscope.testing import synthetic_records

DATA = Path(os.environ.get("FUNDOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
DRAWN_PX = 800
"""Side of a drawn photograph; the square round its field of view is just not made smaller."""
NOISE = 34.0
"""Standard deviation of its grain, of 255; at `SENT_QUALITY` it makes about 300 KB."""
SENT_QUALITY = 92

COLOUR = np.array([60, 90, 170])

Fields = dict[str, Any]
"""Of a job."""


def labels(folder: Path, requests: int) -> tuple[str, Fields]:
    """Return a title and the fields of a job about as many requests, as a label set gives them.

    The eyes of ODIR-5K where they are to be had and are enough, in both languages; else made-up
    records with nothing but grades and findings.
    """
    records = _records_for(requests)
    table = DATA / "ODIR5K" / "labels.csv"
    if table.is_file() and (rows := _rows_for(table, records, folder)):
        lines = table.read_text(encoding="utf-8").splitlines()[: rows + 1]
        (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return "labels, ODIR-5K", _job("odir", folder)
    plain = (
        replace(one, measurements=(), lesions=(), lesion_totals=(), structures=())
        for one in synthetic_records(4 * records)
        if one.grades or one.findings
    )
    return "labels, made up", _job_about(islice(plain, records), folder)


def rich(folder: Path, requests: int) -> tuple[str, Fields]:
    """Return the same of made-up records, many of which have some sixty quantities."""
    return "rich, made up", _job_about(synthetic_records(_records_for(requests)), folder)


def told_apart(folder: Path, requests: int) -> Fields:
    """Return the fields of a job about small records of which no two are alike.

    Every fact of one but its grade holds a number that hardly another has, so that an answer given
    to the wrong record is not faithful to it.
    """
    return _job_about(map(_small_record, range(_records_for(requests))), folder)


def table(folder: Path, requests: int) -> Fields:
    """Return the fields of a job about as many rows of a table of labels, in one language."""
    with (folder / "labels.csv").open("w", encoding="utf-8") as file:
        file.write("image,eye,icdr,crae_knudtson\n")
        for number in range(requests):
            eye = ("left", "right")[number % 2]
            file.write(f"{number:06d}.jpg,{eye},{number % 5},{_calibre_um(number):.1f}\n")
    return _job("table", folder) | {"languages": ["en"]}


def photographs(folder: Path, requests: int) -> Fields:
    """Return the fields of a job about as many drawn photographs, in one language."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, NOISE, (DRAWN_PX, DRAWN_PX, 3))
    rows, cols = np.indices((DRAWN_PX, DRAWN_PX)) - DRAWN_PX / 2
    field = (np.hypot(rows, cols) < 0.47 * DRAWN_PX)[..., None]
    for number in range(requests):
        here = np.roll(grain, number * 97, axis=(0, 1)) + COLOUR
        pixels = np.clip(np.where(field, here, 0), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    records = (
        replace(one, photograph=replace(one.photograph, file=f"{number:06d}.jpg"))
        for number, one in enumerate(map(_small_record, range(requests)))
    )
    return _job_about(records, folder) | {"languages": ["en"], "labels_only": False}


def _records_for(requests: int) -> int:
    return -(-requests // len(LANGUAGES))


def _rows_for(file: Path, records: int, empty: Path) -> int:
    """Return how many rows of ODIR's table give so many records; 0 where it has too few."""
    found = 0
    request = SourceRequest(root=empty, labels=[file], labels_only=True)
    for row, thing in enumerate(read_odir(request), start=1):
        found += isinstance(thing, Record)
        if found == records:
            return row
    return 0


def _small_record(number: int) -> Record:
    rng = random.Random(number)
    measured = (
        ("crae_knudtson", _calibre_um(number), "um"),
        ("crve_knudtson", round(rng.uniform(150, 400), 1), "um"),
        ("disc_height", round(rng.uniform(1000, 2500), 1), "um"),
        ("disc_width", round(rng.uniform(1000, 2500), 1), "um"),
    )
    return Record(
        Photograph("small", "all", f"{number:06d}", patient=str(number // 2)),
        grades=(Grade("icdr", number % 5, "made up"),),
        measurements=tuple(
            Measured(name, value, unit, "made up", "1") for name, value, unit in measured
        ),
    )


def _calibre_um(number: int) -> float:
    return round(80 + 0.1 * (number * 1009 % 2400), 1)


def _job_about(records: Iterable[Record], folder: Path) -> Fields:
    with (folder / "records.jsonl").open("wb") as file:
        file.writelines(record_to_json(record) + b"\n" for record in records)
    return _job("records", folder)


def _job(source: str, folder: Path) -> Fields:
    return {
        "source": source,
        "root": str(folder),
        "labels_only": True,
        "languages": list(LANGUAGES),
        "engine": "endpoint",
    }
