"""Faults of every kind and `kill -9` at random moments: is any answer lost, doubled or swapped?"""

from __future__ import annotations

import argparse
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import endpoint
import endpoint_sources

from fundoscope.ledger import FILE_NAME, Ledger
from fundoscope.records import Dialogue, Record
from fundoscope.testing import FakeServer, Faults
from fundoscope.testing.fake_settings import FAULTS
from fundoscope.verify.check import Facts, judge

MOST_RUNS = 5
"""Runs without a kill; each asks again what the one before gave up."""
RETRY_AFTER_S = 0.05
SLOW_S = 1.0
TIMEOUT_S = 4.0
"""Of a request, so that one that is never answered costs no more than this."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold."""

    what: str
    holds: bool


def soak(here: Path, options: argparse.Namespace) -> int:
    """Print a line a stage and a line a check; return 0 where all hold, else 1."""
    job = endpoint_sources.told_apart(here, options.requests)
    share = options.faults / len(FAULTS)
    faults = Faults(**dict.fromkeys(FAULTS, share), retry_after_s=RETRY_AFTER_S, slow_s=SLOW_S)
    started = time.monotonic()
    with endpoint.server(faults=faults, seed=options.seed) as fake:
        endpoint.write_job(here, job, fake, options, {"timeout_s": TIMEOUT_S})
        outlived = 0
        for number, moment in enumerate(moments(options), start=1):
            left = killed(here, fake, moment)
            outlived += left
            say(started, f"kill {number}", here, fake, f", {left} processes left behind")
        for number in range(1, MOST_RUNS + 1):
            told = finished(here)
            say(started, f"run {number} to its end", here, fake, f", {told['settled']:,} by it")
            if not told["stopped"] and not given_up(here):
                break
        before = fake.counts()
        finished(here)
        checks = [
            Check(f"{outlived} processes outlived a kill", outlived == 0),
            *of_ledger(here, options),
            *of_server(before, fake.counts(), answers_of(here)),
        ]
    print()
    for check in checks:
        print(f"{'ok    ' if check.holds else 'FAILED'}  {check.what}")
    return 0 if all(check.holds for check in checks) else 1


def moments(options: argparse.Namespace) -> list[int]:
    """Return after how many answers each kill comes."""
    rng = random.Random(options.seed)
    return sorted(rng.randrange(options.requests) for _ in range(options.kills))


def killed(here: Path, fake: FakeServer, moment: int) -> int:
    """Run until the server has given so many answers, then kill; return what it left behind."""
    with endpoint.watched(here) as running:
        endpoint.wait_for(running, lambda: any("first_request" in one for one in running.said()))
        first = fake.counts()["answered"]
        endpoint.wait_for(running, lambda: fake.counts()["answered"] > max(moment, first + 50))
        running.signal(signal.SIGKILL)
        running.wait()
        return running.end_orphans()


def finished(here: Path) -> dict[str, Any]:
    """Run to the end; return what the run told."""
    with endpoint.watched(here) as running:
        running.wait().or_exit()
        return running.said()[-1]


def say(started: float, stage: str, here: Path, fake: FakeServer, more: str) -> None:
    counts, answers = fake.counts(), answers_of(here)
    with Ledger(here / "run") as ledger:
        tally = ledger.tally()
    print(
        f"{time.monotonic() - started:6.0f} s  {stage}: {counts['paid']:,} answers paid, "
        f"{answers:,} in the ledger, {tally.kept:,} kept, {tally.rejected:,} rejected{more}",
        flush=True,
    )


def answers_of(here: Path) -> int:
    """Return how many answers the ledger holds."""
    with Ledger(here / "run") as ledger:
        return ledger.asked.spent().answers


def given_up(here: Path) -> int:
    """Return how many were rejected for want of an answer."""
    with Ledger(here / "run") as ledger:
        return sum(reject.reason.startswith("no answer") for reject in ledger.rejects())


def of_ledger(here: Path, options: argparse.Namespace) -> Iterator[Check]:
    """Yield what must hold of the dialogues kept and rejected."""
    with Ledger(here / "run") as ledger:
        tally = ledger.tally()
        reasons = Counter(reject.reason.split(":")[0] for reject in ledger.rejects())
        kept = Counter(
            (d.record.key, d.conversation.track, d.conversation.language) for d in ledger.kept()
        )
    requests = tally.records * len(endpoint_sources.LANGUAGES)
    told = ", ".join(f"{count:,} {reason or '?'}" for reason, count in reasons.most_common())
    yield Check(
        f"{tally.kept:,} kept + {tally.rejected:,} rejected = {requests:,} requests"
        + (f" ({told})" if told else ""),
        tally.kept + tally.rejected == requests >= options.requests,
    )
    yield Check("every rejected one has its reason", "" not in reasons)
    yield Check(
        f"{len(kept):,} different (record, track, language) among {kept.total():,} kept",
        len(kept) == kept.total() == tally.kept,
    )
    twice, sent_back = asked(here)
    yield Check(f"{twice} dialogues were asked for twice, {sent_back:,} sent back", twice == 0)
    yield from of_words(here, options.judged)


def asked(here: Path) -> tuple[int, int]:
    """Return how many dialogues have two first answers, and how many answers were sent back."""
    twice = (
        "SELECT count(*) FROM (SELECT 1 FROM asked WHERE round = 0"
        " GROUP BY record, track, language HAVING count(*) > 1)"
    )
    with closing(sqlite3.connect(here / "run" / FILE_NAME)) as db:
        counts = [
            db.execute(query).fetchone()[0]
            for query in (twice, "SELECT count(*) FROM asked WHERE round > 0")
        ]
    return counts[0], counts[1]


def of_words(here: Path, judged: int) -> Iterator[Check]:
    """Yield whether dialogues are faithful to their own records, and not to another's."""
    with Ledger(here / "run") as ledger:
        step = max(1, ledger.tally().kept // judged) if judged else 1
        seen = own = compared = passed = 0
        before: Record | None = None
        for number, dialogue in enumerate(ledger.kept()):
            if number % step == 0:
                seen += 1
                own += faithful(dialogue, dialogue.record)
                if before and before.key != dialogue.record.key:
                    compared += 1
                    passed += faithful(dialogue, before)
                before = dialogue.record
    yield Check(f"{own:,} of {seen:,} judged again are faithful to their own record", own == seen)
    yield Check(
        f"{passed:,} of {compared:,} would be to another record: so a swapped answer is seen",
        passed < 0.1 * compared,
    )


def faithful(dialogue: Dialogue, to: Record) -> bool:
    return judge(dialogue.conversation, to, Facts.of(to)).kept


def of_server(before: dict[str, Any], after: dict[str, Any], kept_answers: int) -> Iterator[Check]:
    """Yield what must hold of what the server counted, before and after one run too many."""
    paid, distinct = before["paid"], before["distinct"]
    yield Check(
        f"{paid:,} answers paid = {distinct:,} different keys; "
        f"{paid - kept_answers:,} of them not in the ledger",
        paid == distinct,
    )
    happened = before["requests"]["/v1/chat/completions"]
    met = {name: happened[name] for name in FAULTS if happened.get(name)}
    yield Check(f"met on the way: {', '.join(f'{met[n]:,} {n}' for n in met)}", bool(met))
    more = sum(after["requests"]["/v1/chat/completions"].values()) - sum(happened.values())
    yield Check(f"{more} requests by the same command once more", more == 0)
