"""What is known of a condition in general, from dated facts alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from fundoscope import terms
from fundoscope.converse.facet_answers import joined
from fundoscope.converse.facet_choice import choose, choose_broadly, is_urgent, readable
from fundoscope.converse.facet_topics import Linked
from fundoscope.knowledge.graph import Audience, Facet, Fact, knowledge
from fundoscope.serve.about_conditions import name_of, suspected
from fundoscope.serve.asked_about import FACETS, Asked
from fundoscope.serve.spoken import Look, Part, Spoken, listed, word
from fundoscope.verify.knowledge_phrases import phrases

READERS: tuple[Audience, ...] = ("clinician", "student", "patient")
"""In whose words facts are told, where nobody says who asks: the first who has some."""
MOST_CONDITIONS = 2


def say_facet(said: Spoken, looks: Sequence[Look], asked: Asked, facet: str, text: str) -> None:
    """Say facts of one facet about the conditions asked for, else about those suspected."""
    named = [*asked.terms] or [term for look in looks for term in suspected(look)]
    named = list(dict.fromkeys(named))[:MOST_CONDITIONS]
    if not named:
        said.plain("which_condition")
        return
    for term in named:
        _say_of(said, looks, asked, facet, term, text)


def _say_of(
    said: Spoken, looks: Sequence[Look], asked: Asked, facet: str, term: str, text: str
) -> None:
    known = with_facts(term)
    facts = facts_on(known, facet, asked.plain, asked.links, looks) if known else []
    if not facts:
        say_what_there_is(said, term, known)
        return
    random_ = random.Random(blake2b(f"{term}|{facet}|{text}".encode(), digest_size=8).digest())
    chosen = (
        choose(facts, random_) if asked.links else choose_broadly(_facet(facet), facts, random_)
    )
    say_facts(said, chosen, random_, general=bool(looks))
    if asked.plain:
        said.parts[-1] = _with_closing(said)


def _facet(name: str) -> Facet:
    assert name in FACETS
    return name  # type: ignore[return-value]


def facts_on(
    term: str, facet: str, plain: bool, links: Sequence[str] = (), looks: Sequence[Look] = ()
) -> list[Fact]:
    """Return what may be told of a facet: in the words of who asks, none of another grade."""
    pool = list(knowledge().facts_of(term, _facet(facet)))
    link = Linked(term, "present" if looks else "text")
    pool = [fact for fact in pool if link.fits(fact)]
    narrow = [fact for fact in pool if fact.link in links]
    readers: tuple[Audience, ...] = ("patient",) if plain else READERS
    for facts in (narrow, pool):
        for reader in readers:
            if found := readable(facts, reader):
                return found
    return pool if plain else []


def with_facts(term: str) -> str:
    """Return the term, or the nearest broader one, of which facts are known; empty if none."""
    if knowledge().facts_of(term):
        return term
    known = terms.conditions().get(term) or terms.lesions().get(term)
    return (
        next((found for parent in known.is_a if (found := with_facts(parent))), "") if known else ""
    )


def say_facts(
    said: Spoken, facts: Sequence[Fact], random_: random.Random, general: bool = False
) -> None:
    """Say facts as running text, each in its own words."""
    if facts:
        said.cite(facts, joined(facts, said.language, random_, general=general))


def _with_closing(said: Spoken) -> Part:
    part = said.parts[-1]
    closing = phrases(said.language)["closing"][0]
    space = " " if said.language == "en" else ""
    return replace(part, text=f"{part.text}{space}{closing}")


def say_what_there_is(said: Spoken, term: str, known: str) -> None:
    """Say that no fact is at hand, and on what there are some."""
    if not known:
        said.plain("no_facts_at_all", name=name_of(term, said))
        return
    said.plain("no_facts", name=name_of(known, said))
    there = [facet for facet in FACETS if knowledge().facts_of(known, _facet(facet))]
    facets = [word(f"facets.{facet}", said.language) for facet in there]
    said.plain("facts_on", facets=listed(facets, said.language))


def urgent_facts_of(term: str, plain: bool) -> list[Fact]:
    """Return the facts of link `urgency` by which a condition cannot wait, for who asks."""
    facts = [f for f in knowledge().facts_of(term) if f.link == "urgency" and is_urgent(f)]
    if plain:
        return [fact for fact in facts if "patient" in fact.audience] or facts
    return facts
