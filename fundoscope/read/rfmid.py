"""RFMiD: 45 conditions and signs of each photograph, in three splits whose ids restart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.originals import (
    check_columns,
    original_labels,
    photographs_of,
    split_in_name,
)
from fundoscope.read.photographs import left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Finding, LeftOut, Photograph, Record

SPELLINGS = (
    "*rfmid*training*labels*.csv",
    "*rfmid*validation*labels*.csv",
    "*rfmid*testing*labels*.csv",
    "rfmid*train*.csv",
    "rfmid*val*.csv",
    "rfmid*test*.csv",
)
SOURCE = "RFMiD label of this photograph"
LICENCE = "CC BY 4.0"

TERMS: Mapping[str, str] = {
    "DR": "diabetic_retinopathy",
    "ARMD": "age_related_macular_degeneration",
    "MH": "media_haze",  # not macular hole, which is MHL
    "DN": "drusen",
    "MYA": "myopic_retinopathy",
    "BRVO": "branch_retinal_vein_occlusion",
    "TSLN": "tessellated_fundus",
    "ERM": "epiretinal_membrane",
    "LS": "laser_scar",
    "MS": "macular_scar",
    "CSR": "central_serous_chorioretinopathy",
    "ODC": "optic_disc_cupping",  # a sign, not glaucoma
    "CRVO": "central_retinal_vein_occlusion",
    "TV": "tortuous_vessels",
    "AH": "asteroid_hyalosis",
    "ODP": "optic_disc_pallor",
    "ODE": "optic_disc_oedema",
    "ST": "optociliary_shunt",
    "AION": "anterior_ischaemic_optic_neuropathy",
    "PT": "parafoveal_telangiectasia",
    "RT": "retinal_traction",
    "RS": "retinitis",
    "CRS": "chorioretinitis",
    "EDN": "retinal_exudation",
    "RPEC": "retinal_pigment_epithelium_changes",
    "MHL": "macular_hole",
    "RP": "retinitis_pigmentosa",
    "CWS": "soft_exudate",
    "CB": "coloboma",
    "ODPM": "optic_disc_pit_maculopathy",
    "PRH": "preretinal_haemorrhage",
    "MNF": "myelinated_nerve_fibres",
    "HR": "haemorrhagic_retinopathy",
    "CRAO": "central_retinal_artery_occlusion",
    "TD": "tilted_disc",
    "CME": "cystoid_macular_oedema",
    "PTCR": "choroidal_rupture",
    "CF": "choroidal_folds",
    "VH": "vitreous_haemorrhage",
    "MCA": "retinal_macroaneurysm",
    "VS": "retinal_vasculitis",
    "BRAO": "branch_retinal_artery_occlusion",
    "PLQ": "retinal_arterial_plaque",
    "HPED": "haemorrhagic_pigment_epithelial_detachment",
    "CL": "retinal_collateral_vessels",
}
"""The set's 45 codes and our terms."""


@sources.register("rfmid")
def read_rfmid(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of RFMiD (Pachade et al. 2021, Data 6:14).

    Layout: `a. RFMiD_Training_Labels.csv`, `b. ..._Validation_Labels.csv`,
    `c. ..._Testing_Labels.csv` (or `rfmid_train.csv`, ...), with folders `Training`, ... or, for
    one split alone, photographs flat in one folder. Columns `ID,Disease_Risk` and 45 codes, 0/1.
    Licence: CC BY 4.0.

    Traps: ids restart at 1 in each split; the header begins with a byte order mark; `MH` is media
    haze, `ST` optociliary shunt, `RT` retinal traction; Disease_Risk 0 says that none of the 45
    was seen, not that the eye is healthy; patients are not told.

    Raises
    ------
    LabelError
        If a file's split cannot be told, a code is unknown, or a code stands at 1 where
        Disease_Risk is 0 (none of the 1,920 rows of the training set does that).
    """
    files = original_labels(request, SPELLINGS)
    splits = {file: _split(file) for file in files}
    index = photographs_of(request)
    repeats = Repeats()
    for file, split in splits.items():
        check_columns(file, ("ID", "Disease_Risk", *TERMS), ())
        for row in read_rows(file):
            id = row.text("ID")
            path = index.find(id, split) if index else None
            if repeated := repeats.repeated(f"{split}/{id}", row, *row.cells.values()):
                yield repeated
            elif path is None and not request.labels_only:
                reason = f"no photograph {id} of the split {split}"
                yield LeftOut("label without photograph", f"{split}/{id}", reason, row.origin)
            else:
                at = index.relative(path) if index and path else ""
                yield _record(row, Photograph("rfmid", split, id, at))
    if index:
        yield from left_unmatched(index)


def _split(file: Path) -> str:
    split = split_in_name(file.name) or ("val" if "evaluation" in file.name.lower() else "")
    if not split:
        raise LabelError(
            file,
            found=f"the name {file.name!r}",
            expected="training, validation or testing in it, since ids restart in each split",
            mend="give the file its original name",
        )
    return split


def _record(row: Row, photograph: Photograph) -> Record:
    at_risk = row.integer("Disease_Risk", (0, 1))
    seen = {code: row.integer(code, (0, 1)) for code in TERMS}
    if not at_risk and any(seen.values()):
        code = next(code for code in TERMS if seen[code])
        raise row.error(code, "0, as Disease_Risk is 0 in this row")
    findings = [_finding("abnormality", at_risk)]
    findings += [_finding(term, seen[code]) for code, term in TERMS.items()]
    return Record(
        photograph=photograph, findings=tuple(findings), licence=LICENCE, origin=(row.origin,)
    )


def _finding(term: str, seen: int) -> Finding:
    return Finding(term, "present" if seen else "absent", SOURCE)
