"""Facts joined to an answer: each once, in turn, with words between that claim nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache

from fundoscope import terms
from fundoscope.converse.facet_choice import differs_from
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.records import Language
from fundoscope.verify.knowledge_phrases import phrases

_SINGULAR = re.compile(r"(is|has|can|may|usually|often|typically|was)\b")
_WORD = re.compile(r"[A-Za-zÀ-ÿ'-]+")
CONNECTED = 0.3
"""How often a sentence is led in by a phrase."""


def joined(
    facts: Sequence[Fact], language: Language, random_: random.Random, *, general: bool = False
) -> str:
    """Return the sentences of facts as running text.

    Parameters
    ----------
    general : whether to say first that it is general knowledge, and no photograph's description.
    """
    said: list[str] = []
    for index, fact in enumerate(facts):
        text, before = fact.text(language), facts[index - 1] if index else None
        opening = _opening(fact, before, general, language, random_)
        if opening:
            said.append(led_in(opening, text, language))
        elif before is not None and _same_subject(before, fact, language):
            said.append(_with_pronoun(fact, text))
        else:
            said.append(text)
    return (" " if language == "en" else "").join(said)


def listed(facts: Sequence[Fact], language: Language) -> str:
    """Return the sentences of facts one a line."""
    return "\n".join(f"- {fact.text(language)}" for fact in facts)


def led_in(phrase: str, text: str, language: Language) -> str:
    """Return a sentence behind a phrase, its first letter small unless it is a name's."""
    if language == "zh":
        return phrase + text
    return f"{phrase} {text if begins_with_name(text) else text[0].lower() + text[1:]}"


def begins_with_name(text: str) -> bool:
    """Whether an English sentence begins with a word that is written with a capital anywhere."""
    first = _WORD.match(text)
    word = first[0].split("-")[0] if first else ""  # "Anti-VEGF" begins with no name
    return not word or word[1:] != word[1:].lower() or word in _names()


@cache
def _names() -> frozenset[str]:
    """Words that facts write with a capital in mid-sentence, and nowhere without."""
    inside = [word for fact in knowledge().facts for word in _WORD.findall(fact.en)[1:]]
    small = {word for word in inside if word[0].islower()}
    return frozenset(word for word in inside if word[0].isupper() and word.lower() not in small)


def _opening(
    fact: Fact, before: Fact | None, general: bool, language: Language, random_: random.Random
) -> str:
    known = phrases(language)
    if before is None:
        if general:
            return random_.choice(known["general"])
        return random_.choice(known["open"]) if random_.random() < CONNECTED / 3 else ""
    if differs_from(fact, before):
        return random_.choice(known["compare"])
    return random_.choice(known["connect"]) if random_.random() < CONNECTED else ""


def _same_subject(before: Fact, fact: Fact, language: Language) -> bool:
    """Whether both sentences begin with the condition's name, so that a pronoun is clear."""
    return (
        language == "en"
        and _begins_with(before.en, before.condition) != ""
        and _SINGULAR.match(fact.en[len(_begins_with(fact.en, fact.condition)) :].lstrip())
        is not None
        and _begins_with(fact.en, fact.condition) != ""
        and before.condition == fact.condition
    )


def _with_pronoun(fact: Fact, text: str) -> str:
    return "It" + text[len(_begins_with(text, fact.condition)) :]


def _begins_with(text: str, condition: str) -> str:
    """Return the name of the condition with which a sentence begins, with its article."""
    for name in sorted(terms.term(condition).en, key=len, reverse=True):
        for article in ("", "a ", "an ", "the "):
            begin = article + name
            if text.lower().startswith(begin.lower() + " "):
                return text[: len(begin)]
    return ""
