"""The track `knowledge`: what is known of a condition, in five facets, from facts with a source.

A dialogue is planned first: which questions, which facts answer each, and what is said of the
photograph. The composer then joins the facts; a server is asked to word them (`asking`). About a
photograph, its record decides what is there; all else is told as general knowledge.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import get_args

from fundoscope import terms
from fundoscope.converse.composer import (
    Speaker,
    condition_statements,
    lesion_counts,
    register_track,
    speaker_of,
)
from fundoscope.converse.facet_answers import joined, listed
from fundoscope.converse.facet_choice import (
    CORE,
    choose,
    choose_broadly,
    is_urgent,
    orders,
    readable,
    urgent_facts,
)
from fundoscope.converse.facet_questions import (
    OWN,
    Form,
    Name,
    facet_grammar_version,
    frame,
    name_of,
    question,
)
from fundoscope.converse.facet_topics import Linked, after_nothing, linked
from fundoscope.knowledge.graph import LINKS, Audience, Facet, Fact, knowledge
from fundoscope.records import Language, Turn
from fundoscope.verify.check import Facts
from fundoscope.verify.knowledge import denied
from fundoscope.verify.knowledge_phrases import URGENT, phrases

TRACK = "knowledge"
VERSION = 1
"""Raised when the same seed gives other words."""
ENOUGH = 30
"""Orders of facts beyond which a facet is not asked for more often."""
_SYMPTOMS = re.compile(r"symptom|sudden|floater|flash|loss of|blur|pain", re.I)


@dataclass(frozen=True, slots=True)
class Planned:
    """A turn to be had."""

    question: str
    about: str
    """Its facet, or what else it is about."""
    facts: tuple[Fact, ...] = ()
    before: str = ""
    """Said before the facts: of the photograph, or whether a statement is right."""
    after: str = ""
    """Said behind them; claims nothing that the facts do not."""
    as_list: bool = False
    general: bool = False
    """Whether the facts are marked as general knowledge."""
    audience: Audience = "student"
    stated: Fact | None = None
    """The fact that the question states or denies, where it is not among the facts told."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the facts that the turn rests on."""
        return tuple(fact.id for fact in self.given)

    @property
    def given(self) -> tuple[Fact, ...]:
        """Facts that the turn rests on: those told, and one that the question states."""
        return (*self.facts, self.stated) if self.stated else self.facts

    def turn(self, answer: str, language: Language) -> Turn:
        """Return the turn whose facts were worded as `answer`."""
        parts = [part for part in (self.before, answer, self.after) if part]
        between = "\n" if self.as_list else " " if language == "en" else ""
        return Turn(self.question, between.join(parts), (self.about,), self.ids)


def facets_version() -> str:
    """Return what decides the words of the track beside record and seed."""
    return f"{VERSION}.{facet_grammar_version()}.{knowledge_digest()}"


@cache
def knowledge_digest() -> str:
    """Return a hash of every fact: where one changes, what was said with it is said anew."""
    digest = blake2b(digest_size=5)
    for fact in knowledge().facts:
        told = (fact.id, fact.en, fact.zh, fact.status, *fact.audience)
        digest.update("|".join(told).encode())
    return digest.hexdigest()


@register_track(TRACK, facets_version)
def knowledge_turns(speaker: Speaker) -> tuple[Turn, ...]:
    """Return the turns of a dialogue, its facts in their own words."""
    return tuple(
        one.turn(_worded(one, speaker.language, speaker.random), speaker.language)
        for one in plan(speaker)
    )


def planned(facts: Facts, language: Language, seed: int) -> tuple[Planned, ...]:
    """Return the plan of a record's dialogue; empty where nothing can be said in general."""
    return tuple(plan(speaker_of(facts, TRACK, language, seed)))


def _worded(one: Planned, language: Language, random_: random.Random) -> str:
    if not one.facts:
        return ""
    if one.as_list:
        return listed(one.facts, language)
    return joined(one.facts, language, random_, general=one.general)


def plan(speaker: Speaker) -> list[Planned]:
    """Return the turns to be had about a record, in order."""
    link = linked(speaker.facts, speaker.random)
    if link is None:
        return []
    planner = _Planner(speaker, link)
    if link.standing == "text":
        return list(planner.facets(speaker.random.choices((1, 2, 3, 4), (2, 3, 3, 2))[0]))
    if link.standing == "absent":
        return [planner.nothing_found(), *planner.care()]
    return [planner.found(), *planner.facets(speaker.random.randint(1, 4), after="visual")]


