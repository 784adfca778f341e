"""distilabel: one task that continues a conversation, in batches of the concurrency asked."""

from __future__ import annotations

import argparse

import peer
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import ChatGeneration


def ask_all(told: argparse.Namespace) -> list[str | None]:
    first = told.prompts[0]
    rows = [{"number": n, "messages": p["messages"]} for n, p in enumerate(told.prompts)]
    with Pipeline(name="peer") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=told.at_once)
        chat = ChatGeneration(
            llm=OpenAILLM(
                model=first["model"],
                base_url=told.base_url,
                api_key="none",
                generation_kwargs={
                    "max_new_tokens": first["max_tokens"],
                    "temperature": first["temperature"],
                },
            ),
            input_batch_size=told.at_once,
        )
        load >> chat
    made = pipeline.run(use_cache=False)["default"]["train"]
    answers: list[str | None] = [None] * len(rows)
    for number, answer in zip(made["number"], made["generation"], strict=True):
        answers[number] = answer
    return answers


if __name__ == "__main__":
    told = peer.arguments()
    peer.done(told, ask_all(told))
