"""A user's own table: one row a photograph, columns mapped to our names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from fundoscope import terms
from fundoscope.errors import LabelError, TermError, nearest
from fundoscope.read import table_words
from fundoscope.read.label_files import Row, header, read_rows
from fundoscope.read.originals import photographs_of, split_in_name
from fundoscope.read.photographs import PHOTOGRAPH_SUFFIXES, left_unmatched
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import (
    LANGUAGES,
    Grade,
    LeftOut,
    Measured,
    Photograph,
    Record,
    Unmeasured,
)

IGNORED = "ignored"
"""Our name for columns that are not read: `{"ignored": "site, operator"}`."""
PLAIN = (
    "image", "patient", "eye", "split", "modality", "quality", "disease", "vascular", "notes",
    "age", "sex", "licence",
)  # fmt: skip
TABLES = ("*.csv", "*.tsv", "*.xlsx", "*.xls")
SOURCE = "user table"

T = TypeVar("T")


@sources.register("table")
def read_table(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a row of a user's table.

    Layout: csv, tsv, xlsx or xls with a column `image` and any of `patient, eye, split, modality,
    quality, disease, vascular, notes, age, sex, licence`, a grade under its scale (`icdr`,
    `dme_risk`, `meta_pm`, ...) and a quantity under its id (`crae_knudtson`, in the vocabulary's
    unit). `request.columns` maps our name to the file's; `ignored` lists what is not read.
    The dataset bears the table's name.

    Traps: an empty cell says nothing, and is not zero; a disease that the vocabulary does not
    know is refused, not passed on; notes are kept as written and never stated.

    Raises
    ------
    LabelError
        If a column or a word is unknown; the nearest known one is offered.
    """
    index = photographs_of(request)
    for file in _tables(request):
        ours = _our_columns(file, request.columns)
        seen: dict[str, str] = {}
        for row in read_rows(file):
            mapped = Row(row.file, row.line, {n: row.cells[theirs] for n, theirs in ours.items()})
            name = mapped.text("image")
            path = index.find(name) if index else None
            if path is None and not request.labels_only:
                yield LeftOut(
                    "label without photograph", name, "no photograph of this name", row.origin
                )
                continue
            record = _record(mapped, index.relative(path) if index and path else "")
            before = seen.setdefault(record.key, row.origin)
            if before != row.origin:
                raise mapped.error("image", f"each photograph once; {before} has this one")
            yield record
    if index:
        yield from left_unmatched(index)


def known_columns() -> list[str]:
    """Return every name that a column may bear."""
    return [*PLAIN, *sorted(terms.scales()), *sorted(terms.quantities())]


def _tables(request: SourceRequest) -> Sequence[Path]:
    if request.labels:
        return request.labels
    found = sorted(path for pattern in TABLES for path in request.root.glob(pattern))
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "no table"
        raise LabelError(
            request.root, found=listed, expected="one table", mend="pass the table itself"
        )
    return found


