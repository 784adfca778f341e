"""The main job in five lines: photographs and labels in, checked dialogues and a card out.

    python examples/main_job.py [FOLDER]

Phantoms stand in for photographs; put your own set's source and folder into the job.
"""

import sys
from pathlib import Path

from fundoscope import Job, build, export_run, write_card, write_phantoms

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example")

write_phantoms(folder / "set", 4, size_px=256)
job = Job(source="phantoms", root=folder / "set", tracks=("instruction", "alignment"))
report = build(job, folder / "run")
card, _ = write_card(folder / "run")
export = export_run(folder / "run", folder / "llava", format="llava", fractions=(0.5, 0, 0.5))

print(f"{report.tally.kept} dialogues kept, {report.tally.rejected} rejected")
for split, tracks in export.counts.items():
    print(f"{split}: {tracks}")
print(f"{export.out / 'manifest.json'}\n{card}")
