"""One photograph, one record: a label that comes twice is reported, or refused if it disagrees."""

from __future__ import annotations

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row
from fundoscope.records import LeftOut


class Repeats:
    """What was read of each name so far."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[Row, tuple[object, ...]]] = {}

    def repeated(self, name: str, row: Row, *values: object) -> LeftOut | None:
        """Return the duplicate to report where `name` was read before, else None.

        Raises
        ------
        LabelError
            If the two rows say different `values`.
        """
        first, said = self._first.setdefault(name, (row, values))
        if first is row:
            return None
        if said != values:
            raise LabelError(
                row.file,
                line=row.line,
                found=f"{name!r} with {_listed(values)}",
                expected=f"{_listed(said)}, as in {first.origin}",
                mend="find out which of the two is right, and pass that file alone",
            )
        return LeftOut("duplicate", name, f"the same label as in {first.origin}", row.origin)


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values)) or "no value"
