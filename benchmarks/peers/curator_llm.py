"""Bespoke Curator: one LLM over a data set of conversations; no telemetry, viewer or cache."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import peer
from datasets import Dataset

litellm = find_spec("litellm")
assert litellm and litellm.origin
# it counts tokens by a file that it would fetch; litellm, which it brings, holds a copy
os.environ["TIKTOKEN_CACHE_DIR"] = str(
    Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"
)
from bespokelabs import curator  # noqa: E402

MANY = 10_000_000
"""Of requests and tokens a minute: its own limits are to limit nothing."""


class Continued(curator.LLM):
    """Continues the conversation of a row."""

    def prompt(self, row: dict[str, Any]) -> list[dict[str, str]]:
        return row["messages"]

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"number": row["number"], "answer": response}


def ask_all(told: argparse.Namespace) -> list[str | None]:
    first = told.prompts[0]
    rows = [{"number": n, "messages": p["messages"]} for n, p in enumerate(told.prompts)]
    model = Continued(
        model_name=first["model"],
        backend="openai",
        generation_params={
            "temperature": first["temperature"],
            "max_tokens": first["max_tokens"],
        },
        backend_params={
            "base_url": told.base_url,
            "max_concurrent_requests": told.at_once,
            "max_requests_per_minute": MANY,
            "max_tokens_per_minute": 1000 * MANY,
        },
    )
    made = model(Dataset.from_list(rows)).dataset
    answers: list[str | None] = [None] * len(rows)
    for number, answer in zip(made["number"], made["answer"], strict=True):
        answers[number] = answer
    return answers


if __name__ == "__main__":
    told = peer.arguments()
    peer.done(told, ask_all(told))
