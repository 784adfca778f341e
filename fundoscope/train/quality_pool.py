"""What the judge of quality learns from: a pool of pictures with what is known of each, on disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Mask, Pixels, find_field, seen
from fundoscope.perceive.frames import frame_of_field
from fundoscope.perceive.quality import quality_picture
from fundoscope.phantoms import draw_phantom
from fundoscope.read.photographs import read_pixels
from fundoscope.train.kind_pictures import (
    NEARLY_AS_BEFORE,
    SCENES,
    SCENES_APART,
    ULTRA_WIDE,
    no_fundus,
    widened,
)
from fundoscope.train.quality_pictures import (
    GOOD_BELOW,
    GRADES,
    REASONS,
    REJECT_FROM,
    Chance,
    circle_of,
    spoil,
)

PICTURE_PX = 224
CACHE_PX = 336
"""Frames are kept half as large again, to be turned and zoomed."""
GOOD_SETS = ("AVRDB", "HRF", "IDRiD", "IDRiD_1024", "IDRiD_no_retinopathy", "FIVES", "RFMiD")
UNGRADED_SETS = ("DRIONS", "DrishtiGS_crops")
"""Retina, of no known quality."""
LICENCES = {
    **dict.fromkeys(GOOD_SETS, "CC BY 4.0"),
    "DRIONS": "research-only",
    "DrishtiGS_crops": "free to use",
    "ODIR5K": "challenge data, none stated",
    "phantoms": "none needed",
    "scikit-image": "as scikit-image",
}
GRADED_BY_EYE = "odir_quality_by_eye.csv"
"""265 frames of ODIR, graded from small copies by one reader who is no clinician."""

_SOFT = 0.05
"""Of overall severity: how sharply one grade goes over into the next."""
_NAMED = {"good": 0.06, "usable": 0.38, "reject": 0.8}
"""Severity of a reason that the reader named, and of all in a good frame."""
_APART = 5
"""One patient or photograph in so many is never learned from."""


@dataclass(frozen=True, eq=False)
class Source:
    """One photograph to draw pictures from."""

    set: str
    name: str
    frame: Pixels
    """Shape (CACHE_PX, CACHE_PX, 3); the field of view fills it."""
    grade: str = ""
    """`good`: may be spoiled; others as they are; empty: not graded."""
    reasons: tuple[str, ...] = ()

    @property
    def apart(self) -> bool:
        """Never learned from."""
        first = self.name.split("_")[0] if self.set == "ODIR5K" else self.name
        return int("".join(c for c in first if c.isdigit()) or 0) % _APART == 0


@dataclass(frozen=True, eq=False)
class Pool:
    """Pictures and what is known of each; NaN is not known."""

    pictures: npt.NDArray[np.uint8]
    """Shape (n, PICTURE_PX, PICTURE_PX, 6)."""
    severities: npt.NDArray[np.float32]
    """Shape (n, 4), by `REASONS`."""
    grades: npt.NDArray[np.float32]
    """Probabilities, shape (n, 3), by `GRADES`."""
    kinds: npt.NDArray[np.int64]
    """Index of `KINDS`."""
    real: npt.NDArray[np.bool_]
    """Graded by eye, not spoiled on purpose."""


def sources(data: Path) -> Iterator[Source]:
    """Yield every photograph that is learned from or tried on, and phantoms."""
    for name in GOOD_SETS:
        for path in sorted((data / name / "images").iterdir()):
            yield Source(name, path.stem, framed(read_pixels(path)), "good")
    for name in UNGRADED_SETS:
        for path in sorted((data / name / "images").iterdir()):
            yield Source(name, path.stem, framed(read_pixels(path)))
    for row in by_eye():
        path = data / "ODIR5K" / "images" / f"{row['photograph']}.jpg"
        reasons = tuple(row["reasons"].split())
        yield Source("ODIR5K", path.stem, framed(read_pixels(path)), row["quality"], reasons)
    for seed in range(40):
        kinds = {"microaneurysm": seed % 9, "hard_exudate": seed % 5}
        drawn = draw_phantom(seed, 384, lesions=kinds if seed % 2 else None)
        yield Source("phantoms", str(seed), framed(drawn.photograph), "good")


def by_eye() -> list[dict[str, str]]:
    """Return the rows photograph, quality, reasons of the frames graded by eye."""
    text = (resources.files("fundoscope.train") / GRADED_BY_EYE).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def framed(pixels: Pixels) -> Pixels:
    """Return the field of view of a photograph, CACHE_PX across."""
    return frame_of_field(find_field(pixels), pixels.shape[:2], CACHE_PX).cut(pixels)


def pool(folder: Path, drawn_from: Sequence[Source], size: int, seed: int, apart: bool) -> Pool:
    """Return a pool from its folder, drawn the first time; the list of what is known comes last."""
    known = folder / "known.json"
    shape = (size, PICTURE_PX, PICTURE_PX, 6)
    if not known.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pictures = np.lib.format.open_memmap(
            folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        draw = _Drawing([s for s in drawn_from if s.apart == apart], apart)
        rows = []
        for index in range(size):
            picture, row = draw.one(np.random.default_rng((seed, apart, index)))
            pictures[index] = quality_picture(picture)
            rows.append(row)
        pictures.flush()
        known.write_text(json.dumps(rows))
    rows = json.loads(known.read_text())
    return Pool(
        np.load(folder / "pictures.npy", mmap_mode="r"),
        np.array([row["severities"] for row in rows], np.float32),
        np.array([row["grade"] for row in rows], np.float32),
        np.array([row["kind"] for row in rows]),
        np.array([row["real"] for row in rows]),
    )


class _Drawing:
    """Draws one picture after the other, of every kind, from its sources."""

    def __init__(self, drawn_from: Sequence[Source], apart: bool) -> None:
        self.good = [s for s in drawn_from if s.grade == "good"]
        self.graded = [s for s in drawn_from if s.set == "ODIR5K"]
        self.ungraded = [s for s in drawn_from if not s.grade]
        self.scenes = SCENES_APART if apart else SCENES
        sets = [s.set for s in self.good]
        odds = np.array([sets.count(name) ** -0.5 for name in sets])
        self.odds = odds / odds.sum()

    def one(self, chance: Chance) -> tuple[Pixels, dict[str, Any]]:
        how = chance.choice(6, p=(0.4, 0.22, 0.15, 0.1, 0.05, 0.08))
        if how == 1:
            source = self.graded[chance.integers(len(self.graded))]
            return moved(source.frame, chance)[0], _said_by_eye(source)
        if how == 3:
            return no_fundus(PICTURE_PX, chance, self.scenes), _known(kind=2)
        if how == 4:
            source = self.ungraded[chance.integers(len(self.ungraded))]
            return moved(source.frame, chance)[0], _known(kind=0)
        source = self.good[chance.choice(len(self.good), p=self.odds)]
        picture, inside = moved(source.frame, chance)
        if how in (2, 5):
            bounds = ULTRA_WIDE if how == 2 else NEARLY_AS_BEFORE
            picture = widened(picture, inside, chance, float(chance.uniform(*bounds)))
            inside = np.hypot(*np.mgrid[-1 : 1 : PICTURE_PX * 1j, -1 : 1 : PICTURE_PX * 1j]) <= 1
        spoiled = spoil(picture, inside, chance, most=2 if how in (2, 5) else 3)
        return spoiled.picture, _known(
            kind=int(how == 2),
            severities=[spoiled.severities[reason] for reason in REASONS],
            grade=_soft(spoiled.overall),
        )


def moved(frame: Pixels, chance: Chance) -> tuple[Pixels, Mask]:
    """Return a frame turned, mirrored, zoomed a little and tinted, PICTURE_PX across, and where
    the eye is seen in it."""
    zoom = PICTURE_PX / len(frame) * np.exp(chance.uniform(-0.04, 0.22))
    if chance.random() < 0.4:
        zoom = PICTURE_PX / len(frame)
    middle = (len(frame) - 1) / 2
    window: Any = cv2.getRotationMatrix2D(
        (middle, middle), float(chance.normal(0, 25)), float(zoom)
    )
    window[:, 2] += (PICTURE_PX - 1) / 2 - middle
    calm = cv2.GaussianBlur(frame, (0, 0), 0.6)
    cut: Any = cv2.warpAffine(calm, window, (PICTURE_PX,) * 2, flags=cv2.INTER_LINEAR)
    if chance.random() < 0.5:
        cut = np.ascontiguousarray(cut[:, ::-1])
    tint = np.exp(chance.normal(0, 0.06, 3) + chance.normal(0, 0.06))
    cut = np.clip(cut * tint, 0, 255).astype(np.uint8)
    rows, cols = np.ogrid[:PICTURE_PX, :PICTURE_PX]
    far = np.hypot(rows - (PICTURE_PX - 1) / 2, cols - (PICTURE_PX - 1) / 2) > PICTURE_PX / 2
    cut[far] = 0
    return cut, seen(cut, circle_of(PICTURE_PX))


def _said_by_eye(source: Source) -> dict[str, Any]:
    named = source.reasons or REASONS
    severities = [_NAMED[source.grade] if r in named else float("nan") for r in REASONS]
    hard = [0.9 if grade == source.grade else 0.05 for grade in GRADES]
    return _known(kind=0, severities=severities, grade=hard, real=True)


def _known(
    kind: int,
    severities: Sequence[float] = (float("nan"),) * 4,
    grade: Sequence[float] = (float("nan"),) * 3,
    real: bool = False,
) -> dict[str, Any]:
    return {"kind": kind, "severities": list(severities), "grade": list(grade), "real": real}


def _soft(overall: float) -> list[float]:
    """Return probabilities of the grades: two logistic steps at their bounds."""
    beyond = [1 / (1 + np.exp((bound - overall) / _SOFT)) for bound in (GOOD_BELOW, REJECT_FROM)]
    return [1 - beyond[0], beyond[0] - beyond[1], beyond[1]]
