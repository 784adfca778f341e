"""Items as a data set of Hugging Face: one Parquet file with the photographs in it, and a card.

`datasets` reads a feature `Image` from a struct of `bytes` and `path` when the schema's metadata
`huggingface` says so, and finds the file by the `configs` of the card (README.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fundoscope.evaluate.ecosystem_rows import options_of, photograph_bytes, truth_text
from fundoscope.evaluate.item_making import Asked
from fundoscope.evaluate.items import Item
from fundoscope.export.whole_files import whole_file
from fundoscope.tables import pyarrow

FILE = "data/test-00000-of-00001.parquet"
GROUP_ROWS = 100
"""Rows of one group, photographs in them: what is held in memory."""
_TEXTS = ("id", "asked", "key", "patient", "question", "language")


def write_huggingface(asked: Asked, out: Path) -> Path:
    """Write `README.md` and a Parquet file of the items into a folder and return the folder.

    Columns: `id`, `asked`, `key`, `patient`, `image` (null without a photograph), `question`,
    `language`, `wording`, `before` (earlier questions of the conversation), `options`, `answer`.
    `datasets.load_dataset(FOLDER, split="test")` reads it.

    Raises
    ------
    MissingExtra
        If pyarrow is not installed.
    """
    (out / FILE).parent.mkdir(parents=True, exist_ok=True)
    pa, pq = pyarrow(), pyarrow("parquet")
    schema = _schema(pa)
    with whole_file(out / FILE) as stream, pq.ParquetWriter(stream, schema) as writer:
        for rows in _groups(asked.items):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    with whole_file(out / "README.md") as stream:
        stream.write(_card(asked).encode())
    return out


def _schema(pa: Any) -> Any:
    texts = pa.list_(pa.string())
    columns = {
        **dict.fromkeys(_TEXTS, pa.string()),
        "wording": pa.int64(),
        "before": texts,
        "options": texts,
        "answer": pa.string(),
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    }
    told = json.dumps({"info": {"features": _features()}})
    return pa.schema(list(columns.items()), metadata={"huggingface": told})


def _features() -> dict[str, Any]:
    text = {"dtype": "string", "_type": "Value"}
    return {
        **dict.fromkeys(_TEXTS, text),
        "wording": {"dtype": "int64", "_type": "Value"},
        "before": {"feature": text, "_type": "Sequence"},
        "options": {"feature": text, "_type": "Sequence"},
        "answer": text,
        "image": {"_type": "Image"},
    }


def _groups(items: tuple[Item, ...]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(items), GROUP_ROWS):
        yield [_row(item) for item in items[start : start + GROUP_ROWS]]


def _row(item: Item) -> dict[str, Any]:
    photograph = item.photographs[0] if item.photographs else None
    return {
        **{name: getattr(item, name) for name in _TEXTS},
        "wording": item.wording,
        "before": list(item.before),
        "options": [f"{letter}. {text}" for letter, text in options_of(item).items()],
        "answer": truth_text(item),
        "image": photograph and {"bytes": photograph_bytes(photograph), "path": photograph.name},
    }


def _card(asked: Asked) -> str:
    task = asked.task
    head = {
        "pretty_name": task.title,
        "language": list(asked.choice.languages),
        "license": "other",
        "license_details": task.licence,
        "task_categories": ["visual-question-answering"],
        "configs": [
            {"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*"}]}
        ],
    }
    left = "".join(f"- {why}: {n:,}\n" for why, n in asked.counts_left_out().items())
    notes = "".join(f"- {note}\n" for note in task.notes)
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"
        f"# {task.title}\n\n"
        f"Items of the evaluation task `{task.name}` of fundoscope: {len(asked.items):,} questions "
        f"about {asked.photographs:,} photographs ({task.split.said()}).\n\n"
        f"**What the labels mean.** {task.means}\n\n"
        f"**Licence of the photographs and labels.** {task.licence}. This folder holds the "
        "photographs themselves: pass it on only where that licence allows it.\n\n"
        "Research use, not a medical device. Score answers with `fundoscope evaluate`.\n"
        + (f"\n## Notes\n\n{notes}" if notes else "")
        + (f"\n## Left out\n\n{left}" if left else "")
    )
