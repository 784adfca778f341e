"""Pictures of other kinds: ultra-wide frames made of narrow ones, and what is no fundus at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from fundoscope.perceive.field import Mask, Pixels, find_field
from fundoscope.perceive.frames import frame_of_field
from fundoscope.read.photographs import read_pixels
from fundoscope.train.quality_pictures import Chance, Floats

KINDS = ("retina", "ultra_wide", "not_a_fundus_photograph")

SCENES = (
    *("brick", "camera", "cell", "chelsea", "chessboard_GRAY", "clock_motion", "coins", "color"),
    *("grass", "gravel", "horse", "ihc", "logo", "motorcycle_left", "phantom", "text"),
)
"""Pictures that come with scikit-image, to learn from."""
SCENES_APART = ("astronaut", "coffee", "hubble_deep_field", "moon", "page", "rocket")
"""The rest, never learned from."""


ULTRA_WIDE, NEARLY_AS_BEFORE = (0.32, 0.55), (0.78, 1.0)
"""Width of the old field, of the new: from 80 degrees on, and up to 60, if the old saw 45."""


def widened(picture: Pixels, inside: Mask, chance: Chance, narrow: float) -> Pixels:
    """Return a frame as if its camera had seen wider, so that the eye looks small in it.

    The frame is shrunk into the middle; outwards follow turned copies of its fine detail, which
    have vessels and spots but no disc, turned so that vessels run outwards. Edges turn red or
    violet; lashes come in from above or below. Frames hardly widened get all that too, so that
    nothing of it but the eye's size tells an ultra-wide frame.

    Parameters
    ----------
    picture : uint8 array, shape (N, N, 3)
        A frame that fills the square with its field of view.
    inside : bool array, shape (N, N)
    narrow : float
        Width of the old field, of the new; see `ULTRA_WIDE`.
    """
    size = len(picture)
    deep = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    known = np.clip((deep / size - 0.06) / 0.08, 0, 1).astype(np.float32)
    known[0], known[-1], known[:, 0], known[:, -1] = 0, 0, 0, 0
    even = _evened(picture, known)
    wide = _surroundings(even, known, narrow, chance)
    place = (float(v) for v in chance.normal(0, 0.08, 2))
    near, share = _placed(even, known, narrow, place, chance.uniform(-12, 12))
    wide = wide * (1 - share[..., None]) + near * share[..., None]
    rows, cols = np.mgrid[:size, :size].astype(np.float32) * (2 / (size - 1)) - 1
    wide *= _edge_light(rows, cols, chance)
    if chance.random() < 0.2:  # two lasers, red and green
        wide[..., 2] *= 0.1
        wide[..., 1] *= np.float32(chance.uniform(0.9, 1.5))
    if chance.random() < 0.6:
        wide = _with_lid(wide, rows, cols, chance)
    wide[np.hypot(rows, cols) > 1] = 0
    return np.clip(wide, 0, 255).astype(np.uint8)


def _evened(picture: Pixels, known: Floats) -> Floats:
    """Take off slow light, for its rim would show as a ring; where unknown, the mean colour."""
    colours = picture.astype(np.float32)
    spread = 0.07 * len(picture)
    weight = cv2.GaussianBlur(known, (0, 0), spread)[..., None] + 1e-3
    slow = cv2.GaussianBlur(colours * known[..., None], (0, 0), spread) / weight
    mean = np.median(colours[known > 0.5], axis=0).astype(np.float32) + 4
    even = colours * mean / (slow + 4)
    return mean + (0.75 * even + 0.25 * colours - mean) * known[..., None]


def _surroundings(even: Floats, known: Floats, narrow: float, chance: Chance) -> Floats:
    """Return a retina without a disc: rings of copies of the fine detail round the middle."""
    size = len(even)
    fine = np.clip(even - cv2.GaussianBlur(even, (0, 0), size / 30), -45, 12)
    fine = fine * known[..., None] * chance.choice((0.3, 1.0, 1.4, 1.8))
    gathered = np.zeros_like(even)
    weights = np.full(known.shape, 1e-3, np.float32)
    row, col = _disc_of(even, known)
    from_disc = np.arctan2(row - size / 2, col - size / 2)
    window = known.copy()
    cv2.circle(window, (col, row), size // 9, 0.0, -1)  # one eye has one disc
    window = cv2.GaussianBlur(window, (0, 0), size / 60)
    for distance in np.arange(0.9, 1.2 / narrow, 0.8) * narrow:
        number = max(4, round(6 * distance / narrow))
        start = chance.uniform(0, 2 * np.pi)
        for angle in start + 2 * np.pi * np.arange(number) / number:
            centre = (distance * np.sin(angle), distance * np.cos(angle))
            zoom = narrow * chance.uniform(0.7, 1.1)
            outwards = np.rad2deg(from_disc - angle) + 180 + chance.normal(0, 15)
            copy, share = _placed(fine, window, zoom, centre, float(outwards))
            gathered += copy * share[..., None] ** 2
            weights += share**2
    coarse = chance.normal(1, 0.12, (5, 5, 1)) * np.exp(chance.normal(0, 0.04, (5, 5, 3)))
    ground = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    mean = np.median(even[known > 0.5], axis=0)
    return ground * mean + gathered / weights[..., None]


def _disc_of(even: Floats, known: Floats) -> tuple[int, int]:
    """Return (row, col) of the brightest spot of a disc's size."""
    bright = cv2.GaussianBlur(even.max(axis=2), (0, 0), len(even) / 30) * known
    row, col = np.unravel_index(int(bright.argmax()), bright.shape)
    return int(row), int(col)


