"""Masks from a folder, one photograph at a time: ours, or AutoMorph's."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import PhotographError, ReadError
from fundoscope.measure.scale import Scale
from fundoscope.read.label_files import Row, read_rows
from fundoscope.read.masks import read_coded_mask, read_mask
from fundoscope.read.photographs import opened

Mask = npt.NDArray[np.bool_]
"""Shape (H, W), pixels of the photograph."""

PHOTOGRAPHS_TABLE = "photographs.csv"
OUR_FOLDERS = ("vessels", "artery_vein", "disc_cup", "lesions", "field_of_view")
LESION_CODES: Mapping[int, str] = {
    1: "microaneurysm",
    2: "haemorrhage",
    3: "hard_exudate",
    4: "soft_exudate",
}
DISC_CODE = 5
"""The optic disc among the lesions, as IDRiD's flat layout and the phantoms have it."""
AUTOMORPH_SIDE_PX = 912
AUTOMORPH_BLACK = 10
"""Grey of what AutoMorph blackened, after JPEG: at most so much."""
AUTOMORPH_VESSELS: Mapping[str, str] = {
    "all": "binary_vessel/binary",
    "arteries": "artery_vein/artery_binary",
    "veins": "artery_vein/vein_binary",
}
"""Which vessels -> the start of their folders' names below M2."""


@dataclass(frozen=True, eq=False)
class MaskSet:
    """What is outlined in one photograph; None where nobody looked for it.

    A mask without any pixel set means that it was looked for and not found. All masks of one
    photograph have one shape.
    """

    name: str
    """The photograph's file name without its suffix."""
    vessels: Mask | None = None
    arteries: Mask | None = None
    veins: Mask | None = None
    """Where an artery and a vein cross, both are set."""
    disc: Mask | None = None
    """Rim and cup."""
    cup: Mask | None = None
    fovea: tuple[float, float] | None = None
    """(row, col), pixels."""
    lesions: Mapping[str, Mask] = field(default_factory=dict)
    """By term, such as `microaneurysm`; empty where nobody looked for lesions."""
    field_of_view: Mask | None = None
    scale: Scale | None = None
    automorph_skeletons: Mapping[str, Mask] = field(default_factory=dict)
    """`all`, `arteries`, `veins`: as AutoMorph wrote them, for its own definitions only."""
    refused: str = ""
    """Why nothing may be measured in this photograph, such as its quality; empty where it may."""

    def __post_init__(self) -> None:
        shapes = [(part, mask.shape) for part, mask in self.parts()]
        for part, shape in shapes[1:]:
            if shape != shapes[0][1]:
                first, (height, width) = shapes[0]
                raise ReadError(
                    f"masks of different sizes: {first} has {width} x {height} pixels, "
                    f"{part} has {shape[1]} x {shape[0]}",
                    where=f"photograph {self.name!r}",
                    mend="make all masks of a photograph at one size",
                )

    def parts(self) -> Iterator[tuple[str, Mask]]:
        """Yield every mask that is there, and what it outlines."""
        for part in ("vessels", "arteries", "veins", "disc", "cup", "field_of_view"):
            mask = getattr(self, part)
            if mask is not None:
                yield part, mask
        yield from self.lesions.items()
        yield from ((f"skeleton of {of}", mask) for of, mask in self.automorph_skeletons.items())

    @property
    def shape(self) -> tuple[int, int] | None:
        """(H, W) of the masks; None where there is no mask."""
        for _, mask in self.parts():
            return mask.shape[0], mask.shape[1]
        return None

    @property
    def rim(self) -> Mask | None:
        """The disc without its cup; all of the disc where the cup is not known."""
        if self.disc is None or self.cup is None:
            return self.disc
        return self.disc & ~self.cup