def _our_columns(file: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Return our name -> the file's name, for the columns that are read."""
    if not file.is_file():
        raise LabelError(file, found="no such file", expected="a table", mend="check the path")
    theirs = [name for name in header(file) if name]
    for ours, named in columns.items():
        if ours != IGNORED and ours not in known_columns():
            raise LabelError(
                file,
                column=ours,
                found=f"a mapping to {ours!r}",
                expected=f"one of {', '.join(known_columns())}",
                mend=nearest(ours, known_columns()),
            )
        for name in named.split(",") if ours == IGNORED else [named]:
            if name.strip() not in theirs:
                raise LabelError(
                    file,
                    line=1,
                    column=name.strip(),
                    found=f"columns {', '.join(theirs)}",
                    expected=f"{name.strip()!r}, which is mapped to {ours!r}",
                    mend=nearest(name.strip(), theirs),
                )
    ignored = {name.strip() for name in columns.get(IGNORED, "").split(",")}
    mapped = {named: ours for ours, named in columns.items() if ours != IGNORED}
    read = {}
    for name in theirs:
        ours = mapped.get(name, name)
        if name in ignored:
            continue
        if ours in read or ours not in known_columns():
            raise LabelError(
                file,
                line=1,
                column=name,
                found=f"an unknown column {name!r}" if ours not in read else f"{ours!r} twice",
                expected=f"one of {', '.join(known_columns())}",
                mend=f"{nearest(name, known_columns())} Else map it, or list it as {IGNORED!r}",
            )
        read[ours] = name
    if "image" not in read:
        raise LabelError(
            file,
            line=1,
            column="image",
            found=f"columns {', '.join(theirs)}",
            expected="a column 'image'",
            mend="map it: image -> the column that names the photograph",
        )
    return read


def _record(row: Row, file: str) -> Record:
    said = table_words.Said()
    disease = row.text_or_none("disease")
    if disease is not None:
        try:
            said = table_words.read_disease(disease, SOURCE)
        except TermError as problem:
            raise _refused(row, "disease", problem) from problem
    notes = row.text_or_none("notes")
    grades = (*_quality(row), *_grades(row), *said.grades)
    scales = [grade.scale for grade in grades]
    for scale in scales:
        if scales.count(scale) > 1:
            raise row.error(scale, f"one level of {scale!r}; the disease column says another")
    return Record(
        photograph=Photograph(
            row.file.stem,
            _split(row),
            _id(row.text("image")),
            file,
            eye=_word(row, "eye", table_words.EYES),
            patient=row.text_or_none("patient"),
            modality=_modality(row),
        ),
        grades=grades,
        findings=said.findings,
        measurements=tuple(_measurements(row)),
        age_years=None if row.text_or_none("age") is None else row.number("age", 0, 120),
        sex=_word(row, "sex", table_words.SEXES),
        notes=() if notes is None else (notes,),
        licence=row.text_or_none("licence") or "not stated",
        origin=(row.origin,),
    )


def _id(image: str) -> str:
    """Return a photograph's path without suffix, its folders joined by `_`."""
    path = PurePosixPath(image.replace("\\", "/"))
    bare = path.with_suffix("") if path.suffix.lower() in PHOTOGRAPH_SUFFIXES else path
    return "_".join(part for part in bare.parts if part not in ("/", ".."))


def _refused(row: Row, column: str, problem: TermError) -> LabelError:
    return LabelError(
        row.file,
        line=row.line,
        column=column,
        found=f"{row.cells[column]!r}: {problem.what}",
        expected="words of the vocabulary",
        mend=problem.mend or "correct the cell",
    )


def _word(row: Row, column: str, words: Mapping[str, T]) -> T | None:
    said = row.text_or_none(column)
    if said is None:
        return None
    if said.lower() not in words:
        raise row.error(column, f"one of {', '.join(words)}")
    return words[said.lower()]


def _split(row: Row) -> str:
    said = row.text_or_none("split")
    if said is None or said.lower() == "all":
        return "all"
    split = split_in_name(said)
    if not split:
        raise row.error("split", "train, val, test or all")
    return split


def _modality(row: Row) -> str:
    names = {
        name.lower(): id
        for id, term in terms.modalities().items()
        for language in LANGUAGES
        for name in (*term.names(language), id)
    }
    return _word(row, "modality", names) or "colour_fundus_photograph"


def _quality(row: Row) -> Iterator[Grade]:
    level = _word(row, "quality", table_words.QUALITIES)
    if level is not None:
        yield Grade("stated_quality", level, SOURCE)


def _grades(row: Row) -> Iterator[Grade]:
    for id, scale in terms.scales().items():
        said = row.text_or_none(id)
        if said is None:
            continue
        words = {
            name.lower(): level.level
            for level in scale.levels.values()
            for language in LANGUAGES
            for name in level.names(language)
        }
        level = words.get(said.lower())
        yield Grade(id, row.integer(id, scale.levels) if level is None else level, SOURCE)


def _measurements(row: Row) -> Iterator[Measured | Unmeasured]:
    seen = set()
    for value in _all_measurements(row):
        if (value.name, value.of, value.where) in seen:
            raise row.error("vascular", f"{value.name!r} once")
        seen.add((value.name, value.of, value.where))
        yield value


def _all_measurements(row: Row) -> Iterator[Measured | Unmeasured]:
    text = row.text_or_none("vascular")
    if text is not None:
        try:
            yield from table_words.read_quantities(text)
        except TermError as problem:
            raise _refused(row, "vascular", problem) from problem
    for id in terms.quantities():
        if row.text_or_none(id) is not None:
            yield table_words.quantity_value(id, row.number(id))
