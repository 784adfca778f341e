"""A folder of drawn phantoms, read back as any other set: its labels and its masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fundoscope.phantoms import DISC_CODE, LABELS, LESION_CODES, QUALITY_WORDS
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.masks import lesion_boxes, mask_box, read_coded_mask
from fundoscope.read.originals import photographs_of
from fundoscope.read.photographs import left_unmatched
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import (
    Eye,
    Finding,
    Grade,
    LeftOut,
    Lesion,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Structure,
)
from fundoscope.terms import Term, conditions, modalities

SOURCE = "phantom truth"
LICENCE = "Apache-2.0"

Coded = npt.NDArray[np.uint8]


@sources.register("phantoms")
def read_phantoms(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of a folder that `write_phantoms` wrote.

    Layout: `labels.csv`, `photographs/NAME.jpg`, `lesions/NAME.png` (0 none, 1 microaneurysm,
    2 haemorrhage, 3 hard exudate, 4 soft exudate, 5 optic disc). All four kinds of lesion were
    looked for, so a total of 0 is a real zero.

    Raises
    ------
    LabelError
        If `labels.csv` is missing or broken.
    PhotographError
        If a mask is missing, or cannot be read.
    """
    index = photographs_of(request)
    labels = request.labels or (request.root / "labels.csv",)
    for file in labels:
        for row in read_rows(file, LABELS):
            path = index.find(row.text("image")) if index else None
            if path is None and not request.labels_only:
                yield LeftOut(
                    "label without photograph",
                    row.text("image"),
                    "no photograph of that name",
                    row.origin,
                )
                continue
            yield _record(request, row, index.relative(path) if index and path else "")
    if index:
        yield from left_unmatched(index)


def _record(request: SourceRequest, row: Row, file: str) -> Record:
    name = Path(row.text("image")).stem
    coded = read_coded_mask(request.root / "lesions" / f"{name}.png")
    height_px, width_px = coded.shape
    lesions, totals = _lesions(coded, request.max_boxes)
    return Record(
        photograph=Photograph(
            dataset="phantom",
            split="all",
            id=name,
            file=file,
            eye=_eye(row),
            patient=row.text("patient"),
            modality=_term(row, "modality", modalities()),
            width_px=width_px,
            height_px=height_px,
        ),
        grades=_grades(row),
        findings=(Finding(_term(row, "disease", conditions()), "present", SOURCE),),
        lesions=lesions,
        lesion_totals=totals,
        structures=_structures(coded),
        measurements=_measurements(row),
        notes=(row.text("notes"),),
        licence=LICENCE,
        origin=(row.origin,),
    )


def _term(row: Row, column: str, family: Mapping[str, Term]) -> str:
    """The term whose first English name stands in the cell."""
    names = {term.en[0]: id for id, term in family.items()}
    if row.text(column) not in names:
        raise row.error(column, "a name of the vocabulary")
    return names[row.text(column)]


def _eye(row: Row) -> Eye:
    if row.text("eye") == "left":
        return "left"
    if row.text("eye") == "right":
        return "right"
    raise row.error("eye", "left or right")


def _grades(row: Row) -> tuple[Grade, ...]:
    if row.text("quality") not in QUALITY_WORDS:
        raise row.error("quality", f"one of {', '.join(QUALITY_WORDS)}")
    quality = QUALITY_WORDS.index(row.text("quality"))
    return (
        Grade("stated_quality", quality, SOURCE),
        Grade("icdr", row.integer("icdr", range(5)), SOURCE),
    )


def _measurements(row: Row) -> tuple[Measured, ...]:
    density = row.number("vessel_density", 0, 1)
    ratio = row.number("cdr_vertical", 0, 1)
    return (
        Measured("vessel_density", density, "1", SOURCE, of="all", where="whole"),
        Measured("cdr_vertical", ratio, "1", SOURCE),
    )


def _lesions(coded: Coded, max_boxes: int) -> tuple[tuple[Lesion, ...], tuple[LesionTotal, ...]]:
    boxed: list[Lesion] = []
    totals = []
    for kind, code in LESION_CODES.items():
        boxes, total = lesion_boxes(coded == code, kind, SOURCE, max_boxes)
        boxed += boxes
        totals.append(total)
    return tuple(boxed), tuple(totals)


def _structures(coded: Coded) -> tuple[Structure, ...]:
    box = mask_box(coded == DISC_CODE)
    return (Structure("optic_disc", box, SOURCE),) if box else ()
