"""Items as VLMEvalKit reads them: one TSV with the photographs in base64.

Its custom data sets (`vlmeval/dataset/__init__.py`, `image_base.py`, `image_mcq.py` of
open-compass/VLMEvalKit) are `NAME.tsv` in the folder that `LMUData` names: `index`, whole and
unique; `image`, base64, or the index of an earlier row that has it; `question`; with columns `A`
and `B` it is a set of choices, which the kit writes below the question itself; else it is a set of
open questions, if the name holds `openended`. Other columns pass through to the file of answers:
`item` is ours.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from fundoscope.evaluate.ecosystem_rows import (
    bare_question,
    check_single,
    options_of,
    photograph_bytes,
    truth_text,
)
from fundoscope.evaluate.item_making import Asked
from fundoscope.export.whole_files import whole_file

COLUMNS = ("index", "item", "image", "question", "answer", "category", "split")


def write_vlmevalkit(asked: Asked, out: Path) -> Path:
    """Write `fundoscope_TASK.tsv` (`..._openended.tsv` without options) and return its path.

    Give the kit its folder as `LMUData` and its name without `.tsv` as `--data`, with
    `--mode infer`: it has no score for open questions of a custom set, and none is wanted.

    Raises
    ------
    ConfigError
        If the items follow one another or have no photograph.
    """
    check_single(asked.items, "VLMEvalKit")
    letters = sorted({letter for item in asked.items for letter in options_of(item)})
    name = f"fundoscope_{asked.task.name}" + ("" if letters else "_openended")
    file = out / f"{name}.tsv"
    with whole_file(file) as stream:
        for line in _lines(asked, letters):
            stream.write(line)
    return file


def _lines(asked: Asked, letters: list[str]) -> Iterator[bytes]:
    yield _line([*COLUMNS, *letters])
    first: dict[Path, int] = {}
    for index, item in enumerate(asked.items):
        file = item.photographs[0]
        at = first.setdefault(file, index)
        image = base64.b64encode(photograph_bytes(file)).decode() if at == index else str(at)
        row = {
            "index": str(index),
            "item": item.id,
            "image": image,
            "question": bare_question(item),
            "answer": truth_text(item),
            "category": asked.task.name,
            "split": item.language,
            **options_of(item),
        }
        yield _line([row.get(column, "") for column in (*COLUMNS, *letters)])


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
