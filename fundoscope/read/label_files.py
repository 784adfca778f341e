"""Label tables, read so that nothing is guessed: CSV, TSV, XLSX and XLS.

Cells stay text (`007` stays `007`). Every error names file, line, column, what was found and what
was expected.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fundoscope.errors import LabelError, nearest

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
"""How tables say "nothing here", in lower case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a label table: cells by column name, and where it stands."""

    file: Path
    line: int
    """1-based line of the file (row of the sheet)."""
    cells: dict[str, str]

    @property
    def origin(self) -> str:
        """`file:line`, for a record's `origin`."""
        return f"{self.file.name}:{self.line}"

    def error(self, column: str, expected: str) -> LabelError:
        """Return the error that says what was found in `column` and what was expected."""
        return LabelError(
            self.file,
            line=self.line,
            column=column,
            found=repr(self.cells.get(column, "")),
            expected=expected,
        )

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        cell = self.cells[column]
        if cell.lower() in MISSING_WORDS:
            raise self.error(column, "a value")
        return cell

    def text_or_none(self, column: str) -> str | None:
        """Return a cell, or None where the table says nothing or has no such column."""
        cell = self.cells.get(column, "")
        return None if cell.lower() in MISSING_WORDS else cell

    def integer(self, column: str, allowed: Collection[int]) -> int:
        """Return a whole number that must be one of `allowed`; `2` and `2.0` both count."""
        try:
            number = float(self.text(column))
        except ValueError:
            number = math.nan
        if number not in allowed:
            raise self.error(column, f"one of {sorted(allowed)}")
        return int(number)

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a number that must lie in [low, high]."""
        try:
            number = float(self.text(column))
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise self.error(column, f"a number from {low:g} to {high:g}")
        return number


def read_rows(file: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a label table.

    Parameters
    ----------
    file : Path
        `.csv`, `.tsv`, `.txt` (delimiter sniffed from the header), `.xlsx` or `.xls`, first sheet.
    columns : names that must be in the header; blanks around a header name do not count.

    Raises
    ------
    LabelError
        If the file is missing, empty, corrupt, ragged, repeats or lacks a column.
    """
    if not file.is_file():
        raise LabelError(
            file, found="no such file", expected="a label table", mend="check the path"
        )
    suffix = file.suffix.lower()
    if suffix == ".xlsx":
        lines = _xlsx_lines(file)
    elif suffix == ".xls":
        lines = _xls_lines(file)
    else:
        lines = _csv_lines(file)
    yield from _rows(file, lines, columns)


def header(file: Path) -> list[str]:
    """Return the column names of a label table."""
    suffix = file.suffix.lower()
    lines = {".xlsx": _xlsx_lines, ".xls": _xls_lines}.get(suffix, _csv_lines)(file)
    _, names = next(lines, (0, []))
    return [name.strip() for name in names]


def _rows(
    file: Path, lines: Iterator[tuple[int, list[str]]], columns: Sequence[str]
) -> Iterator[Row]:
    first_line, names = next(lines, (0, []))
    names = [name.strip() for name in names]
    if not any(names):
        raise LabelError(file, found="an empty file", expected="a header and rows")
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise LabelError(
            file, line=first_line, column=twice, found="the column twice", expected="once"
        )
    for column in columns:
        if column not in named:
            raise LabelError(
                file,
                line=first_line,
                column=column,
                found=f"columns {', '.join(named)}",
                expected=f"a column {column!r}",
                mend=nearest(column, named),
            )
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise LabelError(
                file,
                line=line,
                found=f"{len(cells)} cells",
                expected=f"{len(names)}, as in the header",
            )
        yield Row(file, line, {n: c.strip() for n, c in zip(names, cells, strict=True) if n})


def _csv_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(file)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 0
    try:
        for cells in reader:
            line += 1
            yield line, cells
            line = reader.line_num
    except csv.Error as problem:
        raise LabelError(
            file, line=reader.line_num, found=str(problem), expected="well-formed CSV"
        ) from problem


def _decoded(file: Path) -> str:
    raw = file.read_bytes()
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise LabelError(file, found="bytes that are no text", expected="UTF-8, UTF-16 or GB18030 text")


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # Excel keeps the id 7 as 7.0
    return str(value)


def _xlsx_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except Exception as problem:  # openpyxl lets zip, XML and key errors through
        raise LabelError(file, found=f"{problem}", expected="a readable XLSX workbook") from problem
    for line, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
        yield line, [_cell_text(value) for value in row]
    book.close()


def _xls_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    import xlrd

    try:
        sheet = xlrd.open_workbook(str(file)).sheet_by_index(0)
    except Exception as problem:  # xlrd lets struct and assertion errors through
        raise LabelError(file, found=f"{problem}", expected="a readable XLS workbook") from problem
    for index in range(sheet.nrows):
        yield index + 1, [_cell_text(value) for value in sheet.row_values(index)]
