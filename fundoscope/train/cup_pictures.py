"""Discs with a known cup, placed into whole photographs whose own cup nobody outlined.

Drishti-GS gives crops that end just beyond the disc. A network that knows cups from such crops
alone fills the discs of whole photographs with them. Here a crop's disc takes the place of a
photograph's own, at that disc's outline, resolution and colours, its cup made smaller or larger.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.disc import CLOSE_DISCS, find_places, outline_disc
from fundoscope.perceive.frames import Frame, frame_round
from fundoscope.perceive.views import View
from fundoscope.phantoms import draw_phantom
from fundoscope.read.masks import read_coded_mask
from fundoscope.read.photographs import read_pixels

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

ANGLES = 360
CUP_HEIGHTS = (0.15, 0.92)
"""Least and greatest height of a placed cup that is sought, of its disc's."""
_USUAL = (0.44, 0.14)
"""Mean and deviation of the height in eyes without glaucoma, which half of the placed cups have:
in the Blue Mountains Eye Study its mean was 0.43, its 97.5th percentile 0.7."""
_PULLS = np.linspace(-0.35, 0.6, 96)
"""Beyond them a rim is drawn out, or pressed together, to what no eye has."""
_AS_IT_IS = 0.15
"""Share of discs whose cup keeps its size."""
_BORDER_PX = 4
"""Black line at the edge of many crops."""
_ROUND_BREADTHS = (0.72, 1.4)
"""Width of a disc, of its height, outside which an outline is not trusted as a place."""
_WITHOUT_OUTLINE = {"IDRiD_no_retinopathy": 1, "AVRDB": 1, "FIVES": 1, "EyePACS": 1}
"""Sets whose discs nobody outlined, and of how many photographs one is taken."""
_ODIR_APART = ("glaucoma", "normal fundus")
"""Patients of these are kept for trial."""
_ODIR_HAZY = ("cataract", "opacity", "pathological myopia", "dust")


@dataclass(frozen=True, eq=False)
class CloseDisc:
    """A disc seen close, the middle of its outline in the middle."""

    name: str
    pixels: Bytes
    """Shape (N, N, 3)."""
    radii: Floats
    """Pixels from the middle to the outline, shape (ANGLES,), from the right clockwise."""
    across_px: float
    """The disc's own diameter in its photograph: how sharp it can be."""

    @property
    def middle(self) -> float:
        """Row and column of the middle."""
        return (self.pixels.shape[0] - 1) / 2


@dataclass(frozen=True, eq=False)
class CroppedDisc:
    """A crop of a disc, with the outlines of disc and cup."""

    name: str
    pixels: Bytes
    """Shape (H, W, 3)."""
    bits: Bytes
    """1 disc, 2 cup; shape (H, W)."""


def cropped_discs(data: Path) -> Iterator[CroppedDisc]:
    """Yield the crops of Drishti-GS, but one that is twice as high as it is wide."""
    for path in sorted((data / "DrishtiGS_crops/images").glob("*")):
        codes = read_coded_mask(data / "DrishtiGS_crops/disc_cup" / f"{path.stem}.png")
        bits = np.array([0, 1, 3], np.uint8)[np.minimum(codes, 2)]
        if bits.shape[0] < 1.2 * bits.shape[1]:
            yield CroppedDisc(path.stem, read_pixels(path), bits)


def close_disc(name: str, pixels: Bytes, disc: Mask, size_px: int) -> CloseDisc:
    """Return the close frame round an outlined disc, `CLOSE_DISCS` of its diameters wide."""
    frame, across = close_frame(disc, size_px)
    inside = frame.cut(disc.astype(np.float32)) >= 0.5
    middle = (size_px - 1) / 2
    return CloseDisc(name, frame.cut(pixels), radii_of(inside, (middle, middle)), across)


