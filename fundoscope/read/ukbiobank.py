"""UK Biobank: photographs by their field and participant, and no label of the eye at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fundoscope.read.label_files import read_rows
from fundoscope.read.photographs import PhotographIndex
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Eye, LeftOut, Photograph, Record

LICENCE = "UK Biobank material transfer agreement, access controlled"
_EYES: Mapping[str, Eye] = {"21015": "left", "21016": "right"}
_NAME = re.compile(r"(?P<eid>[0-9]+)_(?P<field>[0-9]+)_(?P<visit>[0-9]+)_(?P<array>[0-9]+)")

Cohort = dict[str, tuple[list[str], list[str]]]
"""Participant -> what cohort tables say of the person, and where they say it."""


@sources.register("ukbiobank")
def read_ukbiobank(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of UK Biobank, named `EID_FIELD_VISIT_ARRAY`.

    Layout: `1000012_21016_0_0.png`; field 21015 is the left eye, 21016 the right. Labels, if
    given, are tables of a cohort with a column `eid`. Licence: access controlled.

    Traps: there is no label of the eye. What a cohort table says of the person (a dementia, a
    stroke) is kept as a note and never stated: it cannot be seen in a photograph.

    Raises
    ------
    LabelError
        If a cohort table has no `eid`.
    """
    cohort = _cohort(request.labels)
    index = PhotographIndex(request.photographs or request.root)
    for path in index.unmatched():
        named = _NAME.fullmatch(path.stem)
        if named is None or named["field"] not in _EYES:
            yield LeftOut("photograph without label", index.relative(path), _misfit(path.stem))
            continue
        notes, origin = cohort.get(named["eid"], ([], []))
        yield Record(
            Photograph(
                "ukbiobank",
                "all",
                path.stem,
                index.relative(path),
                eye=_EYES[named["field"]],
                patient=named["eid"],
            ),
            notes=tuple(notes),
            licence=LICENCE,
            origin=tuple(origin),
        )


def _misfit(stem: str) -> str:
    if named := _NAME.fullmatch(stem):
        return f"field {named['field']} is neither 21015 (left eye) nor 21016 (right eye)"
    return "the name is not EID_FIELD_VISIT_ARRAY, such as 1000012_21016_0_0"


def _cohort(tables: Sequence[Path]) -> Cohort:
    cohort: Cohort = {}
    for file in tables:
        for row in read_rows(file, ("eid",)):
            notes, origin = cohort.setdefault(row.text("eid"), ([], []))
            said = ((c, row.text_or_none(c)) for c in row.cells if c != "eid")
            notes += [f"cohort: {column} = {value}" for column, value in said if value]
            origin.append(row.origin)
    return cohort
