"""EyePACS: diabetic retinopathy graded 0 to 4, with EyeQ's judgement of quality."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row, header, read_rows
from fundoscope.read.originals import original_labels, photographs_of, split_in_name
from fundoscope.read.photographs import PhotographIndex, left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Eye, Grade, LeftOut, Photograph, Record

SPELLINGS = (
    "*trainlabels*.csv",
    "*testlabels*.csv",
    "*retinopathy_solution*.csv",
    "*eyeq*train*.csv",
    "*eyeq*test*.csv",
)
GRADED = {"image", "level"}
GRADED_EXTRA = {"Usage", "Unnamed: 0", "Unnamed: 0.1"}  # row numbers that copies carry along
EYEQ = {"image", "quality", "DR_grade"}
LICENCE = "Kaggle Diabetic Retinopathy Detection competition terms"
EYEQ_LICENCE = "EyeQ labels CC BY-NC-SA 4.0"
_NAME = re.compile(r"(\d+)_(left|right)(\.\w+)?")


@dataclass(frozen=True, slots=True)
class _Label:
    """One row about one eye, of either kind of file."""

    row: Row
    id: str
    patient: str
    eye: Eye
    split: str
    icdr: int
    quality: int | None = None


@sources.register("eyepacs")
def read_eyepacs(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of EyePACS, EyeQ's labels joined by the photograph's name.

    Layout: `trainLabels.csv` with `image,level` (`10_left`, ICDR 0 to 4); for the test
    photographs `retinopathy_solution.csv` with `image,level,Usage`; EyeQ's
    `Label_EyeQ_train.csv` and `Label_EyeQ_test.csv` with `,image,quality,DR_grade`
    (`10_left.jpeg`; 0 good, 1 usable, 2 reject). Any of them will do. The number before `_` is
    the patient. The split is EyeQ's where EyeQ has the photograph, else that of the label file.
    Licence: competition terms; EyeQ CC BY-NC-SA 4.0.

    Traps: EyeQ's first column is an unnamed row number; its README counts differ from its files;
    all 12,543 photographs of EyeQ's training file are in `trainLabels.csv`, with the same grade,
    and none of its 16,249 test photographs is.

    Raises
    ------
    LabelError
        If a file has other columns, a name is no eye's, a photograph is in both files of EyeQ,
        or EyeQ and EyePACS disagree on a grade.
    """
    graded, judged = _sorted_by_kind(original_labels(request, SPELLINGS))
    eyeq: dict[str, _Label] = {}
    repeats = Repeats()
    for file in judged:
        for label in _labels(file):
            values = (label.icdr, label.quality, label.split)
            if repeated := repeats.repeated(label.id, label.row, *values):
                yield repeated
            else:
                eyeq[label.id] = label
    index = photographs_of(request)
    repeats = Repeats()
    for file in graded:
        for label in _labels(file):
            if repeated := repeats.repeated(label.id, label.row, label.icdr):
                yield repeated
            else:
                yield _record(request, index, label, eyeq.pop(label.id, None))
    for label in eyeq.values():
        yield _record(request, index, None, label)
    if index:
        yield from left_unmatched(index)


def _sorted_by_kind(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files of EyePACS and those of EyeQ."""
    graded, judged = [], []
    for file in files:
        columns = {name for name in header(file) if name} if file.is_file() else set()
        if columns >= EYEQ:
            judged.append(file)
        elif columns >= GRADED and columns <= GRADED | GRADED_EXTRA:
            graded.append(file)
        else:
            raise LabelError(
                file,
                line=1,
                found=f"columns {', '.join(sorted(columns))}" if columns else "no columns",
                expected="image,level or image,quality,DR_grade",
                mend="pass the label files of EyePACS or EyeQ",
            )
    return graded, judged


def _labels(file: Path) -> Iterator[_Label]:
    for row in read_rows(file):
        name = _NAME.fullmatch(row.text("image"))
        if name is None:
            raise row.error("image", "a number and an eye, such as 10_left")
        patient, side = name[1], name[2]
        eye: Eye = "left" if side == "left" else "right"
        id = f"{patient}_{side}"
        if "quality" in row.cells:
            split = _split_of_eyeq(file)
            grade, quality = row.integer("DR_grade", range(5)), row.integer("quality", range(3))
            yield _Label(row, id, patient, eye, split, grade, quality)
        else:
            said = split_in_name(file.name)
            split = "test" if "Usage" in row.cells or "solution" in file.name else said or "train"
            yield _Label(row, id, patient, eye, split, row.integer("level", range(5)))


def _split_of_eyeq(file: Path) -> str:
    split = split_in_name(file.name)
    if not split:
        raise LabelError(
            file,
            found=f"the name {file.name!r}",
            expected="train or test in it, since EyeQ's split is that of the file",
            mend="give the file its original name",
        )
    return split


def _record(
    request: SourceRequest,
    index: PhotographIndex | None,
    graded: _Label | None,
    eyeq: _Label | None,
) -> Record | LeftOut:
    labels = [label for label in (graded, eyeq) if label]
    if graded and eyeq and graded.icdr != eyeq.icdr:
        raise eyeq.row.error("DR_grade", f"{graded.icdr}, as in {graded.row.origin}")
    first, last = labels[0], labels[-1]  # the last is EyeQ's, whose split counts
    origin = tuple(label.row.origin for label in labels)
    path = index.find(first.id) if index else None
    if path is None and not request.labels_only:
        reason = f"no photograph {first.id}"
        name = f"{last.split}/{first.id}"
        return LeftOut("label without photograph", name, reason, " ".join(origin))
    at = index.relative(path) if index and path else ""
    return Record(
        Photograph("eyepacs", last.split, first.id, at, first.eye, first.patient),
        grades=tuple(_grades(first, last)),
        licence=f"{LICENCE}; {EYEQ_LICENCE}" if eyeq else LICENCE,
        origin=origin,
    )


def _grades(first: _Label, last: _Label) -> Iterator[Grade]:
    yield Grade("icdr", first.icdr, f"eyepacs {first.row.file.name}")
    if last.quality is not None:
        yield Grade("eyeq", last.quality, f"eyeq {last.row.file.name}")