def close_frame(disc: Mask, size_px: int) -> tuple[Frame, float]:
    """Return the frame round an outlined disc, and the disc's larger diameter in pixels."""
    rows, cols = np.nonzero(disc)
    across = float(max(np.ptp(rows), np.ptp(cols)) + 1)
    centre = (float(rows.mean()), float(cols.mean()))
    return frame_round(centre, CLOSE_DISCS * across, disc.shape, size_px), across


def radii_of(mask: Mask, middle: tuple[float, float]) -> Floats:
    """Return how far a mask reaches from a point (row, col) in it, pixels, shape (ANGLES,)."""
    reach = int(np.hypot(*mask.shape)) + 1
    how = cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS  # without it, outside is whatever was there
    size = (2 * reach, ANGLES)
    polar = cv2.warpPolar(mask.astype(np.float32), size, middle[::-1], reach, how)
    radii = polar.sum(axis=1) / 2  # two steps a pixel
    around = cv2.GaussianBlur(np.tile(radii, 3)[None], (0, 0), 3)[0]
    return np.asarray(np.maximum(around[ANGLES : 2 * ANGLES], 1), np.float32)


def height_ratio(bits: Bytes) -> float:
    """Return the height of the cup (2) over that of the disc (1)."""
    rows_of = [np.flatnonzero(((bits >> part) & 1).any(axis=1)) for part in (0, 1)]
    disc, cup = (float(np.ptp(rows) + 1) if len(rows) else 0.0 for rows in rows_of)
    return cup / disc if disc else 0.0


def pulled(share: Floats, pull: float) -> Floats:
    """Return the crop's radius for ours, both shares of the outline's: r (1 + pull (1 - r)), twice.

    Above zero the cup shrinks and the rim is drawn out; middle and outline stay, and so does all
    beyond the outline. Once alone would have to be so strong that the rim folds.
    """
    for _ in range(2):
        share = share * (1 + np.float32(pull) * np.maximum(1 - share, 0))
    return share


def pull_for(ratio: float, height: float) -> float | None:
    """Return the pull by which a cup comes from `ratio` of its disc's height to `height` of it.

    None where that would be too much for a rim.
    """
    ours = np.full(1, height, np.float32)
    reached = [float(pulled(ours, pull)[0]) for pull in _PULLS]
    if not reached[0] <= ratio <= reached[-1]:
        return None
    return float(np.interp(ratio, reached, _PULLS))


