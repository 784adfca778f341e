"""Pictures as other cameras might have given them: blur, detail, JPEG, colour, light, noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class Chances:
    """Random numbers of one batch: on the pictures' device, and `here` for what decides sizes."""

    def __init__(self, here: np.random.Generator, pictures: int, device: torch.device) -> None:
        self.here = here
        seed = int(here.integers(2**62))
        self.generator = torch.Generator(device).manual_seed(seed)
        self.pictures, self.device = pictures, device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return numbers of shape (B, *shape)."""
        drawn = torch.rand(
            self.pictures, *shape, generator=self.generator, device=self.device, dtype=torch.float32
        )
        return low + (high - low) * drawn

    def normal(self, deviation: float, *shape: int) -> Tensor:
        """Return numbers of shape (B, *shape) about zero."""
        return deviation * torch.randn(
            self.pictures, *shape, generator=self.generator, device=self.device, dtype=torch.float32
        )

    def some(self, share: float) -> Tensor:
        """Return booleans of shape (B,), true for about that share of the pictures."""
        return self.uniform(0, 1) < share


def roughened(pictures: Tensor, chances: Chances) -> Tensor:
    """Return pictures as other cameras might have given them.

    Parameters
    ----------
    pictures : float32, shape (B, C, H, W), C a multiple of three
        About zero mean and unit deviation, as `fundoscope.perceive.runtime.standardised` gives
        them. Each is changed by its own chances.

    Returns
    -------
    float32, shape (B, C, H, W)
    """
    pictures = _sharper_or_softer(pictures, chances)
    pictures = _changed(pictures, chances.here, 0.2, (0.45, 0.9), _coarser)
    pictures = _changed(pictures, chances.here, 0.15, (25, 85), _jpeg_coded)
    pictures = _recoloured(pictures, chances)
    pictures = _curved_and_shaded(pictures, chances)
    noise = chances.normal(1, *pictures.shape[1:])
    amount = chances.uniform(0.03, 0.35) * chances.some(0.5)
    return pictures + noise * amount[:, None, None, None]


def _changed(
    pictures: Tensor,
    chance: np.random.Generator,
    share: float,
    amounts: tuple[float, float],
    change: Callable[[Tensor, float], Tensor],
) -> Tensor:
    """Change a share of the pictures one by one, where each needs sizes or tables of its own."""
    changed = pictures.clone()
    for place in np.flatnonzero(chance.random(len(pictures)) < share):
        changed[place : place + 1] = change(pictures[place : place + 1], chance.uniform(*amounts))
    return changed


def _sharper_or_softer(pictures: Tensor, chances: Chances) -> Tensor:
    """Blur a quarter of the pictures; sharpen an eighth, as many cameras do."""
    batch, channels = pictures.shape[:2]
    reach = chances.uniform(0.4, 1.6)
    places = torch.arange(-5, 6, device=pictures.device, dtype=torch.float32)
    bell = torch.exp(-0.5 * (places / reach[:, None]) ** 2)
    bell = (bell / bell.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)  # (B C, 11)
    # all pictures as the channels of one, so that each has a kernel of its own
    one = functional.pad(
        pictures.reshape(1, batch * channels, *pictures.shape[2:]), (5,) * 4, "reflect"
    )
    one = functional.conv2d(one, bell[:, None, None, :], groups=batch * channels)
    one = functional.conv2d(one, bell[:, None, :, None], groups=batch * channels)
    draw = chances.uniform(0, 1)
    toward = (draw < 0.25).float() - (draw > 0.875).float() * chances.uniform(0.3, 1.2)
    return pictures + toward[:, None, None, None] * (one.reshape(pictures.shape) - pictures)


def _coarser(picture: Tensor, shrink: float) -> Tensor:
    size = picture.shape[2:]
    small = functional.interpolate(
        picture, scale_factor=shrink, mode="bilinear", antialias=True, align_corners=False
    )
    return functional.interpolate(small, size=size, mode="bilinear", align_corners=False)


_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Quantisation of JPEG, table K.1 of ITU-T T.81 (1992)."""
_LEVELS = 40
"""Grey levels of one deviation, as `even_light` codes them."""


@cache
def _cosines(device: torch.device) -> Tensor:
    """Return the 8 x 8 matrix of the discrete cosine transform."""
    rows, cols = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    matrix = torch.cos((2 * cols + 1) * rows * math.pi / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)


def _jpeg_coded(picture: Tensor, quality: float) -> Tensor:
    """Return a picture (1, C, H, W), H and W multiples of eight, with each colour coded in JPEG."""
    _, channels, height, width = picture.shape
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    table = torch.tensor(_LUMINANCE, dtype=torch.float32, device=picture.device).reshape(8, 8)
    table = (table * scale + 0.5).floor().clamp(1, 255)
    cosines = _cosines(picture.device)
    blocks = (picture * _LEVELS).reshape(channels, height // 8, 8, width // 8, 8).transpose(2, 3)
    waves = torch.round(cosines @ blocks @ cosines.T / table) * table
    back = (cosines.T @ waves @ cosines).transpose(2, 3)
    return back.reshape(picture.shape) / _LEVELS


def _recoloured(pictures: Tensor, chances: Chances) -> Tensor:
    """Mix, amplify, shift, and now and then lose colours."""
    batch, channels, height, width = pictures.shape
    mix = torch.eye(3, device=pictures.device) + chances.normal(0.12, 3, 3)
    grey = chances.some(0.1)[:, None, None]
    mix = torch.where(grey, torch.full_like(mix, 1 / 3), mix)
    parted = pictures.reshape(batch, channels // 3, 3, height * width)
    if channels > 3:  # the later three keep what is bright and dark: they are never all mixed
        parted = torch.cat([mix[:, None] @ parted[:, :1], parted[:, 1:]], dim=1)
    else:
        parted = mix[:, None] @ parted
    pictures = parted.reshape(pictures.shape)
    gain = torch.exp(chances.normal(0.25, 1, 1, 1) + chances.normal(0.15, channels, 1, 1))
    offset = chances.normal(0.2, 1, 1, 1) + chances.normal(0.15, channels, 1, 1)
    pictures = pictures * gain + offset
    lost = chances.some(0.1)[:, None] & (  # red burnt out, or no blue light: one colour is flat
        torch.arange(channels, device=pictures.device) % 3 == 2 * chances.some(0.5)[:, None].long()
    )
    return pictures * ~lost[:, :, None, None]


def _curved_and_shaded(pictures: Tensor, chances: Chances) -> Tensor:
    """Lay slow light over some pictures, bend the curve of others."""
    slow = chances.normal(0.5, 1, 3, 3) * chances.some(0.3)[:, None, None, None]
    size = pictures.shape[2:]
    pictures = pictures + functional.interpolate(
        slow, size=size, mode="bicubic", align_corners=True
    )
    bend = torch.exp(chances.normal(0.2) * chances.some(0.25))[:, None, None, None]
    return torch.sign(pictures) * (pictures.abs() + 1e-6) ** bend
