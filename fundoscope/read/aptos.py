"""APTOS 2019: diabetic retinopathy graded 0 to 4."""

from __future__ import annotations

from collections.abc import Iterator

from fundoscope.read.label_files import read_rows
from fundoscope.read.originals import (
    check_columns,
    original_labels,
    photographs_of,
    split_in_name,
)
from fundoscope.read.photographs import left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Photograph, Record

SPELLINGS = (
    "train.csv",
    "train_1.csv",
    "valid.csv",
    "val.csv",
    "test.csv",
    "aptos*train*.csv",
    "aptos*val*.csv",
    "aptos*test*.csv",
)
LICENCE = "Kaggle APTOS 2019 competition terms"


@sources.register("aptos")
def read_aptos(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of APTOS 2019 Blindness Detection.

    Layout: `train.csv`, `test.csv`, `train_images/`, `test_images/`; or the resized copy with
    `train_1.csv`, `valid.csv`, `test.csv`. Columns `id_code,diagnosis`, ICDR 0 to 4. The split is
    that of the file's name. Licence: competition terms.

    Traps: the competition's `test.csv` has no diagnosis; no patient is named, so the eyes of one
    person cannot be kept together; near-duplicates are known to exist.

    Raises
    ------
    LabelError
        If a column or a grade is unknown, or two files disagree.
    """
    files = original_labels(request, SPELLINGS)
    index = photographs_of(request)
    repeats = Repeats()
    for file in files:
        check_columns(file, ("id_code",), ("diagnosis",))
        split = split_in_name(file.name) or "all"
        for row in read_rows(file):
            id = row.text("id_code")
            level = None
            if row.text_or_none("diagnosis") is not None:
                level = row.integer("diagnosis", range(5))
            path = index.find(id) if index else None
            if level is None:
                reason = "the row has no diagnosis"
                yield LeftOut("no label value", f"{split}/{id}", reason, row.origin)
                continue
            if repeated := repeats.repeated(id, row, level):
                yield repeated
                continue
            if path is None and not request.labels_only:
                reason = f"no photograph {id}"
                yield LeftOut("label without photograph", f"{split}/{id}", reason, row.origin)
                continue
            at = index.relative(path) if index and path else ""
            yield Record(
                Photograph("aptos", split, id, at),
                grades=(Grade("icdr", level, f"aptos {file.name}"),),
                licence=LICENCE,
                origin=(row.origin,),
            )
    if index:
        yield from left_unmatched(index)