def _placed(
    colours: Floats, known: Floats, zoom: float, centre: Iterable[float], turn_deg: float
) -> tuple[Floats, Floats]:
    """Return a shrunk, turned copy of a frame and its soft window; centre from -1 to 1."""
    size = len(colours)
    row, col = ((value + 1) / 2 * (size - 1) for value in centre)
    there: Any = cv2.getRotationMatrix2D(((size - 1) / 2,) * 2, turn_deg, zoom)
    there[:, 2] += (col - (size - 1) / 2, row - (size - 1) / 2)
    calm = cv2.GaussianBlur(colours, (0, 0), 0.35 / zoom)
    return (
        cv2.warpAffine(calm, there, (size, size), flags=cv2.INTER_LINEAR),
        cv2.warpAffine(known, there, (size, size), flags=cv2.INTER_LINEAR),
    )


def _edge_light(rows: Floats, cols: Floats, chance: Chance) -> Floats:
    radius, angle = np.hypot(rows, cols), np.arctan2(rows, cols)
    rim = np.clip((radius - chance.uniform(0.45, 0.8)) / 0.4, 0, 1)
    towards = 0.5 + 0.5 * np.cos(angle * chance.integers(1, 3) - chance.uniform(0, 6.3))
    tint = np.array(chance.uniform((0.7, 0.3, 0.5), (1.3, 0.9, 1.8)))
    light = 1 + (rim * (0.3 + 0.7 * towards))[..., None] * (tint - 1)
    return (light * chance.uniform(0.55, 1.1)).astype(np.float32)


def _with_lid(wide: Floats, rows: Floats, cols: Floats, chance: Chance) -> Floats:
    down = chance.choice((-1, 1))
    depth = rows * down - chance.uniform(0.65, 0.95) + 0.25 * cols**2
    lashes = (
        0.05
        * np.sin(cols * chance.uniform(20, 60) + 9 * rows**2 + 5 * np.sin(cols * 7))
        * (chance.random() < 0.6)
    )
    covered = np.clip((depth + lashes) / 0.12, 0, 1)[..., None].astype(np.float32)
    colours = ((220, 90, 40), (60, 30, 60), (30, 15, 15), (190, 120, 110))
    return wide * (1 - covered) + np.array(colours[chance.integers(4)], np.float32) * covered


def no_fundus(size: int, chance: Chance, scenes: Sequence[str] = SCENES) -> Pixels:
    """Return a frame of something that is no retina, as the gate would cut it.

    Half of them stand in a round black border, so that the border says nothing.
    """
    drawn: Sequence[Callable[..., Pixels]] = (_scene,)
    if scenes is SCENES:
        drawn = (_scene, _scene, _scene, _noise, _page, _scan, _outer_eye, _slope)
    draw = drawn[int(chance.integers(len(drawn)))]
    pixels = draw(size, chance, scenes)
    if draw is not _slope and chance.random() < 0.4:  # a plain warm disc may be a poor fundus
        pixels = _tinted(pixels, chance)
    if chance.random() < 0.5:
        rows, cols = np.mgrid[:size, :size] * (2 / (size - 1)) - 1
        pixels = np.where((np.hypot(rows, cols) < 1)[..., None], pixels, 0).astype(np.uint8)
        return np.ascontiguousarray(pixels)
    return frame_of_field(find_field(pixels), pixels.shape[:2], size).cut(pixels)