def placed(
    disc: CloseDisc, crop: CroppedDisc, pull: float, chance: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Return a close frame whose disc is the crop's, and its outlines as bits.

    The cup is made smaller or larger by `pulled`; the outline is that of the photograph's disc.

    Returns
    -------
    uint8 array, shape (N, N, 3); uint8 array, shape (N, N)
        1 disc, 2 cup.
    """
    pixels, bits = _shrunk(crop, 1.3 * float(disc.radii.mean()))
    rows, cols = np.nonzero(bits & 1)
    centre = (float(rows.mean()), float(cols.mean()))
    share, angle = _polar(disc)
    radii = pulled(share, pull) * _at(radii_of((bits & 1) > 0, centre), angle)
    x = np.asarray(centre[1] + radii * np.cos(angle), np.float32)
    y = np.asarray(centre[0] + radii * np.sin(angle), np.float32)
    lifted = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cup = cv2.remap(((bits >> 1) & 1).astype(np.float32), x, y, cv2.INTER_LINEAR) >= 0.5
    edge = np.minimum.reduce([x, y, pixels.shape[1] - 1 - x, pixels.shape[0] - 1 - y])
    lit = cv2.blur((disc.pixels.max(axis=2) > 12).astype(np.float32), (5, 5))
    coverage = np.clip((1.28 - share) / 0.25, 0, 1) * np.clip(edge / 5, 0, 1) * lit
    coverage = np.maximum(coverage, np.clip((1.06 - share) / 0.06, 0, 1))
    known = (edge > 0) & (share > 1.06)
    lifted = _as_sharp(_matched(lifted, disc, share, known, chance), disc)
    coverage = coverage[..., None]
    whole = coverage * lifted + (1 - coverage) * disc.pixels
    inside = share <= 1
    truth = inside.astype(np.uint8) | (inside & cup).astype(np.uint8) << 1
    return np.clip(whole, 0, 255).round().astype(np.uint8), truth


def _shrunk(crop: CroppedDisc, radius_px: float) -> tuple[Bytes, Bytes]:
    """Return the crop without its border line, its disc no larger than it will be needed."""
    inner = slice(_BORDER_PX, -_BORDER_PX)
    pixels, bits = crop.pixels[inner, inner], crop.bits[inner, inner]
    shrink = min(1.0, radius_px / float(np.sqrt((bits & 1).sum() / np.pi)))
    pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return pixels, cv2.resize(bits, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def _polar(disc: CloseDisc) -> tuple[Floats, Floats]:
    """Return each pixel's distance from the middle, of the outline's there, and its angle."""
    rows, cols = np.indices(disc.pixels.shape[:2], np.float32) - np.float32(disc.middle)
    angle = np.arctan2(rows, cols)
    share: Floats = np.hypot(rows, cols) / _at(disc.radii, angle)
    return share, angle


def _at(radii: Floats, angle: Floats) -> Floats:
    around = np.append(radii, radii[0])
    steps = np.mod(angle / (2 * np.pi), 1) * ANGLES
    return np.interp(steps.ravel(), np.arange(ANGLES + 1), around).reshape(angle.shape)


def _matched(
    lifted: Bytes, disc: CloseDisc, share: Floats, known: Mask, chance: np.random.Generator
) -> Floats:
    """Give the crop the photograph's colours: the same beside the disc and, nearly, in it.

    How much the disc stands out is partly the eye's own, so half of the time most of it stays.
    """
    ring, face = (share > 1.08) & (share < 1.35) & (disc.pixels.max(axis=2) > 12), share < 1
    there = lifted[known & (share < 1.35)]
    if len(there) < 30:
        there = lifted[(share > 1.0) & (share < 1.06)]
    beside, own_beside = _middle(disc.pixels[ring]), _middle(there)
    own_contrast = (_middle(lifted[face]) - own_beside) * beside / np.maximum(own_beside, 4)
    contrast = _middle(disc.pixels[face]) - beside
    kept = chance.uniform(0, 0.8) if chance.random() < 0.5 else 0.0
    wanted = kept * own_contrast + (1 - kept) * contrast
    from_beside = lifted.astype(np.float32) - own_beside
    plain = beside / np.maximum(own_beside, 4)
    gain = wanted / np.maximum(_middle(lifted[face]) - own_beside, 4)
    gain = np.clip(gain, 0.5 * plain, 2 * plain) * chance.uniform(0.8, 1.15)
    return np.asarray(beside + from_beside * np.clip(gain, 0.1, 4), np.float32)


def _middle(colours: Bytes) -> Floats:
    if not len(colours):
        return np.full(3, 60, np.float32)
    return np.asarray(np.median(colours, axis=0), np.float32)


def _as_sharp(lifted: Floats, disc: CloseDisc) -> Floats:
    """Take away detail that the photograph, at its own size, could not have shown."""
    size = disc.pixels.shape[0]
    shrink = CLOSE_DISCS * disc.across_px / size
    if shrink >= 1:
        return lifted
    small = cv2.resize(lifted, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    grown = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(grown, np.float32)


def placements(
    discs: Sequence[CloseDisc], crops: Sequence[CroppedDisc], times: int, seed: int
) -> Iterator[tuple[str, Bytes, Bytes]]:
    """Yield each disc `times` over with another crop in its place: name, frame and bits."""
    chance = np.random.default_rng(seed)
    ratios = [height_ratio(crop.bits) for crop in crops]
    for disc in discs:
        for number in range(times):
            pulls = [pull_for(ratio, height) for height in [_height(chance)] for ratio in ratios]
            can = [i for i, pull in enumerate(pulls) if pull is not None]
            chosen = int(chance.choice(can or len(crops)))
            pull = 0.0 if chance.random() < _AS_IT_IS else pulls[chosen] or 0.0
            crop = crops[chosen]
            if chance.random() < 0.5:
                crop = CroppedDisc(crop.name, crop.pixels[:, ::-1], crop.bits[:, ::-1])
            picture, truth = placed(disc, crop, pull, chance)
            yield f"{disc.name}_{number}_{crop.name}", picture, truth


def _height(chance: np.random.Generator) -> float:
    wanted = chance.normal(*_USUAL) if chance.random() < 0.5 else chance.uniform(*CUP_HEIGHTS)
    return float(np.clip(wanted, *CUP_HEIGHTS))


def discs_without_outline(data: Path, size_px: int) -> Iterator[CloseDisc]:
    """Yield discs that the shipped networks find in photographs without outlines.

    No photograph of HRF, and of ODIR no patient with glaucoma or a normal eye: they try the cup.
    """
    for path in _photographs(data):
        view = View(read_pixels(path))
        found = outline_disc(view, find_places(view))
        if found is None or not _round(found.disc):
            continue
        name = f"{path.parent.parent.name}_{path.stem}"
        disc = close_disc(name, view.pixels, _ellipse(found.disc), size_px)
        if _wholly_seen(disc):
            yield disc


def _photographs(data: Path) -> Iterator[Path]:
    for folder, every in _WITHOUT_OUTLINE.items():
        yield from sorted(p for p in (data / folder / "images").rglob("*.jp*g"))[::every]
    yield from odir_places(data)


def odir_places(data: Path, most: int = 120) -> list[Path]:
    """Return clear photographs of ODIR whose patients have neither glaucoma nor a normal eye."""
    with (data / "ODIR5K/labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    said: dict[str, str] = defaultdict(str)
    for row in rows:
        said[row["patient"]] += row["keywords"] + ","
    apart = {patient for patient, words in said.items() if any(w in words for w in _ODIR_APART)}
    names = sorted(
        row["image"]
        for row in rows
        if row["patient"] not in apart and not any(w in row["keywords"] for w in _ODIR_HAZY)
    )
    return [data / "ODIR5K/images" / name for name in names[:: max(1, len(names) // most)]]


def _round(disc: Mask) -> bool:
    """Return whether an outline has the shape and the size of a disc's."""
    rows, cols = np.nonzero(disc)
    if len(rows) < 400:
        return False
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    filled = len(rows) / (np.pi / 4 * height * width)
    return bool(_ROUND_BREADTHS[0] < width / height < _ROUND_BREADTHS[1] and filled > 0.93)


def _ellipse(disc: Mask) -> Mask:
    """Return the ellipse of an outline's moments: nobody drew it, and its corners are no disc's."""
    rows, cols = np.nonzero(disc)
    spread, turn = np.linalg.eigh(np.cov(cols, rows))
    out = np.zeros(disc.shape, np.uint8)
    axes = tuple(float(a) for a in 4 * np.sqrt(spread))
    angle = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    cv2.ellipse(out, ((float(cols.mean()), float(rows.mean())), axes, angle), 1, -1)
    return out > 0


def _wholly_seen(disc: CloseDisc) -> bool:
    share = _polar(disc)[0]
    return bool((disc.pixels.max(axis=2) > 20)[share < 1.1].mean() > 0.99)


def drawn_discs(count: int, size_px: int, seed: int) -> Iterator[tuple[str, Bytes, Bytes]]:
    """Yield the close frames of phantoms: name, frame and bits."""
    for number in range(count):
        phantom = draw_phantom(seed + number, 1024, quality=1 if number % 4 == 3 else 0)
        frame, _ = close_frame(phantom.disc, size_px)
        disc, cup = (frame.cut(m.astype(np.float32)) >= 0.5 for m in (phantom.disc, phantom.cup))
        bits = np.asarray(disc + 2 * (cup & disc), np.uint8)
        yield f"phantom_{number:03d}", frame.cut(phantom.photograph), bits
