"""How fast the endpoint engine has dialogues made, in how much memory, and what a kill costs it.

    python benchmarks/endpoint.py text                  # 2,000 requests of words
    python benchmarks/endpoint.py photographs           # 500 with a JPEG of 300 KB each
    python benchmarks/endpoint.py queued                # 100,000 wait; stopped after 30 s
    python benchmarks/endpoint.py soak                  # 100,000, 5 % faults, killed five times
    python benchmarks/endpoint.py peers --environments DIR

The server is `fundoscope.testing.FakeServer`: real HTTP on loopback, in a process of its own on the
same cores, fresh for every run, 50 ms an answer. Every run is a process of its own too.

requests/s   from the first request leaving to the last dialogue settled: verified, in the ledger
build s      the whole of `build()`: the source read, processes started, the ledger closed
CPU s        of the process and its children, Python's start and all imports included
server s     CPU of the fake server; it shares the cores
main, tree   peak RSS in MB, of the process alone and together with its children
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import endpoint_sources
from endpoint_watch import Watched

from fundoscope.converse.sent_photographs import FOLDER
from fundoscope.ledger import FILE_NAME, Ledger
from fundoscope.testing import FakeServer, FakeServerSettings

RUNNER = Path(__file__).with_name("endpoint_run.py")
LATENCY_S = 0.05
COLUMNS = ("requests/s", "build s", "CPU s", "server s", "main MB", "tree MB")


@dataclass(frozen=True)
class Round:
    """The figures of one run, in the order of COLUMNS."""

    requests_per_s: float
    build_s: float
    cpu_s: float
    server_cpu_s: float
    main_mb: float
    tree_mb: float


def text(options: argparse.Namespace) -> None:
    """Print the figures for requests of words alone, about two kinds of records."""
    heading()
    for kind in (endpoint_sources.labels, endpoint_sources.rich):
        with folder() as here:
            title, job = kind(here, options.requests)
            rounds = []
            for _ in range(options.rounds):
                rounds.append(one_round(here, job, options))
                shutil.rmtree(here / "run")
            show(title, rounds)


def photographs(options: argparse.Namespace) -> None:
    """Print the figures for requests with a photograph each, made ready before or meanwhile."""
    with folder() as here:
        job = endpoint_sources.photographs(here, options.requests)
        changes = {"photograph": True, "jpeg_quality": endpoint_sources.SENT_QUALITY}
        cold = one_round(here, job, options, changes)
        sent = [file.stat().st_size for file in (here / "run" / FOLDER).iterdir()]
        print(f"{len(sent)} photographs, {statistics.mean(sent) / 1000:.0f} KB each as sent\n")
        heading()
        show("cold: cropped and coded meanwhile", [cold])
        warm = []
        for _ in range(options.rounds):
            for file in (here / "run").glob(f"{FILE_NAME}*"):
                file.unlink()  # the photographs as sent stay
            warm.append(one_round(here, job, options, changes))
        show("warm: ready in the run's folder", warm)


def queued(options: argparse.Namespace) -> None:
    """Print the memory held while very many wait, and what is left of the answers at a stop."""
    number = {"int": signal.SIGINT, "kill": signal.SIGKILL}[options.stop]
    with folder() as here, server() as fake:
        job = endpoint_sources.table(here, options.requests)
        write_job(here, job, fake, options, {})
        with watched(here) as running:
            wait_for(running, lambda: any("first_request" in one for one in running.said()))
            stop_at = time.monotonic() + options.seconds
            wait_for(running, lambda: time.monotonic() > stop_at)
            running.signal(number)
            stopped = time.monotonic()
            ended = running.wait()
            print(f"ended {time.monotonic() - stopped:.1f} s after the signal", end=", ")
            print(f"{running.end_orphans()} processes left behind")
        with Ledger(here / "run") as ledger:
            tally, answers = ledger.tally(), ledger.asked.spent().answers
        answered = fake.counts()["distinct"]
    print(
        f"{options.requests:,} queued, {options.seconds:g} s: {answered:,} answered, "
        f"{answers:,} answers in the ledger, {tally.kept:,} dialogues kept, "
        f"{tally.rejected:,} rejected\npeak RSS: main process {ended.main_mb:.0f} MB, "
        f"with its children {ended.tree_mb:.0f} MB"
    )


def soak(options: argparse.Namespace) -> None:
    """See that nothing is lost, doubled or swapped by faults and kills."""
    from endpoint_soak import soak as run

    with folder() as here:
        sys.exit(run(here, options))


def peers(options: argparse.Namespace) -> None:
    """Print what others do with the same prompts, in interleaved rounds."""
    from endpoint_peers import compare

    with folder() as here:
        compare(here, options)


def one_round(
    here: Path,
    job: dict[str, Any],
    options: argparse.Namespace,
    changes: dict[str, Any] | None = None,
) -> Round:
    """Return the figures of a build into the folder `run`, beside a server of its own."""
    before_s = children_cpu_s()
    with server() as fake:
        write_job(here, job, fake, options, changes or {})
        with watched(here) as running:
            ended = running.wait().or_exit()
            told = running.said()[-1]
    return Round(
        told["settled"] / told["asking_s"],
        told["build_s"],
        ended.cpu_s,
        children_cpu_s() - before_s - ended.cpu_s,
        ended.main_mb,
        ended.tree_mb,
    )


def server(**settings: Any) -> FakeServer:
    """Return a fake server that remembers no request's body."""
    return FakeServer(FakeServerSettings(latency_s=LATENCY_S, seen_kept=0, **settings))


