"""Messidor and Messidor-2: one set graded 0 to 3 by its makers, the other 0 to 4 by Google."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row, header, read_rows
from fundoscope.read.originals import check_columns, original_labels, photographs_of
from fundoscope.read.photographs import PHOTOGRAPH_SUFFIXES, PhotographIndex, left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Eye, Grade, LeftOut, Photograph, Record

LICENCE = "Messidor research licence, no redistribution"
SPELLINGS = ("annotation_base*.xls", "annotation_base*.xlsx", "annotation_base*.csv")
COLUMNS = ("Image name", "Retinopathy grade", "Risk of macular edema")
DEPARTMENT = "Ophthalmologic department"

ERRATA: Mapping[str, int] = {
    "20051020_64007_0100_PP": 3,
    "20051020_63936_0100_PP": 1,
    "20051020_63045_0100_PP": 0,
    "20060523_48477_0100_PP": 3,
}
"""Retinopathy grades that ADCIS corrected; names are unique over the twelve bases."""

_BASE33_TWICE = """
20051202_55582 20051202_41076 20051202_48287 20051202_48586 20051202_55457 20051202_55626
20051202_54783 20051202_48575 20051202_55484 20051202_55562 20051202_54547 20051205_32966
20051205_32981
"""
DUPLICATES = frozenset(f"{exam}_0400_PP" for exam in _BASE33_TWICE.split())
"""Photographs of Base33 that ADCIS declares to be there twice."""

MESSIDOR2_SPELLINGS = ("messidor_data*.csv", "*messidor*2*grades*.csv")
PAIR_SPELLINGS = ("*messidor*2*.csv", "*messidor*2*.xls", "*messidor*2*.xlsx", "*pair*.csv")
_GOOGLE = ("image_id", "adjudicated_dr_grade")
_COPY = ("id_code", "diagnosis")
_JUDGED = ("adjudicated_dme", "adjudicated_gradable")


@sources.register("messidor")
def read_messidor(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of Messidor (Decenciere et al. 2014), 1,187 in all.

    Layout: twelve sheets `Annotation_Base11.xls` to `..34.xls` with `Image name`,
    `Ophthalmologic department`, `Retinopathy grade`, `Risk of macular edema `; photographs
    `.tif` in folders of any name. Licence: research only, no redistribution.

    Traps: retinopathy is graded 0 to 3 by counts of microaneurysms and haemorrhages, which is not
    ICDR; the second column is the hospital, not the grade; ADCIS corrected four grades and
    declared 13 photographs of Base33 duplicates; macular oedema 0 says that no hard exudate is
    visible. No patient is named.
    """
    files = original_labels(request, SPELLINGS)
    index = photographs_of(request)
    repeats = Repeats()
    for file in files:
        check_columns(file, COLUMNS, (DEPARTMENT,))
        for row in read_rows(file):
            id = _stem(row.text("Image name"))
            grades = _messidor_grades(row, id)
            path = index.find(id) if index else None
            if id in DUPLICATES:
                yield LeftOut("duplicate", id, "declared a duplicate by ADCIS", row.origin)
            elif repeated := repeats.repeated(id, row, *(grade.level for grade in grades)):
                yield repeated
            elif path is None and not request.labels_only:
                yield LeftOut("label without photograph", id, f"no photograph {id}", row.origin)
            else:
                at = index.relative(path) if index and path else ""
                photograph = Photograph("messidor", "all", id, at)
                yield Record(photograph, grades, licence=LICENCE, origin=(row.origin,))
    if index:
        yield from left_unmatched(index)


def _messidor_grades(row: Row, id: str) -> tuple[Grade, Grade]:
    source = f"messidor {row.file.stem}"
    risk = Grade("dme_risk", row.integer("Risk of macular edema", range(3)), source)
    level = row.integer("Retinopathy grade", range(4))
    if id in ERRATA:
        level, source = ERRATA[id], f"{source} with ADCIS erratum"
    return Grade("messidor_dr", level, source), risk


class _Pair(NamedTuple):
    patient: str
    eye: Eye


