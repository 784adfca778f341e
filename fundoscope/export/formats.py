"""Dialogues as trainers read them: one function a format, each registered by name.

Every format writes one file for each split and track, `train.instruction.json` and the like,
for LLaVA's alignment stage refuses a file that holds anything but single turns. The first
question ends with `<image>` (a part of its own where messages have parts); nothing else has it,
and a dialogue about no photograph has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fundoscope.export.placed import Add, Format, Placed, from_and_value, llava_row, said
from fundoscope.export.shards import webdataset
from fundoscope.export.tables import parquet
from fundoscope.export.whole_files import Delivery, JsonRows, json_text
from fundoscope.plugins import Registry

formats: Registry[Format] = Registry("formats")
"""Every format by name: within `formats.get("llava")(delivery) as add`, `add(placed)` writes."""
formats.register("parquet")(parquet)
formats.register("webdataset")(webdataset)


def _sharegpt_row(placed: Placed) -> dict[str, Any]:
    return {"id": placed.id, "conversations": from_and_value(placed), "images": placed.images}


def _swift_row(placed: Placed) -> dict[str, Any]:
    roles = {"human": "user", "gpt": "assistant"}
    messages = [{"role": roles[t["from"]], "content": t["value"]} for t in from_and_value(placed)]
    return {"id": placed.id, "messages": messages, "images": placed.images}


def _messages_row(placed: Placed) -> dict[str, Any]:
    messages = [
        {"role": who, "content": [{"type": "text", "text": text}]}
        for turn in said(placed)
        for who, text in zip(("user", "assistant"), turn, strict=True)
    ]
    if placed.has_photograph:
        messages[0]["content"] = [{"type": "image"}, *messages[0]["content"]]
    return {"id": placed.id, "messages": messages, "images": placed.images}


class _RowFiles:
    """JSON files of rows, opened when their first row comes."""

    def __init__(self, delivery: Delivery, suffix: str) -> None:
        self._delivery, self._suffix = delivery, suffix
        self._files: dict[str, JsonRows] = {}

    def add(self, placed: Placed, row: dict[str, Any]) -> None:
        name = placed.name + self._suffix
        if name not in self._files:
            self._files[name] = JsonRows(self._delivery.open(name), name)
        self._files[name].add(row)

    def end(self) -> list[str]:
        for rows in self._files.values():
            rows.end()
        return list(self._files)


def _register_rows(format: str, suffix: str, row: Callable[[Placed], dict[str, Any]]) -> None:
    """Register a format of one row a dialogue, in JSON."""

    @contextmanager
    def write(delivery: Delivery) -> Iterator[Add]:
        files = _RowFiles(delivery, suffix)
        yield lambda placed: files.add(placed, row(placed))
        files.end()

    formats.register(format)(write)


_register_rows("llava", ".json", llava_row)
_register_rows("llava-jsonl", ".jsonl", llava_row)
_register_rows("messages", ".jsonl", _messages_row)
_register_rows("swift", ".jsonl", _swift_row)


@formats.register("sharegpt")
@contextmanager
def sharegpt(delivery: Delivery) -> Iterator[Add]:
    """Write for LLaMA-Factory: lists of dialogues and the `dataset_info.json` that names them."""
    files = _RowFiles(delivery, ".json")
    yield lambda placed: files.add(placed, _sharegpt_row(placed))
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    columns = {"messages": "conversations", "images": "images"}
    told = {"formatting": "sharegpt", "columns": columns, "tags": tags}
    _write_dataset_info(delivery, dict.fromkeys(files.end(), told))


@formats.register("history")
@contextmanager
def history(delivery: Delivery) -> Iterator[Add]:
    """Write one row a turn, with the turns before it: LLaMA-Factory's alpaca, OphGLM's training.

    A file whose dialogues are about no photograph has no `images`, and its entry names none.
    """
    files = _RowFiles(delivery, ".json")
    with_photographs: set[str] = set()

    def add(placed: Placed) -> None:
        for row in history_rows(placed):
            files.add(placed, row)
        if placed.has_photograph:
            with_photographs.add(f"{placed.name}.json")

    yield add
    columns = {"prompt": "instruction", "query": "input", "response": "output",
               "history": "history"}  # fmt: skip
    images = {"images": "images"}
    info = {
        name: {
            "formatting": "alpaca",
            "columns": {**columns, **(images if name in with_photographs else {})},
        }
        for name in files.end()
    }
    _write_dataset_info(delivery, info)


def history_rows(placed: Placed) -> Iterator[dict[str, Any]]:
    """Yield a row for each turn: `instruction`, `input` (empty), `output`, `history`.

    `<image>` stands in the dialogue's first question, which is in every row: the first row's
    instruction, later the first of the history.
    """
    texts = [turn["value"] for turn in from_and_value(placed)]
    turns = [list(turn) for turn in zip(texts[::2], texts[1::2], strict=True)]
    images = {"images": placed.images} if placed.has_photograph else {}
    for number, (question, answer) in enumerate(turns, start=1):
        yield {
            "id": f"{placed.id}/{number}",
            "instruction": question,
            "input": "",
            "output": answer,
            "history": turns[: number - 1],
            **images,
        }


def _write_dataset_info(delivery: Delivery, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what LLaMA-Factory must know of each file: its name, its form, its columns."""
    info = {
        name.removesuffix(".json").replace(".", "_"): {"file_name": name, **entries[name]}
        for name in sorted(entries)
    }
    delivery.open("dataset_info.json").write((json_text(info, indent=2) + "\n").encode())
