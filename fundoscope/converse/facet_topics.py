"""What a record lets one speak of in general: the condition, and how the record stands to it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fundoscope import terms
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.verify.check import Facts
from fundoscope.verify.claims import mentioned

Standing = Literal["text", "present", "absent"]
AFTER_NOTHING = ("prevention", "risk_factor", "lifestyle", "follow_up", "examination")
"""What can be said of a condition that was looked for and not found."""
_CHECKS = re.compile(r"\bno\b|\bscreening\b|\bwithout\b|\bregular\b|\bfirst examination\b", re.I)
_LEVEL = re.compile(r"\b(?:level|category) (\d)\b", re.I)


@dataclass(frozen=True, slots=True)
class Linked:
    """A condition to speak of, and what the record says of it."""

    topic: str
    standing: Standing
    """`text`: there is no photograph; `present`: seen or suspected in it; `absent`: looked for."""
    levels: frozenset[int] = frozenset()
    """On the condition's own scales, as graded."""
    alone: bool = True
    """Whether nothing else is present, so that "it" can mean nothing else."""

    def fits(self, fact: Fact) -> bool:
        """Whether a fact may be told: none of another grade, none for a disease that is absent."""
        told = levels_of(fact)
        if self.standing == "absent":
            if fact.link in ("follow_up", "examination") and not _CHECKS.search(fact.en):
                return False
            return not told or 0 in told
        return not told or not self.levels or bool(told & self.levels)


def linked(facts: Facts, random_: random.Random) -> Linked | None:
    """Return what a record can be linked to, or None; of several conditions one is drawn."""
    if facts.record.topic:
        return Linked(facts.record.topic, "text")
    if present := present_topics(facts):
        topic = random_.choice(present)
        return Linked(topic, "present", _graded(facts, topic), len(present) == 1)
    if absent := _absent_topics(facts):
        topic = random_.choice(absent)
        return Linked(topic, "absent", _graded(facts, topic))
    return None


def unlinked_reason(facts: Facts) -> str:
    """Return why nothing can be said in general beside a record; empty where something can."""
    if facts.record.topic or present_topics(facts) or _absent_topics(facts):
        return ""
    if any(status in ("present", "suspected") for status in facts.status.values()):
        return "no knowledge dialogue: nothing is known in general of what is recorded"
    if facts.status:
        return (
            "no knowledge dialogue: nothing is present, and nothing to add to what was looked for"
        )
    return "no knowledge dialogue: no condition is recorded"


def present_topics(facts: Facts) -> list[str]:
    """Return the conditions that are there and of which something is known, sorted.

    One that another of them implies is left out: a branch vein occlusion is more than an occlusion.
    """
    seen = sorted(t for t, status in facts.status.items() if status in ("present", "suspected"))
    known = sorted({topic for term in seen if (topic := _known(term))})
    implied = {broad for topic in known for broad in terms.broader(topic) - {topic}}
    return [topic for topic in known if topic not in implied]


def _absent_topics(facts: Facts) -> list[str]:
    graded = {terms.scale(grade.scale).term for grade in facts.record.grades}
    absent = [t for t, status in sorted(facts.status.items()) if status == "absent" and _sayable(t)]
    return [term for term in absent if term in graded] or absent


@cache
def _sayable(term: str) -> bool:
    """Whether something can be said of a condition that is absent."""
    link = Linked(term, "absent")
    return bool(_known(term) == term and [f for f in after_nothing(term) if link.fits(f)])


def after_nothing(term: str) -> list[Fact]:
    """Return the facts that may be told where a condition was not found."""
    return [fact for fact in knowledge().facts_of(term) if fact.link in AFTER_NOTHING]


def _known(term: str) -> str:
    """Return the term, or the nearest broader one, of which something is known."""
    if term not in terms.conditions() and term not in terms.lesions():
        return ""
    if knowledge().facts_of(term):
        return term
    parents = (terms.conditions().get(term) or terms.lesions()[term]).is_a
    return next((known for parent in parents if (known := _known(parent))), "")


def _graded(facts: Facts, topic: str) -> frozenset[int]:
    return frozenset(
        grade.level for grade in facts.record.grades if terms.scale(grade.scale).term == topic
        and grade.scale != "messidor_dr"  # its levels are no other scale's
    )  # fmt: skip


@cache
def levels_of(fact: Fact) -> frozenset[int]:
    """Return the levels of the condition's scale that a fact speaks of; most speak of none."""
    found = {int(level) for level in _LEVEL.findall(fact.en)}
    for mention in mentioned(fact.en, "en"):
        level, severity = mention.of_kind("level"), mention.of_kind("severity")
        if level and level.level > 0 and fact.condition in _terms_of(level.id):
            found.add(level.level)
        elif severity and fact.condition == "diabetic_retinopathy":
            found.add(severity.level)
    return frozenset(found)


@cache
def _terms_of(scale: str) -> Sequence[str]:
    return [s.term for s in terms.scales().values() if scale in (s.id, s.words_of)]
