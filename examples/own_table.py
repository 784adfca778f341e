"""Read a user's own table whose columns have names of their own.

python examples/own_table.py [FOLDER]
"""

import sys
from pathlib import Path

from fundoscope import Measured, Record, SourceRequest, description, sources

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example_table")
folder.mkdir(parents=True, exist_ok=True)
table = folder / "visits.csv"
table.write_text(
    "file,side,person,diagnosis,DR,CRAE,operator\n"
    "101_left.jpg,OS,101,no glaucoma,0,151.2,a\n"
    "101_right.jpg,OD,101,suspected glaucoma; drusen,0,,b\n"
    "102_left.jpg,左眼,102,中度非增殖期糖尿病视网膜病变,,-1,a\n",
    encoding="utf-8",
)
columns = {
    "image": "file", "eye": "side", "patient": "person", "disease": "diagnosis", "icdr": "DR",
    "crae_knudtson": "CRAE", "ignored": "operator",
}  # fmt: skip

request = SourceRequest(folder, labels=[table], labels_only=True, columns=columns)
for record in sources.get("table")(request):
    assert isinstance(record, Record)
    print(description(record, "en"))
    values = [m.value if isinstance(m, Measured) else m.reason for m in record.measurements]
    print(f"CRAE: {values or 'the cell was empty, which says nothing'}\n")