def read_mask_folder(folder: Path) -> Iterator[MaskSet]:
    """Yield the masks of each photograph of a folder, by name, one at a time.

    Parameters
    ----------
    folder : Path
        Either DIR with any of `vessels/STEM.png` (not 0: vessel), `artery_vein/STEM.png`
        (1 artery, 2 vein, 3 both), `disc_cup/STEM.png` (1 rim, 2 cup), `lesions/STEM.png`
        (1 microaneurysm, 2 haemorrhage, 3 hard exudate, 4 soft exudate),
        `field_of_view/STEM.png`, and `photographs.csv` with a column `photograph` and, where
        known, `fovea_row` and `fovea_col` (or `fovea`, as `row;col`) in pixels and `mm_per_px`.
        Or AutoMorph's `Results`, with `M2` and `M0/crop_info.csv`: masks of 912 x 912 pixels,
        whose field of view is the circle of the crop.

    Raises
    ------
    ReadError
        If the folder holds neither layout, or masks of one photograph differ in size.
    PhotographError
        If a mask is no whole image, or holds codes that the layout does not know.
    LabelError
        If a table is malformed.
    """
    if (folder / "Results" / "M2").is_dir():
        folder = folder / "Results"
    if (folder / "M2").is_dir():
        yield from _automorph_results(folder)
    elif any((folder / part).exists() for part in (*OUR_FOLDERS, PHOTOGRAPHS_TABLE)):
        yield from _our_folder(folder)
    else:
        raise _no_layout(folder, "neither layout of masks")


def _no_layout(folder: Path, what: str) -> ReadError:
    return ReadError(
        f"found {what}" if folder.is_dir() else "no such folder",
        where=str(folder),
        mend=f"known are a folder with {', '.join(f'{part}/' for part in OUR_FOLDERS)} of PNG "
        "files, as `fundoscope perceive` writes it, and AutoMorph's Results folder, "
        "with M2/binary_vessel/binary_process/",
    )


