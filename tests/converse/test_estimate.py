"""What a job would cost."""

from pathlib import Path

import pytest

from fundoscope.config import Endpoint, Job, make_job
from fundoscope.converse.build import build
from fundoscope.converse.estimate import estimate
from fundoscope.errors import ConfigError
from fundoscope.records import record_to_json
from fundoscope.testing import FakeServer, FakeServerSettings, synthetic_records


def job_for(root: Path, count: int, **settings: object) -> Job:
    lines = [record_to_json(record) for record in synthetic_records(count)]
    (root / "records.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    endpoint = Endpoint(model="gpt-4o-mini", **settings)  # type: ignore[arg-type]
    return make_job(
        source="records", root=root, labels_only=True, engine="endpoint", endpoint=endpoint
    )


def test_an_estimate_counts_requests_and_is_near_what_the_prompts_come_to(tmp_path: Path) -> None:
    with FakeServer(FakeServerSettings(latency_s=0.001), in_thread=True) as server:
        job = job_for(tmp_path, 40, base_url=server.url, at_once=8)
        told = estimate(job)
        build(job, tmp_path / "run", processes=0)
        paid = server.counts()["prompt_tokens"]  # a token for every four characters, by its rule
    assert (told.records, told.sampled, told.requests) == (40, 40, 80)
    assert 0.5 < told.tokens_in / paid < 2
    assert told.cost_usd == pytest.approx(
        (0.15 * told.tokens_in + 0.60 * told.tokens_out) / 1e6
    )  # its published price


def test_a_sample_stands_for_all(tmp_path: Path) -> None:
    whole = estimate(job_for(tmp_path, 60))
    many = estimate(job_for(tmp_path, 300))
    assert (many.sampled, many.requests) == (64, 600)
    assert many.tokens_in / many.requests == pytest.approx(
        whole.tokens_in / whole.requests, rel=0.35
    )


def test_a_photograph_adds_its_tokens(tmp_path: Path) -> None:
    without = estimate(job_for(tmp_path, 5))
    with_ = estimate(job_for(tmp_path, 5, photograph=True, photograph_px=512))
    added = with_.tokens_in - without.tokens_in
    assert added == pytest.approx(10 * 255, abs=10 * 60)  # and a few words about it


def test_without_a_price_there_is_no_cost_but_there_are_tokens(tmp_path: Path) -> None:
    job = job_for(tmp_path, 5)
    endpoint = Endpoint(model="unheard-of", base_url="https://far.example/v1")
    told = estimate(job.model_copy(update={"endpoint": endpoint}))
    assert told.cost_usd is None
    assert told.tokens_in > 0


def test_an_empty_source_is_told(tmp_path: Path) -> None:
    job = job_for(tmp_path, 1)
    (tmp_path / "records.jsonl").write_text("")
    with pytest.raises(ConfigError, match="gave no record"):
        estimate(job)
