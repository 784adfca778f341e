"""The parts of the chat page as HTML: all that photographs, users and models say is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fundoscope.records import Box, Language
from fundoscope.serve.chat_words import chat_words
from fundoscope.serve.layers import LAYER_OF, LAYERS
from fundoscope.serve.photograph_views import PhotographView, photograph_view
from fundoscope.serve.replies import Evidence, Reply, Seen
from fundoscope.serve.report import PhotographPart
from fundoscope.serve.report_forms import FORMS
from fundoscope.serve.report_html import heading, pages
from fundoscope.serve.report_making import photograph_part
from fundoscope.serve.report_tables import tables_of, unit_text
from fundoscope.serve.sample_photographs import SAMPLES
from fundoscope.serve.shown_photographs import MOST_SHOWN

MOST_MEGABYTES = 24
"""Largest file of one photograph."""
SHOWN_AT_FIRST = ("disc_cup", "fovea", "lesions")


@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of evidence as the page shows it."""

    id: str
    words: str
    photograph: int
    measure: str
    tool: str
    source: str
    year: int | None
    url: str
    box_text: str
    shown_layer: str

    @property
    def shown(self) -> bool:
        """Whether there is a place to show."""
        return bool(self.box_text or self.shown_layer)


@dataclass(frozen=True, slots=True)
class Said:
    """One message as the page shows it."""

    role: str
    text: str
    language: Language
    evidence: tuple[Cited, ...] = ()
    notice: str = ""
    urgent: bool = False


class Shown:
    """The photographs of a session, made ready for the page once for each language."""

    def __init__(self, seen: Sequence[Seen], language: Language) -> None:
        words = chat_words(language)
        self.parts: list[PhotographPart] = [
            photograph_part(one, n, language) for n, one in enumerate(seen, 1)
        ]
        self.views: list[PhotographView] = [
            photograph_view(one, n, words) for n, one in enumerate(seen, 1)
        ]


def said_by_user(text: str, language: Language) -> Said:
    """Return a user's message."""
    return Said("user", text, language)


def said_by_assistant(reply: Reply, seen: Sequence[Seen]) -> Said:
    """Return an answer with its evidence."""
    return Said(
        "assistant",
        reply.text,
        reply.language,
        tuple(_cited(one, seen) for one in reply.evidence),
        reply.notice,
        reply.urgent,
    )


def _cited(one: Evidence, seen: Sequence[Seen]) -> Cited:
    here = 0 <= one.photograph < len(seen)
    layer = LAYER_OF.get(one.layer, one.layer) if here else ""
    return Cited(
        id=one.id,
        words=one.words,
        photograph=one.photograph,
        measure=_measure(one),
        tool=one.tool,
        source=one.source,
        year=one.year,
        url=one.url if one.url.startswith(("https://", "http://")) else "",
        box_text=_box(one.box) if here and one.box else "",
        shown_layer=layer if layer in LAYERS else "",
    )


def _measure(one: Evidence) -> str:
    """Return the repeatability of a value: its words say the value already."""
    if not one.repeatability:
        return ""
    return f"± {one.repeatability:.2g} {unit_text(one.unit)}".rstrip()


def _box(box: Box) -> str:
    return ",".join(f"{part:.4f}" for part in box)


def notice_html(language: Language) -> str:
    """Return what is always in sight."""
    return _rendered("notice.html", language)


def head_html(language: Language) -> str:
    """Return the head of the page."""
    return _rendered("head.html", language)


def picker_html(language: Language, said: str = "", problem: str = "") -> str:
    """Return where photographs are dropped, and what became of the last ones."""
    return _rendered(
        "picker.html", language, said=said, problem=problem, most=MOST_SHOWN, samples=SAMPLES,
        megabytes=MOST_MEGABYTES, most_bytes=MOST_MEGABYTES * 2**20,
    )  # fmt: skip


def viewer_html(shown: Shown, language: Language) -> str:
    """Return the photographs with their layers."""
    words = chat_words(language)
    return _rendered(
        "viewer.html", language, parts=shown.parts, views=shown.views, shown=SHOWN_AT_FIRST,
        heading=lambda part: heading(part, words),
        reasons=lambda part: [words(reason) for reason in part.quality.reasons],
    )  # fmt: skip


def measurements_html(shown: Shown, language: Language) -> str:
    """Return every quantity of the photographs, or why it was not measured."""
    words = chat_words(language)
    return _rendered(
        "measurements.html", language, parts=shown.parts,
        tables=[tables_of(part.quantities, words) for part in shown.parts],
        heading=lambda part: heading(part, words),
    )  # fmt: skip


def reports_html(shown: Shown, language: Language) -> str:
    """Return the buttons that save a report."""
    return _rendered("reports.html", language, parts=shown.parts, forms=FORMS)


def messages_html(messages: Sequence[Said], photographs: int, language: Language) -> str:
    """Return the conversation; what anybody says in it is text, whatever it looks like."""
    return _rendered("messages.html", language, messages=messages, many=photographs > 1)


def tries_html(language: Language) -> str:
    """Return questions to begin with."""
    return _rendered("tries.html", language)


def style() -> str:
    """Return the style of the page, in its element."""
    css = pages().get_template("page.css").render(layers=LAYERS)
    return f"<style>{css}\n{script('chat.css')}</style>"


def script(name: str) -> str:
    """Return a script or style of the page."""
    return (files("fundoscope.serve") / "chat_page" / name).read_text(encoding="utf-8")


def _rendered(template: str, language: Language, **shown: Any) -> str:
    given: Mapping[str, Any] = {"words": chat_words(language), **shown}
    return pages().get_template(template).render(given)
