"""What is known of each quantity's repeatability where a photograph's own was not measured.

python benchmarks/repeatability.py [--photographs 60] [-o fundoscope/serve/words/repeatability.csv]

Every photograph is perceived once; its masks are turned, shifted and resized eight times and
measured again (`fundoscope.measure.repeatability`). A row tells the median over photographs of the
expected difference between two measurements: as a share of the value, or for angles from the
horizontal as degrees. What camera, focus and outlining add is not in it.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
from collections import defaultdict
from pathlib import Path

from fundoscope.measure.perceived import masks_of
from fundoscope.measure.survey import survey
from fundoscope.perceive.perceiving import perceive_photograph
from fundoscope.records import Measured

DATA = Path(os.environ.get("FUNDOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = ("HRF", "AVRDB", "IDRiD_1024", "UNAM_FUNDUS", "ODIR5K")
REPEATS = 8
LEAST_PHOTOGRAPHS = 5
"""A quantity that fewer photographs gave has no row."""
BY_DEGREES = ("fovea_disc_angle",)
"""Signed and near zero: a share of the value would mean nothing."""


def photographs(count: int) -> list[Path]:
    each = max(1, count // len(SETS))
    chosen = []
    for name in SETS:
        found = sorted(p for p in (DATA / name).rglob("images/*") if p.is_file())
        chosen += found[:: max(1, len(found) // each)][:each]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path, default=Path("repeatability.csv"))
    options = parser.parse_args()
    shares: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    seen = 0
    for path in photographs(options.photographs):
        found = perceive_photograph(path)
        if found.refused:
            print(f"{path.parent.parent.name}/{path.name}: {found.refused}", flush=True)
            continue
        seen += 1
        for value in survey(masks_of(found), repeats=REPEATS):
            if not isinstance(value, Measured) or value.repeatability is None:
                continue
            of = 1.0 if value.name in BY_DEGREES else abs(value.value)
            if of:
                shares[value.name, value.of, value.where].append(value.repeatability / of)
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["quantity", "of", "where", "share", "photographs"])
        for (name, of, where), found_shares in shares.items():
            if len(found_shares) >= LEAST_PHOTOGRAPHS:
                share = f"{statistics.median(found_shares):.4f}"
                table.writerow([name, of, where, share, len(found_shares)])
    print(f"{seen} photographs, {len(shares)} quantities: {options.output}")


if __name__ == "__main__":
    main()
