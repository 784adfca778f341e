"""What AutoMorph's tables are called and what their columns measure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row, header

Kind = Literal["features", "pixels", "quality", "rbad"]
Key = tuple[str, str, str]
"""(quantity, of, where)."""

QUALITY_LEVEL = "Prediction"
NO_MEASURE = frozenset({"Name", "Image_id", "index", "SEQN", ""})
_DISC = {
    "Disc_height": "disc_height",
    "Disc_width": "disc_width",
    "Cup_height": "cup_height",
    "Cup_width": "cup_width",
    "CDR_vertical": "cdr_vertical",
    "CDR_horizontal": "cdr_horizontal",
}
_VESSEL = {
    "Fractal_dimension": "fractal_dimension",
    "Vessel_density": "vessel_density",
    "Average_width": "average_width",
    "Distance_tortuosity": "distance_tortuosity",
    "Squared_curvature_tortuosity": "squared_curvature_tortuosity",
    "Tortuosity_density": "tortuosity_density",
}
_CALIBRE = {
    "CRAE_Hubbard": "crae_hubbard",
    "CRAE_Knudtson": "crae_knudtson",
    "CRVE_Hubbard": "crve_hubbard",
    "CRVE_Knudtson": "crve_knudtson",
    "AVR_Hubbard": "avr_hubbard",
    "AVR_Knudtson": "avr_knudtson",
}
_OLD = {
    "FD_boxC": "fractal_dimension",
    "Vessel_Density": "vessel_density",
    "Average_width": "average_width",
}
_MAPS = {"": "all", "Artery_": "arteries", "Vein_": "veins"}
_OLD_MAPS = {"": "all", "_artery": "arteries", "_vein": "veins"}
_ZONES = {"": "whole", "_zone_b": "zone_b", "_zone_c": "zone_c"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table, as written."""

    text: str
    column: str
    origin: str
    stale: bool = False
    """Whether photographs that differ share it to the last digit."""
    pixels: bool = False
    """Whether an older table gives it in pixels."""

    def agrees_with(self, other: Cell) -> bool:
        """Say whether two tables of one run say the same, but for the last printed digits."""
        if self.text == other.text or "" in (self.text, other.text):
            return True
        try:
            mine, theirs = float(self.text), float(other.text)
        except ValueError:
            return False
        return abs(mine - theirs) <= 1e-9 * max(abs(mine), abs(theirs), 1.0)


def kind_of(file: Path) -> Kind:
    """Return what a table holds, told by its header.

    Raises
    ------
    LabelError
        If the header is none of AutoMorph's measuring tables nor RBAD's.
    """
    if not file.is_file():
        raise LabelError(
            file, found="no such file", expected="a table of AutoMorph", mend="check the path"
        )
    names = set(header(file))
    if {"Name", QUALITY_LEVEL, "softmax_good"} <= names:
        return "quality"
    if {"file", "avg_angle"} <= names:
        return "rbad"
    if "Image_id" in names and names & set(_old_columns()):
        return "pixels"
    if "Name" in names and names & set(_DISC):
        return "features"
    raise LabelError(
        file,
        line=1,
        found=f"columns {', '.join(sorted(names)) or 'none'}",
        expected="Name with Disc_height, ... (M3); Name, softmax_good, ..., Prediction (M1); "
        "Image_id with FD_boxC (older M3); or file, avg_angle (RBAD)",
        mend="pass Macular_Features.csv, Disc_Features.csv or results_ensemble.csv",
    )


def name_of(row: Row, kind: Kind) -> str:
    """Return the stem of the photograph that a row speaks of."""
    column = {"pixels": "Image_id", "rbad": "file"}.get(kind, "Name")
    name = PurePosixPath(row.text(column).replace("\\", "/")).name
    return name.split(".", 1)[0]


def _old_columns() -> dict[str, Key]:
    return {
        f"{column}{suffix}": (id, of, "whole")
        for column, id in _OLD.items()
        for suffix, of in _OLD_MAPS.items()
    }


def _new_columns(zone: str) -> dict[str, Key]:
    """Return the columns of the merged table, or of one zone's where a zone is given."""
    known: dict[str, Key] = {column: (id, "", "") for column, id in _DISC.items()}
    for suffix, where in ({"": zone} if zone else _ZONES).items():
        for column, id in _VESSEL.items():
            for prefix, of in _MAPS.items():
                known[f"{prefix}{column}{suffix}"] = (id, of, where)
        if where != "whole":
            for column, id in _CALIBRE.items():
                known[f"{column}{suffix}"] = (id, "", where)
    return known


def quantity_of(file: Path, names: Sequence[str], kind: Kind) -> Mapping[str, Key]:
    """Return what each column of a table measures: column -> (quantity, of, where).

    Raises
    ------
    LabelError
        If a column is unknown, or calibres stand in a table whose name tells no zone.
    """
    if kind in ("quality", "rbad"):
        return {}
    said = re.search(r"zone_?([bc])", file.name.lower())
    zone = f"zone_{said[1]}" if said and not any("_zone_" in name for name in names) else ""
    known = _old_columns() if kind == "pixels" else _new_columns(zone)
    for name in names:
        if name not in known and name not in NO_MEASURE:
            raise LabelError(
                file,
                line=1,
                column=name,
                found=f"an unknown column {name!r}",
                expected=f"AutoMorph's columns; {name!r} needs Zone_B or Zone_C in the file's name"
                if name in _CALIBRE
                else "AutoMorph's columns",
            )
    return {name: known[name] for name in names if name in known}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of M3: its columns, and which of its cells are stale."""

    file: Path
    kind: Kind
    columns: Mapping[str, Key]
    stale: set[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, kept small until its photograph comes."""

    table: Table
    number: int
    texts: str
    """Cells of the table's columns, joined by `SEPARATOR`."""


SEPARATOR = "\x1f"


def line_of(row: Row, table: Table) -> Line:
    """Return a row without what is not measured."""
    texts = (row.text_or_none(column) or "" for column in table.columns)
    return Line(table, row.line, SEPARATOR.join(texts))


def cells_of(line: Line) -> dict[Key, Cell]:
    """Return what a row says of each quantity."""
    table = line.table
    cells = zip(table.columns.items(), line.texts.split(SEPARATOR), strict=True)
    return {
        key: Cell(
            text,
            column,
            f"{table.file.name}:{line.number}",
            stale=(line.number, column) in table.stale,
            pixels=table.kind == "pixels" and key[0] == "average_width",
        )
        for (column, key), text in cells
    }
