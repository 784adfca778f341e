"""A comparison of finished evaluations as a page, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fundoscope import __version__
from fundoscope.evaluate import metric_words as words
from fundoscope.evaluate import run_files
from fundoscope.evaluate.comparing import COMPARISON, Compared, Comparison, comparison_json
from fundoscope.evaluate.comparison import Difference
from fundoscope.evaluate.report import html_pages, markdown_pages
from fundoscope.evaluate.report_view import form_title


def write_comparison(comparison: Comparison, out: Path) -> tuple[Path, Path, Path]:
    """Write a comparison's page, Markdown and JSON into a folder, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    view = _view(comparison)
    html, markdown, data = (out / f"{COMPARISON}.{ending}" for ending in ("html", "md", "json"))
    page = html_pages().get_template("comparison.html").render(view)
    text = markdown_pages().get_template("comparison.md").render(view)
    return (
        run_files.written(html, page),
        run_files.written(markdown, text),
        run_files.written(data, run_files.as_json(comparison_json(comparison))),
    )


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the differences for a terminal."""
    for part in _view(comparison)["parts"]:
        yield f"{part['title']}: {part['one']} less {part['other']}"
        for row in part["rows"]:
            reach = f" ({row['reach']})" if row["reach"] else ""
            yield f"  {row['name']}: {row['difference']}{reach}, p {row['p']}, n = {row['n']:,}"


def _view(comparison: Comparison) -> dict[str, Any]:
    names = [run.name for run in comparison.runs]
    return {
        "title": comparison.task["title"],
        "lead": f"{', '.join(names[:-1])} and {names[-1]}, asked the same questions.",
        "parts": [_part(one) for one in comparison.compared if one.differences],
        "resamples": comparison.resamples,
        "seed": comparison.seed,
        "version": __version__,
    }


def _part(compared: Compared) -> dict[str, Any]:
    return {
        "title": form_title(compared.form),
        "one": compared.one,
        "other": compared.other,
        "rows": [_row(one) for one in compared.differences],
        "strips": [_strip(one) for one in compared.differences],
    }


def _row(one: Difference) -> dict[str, Any]:
    return {
        "name": words.WORDS.get(one.name, one.name.replace("_", " ")),
        "one": _figure(one.one, one.name),
        "other": _figure(one.other, one.name),
        "difference": _figure(one.difference, one.name),
        "reach": _reach(one),
        "p": "–" if one.p is None else "< 0.001" if one.p < 0.001 else f"{one.p:.3f}",
        "test": one.test,
        "n": one.n,
        "note": one.note,
    }


def _strip(one: Difference) -> dict[str, Any]:
    ends = [abs(end) for end in (one.difference, one.low, one.high) if end is not None]
    most = 1.1 * max(ends, default=1.0) or 1.0
    told = one.low is not None and one.high is not None
    low, high = (_percent(end or 0.0, most) for end in (one.low, one.high))
    clear = told and (one.low or 0.0) * (one.high or 0.0) > 0
    return _row(one) | {
        "value": _figure(one.difference, one.name),
        "css": "model" if clear else "other",
        "at_percent": None if one.difference is None else _percent(one.difference, most),
        "reach_percent": (low, round(high - low, 2)) if told else None,
    }


def _percent(value: float, most: float) -> float:
    return round(50 + 50 * value / most, 2)


def _figure(value: float | None, name: str) -> str:
    return "undefined" if value is None else words.figure(value, name)


def _reach(one: Difference) -> str:
    told = [words.figure(end, one.name) for end in (one.low, one.high) if end is not None]
    return " to ".join(told)
