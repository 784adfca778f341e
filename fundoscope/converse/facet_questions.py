"""Questions about a condition, drawn from a grammar (`wordings/facets.yaml`), in several forms."""

from __future__ import annotations

import random
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from fundoscope import terms
from fundoscope.converse.questions import drawn
from fundoscope.knowledge.graph import Audience, Facet
from fundoscope.records import Language

Form = Literal[
    "direct", "narrow", "follow_up", "list", "vignette", "simple", "object", "compare",
    "true_false", "photograph", "care",
]  # fmt: skip
OWN = ("normal_fundus", "dme_risk", "low_image_quality")
"""Topics that nobody has as one has a disease: they are asked about in their own words."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a condition is called in one conversation, and how verbs agree with it."""

    text: str
    """As it stands in a sentence, with its article."""
    bare: str
    plural: bool = False

    def words(self) -> dict[str, str]:
        """Return what the patterns' braces stand for."""
        verbs = ("are", "do", "have", "they") if self.plural else ("is", "does", "has", "it")
        named = dict(zip(("is", "does", "has", "it"), verbs, strict=True))
        them = "them" if self.plural else "it"
        return {"name": self.text, "bare": self.bare, "them": them, **named}


def name_of(
    term: str, language: Language, random_: random.Random, audience: Audience = "clinician"
) -> Name:
    """Return one of a term's names; abbreviations are for clinicians alone."""
    known = [name for name in terms.term(term).names(language) if audience == "clinician"
             or name.upper() != name or language == "zh"]  # fmt: skip
    if term in _grammar()["count"] or term in OWN:  # others may be no nouns that can be counted
        known = [name for name in known if _like(name, known[0])]
    bare = known[0] if random_.random() < 0.6 else random_.choice(known)
    if language == "zh":
        return Name(bare, bare)
    grammar = _grammar()
    if term in grammar["plural"]:
        plurals = [name for name in known if name.endswith("s") or name.endswith("drusen")]
        chosen = bare if bare in plurals else (terms.term(term).plural or plurals[0])
        return Name(chosen, chosen, plural=True)
    if term in grammar["count"] and not bare.isupper():
        if bare.endswith("s") and not known[0].endswith("s"):
            return Name(bare, bare, plural=True)
        return Name(f"{'an' if bare[0] in 'aeiou' else 'a'} {bare}", bare)
    return Name(bare, bare, plural=bare.endswith(("changes", "emboli", "anomalies", "exudates")))


def _like(name: str, first: str) -> bool:
    """Whether a name ends as the first one does, but for its spelling."""
    return SequenceMatcher(None, name.split()[-1], first.split()[-1]).ratio() > 0.8


def question(
    form: Form,
    topic: str,
    facet: Facet,
    language: Language,
    random_: random.Random,
    name: Name,
    link: str = "",
    **names: str,
) -> str:
    """Return a question of a form about a facet of a condition.

    Parameters
    ----------
    link : how the facts that answer are linked, for a narrow question.
    names : what else the patterns' braces stand for, such as `object` or `statement`.
    """
    words = _grammar()[language]
    own = words["own"].get(topic, {}).get(facet)
    if form in ("direct", "narrow", "vignette", "simple", "list") and own:
        patterns = own
    elif form == "narrow":
        patterns = words["links"][link]
    elif form == "direct":
        patterns = words["any"][facet]
    elif form in ("object", "compare", "true_false", "photograph", "care"):
        patterns = words[form]
    else:
        patterns = words[form][facet]
    return drawn(random_.choice(patterns), language, random_, **name.words(), **names)


def frame(
    audience: Audience, topic: str, language: Language, random_: random.Random, name: Name
) -> str:
    """Return a sentence that says who asks, or nothing."""
    pattern = random_.choice(_grammar()[language]["frames"][audience])
    if not pattern or (topic in OWN and "{name}" in pattern):
        return ""
    return drawn(pattern, language, random_, **name.words())


@cache
def facet_grammar_version() -> int:
    """Return the version that a changed grammar raises."""
    return int(_grammar()["version"])


@cache
def _grammar() -> dict[str, Any]:
    file = files("fundoscope") / "converse" / "wordings" / "facets.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
