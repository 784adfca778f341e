"""What each outliner learns: from which photographs, at what detail, which parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError, nearest
from fundoscope.perceive.disc import close_picture
from fundoscope.perceive.field import Field, find_field, seen
from fundoscope.perceive.frames import Frame, even_colour, even_light, frame_of_field
from fundoscope.read.masks import read_coded_mask, read_mask
from fundoscope.read.photographs import read_pixels
from fundoscope.train.crops import Draw
from fundoscope.train.cup_pictures import (
    close_disc,
    close_frame,
    cropped_discs,
    discs_without_outline,
    drawn_discs,
    placements,
)
from fundoscope.train.examples import IGNORED, ONLY_FIRST, Example
from fundoscope.train.fovea_teacher import TAUGHT_FILE, read_taught
from fundoscope.train.harsh_light import harshly_lit
from fundoscope.train.transplants import Framed, transplanted

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class OutlinerTask:
    """One network to train: its parts, its detail, its data and its size."""

    name: str
    parts: tuple[str, ...]
    field_px: int
    """Width of what an example shows, such as the field of view, as the network looks at it."""
    prepare: Callable[[Path, Path], Iterator[Example]]
    """(data, work folder) -> examples."""
    draw: Draw
    widths: tuple[int, ...]
    channels: int
    batch: int
    held_out: Callable[[Example], bool]
    """Which photographs are never learned from, so that scores are honest."""
    licence: str
    rarity: tuple[float, ...] = ()
    """How much more a pixel of each part counts than one beside it; empty: all alike."""
    worth: float = 0.0
    """Dice that a higher threshold may cost: it alarms less, and vessels of a camera that was
    never seen gain more (0.02 where HRF was left out)."""
    least_px: tuple[int, ...] = ()
    """Smallest piece of each part that is kept, pixels as the network sees them; empty: 4."""


def _every(name: str, share: int) -> bool:
    """Return whether a photograph belongs to the one part in `share` that is held out."""
    digits = "".join(c for c in name if c.isdigit())
    return int(digits or 0) % share == 0


# --- vessels, arteries and veins ---------------------------------------------------------

VESSEL_CACHE_PX = 1024


def _vessel_examples(data: Path, work: Path) -> Iterator[Example]:
    for path in sorted((data / "AVRDB/images").glob("*")):
        codes = read_coded_mask(_mask_of(path, "av"))
        yield _vessel_example(path, "AVRDB", _artery_vein_bits(codes, crossing=True), known=7)
    for path in sorted((data / "HRF/images").glob("*")):
        codes = read_coded_mask(_mask_of(path, "av"))
        yield _vessel_example(path, "HRF", _artery_vein_bits(codes, crossing=False), known=7)
    for path in sorted((data / "FIVES/images").glob("*")):
        vessels = read_mask(_mask_of(path, "vessels"))
        yield _vessel_example(path, "FIVES", vessels.astype(np.uint8), known=1)


def _artery_vein_bits(codes: Bytes, crossing: bool) -> Bytes:
    bits = np.array([0, 1 + 2, 1 + 4, 1 + 2 + 4 if crossing else 1 + ONLY_FIRST], np.uint8)
    return bits[np.minimum(codes, 3)]


def _vessel_example(path: Path, camera: str, bits: Bytes, known: int) -> Example:
    pixels = read_pixels(path)
    frame, inside, cut = _frame_of(pixels, VESSEL_CACHE_PX)
    truth = _cut_bits(frame, bits, 7)
    truth[~inside] |= IGNORED
    return Example(path.stem, camera, even_light(cut, inside), truth, known)


# --- lesions ------------------------------------------------------------------------------

LESION_CACHE_PX = 1024
LESIONS_APART = 5
"""One photograph in so many is held out."""


_TRANSPLANTED = 96
"""Healthy photographs that are made to carry the lesions of others."""


def _lesion_examples(data: Path, work: Path) -> Iterator[Example]:
    donors, healthy = [], []
    for folder in ("IDRiD", "IDRiD_1024"):
        for path in sorted((data / folder / "images").glob("*")):
            codes = read_coded_mask(_mask_of(path, "lesions"))
            bits = np.array([0, 1, 2, 4, 8, 0], np.uint8)[np.minimum(codes, 5)]
            framed = _lesion_frame(path, bits)
            yield _lesion_example(path.stem, folder, framed)
            if not _every(path.stem, LESIONS_APART):
                donors.append(framed)
    for path in sorted((data / "IDRiD_no_retinopathy").rglob("*.jpg")):
        framed = _lesion_frame(path, None)
        yield _lesion_example(path.stem, "IDRiD_no_retinopathy", framed)
        if not _every(path.stem, LESIONS_APART):
            healthy.append(framed)
    for k, framed in enumerate(transplanted(donors, healthy, _TRANSPLANTED)):
        name = str(LESIONS_APART * k + 1)  # a name of those that are learned from
        yield _lesion_example(name, "transplanted", framed)


def _lesion_frame(path: Path, bits: Bytes | None) -> Framed:
    frame, inside, cut = _frame_of(read_pixels(path), LESION_CACHE_PX)
    nothing = np.zeros(inside.shape, np.uint8)
    return Framed(cut, inside, nothing if bits is None else _cut_bits(frame, bits, 4))


def _lesion_example(name: str, camera: str, framed: Framed) -> Example:
    truth = framed.bits.copy()
    truth[~framed.inside] |= IGNORED
    return Example(name, camera, lesion_picture(framed.picture, framed.inside), truth, known=15)


def lesion_picture(cut: Bytes, inside: npt.NDArray[np.bool_]) -> Bytes:
    """Return six channels: evenly lit, and evenly coloured."""
    return np.dstack([even_light(cut, inside), even_colour(cut, inside)])


# --- disc in the whole field, and fovea -----------------------------------------------------

PLACE_CACHE_PX = 320
_FOVEA_DISCS = 0.3
"""Radius of the spot that stands for the fovea, disc diameters."""


def _disc_place_examples(data: Path, work: Path) -> Iterator[Example]:
    for path, disc in _outlined_discs(data):
        yield _place_example(path, read_pixels(path), disc.astype(np.uint8), known=1)


def _place_examples(data: Path, work: Path) -> Iterator[Example]:
    """Yield outlined discs, and photographs whose disc and fovea were taught; all twice.

    The second time they are harshly lit: a disc in which red is burnt out was found in none of
    seven photographs.
    """
    yield from _disc_place_examples(data, work)
    for path, disc in _outlined_discs(data):
        yield from _harsh_example(path, read_pixels(path), disc.astype(np.uint8), known=1)
    for row in read_taught(work / TAUGHT_FILE):
        path = data / row.photograph
        pixels = read_pixels(path)
        disc = np.zeros(pixels.shape[:2], np.uint8)
        cv2.circle(disc, _xy(row.disc), round(row.disc_across_px / 2), 1, -1)
        spot = np.zeros(pixels.shape[:2], np.uint8)
        cv2.circle(spot, _xy(row.fovea), max(2, round(_FOVEA_DISCS * row.disc_across_px)), 2, -1)
        yield _place_example(path, pixels, disc | spot, known=3)
        yield from _harsh_example(path, pixels, disc | spot, known=3)


def _xy(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[1]), round(place[0])


def _place_example(path: Path, pixels: Bytes, bits: Bytes, known: int, light: str = "") -> Example:
    frame, inside, cut = _frame_of(pixels, PLACE_CACHE_PX)
    camera, picture = light + path.parent.parent.name, lesion_picture(cut, inside)
    return Example(path.stem, camera, picture, _cut_bits(frame, bits, 2), known)


def _harsh_example(path: Path, pixels: Bytes, bits: Bytes, known: int) -> Iterator[Example]:
    """Yield the same photograph in harsh light, as far as a disc is outlined in it."""
    rows, cols = np.nonzero(bits & 1)
    if len(rows):
        disc = float(rows.mean()), float(cols.mean())
        name = f"{path.parent.parent.name}_{path.stem}"
        lit = harshly_lit(pixels, find_field(pixels), disc, name)
        yield _place_example(path, lit, bits, known, "harsh_")


# --- disc and cup, close ------------------------------------------------------------------

CLOSE_CACHE_PX = 320
_PHANTOMS = 50
_PLACED_TIMES = 2
"""Crops that are placed, one after another, into each whole photograph."""


def _close_examples(data: Path, work: Path) -> Iterator[Example]:
    """Yield outlined discs, crops with their cups, these placed in photographs, and phantoms.

    A crop that is held out is placed only in photographs that are, for the name ends in its own.
    """
    places = []
    for path, disc in _outlined_discs(data):
        camera, pixels = path.parent.parent.name, read_pixels(path)
        yield from _close_example(path.stem, camera, pixels, disc.astype(np.uint8), known=1)
        if disc.sum() >= _LEAST_DISC_PX:
            places.append(close_disc(f"{camera}_{path.stem}", pixels, disc, CLOSE_CACHE_PX))
    places += discs_without_outline(data, CLOSE_CACHE_PX)
    crops = list(cropped_discs(data))
    for crop in crops:
        yield from _close_example(crop.name, "DrishtiGS", crop.pixels, crop.bits, known=3)
    for apart in (False, True):
        there = [place for place in places if _every(place.name, 5) is apart]
        these = [crop for crop in crops if _every(crop.name, 5) is apart]
        for name, cut, bits in placements(there, these, 1 if apart else _PLACED_TIMES, seed=0):
            yield Example(name, "placed", close_picture(cut), bits, known=3)
    for name, cut, bits in drawn_discs(_PHANTOMS, CLOSE_CACHE_PX, seed=9000):
        yield Example(name, "phantom", close_picture(cut), bits, known=3)


def _outlined_discs(data: Path) -> Iterator[tuple[Path, npt.NDArray[np.bool_]]]:
    for folder in ("IDRiD", "IDRiD_1024"):
        for path in sorted((data / folder / "images").glob("*")):
            yield path, read_coded_mask(_mask_of(path, "lesions")) == 5
    for path in sorted((data / "DRIONS/images").glob("*")):
        yield path, read_mask(_mask_of(path, "disc"))


_LEAST_DISC_PX = 50


def _close_example(
    name: str, camera: str, pixels: Bytes, bits: Bytes, known: int
) -> Iterator[Example]:
    disc = (bits & 1) > 0
    if disc.sum() < _LEAST_DISC_PX:
        return
    frame, _ = close_frame(disc, CLOSE_CACHE_PX)
    truth = _cut_bits(frame, bits, 2)
    truth[~frame.cut(np.ones(bits.shape, bool))] |= IGNORED
    yield Example(name, camera, close_picture(frame.cut(pixels)), truth, known)


# --- shared -------------------------------------------------------------------------------


def _mask_of(photograph: Path, folder: str) -> Path:
    return photograph.parent.parent / folder / f"{photograph.stem}.png"


def _frame_of(pixels: Bytes, size_px: int) -> tuple[Frame, npt.NDArray[np.bool_], Bytes]:
    field: Field = find_field(pixels)
    frame = frame_of_field(field, pixels.shape[:2], size_px)
    return frame, frame.cut(seen(pixels, field)), frame.cut(pixels)


def _cut_bits(frame: Frame, bits: Bytes, parts: int) -> Bytes:
    """Resize each bit by its share of area, so that thin vessels neither break nor grow."""
    out = np.zeros((frame.size_px, frame.size_px), np.uint8)
    for part in range(parts):
        share = frame.cut(((bits >> part) & 1).astype(np.float32))
        out |= (share >= 0.5).astype(np.uint8) << part
    return out


VESSELS = OutlinerTask(
    name="vessels",
    parts=("vessel", "artery", "vein"),
    field_px=1024,  # a 60 degree field shows its vessels here as large as one of 45 at 768
    prepare=_vessel_examples,
    draw=Draw(crop_px=512, detail=768 / VESSEL_CACHE_PX, parts=3, zoom=1.5, cameras_alike=0.5),
    widths=(32, 48, 96, 128, 160, 192),
    channels=3,
    batch=8,
    held_out=lambda e: _every(e.name, 7 if e.camera == "AVRDB" else 5),
    worth=0.005,
    licence="CC BY 4.0 photographs; the artery/vein layer of HRF states no licence: research-only",
)
LESIONS = OutlinerTask(
    name="lesions",
    parts=("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate"),
    field_px=1024,
    prepare=_lesion_examples,
    draw=Draw(crop_px=384, detail=1.0, parts=4, sought=0.5, cameras_alike=0.6),
    widths=(32, 48, 96, 144, 192),
    channels=6,
    batch=16,
    held_out=lambda e: _every(e.name, LESIONS_APART),
    worth=0.005,
    licence="CC BY 4.0",
    rarity=(6.0, 2.0, 1.5, 2.0),
    least_px=(8, 24, 16, 100),
)
DISC_PLACES = OutlinerTask(
    name="disc_places",
    parts=("disc",),
    field_px=256,
    prepare=_disc_place_examples,
    draw=Draw(crop_px=256, detail=256 / PLACE_CACHE_PX, parts=1, whole=True, zoom=1.6),
    widths=(24, 48, 64, 96, 128),
    channels=6,
    batch=8,
    held_out=lambda e: _every(e.name, 5),
    licence="DRIONS: research-only",
)
PLACES = OutlinerTask(
    name="places",
    parts=("disc", "fovea"),
    field_px=256,
    prepare=_place_examples,
    draw=Draw(crop_px=256, detail=256 / PLACE_CACHE_PX, parts=2, whole=True, zoom=1.5),
    widths=(24, 48, 64, 96, 128),
    channels=6,
    batch=8,
    held_out=lambda e: _every(e.name, 5),
    worth=0.005,
    licence="DRIONS, ODIR: research-only",
)
DISC_CUP = OutlinerTask(
    name="disc_cup",
    parts=("disc", "cup"),
    field_px=256,
    prepare=_close_examples,
    draw=Draw(
        crop_px=256,
        detail=256 / CLOSE_CACHE_PX,
        parts=2,
        whole=True,
        zoom=1.35,
        shift=0.12,
        turns=30.0,
        cameras_alike=0.5,
    ),
    widths=(24, 48, 64, 96, 128),
    channels=3,
    batch=8,
    held_out=lambda e: _every(e.name, 5),
    licence="DRIONS, Drishti-GS, ODIR, EyePACS: research-only",
)
OUTLINER_TASKS: Mapping[str, OutlinerTask] = {
    task.name: task for task in (VESSELS, LESIONS, DISC_PLACES, PLACES, DISC_CUP)
}


def outliner_task(name: str) -> OutlinerTask:
    """Return the task of a name.

    Raises
    ------
    ConfigError
        If the task is unknown; the nearest is offered.
    """
    if name not in OUTLINER_TASKS:
        raise ConfigError(f"no outliner learns {name!r}", mend=nearest(name, OUTLINER_TASKS))
    return OUTLINER_TASKS[name]
