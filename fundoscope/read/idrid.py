"""IDRiD: photographs that were graded, and others, numbered anew, that were outlined."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fundoscope.errors import LabelError
from fundoscope.read.label_files import read_rows
from fundoscope.read.masks import lesion_boxes, mask_box, read_coded_mask, read_mask
from fundoscope.read.originals import check_columns, original_labels, photographs_of, split_in_name
from fundoscope.read.photographs import PHOTOGRAPH_SUFFIXES, left_unmatched
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import (
    Finding,
    Grade,
    LeftOut,
    Lesion,
    LesionTotal,
    Photograph,
    Record,
    Structure,
)

LICENCE = "CC BY 4.0"
SPELLINGS = ("*idrid*grading*train*label*.csv", "*idrid*grading*test*label*.csv")
COLUMNS = ("Image name", "Retinopathy grade", "Risk of macular edema")
OUTLINES = "IDRiD outlines of this photograph"


class _Outlined(NamedTuple):
    suffix: str
    """Of the names of separate masks, `IDRiD_01_MA.tif`."""
    code: int
    """Of the pixels of a coded mask."""


LESIONS: Mapping[str, _Outlined] = {
    "microaneurysm": _Outlined("MA", 1),
    "haemorrhage": _Outlined("HE", 2),
    "hard_exudate": _Outlined("EX", 3),
    "soft_exudate": _Outlined("SE", 4),
}
DISC = _Outlined("OD", 5)
_CODED = ""
_MASK_NAME = re.compile(r"(IDRiD_(\d{2}))(?:_(MA|HE|EX|SE|OD))?", re.IGNORECASE)


@sources.register("idrid")
def read_idrid_grades(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a graded photograph of IDRiD (Porwal et al. 2018, Data 3:25).

    Layout: `B. Disease Grading/2. Groundtruths/a. IDRiD_Disease Grading_Training Labels.csv` and
    `b. ..._Testing Labels.csv` with `Image name,Retinopathy grade,Risk of macular edema`;
    photographs in `a. Training Set` and `b. Testing Set`. Retinopathy ICDR 0 to 4, risk of macular
    oedema 0 to 2. Licence: CC BY 4.0.

    Traps: IDRiD_001 is in both splits and is another photograph; the training file has nine empty
    columns; oedema 0 says that no hard exudate is apparent, nothing of fluid or thickening.

    Raises
    ------
    LabelError
        If a file's split cannot be told from its name.
    """
    asked, request = request, _part(request, "grading")
    files = original_labels(request, SPELLINGS)
    splits = {file: _split_of_labels(file) for file in files}
    index = photographs_of(request)
    repeats = Repeats()
    for file, split in splits.items():
        check_columns(file, COLUMNS, ())
        for row in read_rows(file):
            id = row.text("Image name")
            icdr = row.integer("Retinopathy grade", range(5))
            risk = row.integer("Risk of macular edema", range(3))
            if repeated := repeats.repeated(f"{split}/{id}", row, icdr, risk):
                yield repeated
                continue
            path = index.find(id, split) if index else None
            if path is None and not request.labels_only:
                reason = f"no photograph {id} of the split {split}"
                yield LeftOut("label without photograph", f"{split}/{id}", reason, row.origin)
                continue
            source = f"idrid {file.name}"
            yield Record(
                Photograph("idrid_grading", split, id, _relative(path, asked)),
                grades=(Grade("icdr", icdr, source), Grade("dme_risk", risk, source)),
                licence=LICENCE,
                origin=(row.origin,),
            )
    if index:
        yield from left_unmatched(index)


def _split_of_labels(file: Path) -> str:
    split = split_in_name(file.name)
    if not split:
        raise LabelError(
            file,
            found=f"the name {file.name!r}",
            expected="Training or Testing in it, since numbers restart in each split",
            mend="give the file its original name",
        )
    return split


def _part(request: SourceRequest, word: str) -> SourceRequest:
    """Narrow a request to `A. Segmentation` or `B. Disease Grading` where the whole set is given.

    `C. Localization` holds the graded photographs once more.
    """
    below = sorted(request.root.iterdir()) if request.root.is_dir() else []
    parts = [folder for folder in below if folder.is_dir() and word in folder.name.lower()]
    if len(parts) != 1:
        return request
    return replace(request, root=parts[0])


def _relative(path: Path | None, asked: SourceRequest) -> str:
    """Return where a photograph stands in the folder that was asked for, not in a part of it."""
    return path.relative_to(asked.photographs or asked.root).as_posix() if path else ""


