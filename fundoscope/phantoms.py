"""Drawn fundus photographs whose truth is exact: vessels, disc, cup, fovea, lesions, quality.

They are nobody's eye. Offline they stand in for photographs; measurements are tested on them, for
every outline is known before it is drawn. A mask holds the pixels whose centre is inside the true
outline, whatever blur or haze the photograph got afterwards.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError, nearest
from fundoscope.phantom_lesions import DRAWN_AT_PX, LESION_CODES, place_lesions
from fundoscope.phantom_painting import (
    Quality,
    Tree,
    expose,
    paint_disc,
    paint_ground,
    paint_lesions,
)
from fundoscope.phantom_shapes import (
    Ellipse,
    Floats,
    Mask,
    draw_arc,
    draw_fork,
    draw_straight_vessel,
)
from fundoscope.phantom_vessels import Layout, Segment, grow_vessels
from fundoscope.records import Eye

__all__ = [
    "LESION_CODES",
    "Phantom",
    "Segment",
    "draw_arc",
    "draw_fork",
    "draw_phantom",
    "draw_straight_vessel",
    "write_phantoms",
]

DISC_CODE = 5
QUALITY_WORDS = ("good", "usable", "reject")
"""Words of quality 0, 1, 2."""
LABELS = (
    "image", "patient", "eye", "modality", "quality", "disease", "icdr",
    "vessel_density", "cdr_vertical", "notes",
)  # fmt: skip


@dataclass(frozen=True)
class Phantom:
    """A drawn photograph and all that is true of it."""

    photograph: npt.NDArray[np.uint8]
    """RGB, shape (H, W, 3)."""
    vessels: Mask
    arteries: Mask
    veins: Mask
    disc: Mask
    """Cup included."""
    cup: Mask
    fovea: tuple[float, float]
    """(row, col)."""
    lesions: Mapping[str, Mask]
    """Every kind of `LESION_CODES`, those that were not drawn empty."""
    field_of_view: Mask
    segments: tuple[Segment, ...]
    eye: Eye
    quality: Quality
    cup_disc_ratio_vertical: float
    """Of the drawn ellipses, not of the pixels."""


def draw_phantom(
    seed: int,
    size_px: int = DRAWN_AT_PX,
    lesions: Mapping[str, int] | None = None,
    quality: Quality = 0,
    eye: Eye | None = None,
) -> Phantom:
    """Draw a fundus photograph; the same arguments give the same bytes.

    Parameters
    ----------
    seed : int
        Everything that is left open is drawn from it.
    size_px : int
        Side of the square photograph, at least 192.
    lesions : mapping of kind -> count, optional
        Kinds of `LESION_CODES`. None draws none. Each lesion is one connected region of its mask.
    quality : 0 good, 1 usable, 2 reject
    eye : "left" or "right", optional

    Raises
    ------
    ConfigError
        If a kind is unknown, the photograph too small, or there is no room for so many lesions.
    """
    wanted = dict(lesions or {})
    _check(size_px, wanted, quality)
    rng = np.random.default_rng(seed)
    layout, fovea_in_frame = _lay_out(rng, size_px, eye)
    fovea = _point(layout.to_pixels(np.array([fovea_in_frame]))[0])
    segments = grow_vessels(rng, layout, fovea_in_frame)
    disc, cup = _disc_and_cup(rng, layout)
    trees = {vessel: Tree.of(segments, vessel, size_px) for vessel in ("artery", "vein")}
    vessels = trees["artery"].mask | trees["vein"].mask
    blobs = place_lesions(rng, layout, fovea, wanted, vessels)

    canvas = paint_ground(rng, layout, fovea)
    paint_disc(canvas, rng, layout, disc, cup)
    for vessel in ("vein", "artery"):  # arterioles mostly pass in front
        trees[vessel].paint(canvas)
    masks = {kind: paint_lesions(canvas, kind, blobs[kind]) for kind in LESION_CODES}
    rows, cols = np.ogrid[:size_px, :size_px]
    from_centre = np.hypot(rows - layout.centre[0], cols - layout.centre[1]).astype(np.float32)
    photograph = expose(canvas, rng, layout, from_centre, quality)
    return Phantom(
        photograph=photograph,
        vessels=vessels,
        arteries=trees["artery"].mask,
        veins=trees["vein"].mask,
        disc=disc.mask(size_px),
        cup=cup.mask(size_px),
        fovea=fovea,
        lesions=masks,
        field_of_view=from_centre <= layout.radius_px,
        segments=segments,
        eye=layout.eye,
        quality=quality,
        cup_disc_ratio_vertical=cup.half_height / disc.half_height,
    )


def _point(row_col: Floats) -> tuple[float, float]:
    return float(row_col[0]), float(row_col[1])


def _check(size_px: int, wanted: Mapping[str, int], quality: int) -> None:
    where = "drawing a phantom"
    for kind in wanted:
        if kind not in LESION_CODES:
            raise ConfigError(
                f"no lesion called {kind!r}", where=where, mend=nearest(kind, LESION_CODES)
            )
    if size_px < 192:
        raise ConfigError(
            f"size_px must be at least 192, got {size_px}", where=where, mend="draw it larger"
        )
    if quality not in (0, 1, 2):
        raise ConfigError(
            f"quality must be 0, 1 or 2, got {quality!r}",
            where=where,
            mend="0 is good, 1 usable, 2 reject",
        )


def _lay_out(
    rng: np.random.Generator, size_px: int, eye: Eye | None
) -> tuple[Layout, tuple[float, float]]:
    """Where field and disc lie on the photograph, and the fovea in the eye's frame."""
    drawn: Eye = "left" if rng.random() < 0.5 else "right"
    eye = eye or drawn
    middle, radius = (size_px - 1) / 2, 0.482 * size_px
    diameter = 0.118 * size_px * rng.uniform(0.93, 1.07)
    fovea = (2.5 + rng.uniform(-0.1, 0.1), -0.25 + rng.uniform(-0.08, 0.05))
    to_nose = (1.75 + rng.uniform(-0.2, 0.2)) * diameter
    disc = (
        middle + rng.uniform(-0.25, 0.1) * diameter,
        middle + (-to_nose if eye == "left" else to_nose),
    )
    return Layout(size_px, (middle, middle), radius, disc, diameter, eye), fovea


