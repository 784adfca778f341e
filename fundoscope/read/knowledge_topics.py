"""The source without photographs: conditions of which something is known, to be asked about."""

from __future__ import annotations

from collections.abc import Iterator

from fundoscope.knowledge.graph import knowledge
from fundoscope.read.sources import SourceRequest, sources
from fundoscope.records import LeftOut, Photograph, Record

NAME = "knowledge"
"""The source, and the dataset of its records."""
LICENCE = "Apache-2.0"
PER_FACT = 8
"""Most dialogues for each fact of a condition: of few facts, more would only repeat themselves."""


@sources.register(NAME)
def read_topics(request: SourceRequest) -> Iterator[Record | LeftOut]:
    """Yield records without a photograph, numbered, a condition at a time.

    A condition has `request.max_per_topic` of them, fewer where little is known of it; one whose
    facts all wait to be checked is left out.
    """
    graph = knowledge()
    for condition in graph.conditions:
        known = graph.facts_of(condition)
        if not known:
            reason = "no fact about it was compared with its source"
            yield LeftOut("record without knowledge", condition, reason)
        for number in range(1, min(request.max_per_topic, PER_FACT * len(known)) + 1):
            yield topic_record(condition, number)


def topic_record(condition: str, number: int) -> Record:
    """Return a record about a condition; its number only tells it from the others."""
    name = f"{condition}-{number:04d}"
    return Record(
        Photograph(dataset=NAME, split="all", id=name, modality=""),
        licence=LICENCE,
        topic=condition,
    )
