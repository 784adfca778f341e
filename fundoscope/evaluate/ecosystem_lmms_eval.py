"""Items as a task of lmms-eval: a folder with its YAML, its functions, the items and photographs.

The kit (EvolvingLMMs-Lab/lmms-eval, `docs/guides/task_guide.md`, `lmms_eval/utils.py`) reads the
folder with `--include_path`; functions are named `!function FILE.NAME`; relative `data_files` of
the builder `json` are taken from the YAML's folder. What `process_results` returns goes into the
file of answers, so that each answer carries the id of its item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from fundoscope.errors import ConfigError
from fundoscope.evaluate.ecosystem_rows import (
    check_single,
    options_of,
    photograph_bytes,
    truth_text,
)
from fundoscope.evaluate.item_making import Asked
from fundoscope.export.whole_files import json_text, whole_file

ITEMS, FUNCTIONS, PHOTOGRAPHS = "items.jsonl", "utils.py", "photographs"
ANSWER = "fundoscope_answer"
"""The metric under which an answer and its item stand in the kit's file; it scores nothing."""

_YAML = """\
# Written by fundoscope. Score the answers with `fundoscope evaluate`, not here.
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {items}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.photographs
doc_to_text: !function utils.question
doc_to_target: answer
process_results: !function utils.answered
generation_kwargs:
  max_new_tokens: 512
  temperature: 0
  do_sample: false
metric_list:
  - metric: {metric}
    aggregation: !function utils.share_answered
    higher_is_better: true
lmms_eval_specific_kwargs:
  default:
    pre_prompt: ""
    post_prompt: ""
metadata:
  version: 1.0
"""

_FUNCTIONS = '''\
"""What lmms-eval asks of each item of a task that fundoscope wrote."""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent


def photographs(doc):
    """Return the photographs of an item, RGB."""
    return [Image.open(HERE / file).convert("RGB") for file in doc["photographs"]]


def question(doc, lmms_eval_specific_kwargs=None):
    """Return the question, its options below it."""
    around = lmms_eval_specific_kwargs or {}
    return around.get("pre_prompt", "") + doc["question"] + around.get("post_prompt", "")


def answered(doc, results):
    """Return an answer with the id of its item, as fundoscope reads it back."""
    return {"METRIC": {"item": doc["id"], "answer": str(results[0]) if results else ""}}


def share_answered(rows):
    """Return the share of items with an answer, right or wrong: it is no score."""
    return sum(bool(row["answer"].strip()) for row in rows) / max(len(rows), 1)
'''


def write_lmms_eval(asked: Asked, out: Path) -> Path:
    """Write `fundoscope_TASK/` and return it: YAML, utils.py, items.jsonl, photographs.

    Give the kit the folder as `--include_path`, its name as `--tasks`, and `--log_samples`.

    Raises
    ------
    ConfigError
        If the items follow one another, have no photograph, or the folder holds another's files.
    """
    check_single(asked.items, "lmms-eval")
    name = f"fundoscope_{asked.task.name}".replace("-", "_")
    folder = out / name
    _check_ours(folder, name)
    (folder / PHOTOGRAPHS).mkdir(parents=True, exist_ok=True)
    files = _photographs(asked, folder)
    _write(folder / FUNCTIONS, _FUNCTIONS.replace("METRIC", ANSWER))
    rows = (
        {
            "id": item.id,
            "photographs": [files[file] for file in item.photographs],
            "question": item.question,
            "options": list(options_of(item).values()),
            "answer": truth_text(item),
            "language": item.language,
        }
        for item in asked.items
    )
    _write(folder / ITEMS, "".join(json_text(row) + "\n" for row in rows))
    _write(folder / f"{name}.yaml", _YAML.format(name=name, items=ITEMS, metric=ANSWER))
    return folder


def _check_ours(folder: Path, name: str) -> None:
    known = {ITEMS, FUNCTIONS, PHOTOGRAPHS, f"{name}.yaml", "__pycache__"}
    others = sorted({file.name for file in folder.glob("*")} - known)
    if others:
        raise ConfigError(f"{folder} holds {others[0]!r}", mend="give another folder")


def _photographs(asked: Asked, folder: Path) -> Mapping[Path, str]:
    """Copy each photograph once, under a name that its bytes decide; return the names."""
    names: dict[Path, str] = {}
    for item in asked.items:
        for file in item.photographs:
            if file in names:
                continue
            raw = photograph_bytes(file)
            digest = hashlib.sha256(raw).hexdigest()[:16]
            names[file] = f"{PHOTOGRAPHS}/{digest}{file.suffix.lower()}"
            with whole_file(folder / names[file]) as stream:
                stream.write(raw)
    return names


def _write(file: Path, text: str) -> None:
    with whole_file(file) as stream:
        stream.write(text.encode())