def _disc_and_cup(rng: np.random.Generator, layout: Layout) -> tuple[Ellipse, Ellipse]:
    half = layout.disc_diameter_px / 2
    disc = Ellipse(layout.disc, half * rng.uniform(1.0, 1.08), half * rng.uniform(0.92, 1.0))
    ratio = rng.uniform(0.25, 0.55)
    half_height = ratio * disc.half_height
    half_width = ratio * rng.uniform(0.92, 1.06) * disc.half_width
    centre = (
        layout.disc[0] + rng.uniform(-0.04, 0.04) * disc.half_height,
        layout.disc[1] + layout.temple * rng.uniform(0, 0.12) * disc.half_width,
    )
    return disc, Ellipse(centre, half_height, half_width)


RECIPES: tuple[tuple[int, Quality, Mapping[str, tuple[int, int]]], ...] = (
    (0, 0, {}),
    (1, 0, {"microaneurysm": (2, 6)}),
    (2, 0, {"microaneurysm": (6, 14), "haemorrhage": (3, 9), "hard_exudate": (8, 24)}),
    (0, 0, {}),
    (2, 0, {"microaneurysm": (8, 18), "haemorrhage": (5, 14), "hard_exudate": (5, 16),
            "soft_exudate": (1, 4)}),
    (2, 1, {"microaneurysm": (4, 10), "haemorrhage": (2, 7)}),
    (0, 1, {}),
    (1, 0, {"microaneurysm": (1, 4)}),
    (0, 2, {}),
    (2, 0, {"microaneurysm": (5, 12), "hard_exudate": (10, 26)}),
)  # fmt: skip
"""(ICDR grade, quality, least and most lesions of each kind); a set goes round them. Grades 3 and
4 rest on signs that are not drawn."""


def write_phantoms(
    folder: Path | str, count: int, seed: int = 0, size_px: int = DRAWN_AT_PX
) -> Path:
    """Write a labelled set of phantoms, as a user's own set would lie on disk.

    `photographs/NAME.jpg`; `lesions/NAME.png` (0 none, 1 microaneurysm, 2 haemorrhage, 3 hard
    exudate, 4 soft exudate, 5 optic disc); `vessels/NAME.png` (0, 255); `labels.csv`, written
    last: its presence means that the set is whole.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    count : int
        Photographs; two in turn are the left and the right eye of one patient.
    seed, size_px : int

    Returns
    -------
    Path
        `folder`, which `sources.get("phantoms")` reads.
    """
    folder = Path(folder)
    for name in ("photographs", "lesions", "vessels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "labels.csv").unlink(missing_ok=True)  # not whole until it is written again
    rows = [_write_one(folder, number, seed, size_px) for number in range(count)]
    table = io.StringIO()
    writer = csv.DictWriter(table, LABELS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write_whole(folder / "labels.csv", table.getvalue().encode())
    return folder


def _write_one(folder: Path, number: int, seed: int, size_px: int) -> dict[str, object]:
    """Draw and write one photograph with its masks; return its row of labels."""
    eye: Eye = "left" if number % 2 == 0 else "right"
    patient = f"phantom_{number // 2 + 1:04d}"
    grade, quality, ranges = RECIPES[number % len(RECIPES)]
    own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    rng = np.random.default_rng(own_seed)
    wanted = {kind: int(rng.integers(low, high + 1)) for kind, (low, high) in ranges.items()}
    phantom = draw_phantom(own_seed, size_px, wanted, quality, eye)
    name = f"{patient}_{eye}"
    _write_image(folder / "photographs" / f"{name}.jpg", phantom.photograph[..., ::-1])
    _write_image(folder / "lesions" / f"{name}.png", coded_lesions(phantom))
    _write_image(folder / "vessels" / f"{name}.png", phantom.vessels.astype(np.uint8) * 255)
    return {
        "image": f"{name}.jpg",
        "patient": patient,
        "eye": eye,
        "modality": "colour fundus photograph",
        "quality": QUALITY_WORDS[quality],
        "disease": "diabetic retinopathy" if grade else "normal fundus",
        "icdr": grade,
        "vessel_density": f"{phantom.vessels.mean():.6f}",
        "cdr_vertical": f"{phantom.cup_disc_ratio_vertical:.6f}",
        "notes": f"drawn, nobody's eye; seed {own_seed}",
    }


def coded_lesions(phantom: Phantom) -> npt.NDArray[np.uint8]:
    """Return the lesion mask as it is written: `LESION_CODES`, and 5 for the optic disc."""
    coded = np.where(phantom.disc, DISC_CODE, 0).astype(np.uint8)
    for kind, mask in phantom.lesions.items():
        coded[mask] = LESION_CODES[kind]
    return coded


def _write_image(file: Path, pixels: npt.NDArray[np.uint8]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if file.suffix == ".jpg" else []
    done, encoded = cv2.imencode(file.suffix, np.ascontiguousarray(pixels), options)
    assert done, f"cv2 could not encode {file.name}"
    _write_whole(file, encoded.tobytes())


def _write_whole(file: Path, content: bytes) -> None:
    """Write under another name, then rename: a file that is there is whole."""
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)
