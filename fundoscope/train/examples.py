"""Prepared photographs for training outliners, kept on disk, and crops drawn from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.frames import in_threes

Bytes = npt.NDArray[np.uint8]

IGNORED = 128
"""Bit of a truth that says: nobody knows here, do not learn from it."""
ONLY_FIRST = 64
"""Bit that says: the first part is known here, the others are not."""


@dataclass(frozen=True, eq=False)
class Example:
    """One photograph, evenly lit at a fixed size, with what is outlined in it."""

    name: str
    camera: str
    """The set it comes from: what is held out together."""
    picture: Bytes
    """Shape (N, N, C)."""
    truth: Bytes
    """Shape (N, N); bit k: the k-th part is here; `IGNORED`, `ONLY_FIRST`: not known."""
    known: int
    """Bits of the parts that somebody looked for in this photograph."""


Prepare = Callable[[], Iterable[Example]]


def examples_of(folder: Path, prepare: Prepare) -> list[Example]:
    """Return the examples of a folder, made by `prepare` the first time.

    Each example is written whole before it counts, so that a cut preparation is taken up where
    it stopped being complete: the list of names comes last.
    """
    listing = folder / "examples.json"
    if not listing.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [_keep(folder, example) for example in prepare()]
        listing.write_text(json.dumps(rows, indent=1))
    return [
        Example(
            row["name"],
            row["camera"],
            np.load(folder / f"{row['file']}.picture.npy"),
            np.load(folder / f"{row['file']}.truth.npy"),
            row["known"],
        )
        for row in json.loads(listing.read_text())
    ]


def _keep(folder: Path, example: Example) -> dict[str, Any]:
    file = f"{example.camera}-{example.name}"
    np.save(folder / f"{file}.picture.npy", example.picture)
    np.save(folder / f"{file}.truth.npy", example.truth)
    return {"name": example.name, "camera": example.camera, "file": file, "known": example.known}


@dataclass(frozen=True)
class Draw:
    """How crops are drawn from examples."""

    crop_px: int
    detail: float
    """Pixels of the crop per pixel of the example, before zoom."""
    parts: int
    """Bits of the truth."""
    zoom: float = 1.35
    """Largest factor up or down."""
    turns: float = 180.0
    """Largest rotation, degrees."""
    sought: float = 0.0
    """Share of crops that hold a rare part, all parts alike."""
    whole: bool = False
    """Crops are centred on the middle, give or take `shift`: the whole field."""
    shift: float = 0.08
    mirrored: bool = True
    cameras_alike: float = 0.5
    """Exponent: 0 draws photographs alike, 1 draws cameras alike."""


class Crops:
    """Crops of photographs with their truth, drawn by chance."""

    def __init__(self, examples: Sequence[Example], draw: Draw) -> None:
        self.examples = list(examples)
        self.draw = draw
        cameras = [example.camera for example in self.examples]
        size = {camera: cameras.count(camera) for camera in set(cameras)}
        weight = np.array([size[camera] ** -draw.cameras_alike for camera in cameras])
        self.weight = weight / weight.sum()
        self._places = [self._places_of(example) for example in self.examples]
        self._holders = [
            [i for i, places in enumerate(self._places) if len(places[part])]
            for part in range(draw.parts)
        ]

    def one(self, chance: np.random.Generator) -> tuple[Any, Any, Any]:
        """Return one crop, its truth and its weight.

        The picture is float32 of shape (C, crop, crop), about zero mean and unit deviation; truth
        is 0 or 1, shape (parts, crop, crop); weight is 0 where nothing is known.
        """
        example, centre = self._choose(chance)
        window = self._window(centre, chance)
        size = (self.draw.crop_px, self.draw.crop_px)
        picture = _warped(example.picture, window, size)
        coded = cv2.warpAffine(
            example.truth,
            window,
            size,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=IGNORED,
        )
        return roughened(picture, chance), *truth_and_weight(coded, example.known, self.draw.parts)

    def _choose(self, chance: np.random.Generator) -> tuple[Example, tuple[float, float]]:
        if chance.random() < self.draw.sought:
            part = int(chance.integers(self.draw.parts))
            if self._holders[part]:
                i = int(chance.choice(self._holders[part]))
                places = self._places[i][part]
                row, col = places[chance.integers(len(places))]
                off = chance.normal(0, self.draw.crop_px / self.draw.detail / 5, 2)
                return self.examples[i], (row + off[0], col + off[1])
        i = int(chance.choice(len(self.examples), p=self.weight))
        side = self.examples[i].picture.shape[0]
        if self.draw.whole:
            row, col = side / 2 + chance.uniform(-1, 1, 2) * self.draw.shift * side
            return self.examples[i], (row, col)
        places = self._places[i][-1]
        row, col = places[chance.integers(len(places))]
        return self.examples[i], (float(row), float(col))

    def _window(
        self, centre: tuple[float, float], chance: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the affine map from crop to example, (x, y) as OpenCV has it."""
        zoom = np.exp(chance.uniform(-1, 1) * np.log(self.draw.zoom)) * self.draw.detail
        turn = np.deg2rad(chance.uniform(-self.draw.turns, self.draw.turns))
        mirror = -1.0 if self.draw.mirrored and chance.random() < 0.5 else 1.0
        cosine, sine = np.cos(turn) / zoom, np.sin(turn) / zoom
        linear = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]])
        middle = (self.draw.crop_px - 1) / 2
        offset = np.array([centre[1], centre[0]]) - linear @ [middle, middle]
        return np.column_stack([linear, offset])

    def _places_of(self, example: Example) -> list[npt.NDArray[np.int64]]:
        """Return up to 4,000 pixels of each part, and of all that is known."""
        chance = np.random.default_rng(len(example.name))
        places = []
        for part in range(self.draw.parts):
            bits = (example.truth & (1 << part)) > 0 if example.known >> part & 1 else None
            places.append(_some(bits, chance))
        return [*places, _some((example.truth & IGNORED) == 0, chance)]


