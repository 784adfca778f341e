"""The report as a PDF file: pictures with their outlines, tables, sources; nothing to install.

Chinese is set in STSong-Light, which every PDF reader brings along or replaces; nothing is
embedded. The same report gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Any

from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    CondPageBreak,
    Flowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
)
from reportlab.platypus import Table as PdfTable

from fundoscope.serve.replies import Seen
from fundoscope.serve.report import PhotographPart, Report
from fundoscope.serve.report_html import box_text, heading, percent
from fundoscope.serve.report_pdf_picture import Picture
from fundoscope.serve.report_tables import Table, tables_of, unit_text, value_text
from fundoscope.serve.report_words import Words, report_words

INK, MUTED, LINE, WARM = "#17211f", "#515e5a", "#c9d2ce", "#7d4310"
MARGIN_MM = 17
FRAME_PADDING_PT = 6.0
"""Which reportlab leaves inside its margins."""
HEADED_PT = 90.0
"""Least room below a heading for what it heads; else both start a page."""
POWERS = {"⁻¹": "<super>-1</super>", "⁻²": "<super>-2</super>"}
"""Not in the standard fonts."""
_LATIN = re.compile(r"(?:&[#a-z0-9]+;|<[^>]+>|[\x20-\x25\x27-\x3b\x3d\x3f-\x7e\xa0-\xff–])+")


def report_pdf(report: Report, seen: Sequence[Seen]) -> bytes:
    """Return the report as a PDF file.

    Parameters
    ----------
    report : of `report_of(seen, language)`.
    seen : the photographs, in the report's order.
    """
    return _Setter(report, seen).pdf()


def _kept_together(story: Iterator[Flowable]) -> Iterator[Flowable]:
    """Yield the story with a new page before a heading that would stand alone at the foot."""

    for part in story:
        if getattr(getattr(part, "style", None), "name", "") in ("h2", "h3", "h4"):
            yield CondPageBreak(HEADED_PT)
        yield part


class _Setter:
    """Sets one report."""

    def __init__(self, report: Report, seen: Sequence[Seen]) -> None:
        self.report, self.seen = report, seen
        self.words: Words = report_words(report.language)
        chinese = report.language == "zh"
        if chinese:
            pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
        self.font = "STSong-Light" if chinese else "Helvetica"
        self.bold = "STSong-Light" if chinese else "Helvetica-Bold"
        wrap = {"wordWrap": "CJK"} if chinese else {}

        def style(name: str, size: float, **more: Any) -> ParagraphStyle:
            return ParagraphStyle(
                name, fontName=self.font, fontSize=size, leading=1.38 * size, textColor=INK,
                **wrap, **more,
            )  # fmt: skip

        self.styles = {
            "title": style("title", 20, spaceAfter=6),
            "h2": style("h2", 14, spaceBefore=12, spaceAfter=5),
            "h3": style("h3", 11, spaceBefore=9, spaceAfter=3),
            "h4": style("h4", 9.5, spaceBefore=7, spaceAfter=2),
            "text": style("text", 9, spaceAfter=3),
            "note": style("note", 8, spaceAfter=3),
            "cell": style("cell", 8),
            "right": style("right", 8, alignment=2),
        }
        for name in ("title", "h2", "h3", "h4"):
            self.styles[name].fontName = self.bold
        self.styles["note"].textColor = MUTED

    def pdf(self) -> bytes:
        stream = io.BytesIO()
        document = SimpleDocTemplate(
            stream, pagesize=A4, invariant=1, title=self.words("title"), author="fundoscope",
            subject=self.report.disclaimer, lang=self.report.language,
            leftMargin=MARGIN_MM * mm, rightMargin=MARGIN_MM * mm,
            topMargin=16 * mm, bottomMargin=18 * mm,
        )  # fmt: skip
        self.width = document.width - 2 * FRAME_PADDING_PT
        story = list(_kept_together(self._story()))
        document.build(story, onFirstPage=self._foot, onLaterPages=self._foot)
        return stream.getvalue()

    def _foot(self, canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(self.font, 8)
        canvas.setFillColor(WARM)
        canvas.drawString(MARGIN_MM * mm, 10 * mm, self.report.disclaimer)
        canvas.setFillColor(MUTED)
        canvas.setFont("Helvetica", 8)
        canvas.drawRightString(A4[0] - MARGIN_MM * mm, 10 * mm, str(document.page))
        canvas.restoreState()

    def _text(self, text: str, style: str = "text") -> Flowable:
        return Paragraph(self._marked(escape(text, quote=False)), self.styles[style])

    def _marked(self, text: str) -> str:
        """Return text with powers raised and, in Chinese, Latin letters in a Latin font."""
        for sign, raised in POWERS.items():
            text = text.replace(sign, raised)
        if self.report.language == "en":
            return text
        return _LATIN.sub(lambda run: f'<font name="Helvetica">{run[0]}</font>', text)

    def _story(self) -> Iterator[Flowable]:
        words, report = self.words, self.report
        yield self._text(words("title"), "title")
        yield self._banner(f"{report.disclaimer} {words('preliminary')}")
        for number, (part, one) in enumerate(zip(report.photographs, self.seen, strict=True)):
            if number:
                yield PageBreak()
            yield from self._photograph(part, one)
        if report.comparison:
            yield from self._comparison()
        yield self._text(words("not_looked_for"), "h2")
        yield from (self._text(sentence) for sentence in report.not_looked_for)
        yield from self._facts()
        yield from self._provenance()

    def _banner(self, text: str) -> Flowable:
        table = PdfTable([[self._text(text)]], colWidths=[self.width])
        table.setStyle(
            [("BACKGROUND", (0, 0), (-1, -1), "#fdf3e4"), ("LINEBEFORE", (0, 0), (0, -1), 3, WARM)]
        )
        return table

    def _photograph(self, part: PhotographPart, seen: Seen) -> Iterator[Flowable]:
        words = self.words
        yield self._text(heading(part, words), "h2")
        quality = words(f"quality_{part.quality.grade}")
        if part.quality.reasons:
            reasons = words.listed([words(reason) for reason in part.quality.reasons])
            quality += f" ({words('because')} {reasons})"
        about = {
            words("quality"): quality,
            words("kind"): words(part.kind),
            words("size"): f"{part.width_px} × {part.height_px} px",
            words("scale"): part.scale or words("no_scale"),
        }
        yield self._rows([[name, text] for name, text in about.items()], [0.22, 0.78], head=False)
        if part.refused:
            yield self._banner(f"{words('refused')}: {part.refused_words}")
        yield Picture(seen, words, self.width, self.font)
        yield from self._conditions(part)
        yield from self._lesions(part)
        yield from self._measurements(part)

    def _conditions(self, part: PhotographPart) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("conditions"), "h3")
        if not part.conditions:
            yield self._text(words("no_conditions"), "note")
            return
        head = [words(key) for key in ("condition", "answer", "probability", "auc")]
        rows = []
        for one in part.conditions:
            auc = "" if one.auc is None else f"{one.auc:.2f}"
            if one.auc_interval_95:
                auc += " ({:.2f}–{:.2f})".format(*one.auc_interval_95)
            rows.append([one.words, words(one.answer), percent(one.probability), auc])
        yield self._rows([head, *rows], [0.38, 0.2, 0.17, 0.25], numbers={2, 3})
        source = part.conditions[0].source
        yield self._text(f"{words('conditions_note')} {words('auc_note')} {source}.", "note")

    def _lesions(self, part: PhotographPart) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("lesions"), "h3")
        if not part.lesions:
            yield self._text(words("no_lesions"), "note")
            return
        rows = [[words("lesion"), words("count"), "%", words("boxes")]]
        for kind in part.lesions:
            if not kind.count:
                rows.append([kind.words, words("none_outlined"), "", ""])
                continue
            boxes = [
                box_text(one.box).replace(" ", "\xa0") + (f" ×{one.count}" if one.count > 1 else "")
                for one in kind.boxes
            ]
            if kind.unboxed:
                boxes.append(words("unboxed", count=kind.unboxed))
            rows.append([kind.words, str(kind.count), f"{kind.area_percent:.3f}", "; ".join(boxes)])
        yield self._rows(rows, [0.2, 0.16, 0.09, 0.55])
        notes = (words("lesions_note"), f"%: {words('area')}.", words("boxes_note"))
        yield self._text(" ".join((*notes, f"{part.lesions[0].source}.")), "note")

    def _measurements(self, part: PhotographPart) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("measurements"), "h3")
        if part.refused:
            yield self._text(f"{words('refused')}: {part.refused_words}", "note")
            return
        tools = words.listed(sorted({q.tool for q in part.quantities if not q.reason}))
        yield self._text(f"{words('measurements_note')} {words('tool')}: {tools}.", "note")
        for table in tables_of(part.quantities, words):
            yield self._text(table.title, "h4")
            if table.rows:
                yield self._measured(table)
            for one in table.missing:
                names = words.listed(one.names)
                more = f" {words('and_more', count=one.more)}" if one.more else ""
                which = "" if one.every else f" ({names}{more})"
                yield self._text(f"{words('unmeasured')}: {one.reason}{which}", "note")

    def _measured(self, table: Table) -> Flowable:
        words = self.words
        rows = [[words("quantity"), *table.columns, words("unit")]]
        for row in table.rows:
            values = [value_text(cell) if cell else "–" for cell in row.cells]
            rows.append([row.words, *values, row.unit])
        share = 0.58 / len(table.columns) if len(table.columns) > 1 else 0.3
        widths = [0.9 - share * len(table.columns), *[share] * len(table.columns), 0.1]
        return self._rows(rows, widths, numbers=set(range(1, len(table.columns) + 1)))

    def _comparison(self) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("comparison"), "h2")
        verdicts = {True: "beyond", False: "within", None: "not_told"}
        rows = [[words("quantity"), "1", "2", words("difference"), words("unit"), ""]]
        for one in self.report.comparison:
            name = f"{one.words}, {words(one.of)}" if one.of else one.words
            verdict = words(verdicts[one.beyond_repeatability])
            unit = unit_text(one.unit)
            rows.append([name, *one.texts, one.difference_text, unit, verdict])
        yield self._rows(rows, [0.32, 0.12, 0.12, 0.13, 0.09, 0.22], numbers={1, 2, 3})
        yield self._text(words("comparison_note"), "note")

    def _facts(self) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("facts"), "h2")
        yield self._text(words("facts_note" if self.report.facts else "no_facts"), "note")
        for fact in self.report.facts:
            urgent = f"[{words('urgent')}] " if fact.urgent else ""
            yield self._text(urgent + fact.words)
            source = f"{fact.condition_words} · {fact.source} ({fact.year})"
            yield self._text(f"{source} {fact.url}".strip(), "note")

    def _provenance(self) -> Iterator[Flowable]:
        words = self.words
        yield self._text(words("networks"), "h2")
        head = [words("network"), words("version"), words("licence")]
        rows = [[one.name, one.version, one.licence] for one in self.report.networks]
        yield self._rows([head, *rows], [0.2, 0.15, 0.65])
        yield self._text(words("written_by", version=self.report.fundoscope_version), "note")
        for part in self.report.photographs:
            yield self._text(
                words("from_photograph", number=part.number, sha256=part.sha256), "note"
            )

    def _rows(
        self,
        rows: Sequence[Sequence[str]],
        shares: Sequence[float],
        numbers: Collection[int] = (),
        head: bool = True,
    ) -> Flowable:
        """Return a table; `numbers` are the columns set to the right."""

        cells = [
            [self._text(text, "right" if n in numbers else "cell") for n, text in enumerate(row)]
            for row in rows
        ]
        table = PdfTable(cells, colWidths=[s * self.width for s in shares], repeatRows=int(head))
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
            ]
            + ([("BACKGROUND", (0, 0), (-1, 0), "#edf2f0")] if head else [])
        )
        return table
