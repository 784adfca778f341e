"""Photographs whose disc a first network finds and whose fovea anatomy does, to learn from."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import nn

from fundoscope.errors import PhotographError
from fundoscope.perceive.disc import disc_place
from fundoscope.perceive.runtime import standardised
from fundoscope.perceive.views import View
from fundoscope.read.photographs import read_pixels
from fundoscope.train.fovea_teacher import TAUGHT_FILE, TaughtPlaces, fovea_by_anatomy
from fundoscope.train.loop import begin_process, trained
from fundoscope.train.outliner_tasks import DISC_PLACES
from fundoscope.train.segmenters import new_outliner

TAUGHT_SETS = (
    *("AVRDB", "HRF", "IDRiD", "IDRiD_1024", "IDRiD_no_retinopathy", "FIVES", "RFMiD"),
    *("EyePACS", "ODIR5K"),
)
MOST_OF_A_SET = 500
"""Photographs of one set; ODIR has 1,300, and more of one kind teach little."""
_THRESHOLD = 0.5


def teach_places(data: Path, run: Path) -> Path:
    """Write where disc and fovea lie in photographs that nobody marked; return the file.

    Photographs whose fovea was marked by eye are left out: they are what the result is tried on.

    Parameters
    ----------
    data : folder of the sets
    run : folder of a finished run of the task `disc_places`; the file is written beside it.
    """
    begin_process(threads=1)
    network, _ = trained(partial(new_outliner, DISC_PLACES), run)
    file = run.parent / TAUGHT_FILE
    begun = file.with_suffix(".new")
    with begun.open("w") as out:
        for path in _photographs(data):
            taught = _taught(network, path, path.relative_to(data).as_posix())
            if taught is not None:
                out.write(json.dumps(asdict(taught)) + "\n")
    begun.replace(file)
    return file


def _photographs(data: Path) -> Iterator[Path]:
    rows = csv.DictReader((data / "labels/fovea_by_eye.csv").read_text("utf-8").splitlines())
    marked = {(row["dataset"], row["photograph"]) for row in rows}
    for name in TAUGHT_SETS:
        for path in sorted((data / name / "images").glob("*"))[:MOST_OF_A_SET]:
            if (name, path.stem) not in marked:
                yield path


@torch.no_grad()
def _taught(network: nn.Module, path: Path, name: str) -> TaughtPlaces | None:
    try:
        view = View(read_pixels(path))
    except PhotographError:
        return None
    frame = view.frame(DISC_PLACES.field_px)
    said = torch.sigmoid(network(torch.from_numpy(standardised(view.lit_and_coloured(frame)))))
    disc, across, certainty = disc_place(said[0, 0].numpy() * frame.cut(view.inside), _THRESHOLD)
    if disc is None:
        return None
    place, across_px = frame.point_back(*disc), across / frame.scale
    fovea = fovea_by_anatomy(view, place, across_px)
    if fovea is None:
        return None
    return TaughtPlaces(name, place, across_px, certainty, (fovea.row, fovea.col), fovea.clearness)
