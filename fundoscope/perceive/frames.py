"""Frames: a photograph's field of view at a fixed size, and the way back to its own pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Field, Mask, Pixels

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Frame:
    """A square window of a photograph, and how many pixels it has once resized."""

    top: int
    left: int
    side: int
    """Of the window, pixels of the photograph; it may reach beyond the photograph."""
    size_px: int
    """Of the resized window."""
    shape: tuple[int, int]
    """(H, W) of the photograph."""

    @property
    def scale(self) -> float:
        """Pixels of the frame per pixel of the photograph."""
        return self.size_px / self.side

    def cut(self, picture: Array) -> Array:
        """Return the window of a photograph or mask, resized; outside the photograph it is 0."""
        window = self._window(picture)
        smooth = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_CUBIC
        how = cv2.INTER_NEAREST if picture.dtype == np.bool_ else smooth
        source = window.astype(np.uint8) if picture.dtype == np.bool_ else window
        resized = cv2.resize(source, (self.size_px, self.size_px), interpolation=how)
        return resized.astype(picture.dtype) if picture.dtype == np.bool_ else resized

    def back(self, picture: Array) -> Array:
        """Return what was made on the frame in the photograph's own pixels, 0 outside it."""
        size = (self.side, self.side)
        resized = in_threes(lambda p: cv2.resize(p, size, interpolation=cv2.INTER_LINEAR), picture)
        whole = np.zeros((*self.shape, *picture.shape[2:]), resized.dtype)
        (top, bottom, left, right) = self._inside()
        whole[top:bottom, left:right] = resized[
            top - self.top : bottom - self.top, left - self.left : right - self.left
        ]
        return whole

    def point_back(self, row: float, col: float) -> tuple[float, float]:
        """Return where a point of the frame lies in the photograph, (row, col)."""
        return (
            (row + 0.5) / self.scale - 0.5 + self.top,
            (col + 0.5) / self.scale - 0.5 + self.left,
        )

    def point_there(self, row: float, col: float) -> tuple[float, float]:
        """Return where a point of the photograph lies in the frame, (row, col)."""
        return (
            (row - self.top + 0.5) * self.scale - 0.5,
            (col - self.left + 0.5) * self.scale - 0.5,
        )

    def _inside(self) -> tuple[int, int, int, int]:
        height, width = self.shape
        top, bottom = np.clip([self.top, self.top + self.side], 0, height)
        left, right = np.clip([self.left, self.left + self.side], 0, width)
        return int(top), int(bottom), int(left), int(right)

    def _window(self, picture: Array) -> Array:
        top, bottom, left, right = self._inside()
        window = np.zeros((self.side, self.side, *picture.shape[2:]), picture.dtype)
        window[top - self.top : bottom - self.top, left - self.left : right - self.left] = picture[
            top:bottom, left:right
        ]
        return window


def in_threes(change: Callable[[Array], Array], picture: Array) -> Array:
    """Apply a change to three channels at a time: OpenCV's take at most four."""
    if picture.ndim == 2 or picture.shape[2] <= 4:
        return change(picture)
    groups = [picture[..., i : i + 3] for i in range(0, picture.shape[2], 3)]
    return np.dstack([change(np.ascontiguousarray(group)) for group in groups])


def frame_of_field(field: Field, shape: tuple[int, int], size_px: int) -> Frame:
    """Return the frame in which the field of view is `size_px` across."""
    top, left, side = field.square()
    return Frame(top, left, side, size_px, shape)


def frame_round(
    centre: tuple[float, float], side: float, shape: tuple[int, int], size_px: int
) -> Frame:
    """Return the frame of a square of `side` pixels round a point (row, col)."""
    whole = max(8, round(side))
    row, col = centre
    return Frame(round(row - whole / 2), round(col - whole / 2), whole, size_px, shape)


def even_light(picture: Pixels, inside: Mask, reach: float = 1 / 24) -> npt.NDArray[np.uint8]:
    """Return the picture with its local mean taken off and its local contrast made one.

    Each colour by itself: (value - mean) / deviation, both over a Gaussian neighbourhood inside
    the field, coded as 128 + 40 per deviation. Colour of light, haze and vignetting leave;
    what a vessel differs from its surroundings by, colour by colour, stays.

    Parameters
    ----------
    picture : uint8 array, shape (N, N, 3)
    inside : bool array, shape (N, N)
        Where the eye is seen.
    reach : float
        Standard deviation of the neighbourhood, of the picture's width.

    Returns
    -------
    uint8 array, shape (N, N, 3)
        128 outside.
    """
    size = picture.shape[0]
    step = max(1, size // 192)
    small_side = size // step
    values = picture.astype(np.float32)
    weight = inside.astype(np.float32)
    lit = values * weight[..., None]

    def gathered(moment: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        small = cv2.resize(moment, (small_side, small_side), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(small, (0, 0), reach * small_side)

    share = gathered(weight)
    divisor = np.maximum(share, 1e-3)[..., None]
    mean, square = gathered(lit) / divisor, gathered(lit * values) / divisor
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    typical = np.median(deviation[share > 0.5], axis=0) if (share > 0.5).any() else 1.0
    deviation = np.maximum(deviation, np.maximum(0.4 * typical, 1.5))
    mean, deviation = (cv2.resize(a, (size, size)) for a in (mean, deviation))
    coded = 128 + 40 * (values - mean) / deviation
    coded[~inside] = 128
    return np.clip(coded, 0, 255).astype(np.uint8)


def even_colour(picture: Pixels, inside: Mask) -> npt.NDArray[np.uint8]:
    """Return the picture with each colour's median over the field at 96, 0 outside.

    Keeps what is bright and what is dark over wide areas, which `even_light` takes away.
    """
    if not inside.any():
        return np.zeros_like(picture)
    middle = np.maximum(np.median(picture[inside], axis=0), 4)
    coded = np.clip(picture * (96 / middle), 0, 255)
    coded[~inside] = 0
    return coded.astype(np.uint8)