@sources.register("idrid-segmentation")
def read_idrid_outlines(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record an outlined photograph of IDRiD (Porwal et al. 2018), 81 in all.

    Layout: `1. Original Images/a. Training Set/IDRiD_01.jpg` with `2. All Segmentation
    Groundtruths/a. Training Set/1. Microaneurysms/IDRiD_01_MA.tif`, `_HE`, `_EX`, `_SE` and `_OD`;
    or flat `images/IDRiD_01.jpg` with `lesions/IDRiD_01.png`, coded 1 microaneurysm,
    2 haemorrhage, 3 hard exudate, 4 soft exudate, 5 optic disc. `labels`, if given, are masks or
    folders of masks. 01 to 54 are train, 55 to 81 test. Licence: CC BY 4.0.

    Traps: numbered independently of the graded photographs, so nothing is joined; a kind without
    a mask of its own was not outlined, which is not "none"; a kind without pixels in a coded mask
    was looked for and is 0.

    Raises
    ------
    LabelError
        If there is no mask, two for one kind, a number is not 01 to 81, or a code not 0 to 5.
    PhotographError
        If a mask is not an image or does not fit its photograph.
    """
    asked, request = request, _part(request, "segmentation")
    masks = _masks(request)
    index = photographs_of(request)
    for id, of_kind in sorted(masks.items()):
        split = _split_of_number(id, next(iter(of_kind.values())))
        path = index.find(id) if index else None
        if path is None and not request.labels_only:
            origin = " ".join(_origin(of_kind))
            reason = f"no photograph {id}"
            yield LeftOut("label without photograph", f"{split}/{id}", reason, origin)
            continue
        photograph = Photograph("idrid_segmentation", split, id, _relative(path, asked))
        yield _outlined(request, photograph, path, of_kind)
    if index:
        used = {str(file) for of_kind in masks.values() for file in of_kind.values()}
        unused = {index.relative(p) for p in index.unmatched() if str(p) not in used}
        yield from (left for left in left_unmatched(index) if left.name in unused)


def _masks(request: SourceRequest) -> dict[str, dict[str, Path]]:
    """Return the masks of each photograph by suffix, `_CODED` for one of all kinds."""
    masks: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in _mask_files(request):
        name = _MASK_NAME.fullmatch(file.stem)
        if name is None:
            continue
        of_kind, suffix = masks[name[1]], (name[3] or _CODED).upper()
        if suffix in of_kind or (of_kind and _CODED in (suffix, *of_kind)):
            raise LabelError(
                file,
                found=f"a second outline of {name[1]}, beside {next(iter(of_kind.values()))}",
                expected="one mask of each kind, or one coded mask",
                mend="pass the folder of one kind of masks as labels",
            )
        of_kind[suffix] = file
    if not masks:
        raise LabelError(
            request.root,
            found="no masks",
            expected="IDRiD_01_MA.tif, ... or lesions/IDRiD_01.png",
            mend="pass the folder that holds them",
        )
    return masks


def _mask_files(request: SourceRequest) -> list[Path]:
    given = [*request.labels] or [request.root]
    for path in given:
        if not path.exists():
            raise LabelError(path, found="no such file", expected="a mask", mend="check the path")
    below = [f for folder in given if folder.is_dir() for f in folder.rglob("*") if f.is_file()]
    images = [f for f in below if f.suffix.lower() in PHOTOGRAPH_SUFFIXES]
    if (
        not request.labels
    ):  # a bare IDRiD_01.jpg is the photograph, unless its folder says otherwise
        images = [f for f in images if _speaks_of_masks(f)]
    return sorted([*images, *(path for path in given if path.is_file())])


def _speaks_of_masks(file: Path) -> bool:
    name = _MASK_NAME.fullmatch(file.stem)
    return bool(name and name[3]) or file.parent.name.lower() in ("lesions", "masks")


def _split_of_number(id: str, file: Path) -> str:
    number = int(id[-2:])
    if not 1 <= number <= 81:
        raise LabelError(file, found=f"the number {id[-2:]}", expected="01 to 81")
    return "train" if number <= 54 else "test"


def _origin(of_kind: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(sorted(file.name for file in of_kind.values()))


def _outlined(
    request: SourceRequest, photograph: Photograph, path: Path | None, of_kind: Mapping[str, Path]
) -> Record:
    lesions: list[Lesion] = []
    totals: list[LesionTotal] = []
    findings: list[Finding] = []
    outlines = _outlines(path, of_kind)
    for kind, outlined in LESIONS.items():
        mask = outlines.get(outlined)
        if mask is None:
            findings.append(Finding(kind, "not_assessed", OUTLINES))
            continue
        boxes, total = lesion_boxes(mask, kind, OUTLINES, request.max_boxes)
        lesions += boxes
        totals.append(total)
    box = mask_box(outlines[DISC]) if DISC in outlines else None
    return Record(
        photograph,
        findings=tuple(findings),
        lesions=tuple(lesions),
        lesion_totals=tuple(totals),
        structures=(Structure("optic_disc", box, OUTLINES),) if box else (),
        licence=LICENCE,
        origin=_origin(of_kind),
    )


def _outlines(
    path: Path | None, of_kind: Mapping[str, Path]
) -> dict[_Outlined, npt.NDArray[np.bool_]]:
    """Return what was outlined, by kind; a kind that is not there was not outlined."""
    known = [*LESIONS.values(), DISC]
    if _CODED not in of_kind:
        return {k: read_mask(of_kind[k.suffix], path) for k in known if k.suffix in of_kind}
    file = of_kind[_CODED]
    codes = read_coded_mask(file, path)
    if codes.max() > DISC.code:
        raise LabelError(file, found=f"the code {codes.max()}", expected=f"0 to {DISC.code}")
    return {k: codes == k.code for k in known}
