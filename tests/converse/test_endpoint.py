"""Dialogues from a server: the fake one, over real HTTP.

The rows of what other programs lose (a killed run, refusals, cut bodies, empty and strange answers)
are tests here; none of them may lose, double or swap anything.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fundoscope.config import Endpoint, Job, make_job
from fundoscope.converse.build import BuildReport, build
from fundoscope.errors import ConfigError, EndpointError
from fundoscope.ledger import Ledger
from fundoscope.records import Conversation, Record, record_to_json
from fundoscope.testing import FakeServer, FakeServerSettings, Faults, synthetic_records
from fundoscope.verify.check import judge

RECORDS = 12
QUICK = FakeServerSettings(latency_s=0.005)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(QUICK, in_thread=True) as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_records(tmp_path, RECORDS)
    return tmp_path


def write_records(folder: Path, count: int) -> None:
    lines = [record_to_json(record) for record in synthetic_records(count)]
    (folder / "records.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def job_for(root: Path, url: str, **settings: Any) -> Job:
    endpoint = Endpoint(model="fake", base_url=url, **{"at_once": 8, **settings})
    return make_job(
        source="records", root=root, labels_only=True, engine="endpoint", endpoint=endpoint
    )


def built(job: Job, run: Path) -> BuildReport:
    return build(job, run, processes=0)


def kept(run: Path) -> list[tuple[Record, Conversation]]:
    with Ledger(run) as ledger:
        return [(dialogue.record, dialogue.conversation) for dialogue in ledger.kept()]


def with_faults(**faults: float) -> FakeServer:
    return FakeServer(FakeServerSettings(latency_s=0.005, faults=Faults(**faults)), in_thread=True)  # type: ignore[arg-type]


def test_every_record_is_answered_in_every_language_and_about_itself(
    server: FakeServer, root: Path
) -> None:
    report = built(job_for(root, server.url), root / "run")
    assert (report.tally.kept, report.tally.rejected) == (2 * RECORDS, 0)
    said = kept(root / "run")
    assert {(c.key, c.language) for _, c in said} == {
        (record.key, language) for record in synthetic_records(RECORDS) for language in ("en", "zh")
    }
    assert all(judge(conversation, record).kept for record, conversation in said)
    assert {c.model for _, c in said} == {"fake"}


def test_done_again_nothing_is_asked(server: FakeServer, root: Path) -> None:
    built(job_for(root, server.url), root / "run")
    before = server.counts()["answered"]
    assert built(job_for(root, server.url), root / "run").composed == 0
    assert server.counts()["answered"] == before


def test_only_what_decides_an_answer_makes_it_asked_again(server: FakeServer, root: Path) -> None:
    built(job_for(root, server.url), root / "run")
    same = job_for(root, server.url, at_once=3, timeout_s=9, budget_usd=5, price=(1, 2))
    assert built(same, root / "run").composed == 0
    other = job_for(root, server.url, temperature=0.1)
    assert built(other, root / "run").composed == 2 * RECORDS


def test_a_changed_record_alone_is_asked_again(server: FakeServer, root: Path) -> None:
    built(job_for(root, server.url), root / "run")
    lines = (root / "records.jsonl").read_bytes().splitlines()
    lines[3] = record_to_json(next(synthetic_records(1, seed=9))).replace(b"0000000", b"0000003")
    (root / "records.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert built(job_for(root, server.url), root / "run").composed == 2


@pytest.mark.parametrize(
    "fault",
    [
        "too_many", "server_error", "cut_body", "dropped", "malformed_json", "null_content",
        "empty_choices", "slow", "markdown", "many_lines", "chinese_roles", "prose", "json_answer",
        "wrong_content", "unreadable", "missing_last_answer", "length",
    ],
)  # fmt: skip
def test_no_fault_loses_doubles_or_swaps_a_dialogue(fault: str, root: Path) -> None:
    shares: dict[str, Any] = {fault: 0.4, "retry_after_s": 0.05, "slow_s": 0.02}
    with with_faults(**shares) as server:
        report = built(job_for(root, server.url, attempts=20), root / "run")
        counts = server.counts()
    assert (report.tally.kept, report.tally.rejected) == (2 * RECORDS, 0)
    assert all(judge(conversation, record).kept for record, conversation in kept(root / "run"))
    assert counts["paid"] == counts["distinct"]  # nothing was paid for twice


def test_a_server_that_hangs_is_asked_again(root: Path) -> None:
    with with_faults(hang=0.3) as server:
        report = built(job_for(root, server.url, timeout_s=0.5, attempts=20), root / "run")
    assert report.tally.kept == 2 * RECORDS


@pytest.mark.parametrize("style", ["seconds", "fraction", "date", "none"])
def test_retry_after_is_waited_for(style: Any, root: Path) -> None:
    faults = Faults(too_many=0.2, retry_after_s=1, retry_after_style=style)
    settings = FakeServerSettings(latency_s=0.001, faults=faults)
    with FakeServer(settings, in_thread=True) as server:
        started = time.monotonic()
        report = built(job_for(root, server.url, attempts=20), root / "run")
        refused = server.counts()["requests"]["/v1/chat/completions"].get("too_many", 0)
    assert report.tally.kept == 2 * RECORDS
    assert refused  # else the test shows nothing
    if style == "seconds":
        assert time.monotonic() - started >= 1


def test_a_limit_of_requests_a_minute_is_kept_from_the_start(root: Path) -> None:
    settings = FakeServerSettings(latency_s=0.001, faults=Faults(requests_per_minute=1200))
    with FakeServer(settings, in_thread=True) as server:
        report = built(job_for(root, server.url, requests_per_minute=1200), root / "run")
        outcomes = server.counts()["requests"]["/v1/chat/completions"]
    assert report.tally.kept == 2 * RECORDS
    assert "too_many" not in outcomes
    assert report.seconds > 0.9 * 2 * RECORDS * 60 / 1200


def test_a_refused_request_is_rejected_with_its_reason_and_never_asked_again(root: Path) -> None:
    with with_faults(content_filter=0.3) as server:
        report = built(job_for(root, server.url), root / "run")
        assert report.tally.kept + report.tally.rejected == 2 * RECORDS
        assert report.tally.rejected > 0
        again = built(job_for(root, server.url), root / "run")
    assert again.composed == 0
    with Ledger(root / "run") as ledger:
        assert all("content" in reject.reason for reject in ledger.rejects())


def test_an_answer_that_stays_unreadable_is_rejected_and_kept_word_for_word(root: Path) -> None:
    settings = FakeServerSettings(latency_s=0.001, answer=lambda messages: "I see an eye. " * 3)
    with FakeServer(settings, in_thread=True) as server:
        report = built(job_for(root, server.url, repairs=1), root / "run")
        assert server.counts()["answered"] == 2 * 2 * RECORDS  # once, and once sent back
    assert report.tally.rejected == 2 * RECORDS
    with Ledger(root / "run") as ledger:
        for reject in ledger.rejects():
            assert reject.raw == "I see an eye. " * 3
            assert reject.reason.startswith("unreadable answer")


def test_an_answer_that_invents_is_sent_back_with_what_is_wrong(root: Path) -> None:
    invented = "User: Is there drusen?\nAssistant: The AVR (Knudtson) is 0.123."

    def answer(messages: list[dict[str, Any]]) -> str:
        asked.append(messages)
        return invented

    asked: list[list[dict[str, Any]]] = []
    settings = FakeServerSettings(latency_s=0.001, answer=answer)
    write_records(root, 1)
    with FakeServer(settings, in_thread=True) as server:
        job = job_for(root, server.url, repairs=2).model_copy(update={"languages": ("en",)})
        report = built(job, root / "run")
    assert report.tally.rejected == 1
    assert [len(messages) for messages in asked] == [2, 4, 6]
    assert asked[1][2] == {"role": "assistant", "content": invented}
    assert "0.123" in asked[1][3]["content"]


def test_claims_of_first_and_of_last_answers_are_counted_apart(root: Path) -> None:
    with with_faults(wrong_content=0.5) as server:
        built(job_for(root, server.url), root / "run")
    with Ledger(root / "run") as ledger:
        first, last = ledger.judged_at_first(), ledger.judged_by_aspect()
    wrong = sum(n for by in first.values() for kind, n in by.items() if kind != "supported")
    assert wrong > 0
    assert all(set(by) == {"supported"} for by in last.values())


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("wrong_key", "refuses the key"),
        ("quota_spent", "quota is spent"),
        ("unknown_model", "no such model"),
    ],
)
def test_a_server_that_will_answer_nobody_is_not_asked_through_the_list(
    mode: str, said: str, root: Path
) -> None:
    write_records(root, 40)
    with with_faults(**{mode: True}) as server:
        with pytest.raises(EndpointError, match=said) as told:
            built(job_for(root, server.url, at_once=4), root / "run")
        asked = sum(server.counts()["requests"]["/v1/chat/completions"].values())
    assert asked <= 4
    assert told.value.mend


def test_a_server_that_is_gone_is_given_up_with_a_clear_word(root: Path) -> None:
    write_records(root, 40)
    with with_faults() as server:
        url = server.url
    job = job_for(root, url, attempts=3, at_once=16)
    with pytest.raises(EndpointError, match=r"requests in a row failed.*connection"):
        built(job, root / "run")


def test_a_job_that_no_request_can_pass_stops(root: Path) -> None:
    write_records(root, 40)
    with (
        with_faults(content_filter=1) as server,
        pytest.raises(EndpointError, match="in a row were refused"),
    ):
        built(job_for(root, server.url, at_once=2), root / "run")


def test_after_a_stop_the_same_run_goes_on(root: Path) -> None:
    with with_faults(wrong_key=True) as server:
        with pytest.raises(EndpointError):
            built(job_for(root, server.url), root / "run")
        server.set(wrong_key=False)
        assert built(job_for(root, server.url), root / "run").tally.kept == 2 * RECORDS


def test_a_request_given_up_is_rejected_with_its_reason_and_asked_by_the_next_run(
    root: Path,
) -> None:
    with with_faults(server_error=0.5) as server:
        report = built(job_for(root, server.url, attempts=1), root / "run")
        assert report.tally.rejected > 0
        with Ledger(root / "run") as ledger:
            assert all("HTTP 50" in reject.reason for reject in ledger.rejects())
        server.set(server_error=0.0)
        assert built(job_for(root, server.url), root / "run").tally.kept == 2 * RECORDS


def test_a_budget_is_never_passed_and_a_larger_one_goes_on(root: Path) -> None:
    run = root / "run"
    with with_faults() as server:
        report = built(job_for(root, server.url, budget_usd=0.12, price=(2.5, 10)), run)
        assert "could pass $0.12" in report.stopped
        assert 0 < report.tally.kept < 2 * RECORDS
        assert 0.12 * 0.6 < report.tally.spent_usd <= 0.12  # and most of it is used
        with Ledger(run) as ledger:
            assert ledger.recall("finished") is False
            spent = ledger.asked.spent()
        paid = (2.5 * spent.prompt_tokens + 10 * spent.completion_tokens) / 1e6
        assert spent.cost_usd == pytest.approx(paid)
        before = server.counts()["paid"]
        rich = built(job_for(root, server.url, budget_usd=20, price=(2.5, 10)), run)
        assert (rich.tally.kept, rich.stopped) == (2 * RECORDS, "")
        assert server.counts()["paid"] - before == 2 * RECORDS - report.tally.kept


def test_the_key_goes_to_the_server_and_nowhere_else(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    settings = FakeServerSettings(latency_s=0.001, key="sk-very-secret")
    with FakeServer(settings, in_thread=True) as server:
        assert built(job_for(root, server.url), root / "run").tally.kept == 2 * RECORDS
        monkeypatch.setenv("OPENAI_API_KEY", "sk-another-secret")
        with pytest.raises(EndpointError) as told:
            built(job_for(root, server.url, temperature=0.2), root / "run")
    assert "secret" not in str(told.value)
    assert "secret" not in "".join(capfd.readouterr())
    for file in (root / "run").iterdir():
        assert b"secret" not in file.read_bytes()


def test_no_name_of_photograph_or_patient_leaves(root: Path, server: FakeServer) -> None:
    lines = (root / "records.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines[:2]]
    for number, line in enumerate(told):
        line["photograph"] |= {"id": f"ward7-{number}", "patient": "Meier-1948"}
    (root / "records.jsonl").write_text("\n".join(map(json.dumps, told)) + "\n")
    built(job_for(root, server.url), root / "run")
    seen = json.dumps(server.seen())
    assert "ward7" not in seen
    assert "Meier" not in seen


def test_structured_answers_are_asked_for_by_a_schema(root: Path, server: FakeServer) -> None:
    report = built(job_for(root, server.url, structured=True), root / "run")
    assert report.tally.kept == 2 * RECORDS
    assert server.seen()[-1]["body"]["response_format"]["type"] == "json_schema"


def test_further_fields_reach_the_server(root: Path, server: FakeServer) -> None:
    built(job_for(root, server.url, body={"reasoning_effort": "low"}), root / "run")
    assert server.seen()[-1]["body"]["reasoning_effort"] == "low"


def with_photographs(root: Path, broken: int | None = None) -> None:
    lines = (root / "records.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    for number, line in enumerate(told):
        pixels = np.zeros((240, 300, 3), np.uint8)
        cv2.circle(pixels, (150, 120), 110, (40, 90, 150 + number), -1)
        cv2.imwrite(str(root / f"{number}.png"), pixels)
        line["photograph"]["file"] = f"{number}.png"
    if broken is not None:
        (root / f"{broken}.png").write_text("<html>")
    (root / "records.jsonl").write_text("\n".join(map(json.dumps, told)) + "\n")


def test_the_photograph_goes_along_small_and_coded_once(root: Path, server: FakeServer) -> None:
    with_photographs(root)
    job = job_for(root, server.url, photograph=True, photograph_px=96)
    assert built(job, root / "run").tally.kept == 2 * RECORDS
    text, picture = server.seen()[-1]["body"]["messages"][1]["content"]
    assert text["type"] == "text"
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert len(list((root / "run" / "sent").iterdir())) == RECORDS


def test_a_file_that_is_no_photograph_is_never_sent(root: Path, server: FakeServer) -> None:
    with_photographs(root, broken=3)
    report = built(job_for(root, server.url, photograph=True), root / "run")
    assert report.tally.kept == 2 * (RECORDS - 1)
    with Ledger(root / "run") as ledger:
        assert [thing.what for thing in ledger.left_out()] == ["unreadable photograph"]


def test_an_engine_without_a_server_says_how_to_name_one(root: Path) -> None:
    job = make_job(source="records", root=root, labels_only=True, engine="endpoint")
    with pytest.raises(ConfigError, match="needs a server") as told:
        built(job, root / "run")
    assert "--model" in told.value.mend


def command(root: Path, url: str) -> list[str]:
    return [
        str(Path(sys.executable).with_name("fundoscope")), "build", "--source", "records",
        "--root", str(root), "--labels-only", "--model", "fake", "--base-url", url,
        "--at-once", "8", "-o", str(root / "run"),
    ]  # fmt: skip


def answered(server: FakeServer) -> int:
    return int(server.counts()["answered"])


def test_killed_at_any_moment_no_answer_is_lost_and_none_is_paid_twice(root: Path) -> None:
    write_records(root, 60)
    settings = FakeServerSettings(latency_s=0.05, keep_answers=True)
    with FakeServer(settings) as server:
        for upto in (10, 45, 80):
            run = subprocess.Popen(command(root, server.url), stdout=subprocess.DEVNULL)
            while answered(server) < upto:
                time.sleep(0.01)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        done = subprocess.run(command(root, server.url), capture_output=True, text=True)
        counts = server.counts()
    assert done.returncode == 0, done.stderr
    said = kept(root / "run")
    assert len({c.id for _, c in said}) == len(said) == 120
    assert all(judge(conversation, record).kept for record, conversation in said)
    assert counts["paid"] == counts["distinct"] == 120


def test_an_answer_of_no_use_is_asked_for_under_another_name_also_by_the_next_run(
    root: Path,
) -> None:
    """A server that remembers would else give the same one for ever, or bill for one unread."""
    write_records(root, 1)
    with with_faults(null_content=1) as server:
        job = job_for(root, server.url, attempts=2).model_copy(update={"languages": ("en",)})
        assert built(job, root / "run").tally.rejected == 1
        server.set(null_content=0.0)
        assert built(job, root / "run").tally.kept == 1
        names = [request["headers"]["idempotency-key"] for request in server.seen()]
    assert [name.rpartition("-")[2] for name in names] == ["0", "1", "2"]
    assert len({name.rpartition("-")[0] for name in names}) == 1
