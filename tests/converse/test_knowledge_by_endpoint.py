"""The track `knowledge` worded by a server: every sentence traces to a fact that was given."""

import re
from pathlib import Path
from typing import Any

import pytest

from fundoscope.config import Endpoint, Job, make_job
from fundoscope.converse.build import build
from fundoscope.knowledge.graph import knowledge
from fundoscope.ledger import Ledger
from fundoscope.testing import FakeServer, FakeServerSettings

ASKED = re.compile(r"^(?:Question|问题)[^\n:：]*[:：]\s*(?P<question>[^\n]+)$", re.MULTILINE)
FACT = re.compile(r"^\[(\d+)\] (.+)$", re.MULTILINE)


def marked(fact: str, number: str) -> str:
    """Return a fact with its mark, as a careful model would copy it."""
    return re.sub(r"[.。]\s*$", "", fact) + f" [{number}]" + ("。" if fact.endswith("。") else ".")


def copied(messages: list[dict[str, Any]]) -> str:
    """Answer every question with all of its facts, word for word."""
    prompt = messages[1]["content"]
    starts = list(ASKED.finditer(prompt))
    ends = [start.start() for start in starts[1:]] + [len(prompt)]
    lines = []
    for start, end in zip(starts, ends, strict=True):
        facts = FACT.findall(prompt[start.end() : end])
        lines.append(f"User: {start['question']}")
        lines.append("Assistant: " + " ".join(marked(fact, number) for number, fact in facts))
    return "\n".join(lines)


def job_for(url: str, language: str) -> Job:
    endpoint = Endpoint(model="fake", base_url=url, repairs=0, at_once=8)
    return make_job(
        source="knowledge",
        tracks=("knowledge",),
        languages=(language,),
        engine="endpoint",
        endpoint=endpoint,
        max_per_topic=1,
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_that_copy_their_facts_are_kept_without_their_marks(
    language: str, tmp_path: Path
) -> None:
    settings = FakeServerSettings(latency_s=0.001, answer=copied)
    with FakeServer(settings, in_thread=True) as server:
        report = build(job_for(server.url, language), tmp_path / "run", processes=0)
    with Ledger(tmp_path / "run") as ledger:
        reasons = [reject.reason for reject in ledger.rejects()]
        said = [dialogue.conversation for dialogue in ledger.kept()]
    assert report.tally.kept > 0.95 * report.tally.records, reasons[:5]
    ids = {fact.id for fact in knowledge().facts}
    for conversation in said:
        assert not any(re.search(r"\[\d", turn.answer) for turn in conversation.turns)
        assert {id for turn in conversation.turns for id in turn.facts} <= ids


def test_a_number_or_drug_of_the_models_own_is_refused(tmp_path: Path) -> None:
    def embellished(messages: list[dict[str, Any]]) -> str:
        first = "Treatment with bevacizumab 1.25 mg cures 97 % of patients [1]. "
        return copied(messages).replace("Assistant: ", "Assistant: " + first)

    settings = FakeServerSettings(latency_s=0.001, answer=embellished)
    with FakeServer(settings, in_thread=True) as server:
        report = build(job_for(server.url, "en"), tmp_path / "run", processes=0)
    assert report.tally.kept == 0
