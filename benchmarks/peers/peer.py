"""What every peer's script shares: its arguments, the prompts, and how it tells that it is done.

Runs in the peers' own environments: nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any


def arguments() -> argparse.Namespace:
    """Return what a script was told; `prompts` holds the bodies of the requests, in order."""
    parser = argparse.ArgumentParser()
    parser.add_argument("prompts", type=Path, help="JSONL, a request's body on every line")
    parser.add_argument("base_url")
    parser.add_argument("answers", type=Path, help="where the answers go, JSONL")
    parser.add_argument("--at-once", type=int, default=64)
    told = parser.parse_args()
    lines = told.prompts.read_text(encoding="utf-8").splitlines()
    told.prompts = [json.loads(line) for line in lines]
    return told


def done(told: argparse.Namespace, answers: list[str | None]) -> None:
    """Write the answers, and say when the last of them was written."""
    with told.answers.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(json.dumps(answer, ensure_ascii=False) + "\n")
    tell(answered=sum(1 for answer in answers if answer), last_settled=time.monotonic())


def tell(**what: Any) -> None:
    print("\n" + json.dumps(what), flush=True)
