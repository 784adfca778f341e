"""How fast photographs and instructions are paired, in what memory, and how often rare labels come.

    python benchmarks/label_pairing.py --photographs 100000 --instructions 100000

Labels are made up: conditions of the vocabulary, each half as frequent as the one before, down to
one photograph in a thousand; a tenth are suspected, a third of the photographs are denied some.
Instructions are spread evenly over the conditions, and both stand in files as a run writes them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fundoscope import terms
from fundoscope.records import Finding, Photograph, Record, record_to_json
from fundoscope.train.label_pairing import LabelPairing, PairingConfig, Shard
from fundoscope.train.pairing_indexes import TOO_BROAD, InstructionIndex, PhotographIndex

CONDITIONS = [c for c in terms.conditions() if c not in TOO_BROAD][:40]
SHARES = [max(0.001, 0.4 / 2**n) for n in range(len(CONDITIONS))]
SHOWN = 12
"""Labels of which the table is printed."""


def made_up(count: int) -> Iterator[Record]:
    """Yield records of which each condition has its share."""
    drawn = random.Random(0)
    for number in range(count):
        findings = [
            Finding(term, "suspected" if drawn.random() < 0.1 else "present", "made up")
            for term, share in zip(CONDITIONS, SHARES, strict=True)
            if drawn.random() < share
        ]
        if drawn.random() < 1 / 3:
            held = {finding.term for finding in findings}
            denied = [t for t in drawn.sample(CONDITIONS, 3) if t not in held]
            findings += [Finding(term, "absent", "made up") for term in denied]
        photograph = Photograph("made-up", "train", str(number), file=f"{number}.jpg")
        yield Record(photograph, findings=tuple(findings))


def write_files(folder: Path, photographs: int, instructions: int) -> tuple[Path, Path]:
    """Write records and instructions as JSONL and return where."""
    records, rows = folder / "records.jsonl", folder / "knowledge.jsonl"
    with records.open("wb") as out:
        out.writelines(record_to_json(record) + b"\n" for record in made_up(photographs))
    with rows.open("w", encoding="utf-8") as out:
        for n in range(instructions):
            row = {"id": str(n), "conditions": [CONDITIONS[n % len(CONDITIONS)]], "text": "x" * 400}
            out.write(json.dumps(row) + "\n")
    return records, rows


def memory_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print speed, memory and the labels before and after."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--photographs", type=int, default=100_000)
    ask.add_argument("--instructions", type=int, default=100_000)
    told = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records, rows = write_files(Path(folder), told.photographs, told.instructions)
        before_mb = memory_mb()
        started = time.process_time()
        photographs, instructions = PhotographIndex.read(records), InstructionIndex.read(rows)
        indexed = time.process_time()
        paired = LabelPairing(photographs, instructions, PairingConfig())
        planned = time.process_time()
        pairs = Counter((p.term, p.fits, p.instruction is None) for p in paired.pairs(0))
        done = time.process_time()
        shard = Shard(rank=5, world=8, worker=1, workers=4)
        of_shard = sum(1 for _ in paired.pairs(0, shard))
        sharded = time.process_time()
    print(f"{len(photographs):,} photographs with {len(photographs.sets):,} sets of labels, "
          f"{len(instructions):,} instructions")  # fmt: skip
    print(f"indexed in {indexed - started:.1f} s, planned in {planned - indexed:.1f} s of one core")
    print(f"{pairs.total():,} pairs in {done - planned:.1f} s: "
          f"{pairs.total() / (done - planned):,.0f} a second; "
          f"one of 32 shards {of_shard / (sharded - done):,.0f} a second")  # fmt: skip
    product_mb = told.photographs * told.instructions / 8e6
    print(f"memory {before_mb:.0f} MB before, {memory_mb():.0f} MB at most; "
          f"all pairs, at a bit each, would be {product_mb:,.0f} MB")  # fmt: skip
    _print_labels(photographs, paired, pairs)


def _print_labels(
    photographs: PhotographIndex, paired: LabelPairing, pairs: Counter[tuple[str, bool, bool]]
) -> None:
    shown: Counter[str] = Counter()
    held = Counter(photographs.set_of.tolist())
    for number, labels in enumerate(photographs.sets):
        for term, _ in labels.present:
            shown[term] += held[number]
    print("label | photographs | share of labels | share of fitting pairs | rarity | "
          "asked, present : asked, absent")  # fmt: skip
    fitting = Counter[str]()
    for (term, fits, _), n in pairs.items():
        fitting[term] += n * fits
    for term, n in shown.most_common()[:: max(1, len(shown) // SHOWN)]:
        print(f"{term} | {n:,} | {n / shown.total():.2%} | {fitting[term] / fitting.total():.2%} | "
              f"{paired.rarity[term]:.2f} | "
              f"{pairs[term, True, True]:,} : {pairs[term, False, True]:,}")  # fmt: skip


if __name__ == "__main__":
    main()
