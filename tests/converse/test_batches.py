"""The Batch API: packed, sent, fetched, unpacked; nothing lost, doubled or swapped."""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fundoscope.config import Endpoint, Job, make_job
from fundoscope.converse import batch_files
from fundoscope.converse.batch_files import Unpacked, job_of, pack, packed_batches, unpack
from fundoscope.converse.batches import fetch, submit
from fundoscope.converse.build import build, items_of
from fundoscope.errors import EndpointError, MissingExtra
from fundoscope.ledger import Ledger
from fundoscope.records import record_to_json
from fundoscope.testing import FakeServer, FakeServerSettings, Faults, synthetic_records
from fundoscope.verify.check import judge

RECORDS = 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lines = [record_to_json(record) for record in synthetic_records(RECORDS)]
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return tmp_path


def job_for(root: Path, url: str, **settings: Any) -> Job:
    endpoint = Endpoint(model="gpt-4o-mini", base_url=url, **settings)
    return make_job(
        source="records", root=root, labels_only=True, engine="batches", endpoint=endpoint
    )


@pytest.fixture
def opened() -> Iterator[list[Ledger]]:
    """Ledgers that are closed when the test ends."""
    ledgers: list[Ledger] = []
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def packed(job: Job, run: Path) -> Ledger:
    build(job, run, processes=0)
    ledger = Ledger(run, write=True)
    ledger.begin()
    return ledger


def pack_again(ledger: Ledger, job: Job) -> int:
    return pack(ledger, job, items_of(ledger, job)).waiting


def with_faults(**faults: Any) -> FakeServer:
    settings = FakeServerSettings(batch_seconds=0.05, faults=Faults(**faults))
    return FakeServer(settings, in_thread=True)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def all_faithful(ledger: Ledger) -> bool:
    return all(judge(d.conversation, d.record).kept for d in ledger.kept())


def test_every_request_is_packed_once_under_a_name_of_its_own(root: Path) -> None:
    with packed(job_for(root, "http://127.0.0.1:9/v1"), root / "run") as ledger:
        rows = lines_of(root / "run" / "batches" / "0001.jsonl")
        assert len({row["custom_id"] for row in rows}) == len(rows) == 2 * RECORDS
        assert {row["url"] for row in rows} == {"/v1/chat/completions"}
        assert pack_again(ledger, job_of(ledger)) == 2 * RECORDS  # they wait where they are
        assert len(packed_batches(ledger)) == 1


def test_files_stay_below_both_limits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_files, "MOST_REQUESTS", 7)
    with packed(job_for(root, "http://127.0.0.1:9/v1"), root / "by_number") as ledger:
        sizes = [about["requests"] for about in packed_batches(ledger).values()]
    assert sizes == [7, 7, 7, 7, 7, 5]
    monkeypatch.setattr(batch_files, "MOST_BYTES", 40_000)
    with packed(job_for(root, "http://127.0.0.1:9/v1"), root / "by_bytes") as ledger:
        files = sorted((root / "by_bytes" / "batches").glob("*.jsonl"))
        assert all(file.stat().st_size <= 40_000 for file in files)
        assert sum(len(lines_of(file)) for file in files) == 2 * RECORDS


def test_what_is_sent_comes_back_to_its_own_record_in_whatever_order(root: Path) -> None:
    with with_faults(batch_shuffled=True) as server:
        job = job_for(root, server.url)
        with packed(job, root / "run") as ledger:
            assert submit(ledger, job) == 1
            told = fetch(ledger, job, wait=True, poll_s=0.02)
            assert told == Unpacked(kept=2 * RECORDS)
            assert all_faithful(ledger)
            assert ledger.tally().kept == 2 * RECORDS
            assert ledger.tally().spent_usd > 0


def test_errors_expired_ones_and_wrong_answers_are_packed_again_until_all_are_settled(
    root: Path,
) -> None:
    shares = {"batch_error": 0.1, "batch_expired": 0.1, "batch_null": 0.1, "wrong_content": 0.2}
    with with_faults(**shares) as server:
        job = job_for(root, server.url)
        with packed(job, root / "run") as ledger:
            rounds = 0
            while next(items_of(ledger, job), None):
                submit(ledger, job)
                fetch(ledger, job, wait=True, poll_s=0.02)
                pack_again(ledger, job)
                rounds += 1
                assert rounds < 20
            assert rounds > 1  # else the test shows nothing
            tally = ledger.tally()
            assert (tally.kept, tally.rejected) == (2 * RECORDS, 0)
            assert all_faithful(ledger)
        assert server.counts()["batch_answered"] < 3 * 2 * RECORDS