def known_of(coded: Bytes, part: int) -> npt.NDArray[np.bool_]:
    """Return where coded truth (H, W) tells of a part."""
    unknown = IGNORED | (ONLY_FIRST if part else 0)
    known: npt.NDArray[np.bool_] = (coded & unknown) == 0
    return known


def truth_and_weight(coded: Bytes, known: int, parts: int) -> tuple[Any, Any]:
    """Return truth and weight, float32 of shape (parts, H, W), of coded truth (H, W)."""
    bits = np.stack([(coded >> part) & 1 for part in range(parts)]).astype(np.float32)
    weight = np.stack([known_of(coded, part) for part in range(parts)]).astype(np.float32)
    weight *= np.array([known >> part & 1 for part in range(parts)], np.float32)[:, None, None]
    return bits, weight


def roughened(picture: Bytes, chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a picture as another camera might have given it, as the networks want it.

    Blur, lost resolution, JPEG, uneven gain and offset of each colour, curves, slow light, noise.
    """
    height, width = picture.shape[:2]
    if chance.random() < 0.2:
        picture = in_threes(partial(_coarser, shrink=chance.uniform(0.45, 0.9)), picture)
    elif chance.random() < 0.25:
        reach = chance.uniform(0.4, 1.6)
        picture = in_threes(lambda p: cv2.GaussianBlur(p, (0, 0), reach), picture)
    if chance.random() < 0.15:
        picture = in_threes(partial(_jpeg_coded, quality=int(chance.integers(25, 85))), picture)
    values = (picture.astype(np.float32) - 128) / 40
    channels = values.shape[2]
    common = np.exp(chance.normal(0, 0.25))
    values *= np.asarray(common * np.exp(chance.normal(0, 0.15, channels)), np.float32)
    values += np.asarray(chance.normal(0, 0.2) + chance.normal(0, 0.15, channels), np.float32)
    if chance.random() < 0.3:
        slow = chance.normal(0, 0.5, (3, 3)).astype(np.float32)
        values += cv2.resize(slow, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    if chance.random() < 0.25:
        values = np.sign(values) * np.abs(values) ** np.float32(np.exp(chance.normal(0, 0.2)))
    if chance.random() < 0.1:
        values[..., :3] = values[..., :3].mean(axis=2, keepdims=True)
    if chance.random() < 0.5:
        noise = chance.standard_normal(values.shape, np.float32)
        values += noise * np.float32(chance.uniform(0.03, 0.35))
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def _coarser(picture: Bytes, shrink: float) -> Bytes:
    size = picture.shape[1::-1]
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)


def _jpeg_coded(picture: Bytes, quality: int) -> Bytes:
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was coded a line above
    return decoded


def _warped(picture: Bytes, window: npt.NDArray[np.float64], size: tuple[int, int]) -> Bytes:
    """Warp in groups of three channels; outside the field each keeps its corner's value."""
    groups = [
        cv2.warpAffine(
            np.ascontiguousarray(picture[..., i : i + 3]),
            window,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=tuple(int(value) for value in picture[0, 0, i : i + 3]),
        )
        for i in range(0, picture.shape[2], 3)
    ]
    return np.dstack(groups) if len(groups) > 1 else groups[0]


def _some(mask: Any, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    if mask is None:
        return np.zeros((0, 2), np.int64)
    places = np.argwhere(mask)
    return places[chance.permutation(len(places))[:4000]]
