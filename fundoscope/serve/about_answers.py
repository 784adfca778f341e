"""Follow-ups that speak of an answer: how sure, why, with what, from where, and what next."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from fundoscope import terms
from fundoscope.converse.facet_topics import levels_of
from fundoscope.describe.wording import number_text
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.perceive.runtime import model
from fundoscope.records import Statement, measured
from fundoscope.serve.about_conditions import say_conditions, say_named, say_skill, suspected
from fundoscope.serve.about_knowledge import facts_on, say_facts, with_facts
from fundoscope.serve.about_photograph import DEFAULTS
from fundoscope.serve.asked_about import Asked, family
from fundoscope.serve.evidence import of_statement
from fundoscope.serve.labels import label_of
from fundoscope.serve.replies import Evidence
from fundoscope.serve.spoken import Look, Spoken, listed

MOST_FIGURES = 4
_ABSENT = re.compile(r"\b(?:no|without)\b", re.IGNORECASE)
"""In a fact on follow-up: it speaks of eyes in which the condition was not found."""
NETWORKS = ("quality", "vessels", "places", "disc_cup", "lesions", "conditions")


def say_sure(said: Spoken, look: Look, asked: Asked) -> None:
    """Say how far the values and suspicions of the last answer can be trusted."""
    about = asked.about or ("condition",)
    before = len(said.parts)
    if not look.refused:
        _say_repeats(said, look, _quantities(asked, about))
    say_skill(said, look, about if not look.refused else ("quality",), asked.terms)
    if len(said.parts) == before:
        said.plain("sure_nothing", look)


def _quantities(asked: Asked, about: Sequence[str]) -> list[str]:
    names = [*asked.quantities]
    for topic in about if not names else ():
        names += DEFAULTS.get(topic, ()) or family(topic)
    return list(dict.fromkeys(names))


def _say_repeats(said: Spoken, look: Look, names: Sequence[str]) -> None:
    """Say the repeatability of each quantity that was measured."""
    told, known = 0, False
    for name in names:
        found = [
            m
            for m in measured(look.facts.record)
            if m.name == name and m.of in ("", "all") and m.where in ("", "whole", "zone_b")
        ]
        words = terms.quantity(name).names(said.language)[0]
        if not found or told >= MOST_FIGURES:
            continue
        told += 1
        one = found[0]
        if one.repeatability is None:
            said.plain("repeat_unknown", look, name=words)
            continue
        known = True
        decimals = max(terms.quantity(name).decimals, 0) + 1
        d = number_text(
            Statement("measurement", name, one.repeatability, unit=one.unit, decimals=decimals)
        )
        statement = next(
            s
            for s in look.of("measurement")
            if (s.term, s.of, s.where) == (name, one.of, one.where)
        )
        evidence = of_statement(statement, look.facts, look.places, said.language, look.number)
        said.figure("repeat", evidence, (d,), d=d, name=words)
    if known:
        said.plain("repeat_camera", look)


def say_why(said: Spoken, look: Look, asked: Asked) -> None:
    """Say on what the last answer rests: probabilities, lesions outlined, facts that link them."""
    said.plain("why_looked", look)
    if look.refused:
        said.say(look, look.of("quality"))
        return
    named = [t for t in asked.terms if t in terms.conditions()]
    say_named(said, look, named) if named else say_conditions(said, look, asked)
    signs = [fact for term in named or suspected(look) for fact in _signs(term, look)]
    if signs:
        said.plain("why_signs", look)
        seen = {fact.object for fact in signs}
        said.say(look, [s for s in look.of("lesion_count") if s.term in seen])
        say_facts(said, signs[:3], random.Random(0), general=True)
    elif not named and not suspected(look):
        said.say(look, look.of("lesion_count"))


def _signs(term: str, look: Look) -> list[Fact]:
    """Return the facts that call a lesion outlined here a sign of the condition, one a lesion."""
    outlined = {s.term for s in look.of("lesion_count")}
    found: dict[str, Fact] = {}
    for fact in knowledge().facts_of(term, "visual"):
        if fact.link == "sign" and fact.object in outlined:
            found.setdefault(fact.object, fact)
    return list(found.values())


def say_tools(said: Spoken, looks: Sequence[Look], asked: Asked) -> None:
    """Say what outlined, suspected and measured."""
    names = [model(name).version for name in NETWORKS]
    evidence = Evidence(
        kind="photograph", id="photograph", words=listed(names, said.language), tool="fundoscope"
    )
    said.figure("tools", evidence, names, tools=listed(names, said.language))
    said.plain("tools_measure")
    said.plain("tools_offline")


def say_next(said: Spoken, looks: Sequence[Look], asked: Asked) -> None:
    """Say which tests, check-ups and referrals sources name for what is suspected."""
    named = [t for t in asked.terms if t in terms.conditions() and with_facts(t)]
    found: list[str] = []
    for look in looks:
        here = [] if look.refused else suspected(look)
        if len(looks) > 1 and (look.refused or (here and not named)):
            said.label(label_of(look, looks, said.language), look)
        if look.refused:
            said.say(look, look.of("quality"))
            said.plain("next_retake", look)
        elif not named:
            said.say(look, [s for s in look.of("finding", "grade") if s.term in here])
        found += here
    conditions = list(dict.fromkeys(named or [t for t in found if with_facts(t)]))[:2]
    for term in conditions:
        say_facts(said, _next_facts(term, asked, looks), random.Random(0), general=True)
    if conditions:
        said.plain("next_decides")
    elif not found and any(not look.refused for look in looks):
        said.plain("next_nothing")


def _next_facts(term: str, asked: Asked, looks: Sequence[Look]) -> list[Fact]:
    """Return up to three facts: on referral, follow-up and examination, one of each first."""
    chosen: list[Fact] = []
    for link in ("referral", "follow_up", "examination"):
        facts = facts_on(with_facts(term), "examination", asked.plain, (link,), looks)
        facts = [fact for fact in facts if fact.link == link and not _ABSENT.search(fact.en)]
        facts.sort(key=lambda fact: bool(levels_of(fact)))  # no grade is known: the general first
        chosen += facts[:1]
    return chosen[:3]