def _scene(size: int, chance: Chance, scenes: Sequence[str]) -> Pixels:
    pixels = scene(str(chance.choice(list(scenes))))
    share = chance.uniform(0.5, 1)
    height, width = (max(32, int(side * share)) for side in pixels.shape[:2])
    top = chance.integers(0, pixels.shape[0] - height + 1)
    left = chance.integers(0, pixels.shape[1] - width + 1)
    part = pixels[top : top + height, left : left + width]
    resized: Any = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return resized


@cache
def scene(name: str) -> Pixels:
    """Return a picture that comes with scikit-image."""
    folder = resources.files("skimage.data")
    file = next(e for e in folder.iterdir() if e.name in (f"{name}.png", f"{name}.jpg"))
    with resources.as_file(file) as path:
        return read_pixels(path)


def _noise(size: int, chance: Chance, _: Sequence[str]) -> Pixels:
    coarse = int(chance.choice((4, 9, 24, 80, size)))
    values = chance.uniform(0, 255, (coarse, coarse, 3)).astype(np.float32)
    if chance.random() < 0.3:
        values[:] = values.mean(axis=2, keepdims=True)
    return np.clip(cv2.resize(values, (size, size)), 0, 255).astype(np.uint8)


def _slope(size: int, chance: Chance, _: Sequence[str]) -> Pixels:
    """A plain slope of cold colours: warm ones are what a bad fundus photograph looks like."""
    ends = chance.uniform((0, 60, 60), (130, 255, 255), (2, 3))
    ramp = np.linspace(0, 1, size)[:, None, None] * np.ones((1, size, 1))
    values = ends[0] + (ends[1] - ends[0]) * ramp
    return np.rot90(values, int(chance.integers(4))).astype(np.uint8).copy()


def _page(size: int, chance: Chance, _: Sequence[str]) -> Pixels:
    paper = np.full((size, size, 3), chance.uniform(190, 255), np.uint8)
    letters = np.array(list("abcdefghiklmnoprstuvw   0123456789:.-"))
    step = int(chance.integers(10, 26))
    for base in range(step, size, step):
        line = "".join(chance.choice(letters, 60))
        place = (int(chance.integers(2, 20)), base)
        cv2.putText(paper, line, place, cv2.FONT_HERSHEY_SIMPLEX, step / 40, (25, 25, 30), 1)
    return 255 - paper if chance.random() < 0.2 else paper


def _scan(size: int, chance: Chance, _: Sequence[str]) -> Pixels:
    """Bright bands with speckle, as of optical coherence tomography."""
    rows = np.arange(size)[:, None]
    cols = np.arange(size)[None, :]
    bend = size * (0.5 + 0.08 * np.sin(cols / size * 6 + chance.uniform(0, 6)))
    bands = sum(
        np.exp(-(((rows - bend - off * size) / (0.012 * size)) ** 2))
        for off in chance.uniform(-0.15, 0.15, 5)
    )
    values = (bands * 110 + 25) * chance.gamma(4, 0.25, (size, size))
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _outer_eye(size: int, chance: Chance, _: Sequence[str]) -> Pixels:
    """An eye from outside: skin, white, iris, pupil, a reflex."""
    skin = chance.uniform((150, 100, 80), (235, 190, 170))
    canvas: Any = np.full((size, size, 3), skin, np.float32)
    middle = (int(size * chance.uniform(0.4, 0.6)), int(size * chance.uniform(0.4, 0.6)))
    width = int(size * chance.uniform(0.3, 0.48))
    white = chance.uniform((190, 170, 160), (240, 230, 225))
    cv2.ellipse(canvas, middle, (width, width // 2), 0, 0, 360, tuple(white), -1)
    iris = chance.uniform((40, 30, 20), (130, 120, 140))
    cv2.circle(canvas, middle, int(width * 0.45), tuple(iris), -1)
    cv2.circle(canvas, middle, int(width * 0.18), (10, 8, 8), -1)
    reflex = (middle[0] + width // 9, middle[1] - width // 9)
    cv2.circle(canvas, reflex, width // 14, (250, 250, 250), -1)
    canvas = cv2.GaussianBlur(canvas, (0, 0), size / 120)
    return np.clip(canvas + chance.normal(0, 5, canvas.shape), 0, 255).astype(np.uint8)


def _tinted(pixels: Pixels, chance: Chance) -> Pixels:
    """Colour a picture as a fundus is coloured, so that colour says nothing."""
    grey = pixels.mean(axis=2, keepdims=True)
    tint = chance.uniform((0.8, 0.35, 0.1), (1.2, 0.7, 0.5))
    return np.clip(grey * tint, 0, 255).astype(np.uint8)
