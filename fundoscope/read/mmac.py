"""MMAC 2023: myopic maculopathy graded, its lesions outlined, and the refraction of the eye."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from fundoscope.errors import LabelError
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.masks import lesion_boxes, read_mask
from fundoscope.read.originals import (
    check_columns,
    original_labels,
    photographs_of,
    split_in_name,
)
from fundoscope.read.photographs import (
    PHOTOGRAPH_SUFFIXES,
    PhotographIndex,
    left_unmatched,
)
from fundoscope.read.repeats import Repeats
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import Grade, LeftOut, Measured, Photograph, Record, Sex

LICENCE = "terms of the MMAC 2023 challenge"
GRADE_SPELLINGS = ("*classification*label*.csv", "*mmac*task*1*.csv", "*mmac*1*.csv")
REFRACTION_SPELLINGS = ("*spherical*label*.csv", "*mmac*task*3*.csv", "*mmac*3*.csv")
REFRACTION_TOOL = "refraction recorded in MMAC task 3"
_PERSON = ("age", "sex", "height", "weight")
_KINDS: Mapping[str, str] = {
    "lc": "lacquer_crack",
    "lacquercracks": "lacquer_crack",
    "cnv": "choroidal_neovascularisation",
    "choroidalneovascularization": "choroidal_neovascularisation",
    "fs": "fuchs_spot",
    "fuchsspot": "fuchs_spot",
}
"""How a file name or a folder says which lesion was outlined."""


@sources.register("mmac1")
def read_mmac_grades(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of MMAC task 1: META-PM category 0 to 4.

    Layout: a csv with `image,myopic_maculopathy_grade` and, in the original,
    `age,sex,height,weight,data_center`; the split from the photograph's name, else the file's.
    Licence: terms of the challenge.

    Traps: category 1 (tessellated fundus) is not pathological myopia; height and weight are the
    person's, in cm and kg: they serve only to keep the two eyes of a person in one split.
    """
    known = (*_PERSON, "data_center", "fold")

    def graded(row: Row, photograph: Photograph) -> Record:
        level = row.integer("myopic_maculopathy_grade", range(5))
        grade = Grade("meta_pm", level, "MMAC task 1 label of this photograph")
        return Record(photograph, grades=(grade,))

    yield from _read(request, GRADE_SPELLINGS, "myopic_maculopathy_grade", known, "mmac1", graded)


