"""What cannot wait: symptoms that somebody tells of, and suspicions whose facts say so."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.converse.facet_answers import joined
from fundoscope.knowledge.graph import Fact
from fundoscope.records import Language
from fundoscope.serve.about_conditions import suspected
from fundoscope.serve.about_knowledge import urgent_facts_of
from fundoscope.serve.asked_about import LONGEST_READ, language_of
from fundoscope.serve.replies import Message
from fundoscope.serve.spoken import Look, Spoken, word
from fundoscope.verify.lexicon import normalised

MOST_FACTS = 2
_SENTENCE = re.compile(r"[^.!?;。！？；\n]+[.!?;。！？；\n]*")


@dataclass(frozen=True, slots=True)
class Urgent:
    """A group of symptoms, and the conditions whose urgent facts are cited."""

    name: str
    conditions: tuple[str, ...]


def urgent_symptoms(text: str) -> tuple[Urgent, ...]:
    """Return the groups of symptoms that a message tells of as somebody's own, now.

    Examples
    --------
    >>> [group.name for group in urgent_symptoms("I suddenly lost vision in one eye")]
    ['loss']
    >>> urgent_symptoms("What are the symptoms of a retinal detachment?")
    ()
    """
    text = text[:LONGEST_READ]
    words = _words(language_of(text) or "en")
    found = {
        name: Urgent(name, conditions)
        for sentence in _SENTENCE.findall(" ".join(normalised(text).split()))
        if not (words.asks.search(sentence) and not words.own.search(sentence))
        for name, patterns, conditions in words.groups
        if _told(sentence, patterns, words.none_before)
    }
    return tuple(found.values())


def _told(sentence: str, patterns: Sequence[re.Pattern[str]], none_before: re.Pattern[str]) -> bool:
    for pattern in patterns:
        for match in pattern.finditer(sentence):
            if not none_before.search(sentence[: match.start()]):
                return True
    return False


def say_urgent(
    said: Spoken, messages: Sequence[Message], looks: Sequence[Look], plain: bool
) -> None:
    """Begin the answer with "seek care now", where symptoms or suspicions ask for it.

    Symptoms in the last message begin every answer to it; those of earlier messages, and what the
    record suspects, are told once.
    """
    told = [m.text for m in messages if m.role == "assistant"]
    users = [m.text for m in messages if m.role == "user"]
    last = urgent_symptoms(users[-1]) if users else ()
    earlier = tuple(group for text in users[:-1] for group in urgent_symptoms(text))
    groups = last or (() if _was_told("seek_care", told) else earlier)
    if groups:
        _say(said, "seek_care", _facts(_conditions(groups), plain))
        return
    seen = [term for look in looks for term in suspected(look) if term in _by_sight()]
    facts = _facts(seen, plain)
    if facts and not _was_told("seek_care_record", told):
        _say(said, "seek_care_record", facts)


def _say(said: Spoken, key: str, facts: Sequence[Fact]) -> None:
    said.plain(key)
    if facts:
        said.cite(facts, joined(facts, said.language, random.Random(0)))
    else:
        said.plain("urgent_no_fact")
    said.begin_urgently()


def _conditions(groups: Sequence[Urgent]) -> list[str]:
    return list(dict.fromkeys(term for group in groups for term in group.conditions))


def _facts(conditions: Sequence[str], plain: bool) -> list[Fact]:
    """Return the urgent facts of some conditions, one of each until there are enough."""
    known = [urgent_facts_of(term, plain) for term in conditions]
    in_turn = [facts[n] for n in range(max(map(len, known), default=0)) for facts in known
               if n < len(facts)]  # fmt: skip
    return in_turn[:MOST_FACTS]


def _was_told(key: str, told: Sequence[str]) -> bool:
    languages: tuple[Language, ...] = ("en", "zh")
    return any(word(key, language) in text for text in told for language in languages)


@dataclass(frozen=True)
class _Words:
    groups: tuple[tuple[str, tuple[re.Pattern[str], ...], tuple[str, ...]], ...]
    none_before: re.Pattern[str]
    asks: re.Pattern[str]
    own: re.Pattern[str]


@cache
def _by_sight() -> frozenset[str]:
    return frozenset(_data()["by_sight"])


@cache
def _data() -> dict[str, Any]:
    file = files("fundoscope") / "serve" / "words" / "urgent.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


@cache
def _words(language: Language) -> _Words:
    data: dict[str, Any] = _data()[language]
    groups = tuple(
        (name, tuple(map(re.compile, group["words"])), tuple(group["conditions"]))
        for name, group in data["groups"].items()
    )
    return _Words(
        groups,
        re.compile(data["none_before"]),
        re.compile(data["asks"]),
        re.compile(data["own"]),
    )
