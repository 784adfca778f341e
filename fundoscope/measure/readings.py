"""What was read off the masks, before it gets its unit: pixels and ratios, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import fundoscope
from fundoscope import terms
from fundoscope.measure.scale import Scale
from fundoscope.records import Measured, Unmeasured

TOOL = "fundoscope"

Kind = Literal[
    "ratio", "count", "percent", "angle", "disc_diameters", "width", "length", "area",
    "per_length", "per_area",
]  # fmt: skip
"""What a value is. Widths, lengths and areas are in pixels until a scale is applied."""
POWER: dict[Kind, int] = {"width": 1, "length": 1, "area": 2, "per_length": -1, "per_area": -2}
UNITS_WITHOUT_SCALE: dict[Kind, str] = {
    "ratio": "1", "count": "1", "percent": "%", "angle": "deg", "disc_diameters": "DD",
}  # fmt: skip
NAMES: dict[int, str] = {1: "{}", 2: "{}2", -1: "1/{}", -2: "1/{}2"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of one quantity, or the reason why there is none."""

    name: str
    value: float | None
    kind: Kind = "ratio"
    reason: str = ""
    """Where `value` is None."""
    of: str = ""
    where: str = ""
    note: str = ""
    """What the value refers to, where that is not plain."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """How pixels become millimetres, or disc diameters where no scale is known."""

    scale: Scale | None
    disc_diameter_px: float | None

    def measured(self, reading: Reading) -> Measured | Unmeasured:
        """Return a reading with its unit, Unmeasured where it has no value or cannot be true."""
        name, of, where = reading.name, reading.of, reading.where
        if reading.value is None:
            return Unmeasured(name, reading.reason, tool=TOOL, of=of, where=where)
        unit, factor, words = self._unit(reading.kind)
        value = float(reading.value * factor)
        quantity = terms.quantity(name)
        low, high = quantity.plausible
        if unit == quantity.unit and not low <= value <= high:
            doubt = f"{value:.4g} {unit} is outside the plausible {low:g} to {high:g} {unit}"
            if reading.kind in POWER:
                doubt += f": check the scale, {self.scale}"
            return Unmeasured(name, doubt, tool=TOOL, of=of, where=where)
        return Measured(
            name, value, unit, TOOL, fundoscope.__version__, of, where,
            scale="; ".join(part for part in (words, reading.note) if part),
        )  # fmt: skip

    def _unit(self, kind: Kind) -> tuple[str, float, str]:
        """Unit, factor from pixels, and where millimetres came from."""
        if kind not in POWER:
            return UNITS_WITHOUT_SCALE[kind], 1.0, ""
        power = POWER[kind]
        if self.scale is not None:
            base = "um" if kind == "width" else "mm"
            per_px = self.scale.um_per_px if kind == "width" else self.scale.mm_per_px
            return NAMES[power].format(base), per_px**power, str(self.scale)
        if self.disc_diameter_px is not None and kind not in ("width", "area"):  # not by itself
            words = f"disc diameter {self.disc_diameter_px:.1f} px"
            return NAMES[power].format("DD"), self.disc_diameter_px**-power, words
        return NAMES[power].format("px"), 1.0, "no scale was given"
