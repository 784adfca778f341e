"""ODIR-5K: both eyes of a patient, each with the keywords that its annotators wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fundoscope import terms
from fundoscope.errors import nearest
from fundoscope.read.annotators_keywords import Keyword, findings_of, grades_of, keywords
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.originals import check_columns, original_labels, photographs_of
from fundoscope.read.photographs import left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Eye, LeftOut, Photograph, Record, Sex

SPELLINGS = (
    "odir*training*annotation*.xlsx",
    "*odir*full_df*.csv",
    "full_df*.csv",
    "odir_patient*.csv",
    "odir*.xlsx",
    "data.xlsx",
    "labels.csv",
)
SOURCE = "ODIR-5K annotators' keywords of this eye"
LICENCE = "challenge data, no licence stated"
PLACEHOLDER_AGE = 1
"""15 patients of the set are one year old; their photographs are not an infant's."""

_PERSON = ("ID", "Patient Age", "Patient Sex")
_OF_PATIENT = (
    "Left-Fundus",
    "Right-Fundus",
    "Left-Diagnostic Keywords",
    "Right-Diagnostic Keywords",
)
_OF_EYE = ("Fundus", "Diagnostic Keywords")
_EYE_TABLE = ("patient", "image", "age", "sex", "keywords")
_UNUSED = (
    *"NDGCAHMO",
    "Normal",
    "Diabetes",
    "Glaucoma",
    "Cataract",
    "Age related Macular Degeneration",
    "Hypertension",
    "Pathological Myopia",
    "Other diseases/abnormalities",
    "filepath",
    "labels",
    "target",
    "filename",
)
"""Read by no one: the diseases are the patient's, and `labels` disagrees with them."""


@dataclass(frozen=True, slots=True)
class _EyeRow:
    """What a table of any form says of one eye."""

    row: Row
    column: str
    """Where the keywords stand."""
    patient: str
    image: str
    age: float
    sex: Sex

    def said(self) -> tuple[str, str, float, Sex]:
        """Return what another row of this eye must say too."""
        return self.patient, self.row.cells[self.column], self.age, self.sex


@sources.register("odir")
def read_odir(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record an eye of ODIR-5K (Peking University challenge, 2019).

    Layout: the original workbook, its csv copies (`odir_patient.csv`, `full_df.csv` in both
    forms), or an eye table `patient,image,age,sex,keywords`. Keywords are separated by a
    full-width comma (a few by a half-width one). Scale: `clinical_dr`, only from severity words.
    Licence: challenge data, none stated.

    Traps: the columns N..O are the patient's, not the eye's: 797 patients have one normal eye;
    `full_df.csv` repeats a patient for each file; age 1 is a placeholder; two files are of the
    anterior segment and one shows no fundus; one eye is said to be normal and diseased.

    Raises
    ------
    LabelError
        If a keyword is unknown, or two rows of an eye differ.
    """
    index = photographs_of(request)
    repeats = Repeats()
    for file in original_labels(request, SPELLINGS):
        for eye_row in _eye_rows(file):
            image, row = eye_row.image, eye_row.row
            path = index.find(image) if index else None
            if repeated := repeats.repeated(image, row, *eye_row.said()):
                yield repeated
            elif path is None and not request.labels_only:
                reason = "no photograph of this name"
                yield LeftOut("label without photograph", image, reason, row.origin)
            else:
                at = index.relative(path) if index and path else ""
                yield _record(eye_row, at, "all" if eye_row.column == "keywords" else "train")
    if index:
        yield from left_unmatched(index)


def _eye_rows(file: Path) -> Iterator[_EyeRow]:
    columns = set(
        check_columns(file, (), (*_PERSON, *_OF_PATIENT, *_OF_EYE, *_EYE_TABLE, *_UNUSED))
    )
    if columns & set(_EYE_TABLE):
        check_columns(file, _EYE_TABLE, ())
        yield from (
            _eye_row(row, "image", "keywords", "patient", "age", "sex") for row in read_rows(file)
        )
    elif columns & set(_OF_EYE):
        check_columns(file, (*_PERSON, *_OF_EYE), _UNUSED)
        yield from (_eye_row(row, *_OF_EYE) for row in read_rows(file))
    else:
        check_columns(file, (*_PERSON, *_OF_PATIENT), _UNUSED)
        for row in read_rows(file):
            yield from _both_eyes(row)


def _both_eyes(row: Row) -> Iterator[_EyeRow]:
    """Yield the left and the right eye, or in `full_df.csv` the one that `filename` names."""
    only = row.text_or_none("filename")
    if only and only not in (row.text("Left-Fundus"), row.text("Right-Fundus")):
        raise row.error("filename", "the file of Left-Fundus or of Right-Fundus")
    for side in ("Left", "Right"):
        if only in (None, row.text(f"{side}-Fundus")):
            yield _eye_row(row, f"{side}-Fundus", f"{side}-Diagnostic Keywords")


def _eye_row(
    row: Row,
    image: str,
    column: str,
    patient: str = "ID",
    age: str = "Patient Age",
    sex: str = "Patient Sex",
) -> _EyeRow:
    words: Mapping[str, Sex] = {"male": "male", "female": "female"}
    said = row.text(sex).lower()
    if said not in words:
        raise row.error(sex, "Female or Male")
    return _EyeRow(
        row, column, row.text(patient), row.text(image), row.number(age, 0, 120), words[said]
    )


def _record(eye_row: _EyeRow, file: str, split: str) -> Record | LeftOut:
    said = _keywords(eye_row)
    for keyword in said:
        if keyword.no_fundus:
            return LeftOut(
                "row without record", eye_row.image, keyword.no_fundus, eye_row.row.origin
            )
    findings = findings_of(said, SOURCE)
    ill = [f.term for f in findings if "abnormality" in terms.broader(f.term)]
    if ill and any(f.term == "normal_fundus" for f in findings):
        return LeftOut(
            "no label value",
            eye_row.image,
            f"its keywords contradict each other: normal fundus and {', '.join(ill)}",
            eye_row.row.origin,
        )
    implausible = eye_row.age <= PLACEHOLDER_AGE
    return Record(
        photograph=Photograph(
            "odir", split, _stem(eye_row), file, eye=_eye(eye_row), patient=eye_row.patient
        ),
        grades=grades_of(said, SOURCE),
        findings=findings,
        age_years=None if implausible else eye_row.age,
        sex=eye_row.sex,
        notes=(f"age {eye_row.age:g} in the label file is implausible",) if implausible else (),
        licence=LICENCE,
        origin=(eye_row.row.origin,),
    )


def _keywords(eye_row: _EyeRow) -> list[Keyword]:
    text = eye_row.row.text(eye_row.column).replace("，", ",")
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if " ".join(word.split()) not in keywords():
            raise eye_row.row.error(
                eye_row.column, f"a known keyword in place of {word!r}; {nearest(word, keywords())}"
            )
    return [keywords()[" ".join(word.split())] for word in words]


def _stem(eye_row: _EyeRow) -> str:
    return PurePosixPath(eye_row.image).stem


def _eye(eye_row: _EyeRow) -> Eye:
    stem = _stem(eye_row).lower()
    if stem.endswith("_left"):
        return "left"
    if stem.endswith("_right"):
        return "right"
    raise eye_row.row.error(
        next(c for c, v in eye_row.row.cells.items() if v == eye_row.image),
        "a file name that ends in _left or _right",
    )