def write_job(
    here: Path,
    job: dict[str, Any],
    fake: FakeServer,
    options: argparse.Namespace,
    changes: dict[str, Any],
) -> None:
    """Write the job that the runner reads."""
    endpoint = {"model": "fake", "base_url": fake.url, "at_once": options.at_once, **changes}
    (here / "job.json").write_text(json.dumps(job | {"endpoint": endpoint}))


def watched(here: Path) -> Watched:
    """Start the runner on the job of a folder."""
    return Watched([sys.executable, RUNNER, here / "job.json", here / "run"], {})


def wait_for(running: Watched, moment: Callable[[], bool]) -> None:
    """Look on until a moment has come, or the run has ended."""
    while running.look() and not moment():
        time.sleep(0.05)


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="fundoscope-") as temporary:
        yield Path(temporary)


def children_cpu_s() -> float:
    """Return the CPU seconds of all processes that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def heading() -> None:
    print("| records | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))


def show(title: str, rounds: list[Round]) -> None:
    """Print a line of medians, and of how far the rates lay apart."""
    middle = [statistics.median(values) for values in zip(*map(astuple, rounds), strict=True)]
    rates = sorted(one.requests_per_s for one in rounds)
    spread = f" ({rates[0]:,.0f} to {rates[-1]:,.0f})" if len(rates) > 1 else ""
    cells = [f"{middle[0]:,.0f}{spread}", *(f"{value:,.1f}" for value in middle[1:4])]
    cells += [f"{value:,.0f}" for value in middle[4:]]
    print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    def command(run: Callable[[argparse.Namespace], None], requests: int) -> Any:
        told = (run.__doc__ or "").strip()
        one = commands.add_parser(run.__name__, help=told, description=told)
        one.add_argument("--requests", type=int, default=requests, help=f"default {requests:,}")
        one.add_argument("--at-once", type=int, default=64, help="requests in flight, default 64")
        one.set_defaults(run=run)
        return one

    of_text, of_photographs = command(text, 2_000), command(photographs, 500)
    of_queued, of_soak, of_peers = (
        command(queued, 100_000),
        command(soak, 100_000),
        command(peers, 2_000),
    )
    for one in (of_text, of_photographs, of_peers):
        one.add_argument("--rounds", type=int, default=3, help="medians of so many, default 3")
    of_queued.add_argument("--seconds", type=float, default=30, help="until it is stopped")
    of_queued.add_argument(
        "--stop", choices=("int", "kill"), default="kill", help="by which signal"
    )
    of_soak.add_argument("--faults", type=float, default=0.05, help="share of requests, all kinds")
    of_soak.add_argument("--kills", type=int, default=5, help="kill -9 at so many random moments")
    of_soak.add_argument("--seed", type=int, default=0, help="of the faults and the moments")
    of_soak.add_argument("--judged", type=int, default=2_000, help="dialogues judged again; 0: all")
    of_peers.add_argument(
        "--environments",
        type=Path,
        required=True,
        help="folder of the peers' virtual environments, by peers/make_environments.py",
    )
    of_peers.add_argument("--only", nargs="*", default=[], help="names of peers; default all")
    options = parser.parse_args()
    # so that a benchmark that is ended ends what it started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    options.run(options)


if __name__ == "__main__":
    main()
