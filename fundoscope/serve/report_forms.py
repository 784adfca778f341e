"""The forms in which a report leaves: HTML, PDF, JSON and FHIR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fundoscope.errors import ConfigError, MissingExtra
from fundoscope.records import Language
from fundoscope.serve.replies import Seen
from fundoscope.serve.report import Report, report_json
from fundoscope.serve.report_fhir import report_fhir
from fundoscope.serve.report_html import report_html
from fundoscope.serve.report_making import report_of


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a report."""

    suffix: str
    media_type: str


FORMS: Mapping[str, Form] = {
    "html": Form(".html", "text/html; charset=utf-8"),
    "pdf": Form(".pdf", "application/pdf"),
    "json": Form(".json", "application/json"),
    "fhir": Form(".fhir.json", "application/fhir+json"),
}


def report_bytes(seen: Sequence[Seen], language: Language, form: str) -> bytes:
    """Return the report on photographs in a form of `FORMS`; the same bytes for the same ones.

    Raises
    ------
    ConfigError
        If there is no photograph, or no such form.
    MissingExtra
        If what the form needs is not installed.
    """
    if form not in FORMS:
        raise ConfigError(
            f"there is no report as {form!r}", where="a report", mend=f"known: {', '.join(FORMS)}"
        )
    report = report_of(seen, language)
    if form == "html":
        return report_html(report, seen)
    if form == "pdf":
        return _pdf(report, seen)
    return report_fhir(report) if form == "fhir" else report_json(report)


def _pdf(report: Report, seen: Sequence[Seen]) -> bytes:
    try:
        from fundoscope.serve.report_pdf import report_pdf
    except ImportError as problem:
        raise MissingExtra(
            "a report as PDF needs reportlab", mend="pip install 'fundoscope[serve]'"
        ) from problem
    return report_pdf(report, seen)


def form_of(path: Path) -> str:
    """Return the form that a file's name asks for.

    Raises
    ------
    ConfigError
        If its suffix is that of no form.

    Examples
    --------
    >>> form_of(Path("eye.fhir.json")), form_of(Path("eye.json"))
    ('fhir', 'json')
    """
    named = [form for form, its in FORMS.items() if path.name.lower().endswith(its.suffix)]
    if not named:
        raise ConfigError(
            f"a report cannot be written as {path.name!r}",
            where="-o",
            mend=f"let the name end in {', '.join(its.suffix for its in FORMS.values())}",
        )
    return max(named, key=lambda form: len(FORMS[form].suffix))


def write_report(seen: Sequence[Seen], language: Language, out: Path) -> Path:
    """Write the report in the form that the file's name asks for, and return the path."""
    content = report_bytes(seen, language, form_of(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(content)
    return partial.replace(out)
