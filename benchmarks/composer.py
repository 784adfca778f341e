"""How many dialogues a second one core composes and verifies, and how flat memory stays.

python benchmarks/composer.py                 # the rate, 20,000 records
python benchmarks/composer.py --ledger 100000 # records to kept dialogues in a ledger
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.converse.composer import compose
from fundoscope.ledger import Ledger, Tally
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import LANGUAGES, Record
from fundoscope.testing import synthetic_records
from fundoscope.verify.check import Facts, judge


def rate(count: int) -> None:
    """Print dialogues a second, composition and verification, both languages and tracks."""
    records = list(synthetic_records(count))
    started = time.process_time()
    kept = made = 0
    for record in records:
        facts = Facts.of(record)
        for language in LANGUAGES:
            for track in ("instruction", "alignment"):
                kept += judge(compose(record, track, language, 0, facts), record, facts).kept
                made += 1
    cpu_s = time.process_time() - started
    print(f"{made:,} dialogues composed and verified, {kept / made:.2%} kept")
    print(f"{made / cpu_s:,.0f} dialogues a second of one core ({cpu_s:.1f} CPU s)")


def to_ledger(count: int) -> None:
    """Print time and peak memory from synthetic records to kept dialogues in a ledger."""

    @sources.register("synthetic")
    def read_synthetic(request: SourceRequest) -> Iterator[Record]:
        return synthetic_records(count)

    def tell(tally: Tally) -> None:
        if tally.records // 10_000 != tell.last:  # type: ignore[attr-defined]
            tell.last = tally.records // 10_000  # type: ignore[attr-defined]
            print(f"  {tally.records:,} records, peak {peak_mb():.0f} MB", file=sys.stderr)

    tell.last = 0  # type: ignore[attr-defined]
    run = Path(tempfile.mkdtemp(prefix="fundoscope-"))
    try:
        started = time.process_time()
        job = Job(source="synthetic", root=run, languages=("en",), labels_only=True)
        report = build(job, run, progress=tell)
        cpu_s = time.process_time() - started
        size_mb = sum(file.stat().st_size for file in run.iterdir()) / 1e6
        with Ledger(run) as ledger:
            assert sum(1 for _ in ledger.kept()) == report.tally.kept
    finally:
        shutil.rmtree(run)
    print(
        f"{report.tally.records:,} records -> {report.tally.kept:,} kept, "
        f"{report.tally.rejected:,} rejected dialogues in the ledger: {cpu_s:,.0f} CPU s "
        f"({report.composed / cpu_s:,.0f} a second), {report.seconds:,.0f} s in all, "
        f"ledger {size_mb:,.0f} MB, peak RSS {peak_mb():.0f} MB"
    )


def peak_mb() -> float:
    """Return the most memory this process held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000, help="records for the rate")
    parser.add_argument("--ledger", type=int, default=0, help="records into a ledger instead")
    options = parser.parse_args()
    if options.ledger:
        to_ledger(options.ledger)
    else:
        rate(options.count)
