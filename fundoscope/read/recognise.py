"""Which source a label file belongs to, told by its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fundoscope.errors import LabelError
from fundoscope.phantoms import LABELS as PHANTOM_LABELS
from fundoscope.read.label_files import header

HEADERS: Mapping[str, tuple[frozenset[str], ...]] = {
    "aptos": (frozenset({"id_code", "diagnosis"}),),
    "eyepacs": (frozenset({"image", "level"}), frozenset({"image", "quality", "DR_grade"})),
    "idrid": (frozenset({"Image name", "Retinopathy grade", "Risk of macular edema"}),),
    "messidor": (frozenset({"Image name", "Ophthalmologic department", "Retinopathy grade"}),),
    "messidor2": (
        frozenset({"id_code", "diagnosis", "adjudicated_gradable"}),
        frozenset({"image_id", "adjudicated_dr_grade"}),
    ),
    "mmac1": (frozenset({"image", "myopic_maculopathy_grade"}),),
    "mmac3": (frozenset({"image", "spherical_equivalent"}),),
    "odir": (
        frozenset({"ID", "Patient Age", "Left-Diagnostic Keywords"}),
        frozenset({"ID", "Patient Age", "Diagnostic Keywords"}),
        frozenset({"patient", "image", "keywords"}),
    ),
    "rfmid": (frozenset({"ID", "Disease_Risk", "DR", "ARMD"}),),
    "ukbiobank": (frozenset({"eid"}),),
}
"""Columns that tell a source; where several fit, the one that needs most columns."""

LAST_RESORT = frozenset({"image"})
MESSIDOR_NAME = "annotation_base"
"""How Messidor's sheets are called; without their department they have IDRiD's columns."""


def recognise(label_file: Path) -> str:
    """Return the name of the source that a label file belongs to.

    Parameters
    ----------
    label_file : Path
        A label table, or a `records.jsonl` of our own.

    Returns
    -------
    str
        A name of `fundoscope.read.sources`; `table` for any other table with a column `image`.

    Raises
    ------
    LabelError
        If it fits none, listing what was looked for.
    """
    if label_file.suffix.lower() == ".jsonl":
        return "records"
    if not label_file.is_file():
        raise LabelError(
            label_file, found="no such file", expected="a label file", mend="check the path"
        )
    names = {name for name in header(label_file) if name}
    fits = [
        (len(needed), source)
        for source, headers in HEADERS.items()
        for needed in headers
        if needed <= names
    ]
    if fits:
        source = max(fits)[1]
        is_messidor = source == "idrid" and label_file.name.lower().startswith(MESSIDOR_NAME)
        return "messidor" if is_messidor else source
    if names >= set(PHANTOM_LABELS) and (label_file.parent / "lesions").is_dir():
        return "phantoms"
    if names >= LAST_RESORT:
        return "table"
    wanted = "; ".join(
        f"{source}: {', '.join(sorted(needed))}"
        for source, headers in HEADERS.items()
        for needed in headers
    )
    raise LabelError(
        label_file,
        line=1,
        found=f"columns {', '.join(sorted(names)) or 'none'}",
        expected=f"those of a known source ({wanted}), or a column 'image'",
        mend="name the source, or map a column to 'image'",
    )