@sources.register("messidor2")
def read_messidor2(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of Messidor-2, graded by Google (Krause et al. 2018).

    Layout: `messidor_data.csv` with `image_id,adjudicated_dr_grade,adjudicated_dme,
    adjudicated_gradable`, or the copy with `id_code,diagnosis,...`: ICDR 0 to 4, referable oedema
    0/1, gradable 0/1. A sheet `messidor-2.csv` with columns `Left` and `Right`, where it lies
    there, tells eye and patient (the left photograph's name, else the right's). Licence: research
    only, no redistribution.

    Traps: rows that are not gradable have no grade; the copy leaves them out and says `.png` of
    files that are `.tif` in the original. 1,058 photographs are Messidor's, and 70 differ in
    referable label between the two sets.

    Raises
    ------
    LabelError
        If columns are unknown, a photograph that is not gradable has a grade, or one is in two
        pairs.
    """
    files, pairs = _labels_and_pairs(request)
    index = photographs_of(request)
    repeats = Repeats()
    for file in files:
        id_column, grade_column = _columns_of_google(file)
        for row in read_rows(file):
            id = _stem(row.text(id_column))
            grades = _google_grades(row, grade_column)
            if repeated := repeats.repeated(id, row, *(grade.level for grade in grades)):
                yield repeated
                continue
            yield _messidor2_record(request, index, row, id, grades, pairs.get(id.lower()))
    if index:
        yield from left_unmatched(index)


def _messidor2_record(
    request: SourceRequest,
    index: PhotographIndex | None,
    row: Row,
    id: str,
    grades: tuple[Grade, ...],
    pair: _Pair | None,
) -> Record | LeftOut:
    path = index.find(id) if index else None
    if path is None and not request.labels_only:
        return LeftOut("label without photograph", id, f"no photograph {id}", row.origin)
    at = index.relative(path) if index and path else ""
    patient, eye = pair or (None, None)
    photograph = Photograph("messidor2", "all", id, at, eye, patient)
    return Record(photograph, grades, licence=LICENCE, origin=(row.origin,))


def _google_grades(row: Row, grade_column: str) -> tuple[Grade, ...]:
    source = f"messidor2 {row.file.name}"
    gradable = Grade("gradable", row.integer("adjudicated_gradable", range(2)), source)
    if not gradable.level:
        for column in (grade_column, "adjudicated_dme"):
            if row.text_or_none(column) is not None:
                raise row.error(column, "no value, as adjudicated_gradable is 0 in this row")
        return (gradable,)
    grades = [Grade("icdr", row.integer(grade_column, range(5)), source)]
    if row.text_or_none("adjudicated_dme") is not None:
        grades.append(Grade("messidor2_dme", row.integer("adjudicated_dme", range(2)), source))
    return (*grades, gradable)


def _columns_of_google(file: Path) -> tuple[str, str]:
    names = header(file) if file.is_file() else []
    ours = _COPY if _COPY[0] in names else _GOOGLE
    check_columns(file, (*ours, *_JUDGED), ())
    return ours


def _labels_and_pairs(request: SourceRequest) -> tuple[list[Path], dict[str, _Pair]]:
    """Return the files with grades, and the pairs of the sheets with columns Left and Right."""
    given = [file for file in request.labels if not _is_pairing(file)]
    sheets = [file for file in request.labels if _is_pairing(file)]
    if request.root.is_dir() and not sheets:
        bare = SourceRequest(request.root)
        sheets = [f for f in _found(bare, PAIR_SPELLINGS) if _is_pairing(f)]
    asked = SourceRequest(request.root, labels=given)
    return original_labels(asked, MESSIDOR2_SPELLINGS), _pairs(sheets)


def _found(request: SourceRequest, spellings: tuple[str, ...]) -> list[Path]:
    try:
        return original_labels(request, spellings)
    except LabelError:  # the sheet is optional
        return []


def _is_pairing(file: Path) -> bool:
    return file.is_file() and {"left", "right"} <= {name.lower() for name in header(file)}


def _pairs(sheets: list[Path]) -> dict[str, _Pair]:
    pairs: dict[str, _Pair] = {}
    for sheet in sheets:
        for row in read_rows(sheet):
            columns = {name.lower(): name for name in row.cells}
            cells = {side: row.text_or_none(columns[side]) for side in ("left", "right")}
            patient = _stem(cells["left"] or cells["right"] or "")
            for eye in ("left", "right"):
                if (name := cells[eye]) is None:
                    continue
                if _stem(name).lower() in pairs:
                    raise row.error(columns[eye], "a photograph that is in no other pair")
                pairs[_stem(name).lower()] = _Pair(patient, "left" if eye == "left" else "right")
    return pairs


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in PHOTOGRAPH_SUFFIXES else name
