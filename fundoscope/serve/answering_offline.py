"""Offline answers: statements of the record in the composer's words."""

from __future__ import annotations

from collections.abc import Sequence

from fundoscope.describe.wording import sentences
from fundoscope.records import Language
from fundoscope.serve.evidence import of_statement, without_repeats
from fundoscope.serve.replies import Evidence, Message, Reply, Seen
from fundoscope.verify.check import Facts

_GENERAL = ("modality", "eye", "quality", "grade", "finding", "lesion_count", "structure")


def answered(messages: Sequence[Message], seen: Sequence[Seen], language: Language) -> Reply:
    """Return the answer to the last message."""
    said: list[str] = []
    evidence: list[Evidence] = []
    for number, one in enumerate(seen):
        facts = Facts.of(one.record)
        chosen = [s for s in facts.said if s.aspect in _GENERAL]
        said += sentences(chosen, language)
        evidence += [of_statement(s, facts, language, number) for s in chosen]
    text = (" " if language == "en" else "").join(said)
    return Reply(text, language, without_repeats(evidence), topics=("summary",))
