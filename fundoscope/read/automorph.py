"""AutoMorph's and RBAD's tables, joined to the records of the photographs they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from fundoscope.errors import LabelError
from fundoscope.read.automorph_columns import (
    QUALITY_LEVEL,
    Cell,
    Key,
    Line,
    Table,
    cells_of,
    kind_of,
    line_of,
    name_of,
    quantity_of,
)
from fundoscope.read.automorph_trust import measurements_of, stale_cells
from fundoscope.read.label_files import Row, header, read_rows
from fundoscope.records import Grade, LeftOut, Measured, Record, Unmeasured


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A table of AutoMorph or RBAD, and the split that it was made from."""

    file: Path
    split: str = ""
    """`train`, `val` or `test`; needed where photographs of two splits bear one name."""


@dataclass(slots=True)
class _Features:
    """What all tables of one split say of one photograph's stem."""

    lines: list[Line] = field(default_factory=list)
    grade: Grade | None = None
    angles_deg: list[float] = field(default_factory=list)
    """Mean branching angle of each run of RBAD."""
    origins: list[str] = field(default_factory=list)
    table: Path = Path()
    taken_by: str = ""
    """Key of the record that these features were joined to."""


_Loaded = dict[tuple[str, str], _Features]
"""(split, stem in lower case) -> features."""


def join_features(
    records: Iterable[Record | LeftOut], tables: Sequence[FeatureTable]
) -> Iterator[Record | LeftOut]:
    """Yield records with the quality and features that tables give their photographs.

    Recognised by their header: `Macular_Features.csv` and `Disc_Features.csv` (73 columns, and
    older copies with an index or `SEQN`), the single M3 tables of one zone, `Disc_cup_results.csv`,
    `Binary_`, `Artery_` and `Vein_Features_Measurement.csv`, M1's `results_ensemble.csv`, and
    RBAD's `file,avg_angle`. A row belongs to the photograph whose file name, up to its first dot,
    is the row's: AutoMorph cuts names there.

    What cannot be true is `Unmeasured` with its reason: -1, blanks, a ratio of failed parts, a
    value outside the vocabulary's `plausible`, a zone C that is zone B again, a value that
    several photographs share to the last digit.

    Parameters
    ----------
    records : records of one source, and what it left out, which passes through.
    tables : FeatureTable

    Yields
    ------
    Record or LeftOut
        At the end one LeftOut, "row without record", for each row that no record took.

    Raises
    ------
    LabelError
        If a table is none of these, two rows speak of one photograph, or a name fits
        photographs of several splits and the table has no split.
    """
    loaded = _load(tables)
    for record in records:
        yield record if isinstance(record, LeftOut) else _joined(record, loaded)
    for (split, stem), features in loaded.items():
        if not features.taken_by:
            reason = f"no photograph of the name{f' in the split {split}' if split else ''}"
            yield LeftOut("row without record", stem, reason, ", ".join(features.origins))


def _load(tables: Sequence[FeatureTable]) -> _Loaded:
    loaded: _Loaded = {}
    for given in tables:
        kind = kind_of(given.file)
        columns = quantity_of(given.file, header(given.file), kind)
        table = Table(given.file, kind, columns, stale_cells(read_rows(given.file), columns))
        said: dict[str, int] = {}
        for row in read_rows(given.file):
            stem = name_of(row, kind)
            _refuse_second_row(row, stem, said)
            features = loaded.setdefault((given.split, stem.lower()), _Features())
            features.table = given.file
            features.origins.append(row.origin)
            _take(features, row, table)
    return loaded


def _take(features: _Features, row: Row, table: Table) -> None:
    if table.kind == "quality":
        level = row.integer(QUALITY_LEVEL, (0, 1, 2))
        features.grade = Grade("automorph_quality", level, "AutoMorph M1, Prediction")
    elif table.kind == "rbad":
        features.angles_deg.append(row.number("avg_angle"))
    else:
        features.lines.append(line_of(row, table))


def _refuse_second_row(row: Row, stem: str, said: dict[str, int]) -> None:
    repeated = "seed" in row.cells  # RBAD: its centre is drawn by chance, so runs are repeated
    if not repeated and said.setdefault(stem.lower(), row.line) != row.line:
        raise LabelError(
            row.file,
            line=row.line,
            found=f"a second row of {stem!r}",
            expected=f"one; line {said[stem.lower()]} is the first",
            mend="AutoMorph cuts names at the first dot: rename photographs that agree up to it",
        )


def _cells(lines: Iterable[Line]) -> dict[Key, Cell]:
    """Return each quantity once; where two tables have it, they must say the same."""
    cells: dict[Key, Cell] = {}
    for line in lines:
        for key, cell in cells_of(line).items():
            before = cells.setdefault(key, cell)
            if not before.agrees_with(cell):
                raise LabelError(
                    line.table.file,
                    line=line.number,
                    column=cell.column,
                    found=repr(cell.text),
                    expected=f"{before.text!r}, as in {before.origin}",
                    mend="pass tables of one run of AutoMorph",
                )
            if not before.text:
                cells[key] = cell
    return cells


def _joined(record: Record, loaded: _Loaded) -> Record:
    photograph = record.photograph
    stem = PurePosixPath(photograph.file or photograph.id).name.split(".", 1)[0].lower()
    for split in dict.fromkeys((photograph.split, "")):
        features = loaded.get((split, stem))
        if features is not None:
            _refuse_second_photograph(record, features, split)
            features.taken_by = record.key
            record = _with_features(record, features)
    return record


def _refuse_second_photograph(record: Record, features: _Features, split: str) -> None:
    if not features.taken_by:
        return
    if split or features.taken_by.split("/")[1] == record.photograph.split:
        raise LabelError(
            features.table,
            found=f"one row for {features.taken_by} and {record.key}",
            expected="a name that no two photographs share up to the first dot",
            mend="rename one of the photographs, and run AutoMorph again",
        )
    raise LabelError(
        features.table,
        found=f"one row for {features.taken_by} and {record.key}, of two splits",
        expected="to be told from which split this table was made",
        mend=f"write split=FILE, such as {record.photograph.split}={features.table.name}",
    )


def _with_features(record: Record, features: _Features) -> Record:
    values: list[Measured | Unmeasured] = list(measurements_of(_cells(features.lines)))
    if features.angles_deg:
        values.append(_angle(features.angles_deg))
    grades = (features.grade,) if features.grade else ()
    return replace(
        record,
        grades=(*record.grades, *grades),
        measurements=(*record.measurements, *values),
        origin=(*record.origin, *features.origins),
    )


def _angle(angles: Sequence[float]) -> Measured | Unmeasured:
    """Return RBAD's mean angle: of one run, or the mean of the runs with their range."""
    mean = sum(angles) / len(angles)
    if not 0 < mean <= 180:
        return Unmeasured(
            "branching_angle", f"RBAD gave {mean:g} degrees", tool="RBAD", of="all", where="whole"
        )
    spread = max(angles) - min(angles) if len(angles) > 1 else None
    return Measured(
        "branching_angle", mean, "deg", tool="RBAD", of="all", where="whole", repeatability=spread
    )
