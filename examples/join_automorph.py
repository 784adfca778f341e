"""Join a table of AutoMorph to records; what cannot be true is unmeasured, with the reason.

    python examples/join_automorph.py [FOLDER]

The table is made up: three photographs, the last of them with a scale gone wrong.
"""

import csv
import sys
from pathlib import Path

from fundoscope import Grade, Measured, Photograph, Record, join_features
from fundoscope.read.automorph import FeatureTable
from fundoscope.records import LeftOut

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example_automorph")
folder.mkdir(parents=True, exist_ok=True)
table = folder / "Macular_Features.csv"
ROWS = (
    ("Name", "Disc_height", "Disc_width", "CDR_vertical", "Artery_Vessel_density", "Average_width"),
    ("101_left.png", 1780, 1660, 0.41, 0.062, 88.4),
    ("101_right.png", -1, -1, -1, 0.0009, 91.0),
    ("102_left.png", 178, 166, 0.38, 0.071, 8.8),
    ("103_left.png", 1800, 1700, 0.44, 0.066, 90.1),
)  # fmt: skip
with table.open("w", newline="", encoding="utf-8") as out:
    csv.writer(out).writerows(ROWS)

records = [
    Record(Photograph("clinic", "all", id), grades=(Grade("icdr", level, "the clinic's reader"),))
    for id, level in (("101_left", 0), ("101_right", 0), ("102_left", 2))
]
for thing in join_features(records, [FeatureTable(table)]):
    if isinstance(thing, LeftOut):
        print(f"left out: {thing.what}: {thing.name}, {thing.reason}")
        continue
    print(thing.key)
    for m in thing.measurements:
        told = f"{m.value:g} {m.unit}" if isinstance(m, Measured) else f"unmeasured: {m.reason}"
        print(f"  {m.name} {m.of}: {told}")
