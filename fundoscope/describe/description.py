"""A record as plain text: every statement with its source, for reading or as an LLM prompt."""

from __future__ import annotations

from fundoscope import terms
from fundoscope.describe.statements import statements
from fundoscope.describe.wording import sentences
from fundoscope.records import Language, Record, Unmeasured

_HEADINGS = {
    "en": ("What is known of photograph {key}:", "source", "Not measured", "Anything not listed is not known."),
    "zh": ("关于照片 {key} 的已知信息：", "来源", "未测量", "未列出的内容均为未知。"),
}  # fmt: skip


def description(record: Record, language: Language) -> str:
    """Return all that a record knows as text, one statement a line, with units and sources.

    Quantities that could not be measured are listed with their reason; free notes of the source
    are left out, since nothing in them can be checked.
    """
    title, source, not_measured, closing = _HEADINGS[language]
    lines = [title.format(key=record.key)]
    for statement in statements(record):
        if statement.value == "unmeasured":
            continue
        (sentence,) = sentences([statement], language)
        lines.append(f"- {sentence} [{source}: {statement.source}]")
    missing = [q for q in record.measurements if isinstance(q, Unmeasured)]
    for quantity in missing:
        name = terms.quantity(quantity.name).names(language)[0]
        place = ", ".join(part for part in (quantity.of, quantity.where) if part)
        lines.append(f"- {not_measured}: {name}{f' ({place})' if place else ''}: {quantity.reason}")
    lines.append(closing)
    return "\n".join(lines)
