"""Whether the gate agrees with an eye: 75 UNAM frames, whose cameras were never learned from.

python benchmarks/quality.py [DATA]

DATA is, unless given, FUNDOSCOPE_DATA, or shared/data beside the repository.

Patients of even number were looked at while the spoilings were drawn and the thresholds of `good`
and `ultra_wide` were chosen; odd ones were not.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np

from fundoscope.perceive.disc import find_places, outline_disc
from fundoscope.perceive.perceiving import kind_of
from fundoscope.perceive.quality import Quality, judge_quality
from fundoscope.perceive.views import View
from fundoscope.read.photographs import read_pixels
from fundoscope.train.agreement import quadratic_kappa, with_interval

GRADES = ("good", "usable", "reject")
DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def main(data: Path) -> None:
    """Print kappa with its interval, the table of grades, and how ultra-wide frames are told."""
    rows = list(csv.DictReader((data / "labels/unam_quality_by_eye.csv").read_text().splitlines()))
    files = {path.stem: path for path in (data / "UNAM_FUNDUS/images").iterdir()}
    said = [_judged(files[row["photograph"]]) for row in rows]
    odd = np.array([int(row["photograph"].split("_")[0]) % 2 == 1 for row in rows])
    true = np.array([GRADES.index(row["quality"]) for row in rows])
    grade = np.array([GRADES.index(quality.grade) for quality, _ in said])
    for name, some in (("all", odd | True), ("not looked at", odd), ("looked at", ~odd)):
        found = with_interval(quadratic_kappa, true[some], grade[some])
        print(f"quadratic kappa, {name}: {found['value']} {found['interval_95']} n={found['n']}")
    print(f"exact agreement: {(true == grade).mean():.3f}")
    print(f"{'by eye':>8}" + "".join(f"{name:>8}" for name in GRADES))
    for i, name in enumerate(GRADES):
        print(f"{name:>8}" + "".join(f"{((true == i) & (grade == j)).sum():8d}" for j in range(3)))
    _print_wide(rows, said, odd)


def _judged(path: Path) -> tuple[Quality, str]:
    view = View(read_pixels(path))
    quality, places = judge_quality(view.pixels, view.field), find_places(view)
    return quality, kind_of(view, quality, places, outline_disc(view, places))


def _print_wide(
    rows: list[dict[str, str]], said: list[tuple[Quality, str]], odd: np.ndarray
) -> None:
    wide = np.array([row["wide_field"] == "1" for row in rows])
    kinds = [kind for _, kind in said]
    told = np.array([kind == "ultra_wide" for kind in kinds])
    for name, some in (("all", odd | True), ("not looked at", odd)):
        print(
            f"ultra-wide, {name}: sensitivity {told[some & wide].sum()}/{(some & wide).sum()}, "
            f"specificity {(~told[some & ~wide]).sum()}/{(some & ~wide).sum()}"
        )
    print(f"called no fundus photograph: {kinds.count('not_a_fundus_photograph')}/{len(kinds)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FUNDOSCOPE_DATA", DEFAULT)))
