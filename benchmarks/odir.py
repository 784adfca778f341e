"""How long ODIR-5K's 1,300 eyes take: both languages, both tracks, photographs looked at.

python benchmarks/odir.py [FOLDER WITH labels.csv AND images/]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.export.card import write_card
from fundoscope.export.run_files import write_run_files

DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "ODIR5K"


def main(folder: Path) -> None:
    """Print the seconds of each step."""
    job = Job(source="odir", root=folder, tracks=("instruction", "alignment"))
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        report = build(job, run)
        print(
            f"build: {report.tally.records:,} eyes, {report.tally.kept:,} dialogues kept, "
            f"{report.tally.rejected} rejected, {report.tally.left_out} left out: "
            f"{report.seconds:.1f} s"
        )
        print(f"build again: {build(job, run).seconds:.1f} s")
        started = time.monotonic()
        write_run_files(run)
        print(f"files: {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        write_card(run)
        print(f"card: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
