"""NeMo Data Designer: a seed table of system and user messages, and one column of answers."""

from __future__ import annotations

import argparse
import tempfile

import data_designer.config as dd
import pandas as pd
import peer
from data_designer.interface import DataDesigner

BUFFER = 10_000
"""Rows that it has in hand; its own 1,000 would make it wait at the end of each thousand."""


def ask_all(told: argparse.Namespace, folder: str) -> list[str | None]:
    first = told.prompts[0]
    rows = pd.DataFrame(
        {
            "number": range(len(told.prompts)),
            "system": [prompt["messages"][0]["content"] for prompt in told.prompts],
            "user": [prompt["messages"][1]["content"] for prompt in told.prompts],
        }
    )
    provider = dd.ModelProvider(name="fake", endpoint=told.base_url, api_key="none")
    model = dd.ModelConfig(
        alias="fake",
        model=first["model"],
        provider="fake",
        skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(
            temperature=first["temperature"],
            max_tokens=first["max_tokens"],
            max_parallel_requests=told.at_once,
        ),
    )
    columns = dd.DataDesignerConfigBuilder(model_configs=[model])
    columns.with_seed_dataset(
        dd.DataFrameSeedSource(df=rows), sampling_strategy=dd.SamplingStrategy.ORDERED
    )
    columns.add_column(
        dd.LLMTextColumnConfig(
            name="answer", model_alias="fake", system_prompt="{{ system }}", prompt="{{ user }}"
        )
    )
    designer = DataDesigner(artifact_path=folder, model_providers=[provider])
    designer.set_run_config(dd.RunConfig(buffer_size=BUFFER))
    made = designer.create(columns, num_records=len(rows)).load_dataset()
    answers: list[str | None] = [None] * len(rows)
    for number, answer in zip(made["number"], made["answer"], strict=True):
        answers[number] = answer
    return answers


if __name__ == "__main__":
    told = peer.arguments()
    with tempfile.TemporaryDirectory() as folder:
        peer.done(told, ask_all(told, folder))
