"""Smoothing of many curves at once by local parabolas, the ends included.

Savitzky and Golay's filter: at every point a parabola is fitted to its neighbours. It keeps arcs
where they are; a moving average would draw them towards their centre.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import convolve1d

from fundoscope.measure.skeleton import Floats, Ints


def local_fits(values: Floats, first: Ints, half: int, order: int = 2) -> tuple[Floats, Floats]:
    """Return curves smoothed, with their slope by index.

    Parameters
    ----------
    values : float array, shape (N, C)
        Curve after curve; the points of one are equally spaced.
    first : int array, shape (S + 1,)
        Curve s holds the points first[s]:first[s + 1].
    half : int
        Points on either side that a parabola is fitted to. A curve with fewer than
        `2 * half + 1` points gets one parabola.
    order : int
        2 for parabolas, 1 for straight lines. To a line, points count less towards the ends of its
        window: for the direction of a curve such a line is as good as a parabola fitted to its
        points, where one with even weights rests on the ends (and is 2.4 times as noisy).

    Returns
    -------
    smooth, slope : float arrays, shape (N, C)
    """
    window = 2 * half + 1
    interior = _fit(window, order)[:, half]  # (2, window)
    fits = np.stack([convolve1d(values, row[::-1], axis=0, mode="nearest") for row in interior])
    length = np.diff(first)
    for size in np.unique(np.minimum(length, window)):
        if size == window:
            long = length >= window
            _overwrite(fits, values, first[:-1][long], _fit(window, order), slice(0, half))
            _overwrite(
                fits, values, first[1:][long] - window, _fit(window, order), slice(half + 1, window)
            )
        else:
            _overwrite(
                fits, values, first[:-1][length == size], _fit(int(size), order), slice(None)
            )
    return fits[0], fits[1]


def _overwrite(fits: Floats, values: Floats, start: Ints, solve: Floats, part: slice) -> None:
    """Fit one parabola to the points from each start, and keep a part of it."""
    size = solve.shape[-1]
    index = np.arange(size)[:, None] + start  # (size, S)
    kept, curves, columns = index[part], len(start), values.shape[1]
    fitted = solve[:, part].reshape(-1, size) @ values[index].reshape(size, -1)
    fits[:, kept] = fitted.reshape(2, len(kept), curves, columns)


def dome(at: Floats, size: Floats | int) -> Floats:
    """Return weights of points that fall towards the ends, by their place from the middle."""
    return 1 - (2 * at / (size + 1)) ** 2


@lru_cache(maxsize=128)
def _fit(size: int, order: int) -> Floats:
    """Curve through `size` points: value and slope at each from all, (2, size, size)."""
    at = np.arange(size) - (size - 1) / 2
    weight = np.sqrt(dome(at, size)) if order == 1 else np.ones(size)
    order = min(order, size - 1)
    powers = np.vander(at, order + 1, increasing=True)
    solve = np.linalg.pinv(powers * weight[:, None]) * weight  # (order + 1, size)
    solve = np.vstack([solve, np.zeros((2 - order, size))])
    value = np.vander(at, 3, increasing=True) @ solve
    return np.stack([value, solve[1] + 2 * at[:, None] * solve[2]])
