"""From samples of up to 16 bits to the 8 bits of a photograph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_DEPTHS = (8, 10, 12, 14, 16)
_BRIGHT_PERCENT = 99.9
"""A burnt-in mark or a hot pixel above it does not make a 12-bit photograph a 16-bit one."""


def bit_depth(values: npt.NDArray[Any], most: int = 16) -> int:
    """Return how many bits the samples make use of: 8, 10, 12, 14 or 16, at most `most`.

    The fewest that hold all but the brightest thousandth of the samples.

    Examples
    --------
    >>> bit_depth(np.array([0, 4000]))
    12
    """
    bright = np.percentile(values, _BRIGHT_PERCENT, method="higher")
    fit = (bits for bits in _DEPTHS if bright < 1 << bits)
    return min(next(fit, _DEPTHS[-1]), most)


def eight_bits(values: npt.NDArray[Any], bits: int | None = None) -> npt.NDArray[np.uint8]:
    """Return samples as 8 bits, white at 255.

    Parameters
    ----------
    values : array of integers, at least 0
    bits : int, optional
        Bits of a sample: white is 2**bits - 1. Otherwise those of `bit_depth`, so that 12-bit
        data stored in 16 bits comes out as bright as it was taken.

    Examples
    --------
    >>> eight_bits(np.array([0, 2048, 4095]))
    array([  0, 128, 255], dtype=uint8)
    """
    white = (1 << (bit_depth(values) if bits is None else bits)) - 1
    if white == 255:
        return np.clip(values, 0, 255).astype(np.uint8)
    scaled = values.astype(np.float32) * np.float32(255 / white)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
