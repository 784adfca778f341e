"""Records of photographs without labels: what was perceived in them, and measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fundoscope.errors import LabelError
from fundoscope.measure.mask_folders import PHOTOGRAPHS_TABLE, MaskSet, read_mask_folder
from fundoscope.measure.perceived_parts import boxed_lesions
from fundoscope.measure.survey import survey
from fundoscope.perceive.quality import GRADES
from fundoscope.perceive.runtime import model
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.masks import mask_box
from fundoscope.read.originals import photographs_of
from fundoscope.read.photographs import left_unmatched
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import (
    Eye,
    Finding,
    Grade,
    LeftOut,
    Photograph,
    Record,
    Structure,
)

QUALITY_SCALE = "perceived_quality"


@sources.register("perceived")
def read_perceived(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of a folder that `fundoscope perceive` wrote.

    Layout: `photographs.csv` and the folders of masks; the photographs themselves under
    `request.photographs`, where they are given. Every quantity is measured from the masks. The
    set bears the folder's name.

    Traps: a network that found no lesion of a kind is no reader who looked for it, so nothing is
    called absent; a condition that a network suggests is "suspected", never "present"; a
    photograph too poor to be judged keeps its reason at every quantity.

    Raises
    ------
    LabelError
        If the table is not there, or its rows and the masks do not fit each other.
    """
    index = photographs_of(request) if request.photographs else None
    rows = _rows(request.root)
    for masks in read_mask_folder(request.root):
        row = rows.get(masks.name)
        if row is None:
            raise LabelError(
                request.root / PHOTOGRAPHS_TABLE,
                found=f"no row for the masks of {masks.name!r}",
                expected="a row for every photograph",
                mend="run `fundoscope perceive` again into the same folder",
            )
        if "cannot be read" in masks.refused:
            yield LeftOut("unreadable photograph", masks.name, masks.refused, row.origin)
            continue
        path = index.find(row.text("photograph")) if index else None
        if index and path is None:
            yield LeftOut(
                "label without photograph", masks.name, "no photograph of this name", row.origin
            )
            continue
        file = index.relative(path) if index and path else ""
        yield _record(request.root.resolve().name, file, masks, row, request.max_boxes)
    if index:
        yield from left_unmatched(index)


def _rows(folder: Path) -> dict[str, Row]:
    table = folder / PHOTOGRAPHS_TABLE
    if not table.is_file():
        raise LabelError(
            table,
            found="no such file",
            expected="the table that `fundoscope perceive` writes",
            mend="run `fundoscope perceive PHOTOGRAPHS -o FOLDER` first",
        )
    return {Path(row.text("photograph")).stem: row for row in read_rows(table, ["photograph"])}


def _record(dataset: str, file: str, masks: MaskSet, row: Row, max_boxes: int) -> Record:
    lesions, totals = boxed_lesions(masks, max_boxes)
    box = mask_box(masks.disc) if masks.disc is not None else None
    return Record(
        photograph=Photograph(dataset, "all", masks.name, file, eye=_eye(row)),
        grades=tuple(_quality(row)),
        findings=tuple(_suspected(row)),
        lesions=lesions,
        lesion_totals=totals,
        structures=(Structure("optic_disc", box, model("disc_cup").version),) if box else (),
        measurements=survey(masks),
        origin=(row.origin,),
    )


def _eye(row: Row) -> Eye | None:
    """Return which eye the photograph's file stated, if it did."""
    word = row.text_or_none("eye")
    if word is None or word == "left" or word == "right":
        return word  # type: ignore[return-value]
    raise row.error("eye", "left, right or nothing")


def _quality(row: Row) -> Iterator[Grade]:
    word = row.text_or_none("quality")
    if word is not None:
        if word not in GRADES:
            raise row.error("quality", f"one of {', '.join(GRADES)}")
        yield Grade(QUALITY_SCALE, GRADES.index(word), model("quality").version)


def _suspected(row: Row) -> Iterator[Finding]:
    network = model("conditions")
    for term, bounds in network.manifest["thresholds"].items():
        if term == "normal_fundus" or row.text_or_none(f"p_{term}") is None:
            continue  # a network that sees nothing does not make an eye normal
        if row.number(f"p_{term}", 0, 1) >= bounds["present"]:
            yield Finding(term, "suspected", network.version)
