"""Frames spoiled on purpose, by known amounts: what the judge of quality learns from.

Every spoiling says how much of a structure's contrast it leaves at each place of the field, its
*visibility*, 0 to 1. A severity is how much visibility is lost over the field; the grade follows
from what all spoilings together leave. The words are those of EyeQ (Fu 2019,
10.1007/978-3-030-32239-7_6): good; usable, where structures and lesions can still be told;
reject, where they cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Field, Mask, Pixels

Floats = npt.NDArray[Any]
"""float32, shape (N, N) or (N, N, 3)."""
Chance = np.random.Generator

REASONS = ("blur", "illumination", "field", "contrast")
GRADES = ("good", "usable", "reject")
GOOD_BELOW, REJECT_FROM = 0.2, 0.55
"""Overall severities between which a photograph is usable.

With `severity` these say: good is up to a third of the contrast lost everywhere, or a fifteenth
of the field lost wholly; reject is from 70 % of the contrast, or three eighths of the field.
"""

_LOSS_OF_VISIBILITY = ((0.05, 1.0), (0.2, 0.49), (0.5, 0.13), (0.8, 0.03), (1.0, 0.0))
_AREA_EXPONENT = 0.6
_CENTRE_RADIUS, _CENTRE_WEIGHT = 0.55, 2.2
"""Of the field's radius: disc and macula mostly lie within it, and count more."""
_FINE_DETAIL = 0.002
"""Standard deviation of a vessel of second order across, of the field's width."""
_DARK_LEVEL, _DARK_EXPONENT = 80.0, 1.4
"""Of the brightest channel, of 255: below it contrast falls faster than light, for the camera's
noise and the screen's black stay."""


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A frame and how bad it is."""

    picture: Pixels
    severities: Mapping[str, float]
    """By `REASONS`, 0 to 1."""
    overall: float
    """Severity of all reasons together, 0 to 1."""

    @property
    def grade(self) -> str:
        """`good`, `usable` or `reject`."""
        return grade_of(self.overall)


def grade_of(overall: float) -> str:
    """Return the grade of an overall severity."""
    return GRADES[int(overall >= GOOD_BELOW) + int(overall >= REJECT_FROM)]


def severity(visibility: Floats, inside: Mask) -> float:
    """Return how bad it is that only so much contrast is left at each place, 0 to 1.

    Parameters
    ----------
    visibility : float array, shape (N, N)
        Share of a structure's contrast that is left, 0 to 1.
    inside : bool array, shape (N, N)
        The field of view.
    """
    points, losses = zip(*_LOSS_OF_VISIBILITY, strict=True)
    loss = np.interp(visibility[inside], points, losses)
    weight = np.where(_radii(len(inside)) < _CENTRE_RADIUS, _CENTRE_WEIGHT, 1.0)[inside]
    return float(np.average(loss, weights=weight)) ** _AREA_EXPONENT


class Exposure:
    """A frame while it is being spoiled: colours, light left, and visibility by reason."""

    def __init__(self, picture: Pixels, inside: Mask) -> None:
        self.colours: Floats = picture.astype(np.float32)
        self.inside = inside
        self.size = len(inside)
        self.gain: Floats = np.ones(inside.shape, np.float32)
        self.noise = 0.0
        self.visibility: dict[str, Floats] = {
            reason: np.ones(inside.shape, np.float32) for reason in REASONS
        }
        self._level = _slow(picture.max(axis=2).astype(np.float32), 0.03)
        self._clipped = _slow((picture[..., 1] >= 250).astype(np.float32), 0.01)

    def add_light(self, light: Floats, reason: str) -> None:
        """Add light of shape (N, N, 3); contrast falls as of a lamp behind a curtain."""
        own = _slow(self.colours[..., 1], 0.03) + 8
        self.visibility[reason] *= own / (own + np.maximum(light[..., 1], 0))
        self.colours += light

    def cover(self, covered: Floats, colour: npt.ArrayLike) -> None:
        """Hide what is covered (0 to 1, shape (N, N)) behind one colour."""
        share = covered[..., None]
        self.colours = self.colours * (1 - share) + np.asarray(colour, np.float32) * share
        self.visibility["field"] *= 1 - covered

    def developed(self, chance: Chance) -> Spoiled:
        """Return the frame in 8 bits, with its severities."""
        self._count_darkness()
        self.colours *= self.gain[..., None]
        clipped = _slow((self.colours[..., 1] >= 250).astype(np.float32), 0.01)
        lit = self.visibility["illumination"]
        lit *= np.clip(1 - np.maximum(clipped - self._clipped, 0), 0, 1)
        if self.noise:
            self.colours += chance.normal(0, self.noise, self.colours.shape).astype(np.float32)
        picture = np.clip(self.colours, 0, 255).astype(np.uint8)
        picture[~self.inside] = 0
        together = np.prod(list(self.visibility.values()), axis=0)
        return Spoiled(
            picture,
            {reason: severity(left, self.inside) for reason, left in self.visibility.items()},
            severity(together, self.inside),
        )

    def _count_darkness(self) -> None:
        before = np.clip(self._level, 1, _DARK_LEVEL)
        after = np.minimum(self._level * self.gain, _DARK_LEVEL)
        self.visibility["illumination"] *= np.minimum(after / before, 1) ** _DARK_EXPONENT


def defocus(frame: Exposure, chance: Chance, strength: float) -> None:
    """Blur, the whole field or one side of it more than the other."""
    spread = 0.0012 * 20**strength  # up to 2.4 % of the field's width
    blurred = cv2.GaussianBlur(frame.colours, (0, 0), spread * frame.size)
    share = np.ones((frame.size,) * 2, np.float32)
    if chance.random() < 0.3:
        share = _side(frame.size, chance, edge=0.5)
    frame.colours += (blurred - frame.colours) * share[..., None]
    left = _FINE_DETAIL / np.hypot(_FINE_DETAIL, spread)
    frame.visibility["blur"] *= 1 - share * (1 - left)


def shake(frame: Exposure, chance: Chance, strength: float) -> None:
    """Blur along one direction, as of an eye that moved."""
    length = max(2.0, 0.05 * strength**1.5 * frame.size)
    side = int(length) * 2 + 3
    kernel = np.zeros((side, side), np.float32)
    angle = chance.uniform(0, np.pi)
    ahead = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (np.round(side // 2 + sign * ahead).astype(int) for sign in (-1, 1))
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    frame.colours = cv2.filter2D(frame.colours, -1, kernel / kernel.sum())
    across = _FINE_DETAIL / np.hypot(_FINE_DETAIL, length / frame.size / np.sqrt(12))
    frame.visibility["blur"] *= (0.4 + across) / 1.4  # vessels along it stay


def haze(frame: Exposure, chance: Chance, strength: float) -> None:
    """Lay a veil over the field, as a cataract does: less contrast, scattered light."""
    left = np.float32(1 - 0.97 * strength**0.8)
    clear = left + (1 - left) * chance.uniform(0, 0.6) * _clouds(frame.size, chance)
    own = np.median(frame.colours[frame.inside], axis=0)
    grey = float(own.mean()) * np.array([1.0, 0.9, 0.75]) * chance.uniform(0.6, 1.5)
    veil = own * chance.uniform(0.7, 1.2) if chance.random() < 0.7 else grey
    veil = np.clip(veil * np.exp(chance.normal(0, 0.15, 3)), 5, 245).astype(np.float32)
    scattered = cv2.GaussianBlur(frame.colours, (0, 0), (0.001 + 0.012 * strength) * frame.size)
    share = clear[..., None]
    blend = np.float32(0.7 * strength)
    seen = frame.colours * (1 - blend) + scattered * blend
    level = _slow(frame.colours[..., 1], 0.03) + 4
    frame.colours = seen * share + veil * (1 - share)
    kept = clear * level / (clear * level + (1 - clear) * veil[1])
    spread = (0.001 + 0.012 * strength) * blend
    kept *= 1 - blend * (1 - _FINE_DETAIL / np.hypot(_FINE_DETAIL, spread))
    frame.visibility["contrast"] *= np.minimum(kept, 1)


def dust(frame: Exposure, chance: Chance, strength: float) -> None:
    """Sprinkle bright spots and rings out of focus."""
    light = np.zeros((frame.size,) * 2, np.float32)
    for _ in range(1 + int(24 * strength)):
        centre = tuple(int(c) for c in chance.integers(0, frame.size, 2))
        radius = int(max(1, frame.size * chance.uniform(0.006, 0.03)))
        thick = -1 if chance.random() < 0.7 else 2
        cv2.circle(light, centre, radius, float(chance.uniform(10, 90)), thick)
    light = _slow(light, 0.004)
    tint = np.clip(np.array([1.0, 0.95, 0.9]) + chance.normal(0, 0.1, 3), 0, 1.2)
    frame.add_light(light[..., None] * tint.astype(np.float32), "contrast")


def darken(frame: Exposure, chance: Chance, strength: float) -> None:
    """Expose too little, and more noise with it."""
    frame.gain *= np.float32(1 - 0.96 * strength**0.7)
    frame.noise = max(frame.noise, float(chance.uniform(0, 3)) * strength)


def shadow(frame: Exposure, chance: Chance, strength: float) -> None:
    """Darken a part: a quarter, a side, or a blot."""
    size = frame.size
    shape = _side(size, chance, edge=chance.uniform(0.1, 0.5))
    if chance.random() < 0.5:
        row, col = chance.uniform(0.1, 0.9, 2) * size
        shape = _blot(size, row, col, (0.06 + 0.3 * strength) * size)
    frame.gain *= 1 - shape * np.float32(chance.uniform(0.6, 0.99) * min(1, 0.3 + strength))


def vignette(frame: Exposure, chance: Chance, strength: float) -> None:
    """Let the light fall off towards the edge, or be there in a ring only."""
    edge = np.clip((_radii(frame.size) - chance.uniform(0, 0.6)) / 0.8, 0, 1).astype(np.float32)
    if chance.random() < 0.15:
        edge = np.clip(1 - 2.2 * _radii(frame.size), 0, 1).astype(np.float32)
    frame.gain *= np.clip(1 - 1.3 * strength * edge, 0.02, 1)


def flash(frame: Exposure, chance: Chance, strength: float) -> None:
    """Let stray light in from the edge: a crescent, yellow, white, green or violet."""
    size = frame.size
    angle = chance.uniform(0, 2 * np.pi)
    away = chance.uniform(0.2, 1.0)
    reach = 1 + away - (0.05 + 0.8 * strength)
    rows, cols = _grid(size)
    distance = np.hypot(rows + away * np.sin(angle), cols + away * np.cos(angle))
    ramp = np.clip((distance - reach) / chance.uniform(0.05, 0.5), 0, 1).astype(np.float32)
    tints = ((1, 0.95, 0.5), (1, 1, 0.95), (0.55, 1, 0.85), (0.8, 0.7, 1), (1, 0.6, 0.4))
    tint = np.array(tints[chance.integers(len(tints))], np.float32)
    light = ramp[..., None] * tint * np.float32(chance.uniform(60, 60 + 300 * strength))
    frame.add_light(light, "illumination")


def overexpose(frame: Exposure, chance: Chance, strength: float) -> None:
    """Expose too long: what is bright becomes one white or yellow patch."""
    frame.gain *= np.float32(1.1 + 2.4 * strength)


def lid(frame: Exposure, chance: Chance, strength: float) -> None:
    """Cover a side with a lid, lashes, or nothing but black."""
    depth = 1 - (0.1 + 1.0 * strength)
    covered = _side(frame.size, chance, edge=chance.uniform(0.02, 0.15), depth=depth)
    colours = ((0, 0, 0), (205, 150, 120), (250, 240, 215), (120, 60, 45), (225, 215, 150))
    frame.cover(covered, colours[chance.integers(len(colours))])


def cut(frame: Exposure, chance: Chance, strength: float) -> None:
    """Leave a smaller round window, as a pupil too small does, or a camera out of line."""
    rows, cols = _grid(frame.size)
    row, col = chance.normal(0, 0.1 + 0.5 * strength, 2)
    radius = 1.15 - 0.85 * strength
    distance = np.hypot(rows - row, cols - col)
    soft = chance.uniform(0.01, 0.2)
    covered = np.clip((distance - radius) / soft, 0, 1).astype(np.float32)
    frame.cover(covered, chance.uniform(0, 6, 3))


Spoiling = Callable[[Exposure, Chance, float], None]
SPOILINGS: tuple[tuple[Spoiling, float], ...] = (
    (defocus, 1.6),
    (shake, 0.5),
    (haze, 2.8),
    (dust, 0.6),
    (darken, 1.0),
    (shadow, 1.2),
    (vignette, 0.7),
    (flash, 1.2),
    (overexpose, 0.5),
    (lid, 0.8),
    (cut, 0.6),
)
"""With how often each is drawn."""


def spoil(picture: Pixels, inside: Mask, chance: Chance, most: int = 3) -> Spoiled:
    """Return a good frame spoiled by chance: often not at all or a little, sometimes wholly.

    Parameters
    ----------
    picture : uint8 array, shape (N, N, 3)
        A frame that fills the square with its field of view.
    inside : bool array, shape (N, N)
    most : int
        Largest number of spoilings.
    """
    frame = Exposure(picture, inside)
    odds = np.array([share for _, share in SPOILINGS])
    number = min(most, int(chance.choice(4, p=(0.2, 0.4, 0.27, 0.13))))
    drawn = chance.choice(len(SPOILINGS), number, replace=False, p=odds / odds.sum())
    for which in sorted(drawn):
        SPOILINGS[which][0](frame, chance, float(chance.uniform(0.05, 1)))
    if chance.random() < 0.5:
        _blemish(frame, chance)
    return frame.developed(chance)


def spoiled_by(
    spoiling: Spoiling, picture: Pixels, inside: Mask, chance: Chance, strength: float
) -> Spoiled:
    """Return a frame spoiled in one way; `strength` from 0 to 1."""
    frame = Exposure(picture, inside)
    spoiling(frame, chance, strength)
    return frame.developed(chance)


def _blemish(frame: Exposure, chance: Chance) -> None:
    """Give what good photographs have: a tinted rim, a little haze, uneven light."""
    rim = np.clip((_radii(frame.size) - chance.uniform(0.55, 0.9)) / 0.3, 0, 1)
    if chance.random() < 0.5:
        rim = rim * (1 - _side(frame.size, chance, edge=0.6))
    tint = chance.uniform((-20, -5, -10), (25, 45, 45))
    frame.colours += (rim[..., None] * tint).astype(np.float32)
    frame.gain *= 1 - np.float32(chance.uniform(0, 0.25)) * _clouds(frame.size, chance)
    if chance.random() < 0.5:
        haze(frame, chance, float(chance.uniform(0, 0.2)))


def circle_of(size: int) -> Field:
    """Return the field of a frame that it fills."""
    return Field((size - 1) / 2, (size - 1) / 2, size / 2)


def _grid(size: int) -> tuple[Floats, Floats]:
    steps = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    return steps[:, None], steps[None, :]


def _radii(size: int) -> Floats:
    rows, cols = _grid(size)
    return np.hypot(rows, cols)


def _slow(values: Floats, spread: float) -> Floats:
    return cv2.GaussianBlur(values, (0, 0), max(0.5, spread * len(values)))


def _side(size: int, chance: Chance, edge: float, depth: float | None = None) -> Floats:
    """Return 1 on one side of a line or wide arc, 0 on the other, soft over `edge`."""
    rows, cols = _grid(size)
    angle = chance.uniform(0, 2 * np.pi)
    along, across = (
        rows * np.sin(angle) + cols * np.cos(angle),
        rows * np.cos(angle) - cols * np.sin(angle),
    )
    where = chance.uniform(-0.2, 0.9) if depth is None else depth
    bent = along - chance.uniform(-0.25, 0.25) * across**2
    return np.clip((bent - where) / edge + 0.5, 0, 1).astype(np.float32)


def _blot(size: int, row: float, col: float, spread: float) -> Floats:
    rows, cols = np.ogrid[:size, :size]
    squared = ((rows - row) ** 2 + (cols - col) ** 2) / (2 * spread**2)
    return np.exp(-(squared**1.5)).astype(np.float32)


def _clouds(size: int, chance: Chance) -> Floats:
    coarse = chance.random((4, 4)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)
