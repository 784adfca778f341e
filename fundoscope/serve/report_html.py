"""The report as one HTML page that needs nothing else: no script, no request, printable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from fundoscope.records import Box
from fundoscope.serve.layers import LAYERS
from fundoscope.serve.photograph_views import photograph_view
from fundoscope.serve.replies import Seen
from fundoscope.serve.report import PhotographPart, Report
from fundoscope.serve.report_tables import tables_of, unit_text
from fundoscope.serve.report_words import Words, report_words


def report_html(report: Report, seen: Sequence[Seen]) -> bytes:
    """Return the report as a self-contained page, UTF-8.

    Parameters
    ----------
    report : of `report_of(seen, language)`.
    seen : the photographs, in the report's order.
    """
    words = report_words(report.language)
    page = (
        pages()
        .get_template("report.html")
        .render(
            report=report,
            words=words,
            views=[photograph_view(one, n, words) for n, one in enumerate(seen, 1)],
            tables=[tables_of(part.quantities, words) for part in report.photographs],
            heading=lambda part: heading(part, words),
            reasons=lambda part: [words(reason) for reason in part.quality.reasons],
            tools=lambda part: words.listed(
                sorted({q.tool for q in part.quantities if not q.reason})
            ),
            box=box_text,
            percent=percent,
            unit=unit_text,
            layers=LAYERS,
        )
    )
    return page.encode()


def heading(part: PhotographPart, words: Words) -> str:
    """Return what tells one photograph from another: number, eye, visit."""
    about = [words(f"eye_{part.eye or 'unknown'}")]
    if part.visit:
        about.append(f"{words('visit')} {part.visit}")
    comma = "，" if words.language == "zh" else ", "
    return f"{words('photograph')} {part.number}: {comma.join(about)}"


def box_text(box: Box) -> str:
    """Return a box as four shares of the photograph."""
    return " ".join(f"{part:.3f}" for part in box)


def percent(share: float) -> str:
    """Return a probability in per cent; neither 0 nor 100 is said of what is only nearly so."""
    if share < 0.01:
        return "<1 %"
    return ">99 %" if share > 0.99 else f"{100 * share:.0f} %"


@cache
def pages() -> Environment:
    """Return the templates of reports and of the chat page; they escape all that they show."""
    return Environment(
        loader=ChoiceLoader(
            [PackageLoader("fundoscope.serve", f) for f in ("report_templates", "chat_page")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
