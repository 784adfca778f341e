"""Which of AutoMorph's values can be true, and why the others are not measured."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from fundoscope import terms
from fundoscope.read.automorph_columns import Cell, Key
from fundoscope.read.label_files import Row
from fundoscope.records import Measured, Unmeasured

TOOL = "AutoMorph"
CALIBRES = ("crae_hubbard", "crae_knudtson", "crve_hubbard", "crve_knudtson")
RATIOS = ("avr_hubbard", "avr_knudtson")

BLANK = "AutoMorph left it blank: it found too few vessels, or no valid optic disc"
FAILED = "AutoMorph gave -1, which says that the measurement failed"
FAILED_PARTS = "AutoMorph computed it from a failed CRAE or CRVE"
PIXELS = "this older AutoMorph table gives pixels, and no scale"
REPEATED_ZONE = "zone C equals zone B in every column, a bug of older AutoMorph releases"
STALE = "several photographs share it to the last digit: left over from another photograph"
DISAGREES = "AVR is not CRAE / CRVE in this row: one of the three was filled in afterwards"
SCALE = "the resolution given to AutoMorph, or its outline, was probably wrong"


def stale_cells(rows: Iterable[Row], columns: Mapping[str, Key]) -> set[tuple[int, str]]:
    """Return (line, column) of calibres and ratios that different photographs share exactly.

    Six widths are combined in each, so they do not repeat by chance; sizes of a disc in whole
    pixels and densities do. Rows that agree in all columns are one photograph under two names,
    and not stale.
    """
    watched = [c for c, (id, _, _) in columns.items() if id in (*CALIBRES, *RATIOS)]
    lines, rows_hash = array("q"), array("q")
    values = array("d")  # rows by watched columns; arrays, as a table may have 100,000 rows
    for row in rows:
        lines.append(row.line)
        rows_hash.append(hash(tuple(row.cells[column] for column in columns)))
        values.extend(_number(row.cells[column]) or math.nan for column in watched)
    found = set()
    table = np.asarray(values).reshape(len(lines), len(watched))
    for column, said in zip(watched, table.T, strict=True):
        for sharing in _sharing(said):
            if len({rows_hash[place] for place in sharing}) > 1:
                found |= {(lines[place], column) for place in sharing}
    return found


def _sharing(values: npt.NDArray[np.float64]) -> Iterator[list[int]]:
    """Yield the places of each value that stands more than once; -1 and 1 mean a failure."""
    places = np.flatnonzero(np.isfinite(values) & (np.abs(values) != 1))
    order = places[np.argsort(values[places], kind="stable")]
    for together in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
        if len(together) > 1:
            yield together.tolist()


def measurements_of(cells: Mapping[Key, Cell]) -> Iterator[Measured | Unmeasured]:
    """Yield each quantity of a photograph, measured or with the reason why it is not."""
    repeated = _zone_c_repeats_zone_b(cells)
    failed, filled = _parts_that_failed(cells)
    unscaled = _disc_of_impossible_size(cells)
    for key, cell in cells.items():
        id, of, where = key
        value = _number(cell.text)
        reason = _reason(key, cell, value)
        if repeated and where == "zone_c":
            reason = REPEATED_ZONE
        elif key in failed:
            reason = FAILED_PARTS
        elif key in filled and not reason:
            reason = DISAGREES
        elif unscaled and not reason and (terms.quantity(id).unit == "um" or id == "avr_hubbard"):
            reason = f"{unscaled}: {SCALE}"
        if reason or value is None:
            yield Unmeasured(id, reason or BLANK, tool=TOOL, of=of, where=where)
        else:
            yield Measured(id, value, terms.quantity(id).unit, tool=TOOL, of=of, where=where)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _reason(key: Key, cell: Cell, value: float | None) -> str:
    """Return why a value on its own is not to be trusted, or nothing."""
    quantity = terms.quantity(key[0])
    if value is None:
        return BLANK
    if value == -1:
        return FAILED
    if cell.pixels:
        return PIXELS
    if cell.stale:
        return STALE
    if key[0].endswith("tortuosity") and value == 0:
        return "AutoMorph gave 0: no vessel segment was long enough"
    low, high = quantity.plausible
    if not low <= value <= high:
        said = f"{value:g} is outside the plausible {low:g} to {high:g}"
        unit = terms.UNIT_WORDS[quantity.unit]
        return f"{said} {unit}: {SCALE}" if unit else said
    return ""


def _disc_of_impossible_size(cells: Mapping[Key, Cell]) -> str:
    """Return a disc size that no eye has both ways, or nothing; one scale gives all micrometres.

    One way alone is an outline gone wrong, not a scale.
    """
    sizes = []
    for id in ("disc_height", "disc_width"):
        cell = cells.get((id, "", ""))
        value = _number(cell.text) if cell else None
        low, high = terms.quantity(id).plausible
        if value is None or value == -1 or low <= value <= high:
            return ""
        sizes.append(f"{value:g}")
    return f"the optic disc would be {' by '.join(sizes)} µm"


def _zone_c_repeats_zone_b(cells: Mapping[Key, Cell]) -> bool:
    pairs = [
        (cell.text, cells[id, of, "zone_c"].text)
        for (id, of, where), cell in cells.items()
        if where == "zone_b" and (id, of, "zone_c") in cells
    ]
    said = [(b, c) for b, c in pairs if _number(b) not in (None, -1.0)]
    return bool(said) and all(b == c for b, c in pairs)


def _parts_that_failed(cells: Mapping[Key, Cell]) -> tuple[set[Key], set[Key]]:
    """Return the ratios of failed parts, and the parts and ratios that do not belong together."""
    failed: set[Key] = set()
    filled: set[Key] = set()
    for (id, of, where), cell in cells.items():
        ratio = _number(cell.text)
        if id not in RATIOS or ratio is None:
            continue
        method = id.removeprefix("avr")
        parts: list[Key] = [(f"crae{method}", of, where), (f"crve{method}", of, where)]
        artery, vein = (_number(cells[key].text) if key in cells else None for key in parts)
        if artery in (None, -1.0) or vein in (None, -1.0):
            failed.add((id, of, where))
        elif vein and not math.isclose(ratio, (artery or 0) / vein, rel_tol=1e-6):
            filled |= {(id, of, where), *parts}
    return failed, filled