def _refused(rows: Mapping[str, Row]) -> dict[str, str]:
    """Return why nothing may be measured, by the names of the photographs that were refused."""
    reasons = {
        PurePosixPath(row.text("photograph")).stem: row.text_or_none("refused")
        for row in rows.values()
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _names(folder: Path, parts: Iterable[str], also: Iterable[str] = ()) -> list[str]:
    """Return the stems of the PNG files in any of the parts, and `also`, sorted."""
    found = {file.stem for part in parts for file in (folder / part).glob("[!.]*.png")} | {*also}
    if not found:
        raise _no_layout(folder, "no PNG file in the folders of masks")
    return sorted(found)


def _our_folder(folder: Path) -> Iterator[MaskSet]:
    rows = _rows_by_name(folder / PHOTOGRAPHS_TABLE, "photograph")
    refused = _refused(rows)
    for name in _names(folder, OUR_FOLDERS, refused):
        row = rows.get(name)
        if name in refused:
            yield MaskSet(name=name, refused=refused[name])
            continue
        vessel_codes = _codes(folder, "artery_vein", name, known=3)
        disc_codes = _codes(folder, "disc_cup", name, known=2)
        lesion_codes = _codes(folder, "lesions", name, known=DISC_CODE)
        vessels = _mask_or_none(folder / "vessels" / f"{name}.png")
        if vessels is None and vessel_codes is not None:
            vessels = vessel_codes > 0  # whatever is an artery or a vein is a vessel
        disc = None if disc_codes is None else disc_codes > 0
        if disc is None and lesion_codes is not None and (lesion_codes == DISC_CODE).any():
            disc = lesion_codes == DISC_CODE
        yield MaskSet(
            name=name,
            vessels=vessels,
            arteries=None if vessel_codes is None else (vessel_codes & 1).view(np.bool_),
            veins=None if vessel_codes is None else vessel_codes >= 2,
            disc=disc,
            cup=None if disc_codes is None else disc_codes == 2,
            fovea=_fovea(row) if row else None,
            lesions={}
            if lesion_codes is None
            else {kind: lesion_codes == code for code, kind in LESION_CODES.items()},
            field_of_view=_mask_or_none(folder / "field_of_view" / f"{name}.png"),
            scale=_scale(row) if row else None,
        )


def _mask_or_none(file: Path) -> Mask | None:
    return read_mask(file) if file.is_file() else None


def _codes(folder: Path, part: str, name: str, known: int) -> npt.NDArray[np.uint8] | None:
    file = folder / part / f"{name}.png"
    if not file.is_file():
        return None
    codes = read_coded_mask(file)
    if codes.max(initial=0) > known:
        raise PhotographError(
            f"found the code {codes.max()}, expected 0 to {known}",
            where=str(file),
            mend=f"write {part} as codes, not as colours or grey",
        )
    return codes


def _rows_by_name(table: Path, column: str) -> dict[str, Row]:
    """Return the rows of a table by the file that they name, with and without its suffix."""
    if not table.is_file():
        return {}
    rows: dict[str, Row] = {}
    for row in read_rows(table, columns=[column]):
        file = PurePosixPath(row.text(column).replace("\\", "/"))
        rows |= {file.stem: row, file.name: row}
    return rows


def _fovea(row: Row) -> tuple[float, float] | None:
    if row.text_or_none("fovea_row") is not None:
        return row.number("fovea_row", low=0), row.number("fovea_col", low=0)
    written = row.text_or_none("fovea")
    if written is None:
        return None
    try:
        at_row, at_col = (float(part) for part in written.split(";"))
    except ValueError as problem:
        raise row.error("fovea", "row;col in pixels") from problem
    return at_row, at_col


def _scale(row: Row) -> Scale | None:
    if row.text_or_none("mm_per_px") is None:
        return None
    return Scale(row.number("mm_per_px"), f"from {row.file.name}")


def _automorph_results(folder: Path) -> Iterator[MaskSet]:
    m2 = folder / "M2"
    names = _names(m2, [f"{start}_process" for start in AUTOMORPH_VESSELS.values()])
    rows = _rows_by_name(folder / "M0" / "crop_info.csv", "Name")
    for name in names:
        vessels = {of: _automorph_mask(m2, start, "process", name)
                   for of, start in AUTOMORPH_VESSELS.items()}  # fmt: skip
        skeletons = {of: _automorph_mask(m2, start, "skeleton", name)
                     for of, start in AUTOMORPH_VESSELS.items()}  # fmt: skip
        rim, cup = _automorph_disc(m2 / "optic_disc_cup" / "resized" / f"{name}.png")
        row = rows.get(name)
        yield MaskSet(
            name=name,
            vessels=vessels["all"],
            arteries=vessels["arteries"],
            veins=vessels["veins"],
            disc=None if rim is None or cup is None else rim | cup,
            cup=cup,
            field_of_view=_automorph_field(folder / "M0", name, row),
            scale=_automorph_scale(row) if row else None,
            automorph_skeletons={of: k for of, k in skeletons.items() if k is not None},
        )


def _automorph_mask(m2: Path, start: str, kind: str, name: str) -> Mask | None:
    return _mask_or_none(m2 / f"{start}_{kind}" / f"{name}.png")


def _automorph_disc(file: Path) -> tuple[Mask | None, Mask | None]:
    """Return rim (red) and cup (blue) on AutoMorph's grid, each pixel that of the nearest below."""
    if not file.is_file():
        return None, None
    with opened(file) as image:
        colours = np.asarray(image.convert("RGB"))
    side = (AUTOMORPH_SIDE_PX, AUTOMORPH_SIDE_PX)
    colours = cv2.resize(colours, side, interpolation=cv2.INTER_NEAREST)
    return colours[:, :, 0] > 0, colours[:, :, 2] > 0


def _automorph_field(m0: Path, name: str, row: Row | None) -> Mask | None:
    """Return what AutoMorph kept of a photograph: all outside a circle it made black.

    The circle touches the sides of the crop, unless the photograph ended before it did; where the
    cropped photograph is there, its black border shows that. None where neither it nor a row of
    `crop_info.csv` tells of a crop.
    """
    file = next((m0 / "images").glob(f"{glob.escape(name)}.*"), None)
    if file is None and row is None:
        return None
    middle = (AUTOMORPH_SIDE_PX - 1) / 2
    rows, cols = np.ogrid[:AUTOMORPH_SIDE_PX, :AUTOMORPH_SIDE_PX]
    circle: Mask = np.hypot(rows - middle, cols - middle) <= AUTOMORPH_SIDE_PX / 2
    if file is None:
        return circle
    side = (AUTOMORPH_SIDE_PX, AUTOMORPH_SIDE_PX)
    with opened(file) as image:
        brightest = np.asarray(image.convert("RGB").resize(side)).max(axis=2)
    # vessels and haemorrhages are dark too: only what is black from the border inwards is outside
    lit = (
        np.flatnonzero((brightest > AUTOMORPH_BLACK).any(axis=1)),
        np.flatnonzero((brightest > AUTOMORPH_BLACK).any(axis=0)),
    )
    if not (len(lit[0]) and len(lit[1])):
        return circle
    inside = (rows >= lit[0][0]) & (rows <= lit[0][-1]) & (cols >= lit[1][0]) & (cols <= lit[1][-1])
    return circle & inside


def _automorph_scale(row: Row) -> Scale | None:
    if row.text_or_none("Scale_resolution") is None:
        return None
    return Scale(row.number("Scale_resolution") / 1000, f"from AutoMorph's {row.file.name}")