@sources.register("mmac3")
def read_mmac_refractions(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of MMAC task 3: the eye's spherical equivalent, dioptres.

    Layout: a csv with `image,spherical_equivalent,age,sex,height,weight` and, in a copy, `fold`.
    Licence: terms of the challenge.

    Traps: height and weight are the person's, in cm and kg, not pixels; no patient is named, but
    age, sex, height and weight together make 591 groups of at most two eyes (an upper bound on
    persons), which serve as patient; the published `fold` parts 318 of the 401 pairs and is
    not used.
    """

    def refracted(row: Row, photograph: Photograph) -> Record:
        dioptres = row.number("spherical_equivalent", -40, 30)
        value = Measured("spherical_equivalent", dioptres, "D", tool=REFRACTION_TOOL)
        return Record(photograph, measurements=(value,))

    known = (*_PERSON, "data_center", "fold")
    yield from _read(
        request, REFRACTION_SPELLINGS, "spherical_equivalent", known, "mmac3", refracted
    )


def _read(
    request: SourceRequest,
    spellings: tuple[str, ...],
    value: str,
    known: tuple[str, ...],
    dataset: str,
    record: Callable[[Row, Photograph], Record],
) -> Iterator[Record | LeftOut]:
    index = photographs_of(request)
    repeats = Repeats()
    for file in original_labels(request, spellings):
        check_columns(file, ("image", value), known)
        for row in read_rows(file):
            name = row.text("image")
            path = index.find(name) if index else None
            if repeated := repeats.repeated(name, row, *row.cells.values()):
                yield repeated
            elif path is None and not request.labels_only:
                reason = "no photograph of this name"
                yield LeftOut("label without photograph", name, reason, row.origin)
            else:
                at = index.relative(path) if index and path else ""
                yield _with_person(row, record(row, _photograph(dataset, name, at, file, row)))
    if index:
        yield from left_unmatched(index)


def _photograph(dataset: str, name: str, at: str, file: Path, row: Row) -> Photograph:
    split = split_in_name(PurePosixPath(name).name) or split_in_name(file.name) or "all"
    return Photograph(dataset, split, PurePosixPath(name).stem, at, patient=_person(row))


def _with_person(row: Row, record: Record) -> Record:
    given = row.text_or_none("age")
    return Record(
        record.photograph,
        grades=record.grades,
        measurements=record.measurements,
        age_years=None if given is None else row.number("age", 0, 120),
        sex=_sex(row),
        licence=LICENCE,
        origin=(row.origin,),
    )


def _sex(row: Row) -> Sex | None:
    said = (row.text_or_none("sex") or "").lower()
    if said not in ("", "female", "male"):
        raise row.error("sex", "female or male")
    return "female" if said == "female" else "male" if said else None


def _person(row: Row) -> str | None:
    """Return `age-sex-height-weight`, or None where one of the four is missing."""
    given = [row.text_or_none(column) for column in _PERSON]
    if row.text_or_none("height") is not None:
        row.number("height", 80, 230)  # cm; pixels of a photograph would be refused here
    if row.text_or_none("weight") is not None:
        row.number("weight", 15, 300)  # kg
    if None in given:
        return None
    return "-".join(f"{part:g}" if isinstance(part, float) else part for part in map(_plain, given))


def _plain(cell: str | None) -> float | str:
    """Return a number where it is one: `57` and `57.0` are one age."""
    try:
        return float(cell or "")
    except ValueError:
        return (cell or "").lower()


@sources.register("mmac2")
def read_mmac_lesions(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield one record a photograph of MMAC task 2: one kind of lesion, outlined.

    Layout: folders `Lacquer Cracks`, `Choroidal Neovascularization` and `Fuchs Spot` with masks
    (in `Groundtruths` or `masks`, or apart from the photographs) that bear the photograph's name;
    the kind from `_LC_`, `_CNV_` or `_FS_` in the name, else from the folder. Masks: any value
    above 0 is lesion. Licence: terms of the challenge.

    Traps: a photograph of one folder was searched for that kind alone; nothing is said of the
    other two.
    """
    index = photographs_of(request)
    for mask_file in _mask_files(request):
        kind = _kind(mask_file, request.root)
        path = index.find(mask_file.name) if index else None
        if path is None and not request.labels_only:
            yield LeftOut(
                "label without photograph",
                mask_file.name,
                "no photograph of this name",
                mask_file.name,
            )
            continue
        yield _outlined(request, index, path, mask_file, kind)
    if index:
        yield from left_unmatched(index)


def _outlined(
    request: SourceRequest,
    index: PhotographIndex | None,
    path: Path | None,
    mask_file: Path,
    kind: str,
) -> Record:
    source = "MMAC task 2 outlines of this photograph"
    mask = read_mask(mask_file, path)
    boxes, total = lesion_boxes(mask, kind, source, request.max_boxes)
    at = index.relative(path) if index and path else ""
    split = split_in_name(mask_file.stem) or _split_in_folders(mask_file, request.root) or "all"
    return Record(
        Photograph("mmac2", split, mask_file.stem, at),
        lesions=boxes,
        lesion_totals=(total,),
        licence=LICENCE,
        origin=(mask_file.name,),
    )


def _mask_files(request: SourceRequest) -> list[Path]:
    if request.labels:
        return list(request.labels)
    root, photographs = request.root, request.photographs
    images = sorted(p for p in root.rglob("*") if p.suffix.lower() in PHOTOGRAPH_SUFFIXES)
    ours = [p for p in images if _kind_or_none(p, root)]
    found = [p for p in ours if re.search(r"ground.?truth|mask", _folders(p, root))]
    if not found and photographs is not None and not root.is_relative_to(photographs):
        found = [p for p in ours if not p.is_relative_to(photographs)]
    if not found:
        raise LabelError(
            root,
            found="no outlines of lesions",
            expected="masks under Lacquer Cracks, Choroidal Neovascularization or Fuchs Spot, "
            "in a folder Groundtruths or masks, or apart from the photographs",
            mend="pass the masks as labels, or the folder of the photographs",
        )
    return found


def _folders(path: Path, root: Path) -> str:
    inside = path.parent.relative_to(root) if path.is_relative_to(root) else path.parent
    return inside.as_posix().lower()


def _split_in_folders(path: Path, root: Path) -> str:
    return split_in_name(_folders(path, root))


def _kind_or_none(path: Path, root: Path) -> str | None:
    for word in re.split(r"[_\-]", path.stem.lower()):
        if word in _KINDS:
            return _KINDS[word]
    for folder in reversed(_folders(path, root).split("/")):
        word = re.sub(r"[^a-z]", "", folder)
        for said, kind in _KINDS.items():
            if word == said or (len(said) > 3 and word.startswith(said)):
                return kind
    return None


def _kind(path: Path, root: Path) -> str:
    kind = _kind_or_none(path, root)
    if kind is None:
        raise LabelError(
            path,
            found=f"the name {path.name!r}",
            expected="_LC_, _CNV_ or _FS_ in it, or a folder named after the lesion",
            mend="give the mask its original name",
        )
    return kind
