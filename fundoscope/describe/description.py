"""A record as plain text: every statement with its source, for reading or as an LLM prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from fundoscope import terms
from fundoscope.describe.statements import statements
from fundoscope.describe.wording import sentences
from fundoscope.records import UNMEASURED, Language, Record, Statement, Unmeasured

_HEADINGS = {
    "en": (
        "What is known of photograph {key}:",
        "source",
        "Not measured",
        "Anything not listed is not known.",
    ),
    "zh": ("关于照片 {key} 的已知信息：", "来源", "未测量", "未列出的内容均为未知。"),
}


def description(record: Record, language: Language) -> str:
    """Return all that a record knows as text, one statement a line, with units and sources.

    Quantities that could not be measured are listed with their reason; free notes of the source
    are left out, since nothing in them can be checked.
    """
    title = _HEADINGS[language][0].format(key=record.key)
    return "\n".join([title, *fact_lines(record, statements(record), language)])


def fact_lines(
    record: Record,
    said: Iterable[Statement],
    language: Language,
    reworded: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield a line for each fact of a record, and last that what is not listed is not known.

    Parameters
    ----------
    said : the record's statements (`describe.statements`).
    reworded : applied to sources and reasons, the only words in a line that others wrote.
    """
    _, source, not_measured, closing = _HEADINGS[language]
    known = [s for s in said if s.value != UNMEASURED]
    for (_, by), group in groupby(known, key=lambda s: (_together(s), s.source)):
        sentence = (" " if language == "en" else "").join(sentences(list(group), language))
        yield f"- {sentence} [{source}: {reworded(by)}]"
    missing = [q for q in record.measurements if isinstance(q, Unmeasured)]
    for quantity in missing:
        name = terms.quantity(quantity.name).names(language)[0]
        place = ", ".join(part for part in (quantity.of, quantity.where) if part)
        named = f"{name} ({place})" if place else name
        yield f"- {not_measured}: {named}: {reworded(quantity.reason)}"
    yield closing


def _together(statement: Statement) -> tuple[str, ...]:
    """Return what shares a line: one aspect, one kind of lesion, one zone."""
    if statement.aspect.startswith("lesion"):
        return "lesion", statement.term
    if statement.aspect == "finding":
        return "finding", str(statement.value)
    return statement.aspect, statement.scale, statement.of, statement.where
