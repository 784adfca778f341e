"""Plots of the report as plain SVG: the same numbers give the same bytes, colours follow the page.

No plotting library: its files hold dates and random names, and its colours do not turn dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 300
"""A phone's width, so that letters keep their size there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 44
MOST_POINTS = 1500
"""A cloud of more points than this is thinned: every so-manyth is drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A direction of a plot, with round numbers beside it."""

    label: str
    low: float
    high: float

    def ticks(self) -> list[float]:
        """Return three to seven round numbers between the ends."""
        span = self.high - self.low
        step = 10.0 ** math.floor(math.log10(span / 3))
        step *= next((by for by in (1, 2, 5) if span / (step * by) <= 6), 10)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis_around(label: str, values: Iterable[float], *more: float) -> Axis:
    """Return an axis that holds all values, with a twentieth of room at each end."""
    held = [*values, *more]
    low, high = min(held), max(held)
    room = (high - low) / 20 or abs(high) / 20 or 1.0
    return Axis(label, low - room, high + room)


class Plot:
    """A frame with two axes, into which marks are drawn."""

    def __init__(self, x: Axis, y: Axis, told: str) -> None:
        self.x, self.y, self.told = x, y, told
        self._marks: list[str] = []

    def right(self, value: float) -> float:
        """Return where a value of the x axis lies, in units of the picture."""
        share = (value - self.x.low) / (self.x.high - self.x.low)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        """Return where a value of the y axis lies."""
        share = (value - self.y.low) / (self.y.high - self.y.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], css: str) -> None:
        """Draw a line through points."""
        path = " ".join(f"{_n(self.right(x))},{_n(self.down(y))}" for x, y in points)
        self._marks.append(f'<polyline class="{css}" points="{path}"/>')

    def level(self, y: float, css: str, words: str = "") -> None:
        """Draw a line across at one height, with words above its right end."""
        self.line([(self.x.low, y), (self.x.high, y)], css)
        if words:
            self._marks.append(_text(WIDTH - _RIGHT - 3, self.down(y) - 4, words, "end", "said"))

    def points(self, points: Sequence[tuple[float, float]], radius: float = 3.2) -> None:
        """Draw a cloud of points, thinned where there are too many to tell apart."""
        step = -(-len(points) // MOST_POINTS) or 1
        self._marks.extend(
            f'<circle class="point" cx="{_n(self.right(x))}" cy="{_n(self.down(y))}" r="{radius}"/>'
            for x, y in points[::step]
        )

    def interval(self, x: float, low: float, high: float) -> None:
        """Draw a whisker from low to high."""
        self.line([(x, low), (x, high)], "whisker")

    def svg(self) -> Markup:
        """Return the picture; what it tells stands in it for those who do not see it."""
        parts = [
            f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(self.told)}">',
            *self._frame(),
            *self._marks,
            "</svg>",
        ]
        return Markup("".join(parts))  # made here; words pass through escape

    def _frame(self) -> Iterable[str]:
        floor, edge = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        for value in self.y.ticks():
            y = self.down(value)
            yield f'<path class="rule" d="M{_LEFT} {_n(y)}H{edge}"/>'
            yield _text(_LEFT - 6, y + 4, _tick(value), "end")
        for value in self.x.ticks():
            yield _text(self.right(value), floor + 17, _tick(value), "middle")
        yield f'<path class="frame-line" d="M{_LEFT} {floor}H{edge}"/>'
        yield _text((_LEFT + edge) / 2, HEIGHT - 8, self.x.label, "middle", "axis")
        middle = _n((_TOP + floor) / 2)
        yield (
            f'<text class="axis" transform="translate(12 {middle}) rotate(-90)" '
            f'text-anchor="middle">{escape(self.y.label)}</text>'
        )


def reliability(points: Sequence[tuple[float, float, int]], told: str) -> Markup:
    """Return a reliability curve.

    Parameters
    ----------
    points : (mean probability, share that was so, how many) of each bin
    told : the same in words
    """
    plot = Plot(Axis("stated probability", 0, 1), Axis("share that was so", 0, 1), told)
    plot.line([(0, 0), (1, 1)], "ideal")
    plot.line([(x, y) for x, y, _ in points], "curve")
    most = max((n for _, _, n in points), default=1)
    for x, y, n in points:
        plot.points([(x, y)], radius=round(3 + 5 * math.sqrt(n / most), 1))
    return plot.svg()


def bland_altman_plot(
    means: Sequence[float],
    differences: Sequence[float],
    levels: Sequence[tuple[str, float]],
    unit: str,
    told: str,
) -> Markup:
    """Return differences against means, with the bias and the limits of agreement."""
    of = f" ({unit})" if unit not in ("", "1") else ""
    x = axis_around(f"mean of said and true{of}", means)
    y = axis_around(f"said minus true{of}", differences, 0, *(value for _, value in levels))
    plot = Plot(x, y, told)
    plot.level(0, "ideal")
    plot.points(list(zip(means, differences, strict=True)))
    for words, value in levels:
        plot.level(value, "curve" if words.startswith("bias") else "limit", words)
    return plot.svg()


def curve(points: Sequence[tuple[float, float]], x: Axis, y: Axis, told: str) -> Markup:
    """Return a curve through points, such as FROC or accuracy at coverage."""
    plot = Plot(x, y, told)
    plot.line(points, "curve")
    if len(points) <= 30:
        plot.points(points)
    return plot.svg()


def _text(x: float, y: float, words: str, anchor: str, css: str = "tick") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"'
    return f'<text class="{css}" {place}>{escape(words)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _tick(value: float) -> str:
    return f"{value:.6g}".replace("-", "−") if abs(value) > 1e-12 else "0"
