"""Others beside the endpoint engine: the same prompts, the same server, in turns."""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import endpoint
import endpoint_sources
from endpoint_watch import Ended, Watched

from fundoscope.config import Job, make_job
from fundoscope.converse.asking import prepared
from fundoscope.converse.build import records_of
from fundoscope.converse.endpoint import endpoint_of, manner_of
from fundoscope.converse.request_bodies import body_of, first_turns
from fundoscope.records import Record, record_to_json
from fundoscope.testing import FakeServer

SCRIPTS = Path(__file__).with_name("peers")
QUIET = {
    "OPENAI_API_KEY": "none",
    "TELEMETRY_ENABLED": "false",
    "NEMO_TELEMETRY_ENABLED": "false",
    "CURATOR_VIEWER": "0",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "CURATOR_DISABLE_CACHE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
"""Environment of every peer: nothing is told to anybody, nothing is taken from a cache."""
LOOK_EVERY_S = 0.02
MOST_S = 300.0
"""How long a peer may take."""
COLUMNS = ("requests/s", "whole s", "CPU s", "main MB", "tree MB", "answered")


@dataclass(frozen=True)
class Peer:
    """A script in `peers/`, the environment it runs in, and further arguments."""

    name: str
    environment: str
    script: str
    more: tuple[str, ...] = ()


PEERS = (
    Peer("RetinalGPT's way: openai, httpx", "clients", "openai_client"),
    Peer("openai, aiohttp", "clients", "openai_client", ("--aiohttp",)),
    Peer("distilabel 1.5.3", "distilabel", "distilabel_pipeline"),
    Peer("curator 0.1.31", "curator", "curator_llm"),
    Peer("data-designer 0.9.6", "data_designer", "data_designer_columns"),
    Peer("bare aiohttp", "clients", "bare_aiohttp"),
    Peer("bare httpx", "clients", "bare_httpx"),
)


@dataclass(frozen=True)
class Round:
    """The figures of one run, in the order of COLUMNS."""

    requests_per_s: float
    whole_s: float
    cpu_s: float
    main_mb: float
    tree_mb: float
    answered: int


def compare(here: Path, options: argparse.Namespace) -> None:
    """Print a table of all, medians over rounds in which each has its turn."""
    _, job = endpoint_sources.labels(here, options.requests)
    write_prompts(here, job)
    rounds: dict[str, list[Round]] = {}
    for number in range(options.rounds):
        for name, command in commands(here, options):
            one = in_turn(name, here, job, command, options)
            if one:
                rounds.setdefault(name, []).append(one)
                print(f"round {number + 1}: {cells(name, [one])}", file=sys.stderr, flush=True)
    print(f"{options.requests:,} requests, {options.at_once} at once, the server answers after "
          f"{endpoint.LATENCY_S * 1000:.0f} ms: at most "
          f"{options.at_once / endpoint.LATENCY_S:,.0f} requests/s\n")  # fmt: skip
    print("| program | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for name, some in rounds.items():
        print(cells(name, some))


def write_prompts(here: Path, fields: dict[str, Any]) -> None:
    """Write the bodies of the requests that the engine would send, one a line."""
    job = make_job(**fields, endpoint={"model": "fake", "base_url": "http://127.0.0.1/v1"})
    with (here / "prompts.jsonl").open("wb") as file:
        file.writelines(body + b"\n" for body in bodies(job, here / "run"))


def bodies(job: Job, run: Path) -> Iterator[bytes]:
    server, manner = endpoint_of(job), manner_of(job, run)
    for record in records_of(job):
        if isinstance(record, Record):
            line = record_to_json(record)
            for track in job.tracks:
                for language in job.languages:
                    turns = first_turns(prepared(manner, line, track, language))
                    yield body_of(server, turns, None, server.base_url)


def commands(
    here: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Sequence[str | Path] | None]]:
    """Yield (name, command without the server) of each; the engine itself has none."""
    yield "fundoscope, verified, in the ledger", None
    for one in PEERS:
        python = (options.environments / one.environment / "bin" / "python").absolute()
        if options.only and not any(word in one.name for word in options.only):
            continue
        if not python.is_file():
            print(f"left out: {one.name}, there is no {python}", file=sys.stderr)
            continue
        yield one.name, (python, SCRIPTS / f"{one.script}.py", here / "prompts.jsonl", *one.more)


def in_turn(
    name: str,
    here: Path,
    job: dict[str, Any],
    command: Sequence[str | Path] | None,
    options: argparse.Namespace,
) -> Round | None:
    """Return the figures of one program's run beside a server of its own; None where it failed."""
    with endpoint.server() as fake:
        if command is None:
            shutil.rmtree(here / "run", ignore_errors=True)
            endpoint.write_job(here, job, fake, options, {})
            running = endpoint.watched(here)
        else:
            python, script, prompts, *more = command
            words = (fake.url, here / "answers.jsonl", "--at-once", str(options.at_once), *more)
            places = {"HOME": str(here), "CURATOR_CACHE_DIR": str(here / "curator")}
            running = Watched((python, script, prompts, *words), QUIET | places)
        with running:
            first = first_requests(running, fake)
            ended = running.wait(MOST_S)
            said = running.said()
    if ended.code or not said:
        print(f"{name} failed ({ended.code}):\n{ended.errors[-2000:]}", file=sys.stderr)
        return None
    return figures(said[-1], first, ended)


def first_requests(running: Watched, fake: FakeServer) -> float:
    """Return when the server had requests, on the system's monotonic clock, to 20 ms.

    Asked of the server, so that it is the same moment for all. Two, since one of the peers sends a
    single request before to learn the server's limits.
    """
    while running.look():
        counts = fake.counts()
        if counts["in_flight"] > 1 or counts["answered"]:
            break
        time.sleep(LOOK_EVERY_S)
    return time.monotonic()


def figures(told: dict[str, Any], first: float, ended: Ended) -> Round:
    answered = told["answered"] if "answered" in told else told["kept"]
    return Round(
        answered / (told["last_settled"] - first),
        ended.wall_s,
        ended.cpu_s,
        ended.main_mb,
        ended.tree_mb,
        answered,
    )


def cells(name: str, rounds: Sequence[Round]) -> str:
    """Return a line of the table."""
    middle = [statistics.median(values) for values in zip(*map(astuple, rounds), strict=True)]
    texts = [f"{middle[0]:,.0f}", *(f"{v:.1f}" for v in middle[1:3])]
    return f"| {name} | " + " | ".join([*texts, *(f"{v:,.0f}" for v in middle[3:])]) + " |"
