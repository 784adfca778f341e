"""Which facts answer a question, and in which order."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from fundoscope.converse.facet_topics import levels_of
from fundoscope.knowledge.graph import Audience, Facet, Fact, knowledge
from fundoscope.verify.knowledge_phrases import URGENT

FEWEST, MOST = 2, 4
"""Facts of an answer, where so many are known."""
SAME = 0.5
"""Share of words from which two facts say the same."""
CORE: Mapping[Facet, tuple[str, ...]] = {
    "visual": ("definition", "sign"),
    "causes": ("cause", "risk_factor", "mechanism"),
    "examination": ("examination", "finding_on_test"),
    "treatment": ("treatment",),
    "prognosis": ("prognosis", "complication"),
}
"""What a question about a whole facet asks for first of all."""
READERS: dict[Audience, frozenset[Audience]] = {
    "patient": frozenset({"patient"}),
    "student": frozenset({"student"}),
    "clinician": frozenset({"clinician", "student"}),
}
"""Whose sentences may be told to whom."""
_WORD = re.compile(r"[a-z]{4,}")


def readable(facts: Iterable[Fact], audience: Audience) -> list[Fact]:
    """Return the facts that are worded for an audience; a student with few reads a clinician's."""
    facts = list(facts)
    mine = [fact for fact in facts if READERS[audience] & set(fact.audience)]
    if audience == "student" and len(mine) < MOST:
        return [fact for fact in facts if READERS["clinician"] & set(fact.audience)]
    return mine


def orders(n: int) -> int:
    """Return how many different answers of up to four facts, in order, n facts can give."""
    if n <= 1:
        return n
    sizes = range(FEWEST, min(MOST, n) + 1)
    return sum(_falling(n, size) for size in sizes)


def _falling(n: int, size: int) -> int:
    product = 1
    for factor in range(n - size + 1, n + 1):
        product *= factor
    return product


def choose(
    pool: Sequence[Fact], random_: random.Random, fewest: int = FEWEST, most: int = MOST
) -> tuple[Fact, ...]:
    """Return some facts of a pool, as an answer tells them.

    What is urgent comes first, facts of one kind stay together, and where one body's advice is
    told, another's on the same point stands beside it.
    """
    wanted = random_.randint(min(fewest, len(pool)), min(most, len(pool)))
    drawn: list[Fact] = []
    for fact in random_.sample(list(pool), len(pool)):
        if len(drawn) < wanted and not any(_say_the_same(fact, other) for other in drawn):
            drawn.append(fact)
            others = [other for other in pool if differs_from(other, fact) and other not in drawn]
            if others and len(drawn) < most:
                drawn.append(random_.choice(others))
    return told_in_order(drawn, random_)


def choose_broadly(
    facet: Facet, pool: Sequence[Fact], random_: random.Random, fewest: int = FEWEST
) -> tuple[Fact, ...]:
    """Return some facts of a facet, of which the first not urgent one is what it is about."""
    core = [fact for fact in pool if fact.link in CORE[facet]]
    if not core:
        return choose(pool, random_, fewest)
    first = random_.choice(core)
    rest = [fact for fact in pool if fact is not first and not _say_the_same(fact, first)]
    others = choose(rest, random_, fewest - 1, MOST - 1)
    urgent = tuple(fact for fact in others if is_urgent(fact))
    return (*urgent, first, *(fact for fact in others if fact not in urgent))


def told_in_order(facts: Sequence[Fact], random_: random.Random) -> tuple[Fact, ...]:
    """Return facts with the urgent ones first and those of one kind together."""
    kinds = list(dict.fromkeys(fact.link for fact in facts))
    random_.shuffle(kinds)
    kinds.sort(key=lambda kind: kind != "definition")  # first what it is
    at = {fact.id: place for place, fact in enumerate(facts)}
    return tuple(
        sorted(facts, key=lambda fact: (not is_urgent(fact), kinds.index(fact.link), at[fact.id]))
    )


def is_urgent(fact: Fact) -> bool:
    """Whether a fact says that care cannot wait."""
    return fact.link in ("urgency", "referral") and bool(URGENT.search(fact.en))


def differs_from(fact: Fact, other: Fact) -> bool:
    """Whether two bodies advise on the same point."""
    return (
        bool(fact.guideline and other.guideline)
        and fact.guideline != other.guideline
        and (fact.condition, fact.link, levels_of(fact))
        == (other.condition, other.link, levels_of(other))
    )


def urgent_facts(condition: str, audience: Audience) -> list[Fact]:
    """Return what is known of a condition that cannot wait, for an audience."""
    return [f for f in readable(knowledge().facts_of(condition), audience) if is_urgent(f)]


def _say_the_same(one: Fact, other: Fact) -> bool:
    a, b = _words(one), _words(other)
    return len(a & b) > SAME * min(len(a), len(b)) and not differs_from(one, other)


@cache
def _words(fact: Fact) -> frozenset[str]:
    """Content words of a fact, without those of its condition's name."""
    return frozenset(_WORD.findall(fact.en.lower())) - frozenset(fact.condition.split("_"))
