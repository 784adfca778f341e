"""A run's log: a line of JSON a step, cut back where a run goes on, with its curve as a picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from fundoscope.export.whole_files import whole_file

LOG, REFUSED, CURVE = "log.jsonl", "refused.jsonl", "loss.png"
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900, 420, 70, 30, 40
_POINT, _LINE, _SCORED, _GRID, _TEXT = "#c9d6e8", "#1f5fa8", "#b8470b", "#e4e4e4", "#222222"


def add_row(file: Path, row: dict[str, Any]) -> None:
    """Add a line to a log."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a log; one that was being written when all stopped is none."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            yield row


def cut_after(file: Path, step: int) -> None:
    """Take back the lines of later steps, which a run that goes on takes again."""
    if not file.is_file():
        return
    kept = [row for row in rows_of(file) if row["step"] <= step]
    with whole_file(file) as stream:
        for row in kept:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


@dataclass(frozen=True)
class Summed:
    """What a log says of a whole run."""

    steps: int
    loss_first: float | None
    """Mean of the first tenth of the steps; None where there is none."""
    loss_last: float | None
    counts: dict[str, int]
    """Dialogues, photographs, tokens, learned tokens, refused and so on."""
    px_per_input_px: float | None
    """Pixels of a photograph in one that the encoder sees, mean over photographs."""
    kept: float | None
    """Share of the field of view that is seen, mean over photographs."""


def summed(file: Path) -> Summed:
    """Return the sums of a log."""
    losses: list[float] = []
    counts: Counter[str] = Counter()
    px, kept = 0.0, 0.0
    for row in rows_of(file):
        if "loss" not in row:
            continue
        losses.append(row["loss"])
        counts.update({name: row[name] for name in COUNTED})
        px += (row["px_per_input_px"] or 0) * row["photographs"]
        kept += (row["field_kept"] or 0) * row["photographs"]
    n, tenth = counts["photographs"], max(1, len(losses) // 10)
    return Summed(
        steps=len(losses),
        loss_first=sum(losses[:tenth]) / tenth if losses else None,
        loss_last=sum(losses[-tenth:]) / tenth if losses else None,
        counts={name: counts[name] for name in COUNTED},
        px_per_input_px=px / n if n else None,
        kept=kept / n if n else None,
    )


COUNTED = (
    "dialogues", "photographs", "tokens", "learned_tokens", "dropped_exchanges", "refused",
    "bad_photographs",
)  # fmt: skip


def draw_loss(file: Path, picture: Path, title: str = "loss") -> None:
    """Draw the loss of a log: each step, its running mean, and what held-out dialogues had."""
    rows = list(rows_of(file))
    steps = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    scored = [(row["step"], row["held_out_loss"]) for row in rows if "held_out_loss" in row]
    shown = [(s, v) for s, v in steps if math.isfinite(v)]
    if not shown:
        return
    draw_curves(
        picture,
        title,
        points=shown,
        lines={"running mean": (running_mean(shown), _LINE), "held out": (scored, _SCORED)},
    )


def running_mean(
    points: Sequence[tuple[float, float]], over: float = 20
) -> list[tuple[float, float]]:
    """Return points smoothed by a mean that forgets."""
    smooth: list[tuple[float, float]] = []
    mean = points[0][1] if points else 0.0
    for n, (at, value) in enumerate(points):
        mean += (value - mean) / min(n + 1, over)
        smooth.append((at, mean))
    return smooth


def draw_curves(
    picture: Path,
    title: str,
    points: Sequence[tuple[float, float]],
    lines: dict[str, tuple[Sequence[tuple[float, float]], str]],
) -> None:
    """Draw points and lines over steps to a PNG."""
    everything = [*points, *(point for line, _ in lines.values() for point in line)]
    last = max(at for at, _ in everything) or 1
    high = max(value for _, value in everything) * 1.02 or 1
    low = min(0.0, min(value for _, value in everything))
    sheet = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + point[0] / last * (_WIDTH - _LEFT - 20)
        y = _TOP + (high - point[1]) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return x, y

    for tick in range(6):
        value = low + (high - low) * tick / 5
        pen.line([at((0, value)), at((last, value))], fill=_GRID)
        pen.text((8, at((0, value))[1] - 6), f"{value:.3g}", fill=_TEXT)
        pen.text((at((last * tick / 5, low))[0] - 8, _HEIGHT - 30), f"{last * tick / 5:.0f}", _TEXT)
    for point in points:
        x, y = at(point)
        pen.ellipse([x - 1, y - 1, x + 1, y + 1], fill=_POINT)
    left = float(_LEFT)
    pen.text((left, 8), title, fill=_TEXT)
    for name, (line, colour) in lines.items():
        if not line:
            continue
        pen.line([at(point) for point in line], fill=colour, width=2)
        left += 200
        pen.line([(left, 14), (left + 24, 14)], fill=colour, width=2)
        pen.text((left + 30, 8), name, fill=_TEXT)
    pen.text((_WIDTH - 60, _HEIGHT - 16), "step", fill=_TEXT)
    sheet.save(picture)
