"""Batches of crops drawn by chance from prepared photographs, on the device that learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from fundoscope.train.examples import IGNORED, ONLY_FIRST, Example
from fundoscope.train.roughening import Chances, roughened

Floats = npt.NDArray[np.float64]


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
    stretch: float = 0.07
    """Deviation of the logarithm of width to height."""
    sought: float = 0.0
    """Share of crops that hold a rare part, all parts alike."""
    whole: bool = False
    """Crops are centred on the middle, give or take `shift`: the whole field."""
    shift: float = 0.08
    mirrored: bool = True
    cameras_alike: float = 0.5
    """Exponent: 0 draws photographs alike, 1 draws cameras alike."""


@dataclass(frozen=True)
class Batch:
    """Crops as the networks want them."""

    pictures: Tensor
    """Float32, shape (B, C, crop, crop), about zero mean and unit deviation, roughened."""
    truth: Tensor
    """0 or 1, shape (B, parts, crop, crop)."""
    weight: Tensor
    """0 where nothing is known, shape (B, parts, crop, crop)."""


class Crops:
    """Crops of photographs with their truth, drawn by chance.

    Parameters
    ----------
    examples : all of one size
    device : where pictures are kept and crops are made
    """

    def __init__(self, examples: Sequence[Example], draw: Draw, device: str = "cpu") -> None:
        self.draw, self.device = draw, torch.device(device)
        self.pictures = torch.from_numpy(np.stack([e.picture for e in examples])).to(device)
        self.truths = torch.from_numpy(np.stack([e.truth for e in examples])).to(device)
        self.known = torch.tensor([[e.known >> p & 1 for p in range(draw.parts)] for e in examples])
        self.known = self.known.to(device, torch.float32)
        cameras = [example.camera for example in examples]
        weight = np.array([cameras.count(c) ** -draw.cameras_alike for c in cameras])
        self.weight = weight / weight.sum()
        self._places = [_places_of(example, draw.parts) for example in examples]
        self._holders = [
            [i for i, places in enumerate(self._places) if len(places[part])]
            for part in range(draw.parts)
        ]

    def batch(self, size: int, seed: tuple[int, int]) -> Batch:
        """Return crops; the same seed gives the same ones on the same kind of device."""
        chance = np.random.default_rng(seed)
        chosen = [self._choose(chance) for _ in range(size)]
        windows = np.stack([self._window(centre, chance) for _, centre in chosen])
        which = torch.tensor([i for i, _ in chosen], device=self.device)
        plain, coded = self._cut(which, windows)
        parts = torch.arange(self.draw.parts, device=self.device)[:, None, None]
        truth = ((coded >> parts) & 1).float()
        unknown = torch.where(parts > 0, IGNORED | ONLY_FIRST, IGNORED)
        weight = ((coded & unknown) == 0).float() * self.known[which][:, :, None, None]
        chances = Chances(chance, size, self.device)
        rough = roughened(plain, chances).contiguous(memory_format=torch.channels_last)
        return Batch(rough, truth, weight)

    def _cut(self, which: Tensor, windows: Floats) -> tuple[Tensor, Tensor]:
        """Return pictures (B, C, crop, crop) and coded truth (B, 1, crop, crop)."""
        side, crop = self.pictures.shape[1], self.draw.crop_px
        # from pixels of crop and example to the -1..1 of both
        own = windows.copy()
        own[:, :, :2] *= crop / side
        middle = np.array([(crop - 1) / 2, (crop - 1) / 2, 1.0])
        own[:, :, 2] = (2 * (windows @ middle) + 1) / side - 1
        theta = torch.from_numpy(own.astype(np.float32)).to(self.device)
        grid = functional.affine_grid(theta, [len(which), 1, crop, crop], align_corners=False)
        picture = self.pictures[which].permute(0, 3, 1, 2).float()
        outside = picture[:, :, :1, :1]  # beyond its edge a picture keeps its corner's value
        cut = functional.grid_sample(picture - outside, grid, align_corners=False) + outside
        truth = self.truths[which][:, None].float() - IGNORED  # beyond the edge nothing is known
        coded = functional.grid_sample(truth, grid, mode="nearest", align_corners=False) + IGNORED
        return (cut - 128) / 40, coded.round().to(torch.int64)

    def _choose(self, chance: np.random.Generator) -> tuple[int, tuple[float, float]]:
        """Return which example, and the (row, col) that becomes the middle of its crop."""
        if chance.random() < self.draw.sought:
            part = int(chance.integers(self.draw.parts))
            if self._holders[part]:
                i = int(chance.choice(self._holders[part]))
                places = self._places[i][part]
                row, col = places[chance.integers(len(places))]
                off = chance.normal(0, self.draw.crop_px / self.draw.detail / 5, 2)
                return i, (row + off[0], col + off[1])
        i = int(chance.choice(len(self.weight), p=self.weight))
        side = self.pictures.shape[1]
        if self.draw.whole:
            row, col = (side - 1) / 2 + chance.uniform(-1, 1, 2) * self.draw.shift * side
            return i, (row, col)
        places = self._places[i][-1]
        row, col = places[chance.integers(len(places))]
        return i, (float(row), float(col))

    def _window(self, centre: tuple[float, float], chance: np.random.Generator) -> Floats:
        """Return the affine map from pixels of the crop to those of the example, (x, y)."""
        zoom = np.exp(chance.uniform(-1, 1) * np.log(self.draw.zoom)) * self.draw.detail
        turn = np.deg2rad(chance.uniform(-self.draw.turns, self.draw.turns))
        mirror = -1.0 if self.draw.mirrored and chance.random() < 0.5 else 1.0
        wide = np.exp(chance.normal(0, self.draw.stretch) / 2)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
        linear = turned @ np.diag([mirror * wide, 1 / wide])
        middle = (self.draw.crop_px - 1) / 2
        offset = np.array([centre[1], centre[0]]) - linear @ [middle, middle]
        return np.column_stack([linear, offset])


def _places_of(example: Example, parts: int) -> list[npt.NDArray[np.int64]]:
    """Return up to 4,000 pixels of each part, and of all that is known."""
    chance = np.random.default_rng(len(example.name))
    places = []
    for part in range(parts):
        there = (example.truth & (1 << part)) > 0
        places.append(_some(there & bool(example.known >> part & 1), chance))
    return [*places, _some((example.truth & IGNORED) == 0, chance)]


def _some(mask: npt.NDArray[np.bool_], chance: np.random.Generator) -> npt.NDArray[np.int64]:
    places = np.argwhere(mask)
    return places[chance.permutation(len(places))[:4000]]