def test_a_batch_that_fails_whole_is_packed_again(root: Path) -> None:
    with with_faults(batch_failed=1) as server:
        job = job_for(root, server.url)
        with packed(job, root / "run") as ledger:
            submit(ledger, job)
            told: list[str] = []
            fetch(ledger, job, wait=True, poll_s=0.02, told=lambda name, what: told.append(what))
            assert "failed" in told[-1]
            server.set(batch_failed=0)
            assert pack_again(ledger, job) == 2 * RECORDS
            assert submit(ledger, job) == 1
            assert fetch(ledger, job, wait=True, poll_s=0.02).kept == 2 * RECORDS


def test_a_file_sent_and_not_noted_is_not_sent_again(root: Path) -> None:
    """As after a kill between the server's answer and our note."""
    with with_faults() as server:
        job = job_for(root, server.url)
        with packed(job, root / "run") as ledger:
            before = packed_batches(ledger)["0001"]
            submit(ledger, job)
            first = packed_batches(ledger)["0001"]["batch"]
            ledger.remember("batch/0001", before)
            submit(ledger, job)
            assert packed_batches(ledger)["0001"]["batch"] == first
        assert server.counts()["requests"]["POST /v1/batches"]["answered"] == 1


def fetched(root: Path, server: FakeServer) -> tuple[Job, Ledger, Path]:
    """Return a run whose answers lie in a file and are not unpacked."""
    job = job_for(root, server.url)
    with packed(job, root / "other") as ledger:
        submit(ledger, job)
        fetch(ledger, job, wait=True, poll_s=0.02)
    output = root / "other" / "batches" / "0001.output.jsonl"
    return job, packed(job, root / "run"), output


def test_unpacked_twice_is_unpacked_once(root: Path, opened: list[Ledger]) -> None:
    with with_faults() as server:
        job, ledger, output = fetched(root, server)
    opened.append(ledger)
    assert unpack(ledger, job, output) == Unpacked(kept=2 * RECORDS)
    assert unpack(ledger, job, output) == Unpacked(known=2 * RECORDS)
    assert ledger.tally().kept == 2 * RECORDS


def test_lines_that_are_cut_strange_or_of_another_run_are_counted_and_spoil_nothing(
    root: Path, opened: list[Ledger]
) -> None:
    with with_faults() as server:
        job, ledger, output = fetched(root, server)
    opened.append(ledger)
    rows = output.read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(rows)
    foreign = json.dumps({**json.loads(rows[0]), "custom_id": f"1.0.{'ab' * 16}"})
    nobody = json.dumps({**json.loads(rows[0]), "custom_id": "request-1"})
    file = root / "mixed.jsonl"
    file.write_text("\n".join([foreign, nobody, "[]", "", *rows[:-1], rows[-1][:80]]))
    told = unpack(ledger, job, file)
    assert told == Unpacked(kept=2 * RECORDS - 1, strange=4)
    assert all_faithful(ledger)


def test_a_refusal_in_a_batch_is_a_reject_with_its_reason(root: Path, opened: list[Ledger]) -> None:
    with with_faults() as server:
        job, ledger, output = fetched(root, server)
    opened.append(ledger)
    row = json.loads(output.read_text(encoding="utf-8").splitlines()[0])
    error = {"error": {"message": "flagged", "code": "content_filter"}}
    row["response"] = {"status_code": 400, "body": error}
    (root / "one.jsonl").write_text(json.dumps(row))
    assert unpack(ledger, job, root / "one.jsonl") == Unpacked(rejected=1)
    assert [reject.reason for reject in ledger.rejects()] == ["refused: HTTP 400: flagged"]
    assert len(list(items_of(ledger, job))) == 2 * RECORDS - 1


def test_a_wrong_key_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    settings = FakeServerSettings(key="sk-right")
    with FakeServer(settings, in_thread=True) as server:
        job = job_for(root, server.url)
        with packed(job, root / "run") as ledger, pytest.raises(EndpointError) as told:
            submit(ledger, job)
    assert "sk-wrong" not in str(told.value)


def test_packing_stops_before_the_budget_could_be_passed(root: Path) -> None:
    job = job_for(root, "http://127.0.0.1:9/v1", budget_usd=0.01)
    report = build(job, root / "run", processes=0)
    assert "could pass the budget" in report.stopped
    assert 0 < report.waiting < 2 * RECORDS


def test_without_openais_client_packing_works_and_sending_says_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    job = job_for(root, "http://127.0.0.1:9/v1")
    with packed(job, root / "run") as ledger:
        assert ledger.asked.waiting() == 2 * RECORDS
        with pytest.raises(MissingExtra) as told:
            submit(ledger, job)
    assert "fundoscope[batches]" in told.value.mend