class _Planner:
    """One dialogue: a condition, somebody who asks, one seeded stream of choices."""

    def __init__(self, speaker: Speaker, link: Linked) -> None:
        self.speaker, self.link = speaker, link
        self.random, self.language = speaker.random, speaker.language
        self.asked: set[str] = set()
        self.audience = self._audience()
        self.name: Name = name_of(link.topic, self.language, self.random, self.audience)

    def _audience(self) -> Audience:
        """Draw who asks, the oftener the more different answers there are for them."""
        readers: tuple[Audience, ...] = get_args(Audience)
        known = knowledge().facts_of(self.link.topic)
        weights = [min(30, orders(len(readable(known, one)))) for one in readers]
        return self.random.choices(readers, weights)[0]

    def pool(self, facet: Facet) -> list[Fact]:
        """Return the facts of a facet that may be told."""
        known = knowledge().facts_of(self.link.topic, facet)
        return [fact for fact in readable(known, self.audience) if self.link.fits(fact)]

    # about a condition

    def facets(self, count: int, after: Facet | None = None) -> Iterator[Planned]:
        """Yield turns about different facets; one of which more is known is drawn more often."""
        pools = {facet: pool for facet in LINKS if facet != after and (pool := self.pool(facet))}
        for index in range(min(count, len(pools))):
            weights = [min(ENOUGH, orders(len(pool))) for pool in pools.values()]
            facet = self.random.choices(list(pools), weights)[0]
            yield self._new_turn(facet, pools.pop(facet), bool(index) or after is not None)

    def _new_turn(self, facet: Facet, pool: list[Fact], follows: bool) -> Planned:
        """Return a turn whose question was not asked yet."""
        while True:
            turn = self._turn(facet, pool, follows)
            if turn.question not in self.asked:
                self.asked.add(turn.question)
                return turn

    def _turn(self, facet: Facet, pool: list[Fact], follows: bool) -> Planned:
        form = self._form(facet, pool, follows)
        if form == "true_false":
            return self._true_false(facet, pool)
        if form == "compare":
            return self._compare(facet, pool)
        facts, named = self._answer(form, facet, pool)
        asked = question(
            form, self.link.topic, facet, self.language, self.random, self.name, **named
        )
        if not follows and form in ("direct", "narrow", "list", "object"):
            who = frame(self.audience, self.link.topic, self.language, self.random, self.name)
            asked = (f"{who} {asked}" if self.language == "en" else who + asked).strip()
        facts = self._with_urgent(facts)
        return Planned(
            asked, facet, facts,
            after=self._closing(facts, form == "list"), as_list=form == "list",
            general=self.link.standing == "present" and self.random.random() < 0.3,
            audience=self.audience,
        )  # fmt: skip

    def _form(self, facet: Facet, pool: list[Fact], follows: bool) -> Form:
        several = len(pool) >= 3
        weights: dict[Form, float] = {"narrow": 3}
        if any(fact.link in CORE[facet] for fact in pool):  # it can be asked for as a whole
            weights |= {"direct": 4, "vignette": 0 if self.link.standing == "present" else 1.5}
            if follows and self.link.alone and self.link.topic not in OWN:
                weights["follow_up"] = 8
            if self.audience == "patient":
                weights["simple"] = 3
            if several:
                weights["list"] = 1.5
        if any(fact.object for fact in pool):
            weights["object"] = 1
        if self._sayable(pool):
            weights["true_false"] = 0.8 if several else 0.2
        if facet == "visual" and self._mimics(pool):
            weights["compare"] = 2
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _answer(
        self, form: Form, facet: Facet, pool: list[Fact]
    ) -> tuple[tuple[Fact, ...], dict[str, str]]:
        """Return the facts that answer, and what else the question names."""
        if form == "narrow":
            kinds = [fact.link for fact in pool]
            well = [kind for kind in kinds if kinds.count(kind) >= 2]
            link = self.random.choice(well if well and self.random.random() < 0.85 else kinds)
            return choose([f for f in pool if f.link == link], self.random), {"link": link}
        if form == "object":
            object_ = self.random.choice(sorted({fact.object for fact in pool} - {""}))
            about = [fact for fact in pool if fact.object == object_]
            return choose(about, self.random), {"object": _term_name(object_, self.language)}
        return choose_broadly(facet, pool, self.random, 3 if form == "list" else 2), {}

    def _mimics(self, pool: list[Fact]) -> list[Fact]:
        known = knowledge().conditions
        return [fact for fact in pool if fact.link == "mimic" and fact.object in known]

    def _compare(self, facet: Facet, pool: list[Fact]) -> Planned:
        """Plan a comparison with a condition for which it can be taken."""
        mimic = self.random.choice(self._mimics(pool))
        others = readable(knowledge().facts_of(mimic.object, "visual"), self.audience)
        mine = [f for f in pool if f.link in ("definition", "sign") and f != mimic]
        theirs = [f for f in others if f.link in ("definition", "sign")]
        told = [mimic, *choose(mine, self.random, 1, 1), *choose(theirs, self.random, 1, 1)]
        self.random.shuffle(told)
        other = name_of(mimic.object, self.language, self.random, self.audience)
        asked = question(
            "compare", self.link.topic, facet, self.language, self.random, self.name,
            other=other.text,
        )  # fmt: skip
        return Planned(asked, facet, tuple(told), audience=self.audience)

    def _sayable(self, pool: list[Fact]) -> list[Fact]:
        return [fact for fact in pool if fact.condition == self.link.topic and not fact.guideline]

    def _true_false(self, facet: Facet, pool: list[Fact]) -> Planned:
        """Plan a statement to be judged: a fact, or a fact denied."""
        known = self._sayable(pool)
        deniable = [fact for fact in known if denied(fact, self.language)]
        wrong = bool(deniable) and self.random.random() < 0.6
        fact = self.random.choice(deniable if wrong else known)
        statement = denied(fact, self.language) if wrong else fact.text(self.language)
        others = [other for other in pool if other != fact]
        more = choose(others, self.random, 0 if wrong else 1, 2 if wrong else 3)
        asked = question(
            "true_false", self.link.topic, facet, self.language, self.random, self.name,
            statement=statement,
        )  # fmt: skip
        return Planned(
            asked, facet, (fact, *more) if wrong or not more else more,
            before=self.random.choice(phrases(self.language)["false" if wrong else "true"]),
            audience=self.audience, stated=None if wrong or not more else fact,
        )  # fmt: skip

    def _with_urgent(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """Put what cannot wait before a patient's symptoms."""
        if self.audience != "patient" or not any(fact.link == "symptom" for fact in facts):
            return facts
        urgent = urgent_facts(self.link.topic, self.audience)
        if not urgent or any(map(is_urgent, facts)):
            return facts
        return (self.random.choice(urgent), *facts)[: max(len(facts), 4)]

    def _closing(self, facts: tuple[Fact, ...], as_list: bool) -> str:
        if self.audience != "patient" or as_list:
            return ""
        told = " ".join(fact.en for fact in facts)
        if URGENT.search(told) and any(map(is_urgent, facts)) and _SYMPTOMS.search(told):
            return self.random.choice(phrases(self.language)["seek_care"])
        if self.random.random() < 0.25:
            return self.random.choice(phrases(self.language)["closing"])
        return ""

    # about a photograph

    def found(self) -> Planned:
        """Plan the first turn about a photograph: what is recorded, then what is known of it."""
        known = [
            fact for fact in self.pool("visual") if fact.link in ("definition", "sign", "grade")
        ]
        known = [fact for fact in known if self._not_denied(fact)]
        facts = choose(known, self.random, 1, 2)
        said = self._recorded()
        if facts and self.random.random() < 0.4:
            said = self.speaker.joined(
                [said, self.random.choice(phrases(self.language)["whole"][:2])]
            )
        return Planned(
            self._first_question(), "photograph", facts, before=said, general=True,
            audience=self.audience,
        )  # fmt: skip

    def nothing_found(self) -> Planned:
        """Plan the first turn where what was looked for is not there."""
        grade = [
            fact
            for fact in self.pool("visual")
            if fact.link == "grade" and self.link.levels and "0" in fact.en
        ]
        said = [self._recorded()]
        if self.speaker.facts.status_of("normal_fundus") != "present":
            said.append(phrases(self.language)["whole"][2])
        facts = tuple(grade[:1]) if self.random.random() < 0.5 else ()
        return Planned(
            self._first_question(), "photograph", facts, before=self.speaker.joined(said),
            general=True, audience=self.audience,
        )  # fmt: skip

    def care(self) -> Iterator[Planned]:
        """Yield what is known of prevention and checks, one turn or two."""
        known = [fact for fact in after_nothing(self.link.topic) if self.link.fits(fact)]
        for audience in (self.audience, "student", "patient", "clinician"):
            if pool := readable(known, audience):
                break
        kinds: dict[Facet, list[Fact]] = {}
        for fact in pool:
            kinds.setdefault(fact.facet, []).append(fact)
        facets = self.random.sample(list(kinds), min(len(kinds), self.random.randint(1, 2)))
        for facet in facets:
            facts = choose(kinds[facet], self.random, 1, 3)
            yield Planned(
                self._care_question(facet, facts), facet, facts,
                after=self._closing(facts, as_list=False), general=True, audience=self.audience,
            )  # fmt: skip

    def _care_question(self, facet: Facet, facts: tuple[Fact, ...]) -> str:
        kinds = {fact.link for fact in facts}
        if len(kinds) == 1:
            return question(
                "narrow", self.link.topic, facet, self.language, self.random, self.name,
                link=next(iter(kinds)),
            )  # fmt: skip
        return question("direct", self.link.topic, facet, self.language, self.random, self.name)

    def _first_question(self) -> str:
        return question(
            "photograph", self.link.topic, "visual", self.language, self.random, self.name
        )

    def _recorded(self) -> str:
        """Return what the record says of conditions, else of lesions."""
        said = condition_statements(self.speaker)
        return self.speaker.say(said or lesion_counts(self.speaker))

    def _not_denied(self, fact: Fact) -> bool:
        return not fact.object or self.speaker.facts.status_of(fact.object) != "absent"


def _term_name(id: str, language: Language) -> str:
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.systemic())
    found = next(family[id] for family in families if id in family)
    return found.names(language)[0]
