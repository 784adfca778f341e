"""A record as plain text: every statement with its source, for reading or as an LLM prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from fundoscope.describe.statements import measurement_statement, statements
from fundoscope.describe.wording import sentences
from fundoscope.records import UNMEASURED, Language, Record, Statement, Unmeasured

_HEADINGS = {
    "en": (
        "What is known of photograph {key}:",
        "source",
        "reason",
        "Anything not listed is not known.",
    ),
    "zh": ("关于照片 {key} 的已知信息：", "来源", "原因", "未列出的内容均为未知。"),
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
    _, source, reason, closing = _HEADINGS[language]
    said = list(said)
    known = _by_place([s for s in said if s.value != UNMEASURED])
    for (_, by), group in groupby(known, key=lambda s: (_together(s), s.source)):
        yield f"- {_text(group, language)} [{source}: {reworded(by)}]"
    missing = [q for q in record.measurements if isinstance(q, Unmeasured)]
    missing.sort(key=lambda q: (q.reason, q.of, q.where))
    for (why, *_), unmeasured in groupby(missing, key=lambda q: (q.reason, q.of, q.where)):
        text = _text(map(measurement_statement, unmeasured), language)
        yield f"- {text} [{reason}: {reworded(why)}]"
    yield closing


def _text(said: Iterable[Statement], language: Language) -> str:
    return (" " if language == "en" else "").join(sentences(list(said), language))


def _by_place(said: list[Statement]) -> list[Statement]:
    """Return statements with the quantities of the same vessels and zone side by side.

    Told one by one they would name vessels and zone each time, and prompts are paid by length.
    """
    places: dict[tuple[str, ...], int] = {}
    measured = [s for s in said if s.aspect == "measurement"]
    for s in measured:
        places.setdefault((s.of, s.where, s.source), len(places))
    measured.sort(key=lambda s: places[s.of, s.where, s.source])
    return [s for s in said if s.aspect != "measurement"] + measured


def _together(statement: Statement) -> tuple[str, ...]:
    """Return what shares a line: one aspect, one kind of lesion, one zone."""
    if statement.aspect.startswith("lesion"):
        return "lesion", statement.term
    if statement.aspect == "finding":
        return "finding", str(statement.value)
    return statement.aspect, statement.scale, statement.of, statement.where
