"""What a question asks for: aspects of the photograph, facets of a condition, or what is refused.

Rules over the vocabulary's own words (`fundoscope.terms`) and the patterns of
`words/questions.*.yaml`; no model. A follow-up takes over what the question before it spoke of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from fundoscope import terms
from fundoscope.records import LANGUAGES, Language
from fundoscope.serve.replies import Message
from fundoscope.verify.lexicon import Mention, lexicon, normalised

Side = Literal["", "left", "right", "other", "both"]
LONGEST_READ = 2000
"""Characters of a question that are read; what is longer is a pasted text."""
UNKNOWN = "unknown"
REFUSE = "refuse:"
FACETS = ("visual", "causes", "examination", "treatment", "prognosis")
ACTS = ("compare", "patient", "sure", "sources", "tool", "why", "next")
"""What speaks of the answer before, or of the photograph as a whole."""
_NO_TERM = {"abnormality", "normal_fundus", "low_image_quality", "tortuous_vessels"}
"""Words of the vocabulary that ask after an aspect, not after a condition."""
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "calibre": ("crae_", "crve_", "avr_", "average_width"),
    "tortuosity": ("distance_tort", "squared_curv", "tortuosity"),
    "fractal": ("fractal_",),
    "branching": ("branching_", "junction_"),
    "disc": ("disc_", "cup_", "cdr_", "rim_"),
    "fovea": ("fovea_",),
}
_SENTENCE = re.compile(r"[^.!?;。！？；\n]+(?:\.(?=\w)[^.!?;。！？；\n]*)*[.!?;。！？；\n]*")
MOST_SENTENCES = 12
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for."""

    topics: tuple[str, ...]
    """Aspects, facets, acts or `refuse:REASON`, the foremost first; `unknown` where none fits."""
    terms: tuple[str, ...] = ()
    """Conditions and lesions that it speaks of."""
    quantities: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    """For an act: the topics that it speaks of."""
    side: Side = ""
    of: tuple[str, ...] = ()
    """`all`, `arteries`, `veins`, where the question names vessels."""
    where: str = ""
    """Zone that the question names."""
    links: tuple[str, ...] = ()
    """Kinds of fact that a facet's question names."""
    plain: bool = False
    """Whether to answer as to a patient."""

    @property
    def refusal(self) -> str:
        """Why it is refused; empty where it is not."""
        first = self.topics[0]
        return first.removeprefix(REFUSE) if first.startswith(REFUSE) else ""


def language_of(text: str) -> Language | None:
    """Return the language of a text; None where it has no words."""
    if _HAN.search(text):
        return "zh"
    return "en" if _LATIN.search(text) else None


def asked(messages: Sequence[Message]) -> Asked:
    """Return what the last message of the user asks for, in the light of those before it."""
    found, before = Asked((UNKNOWN,)), None
    for message in messages:
        if message.role == "user":
            found = understood(message.text, before)
            before = before if found.refusal else found  # "and the left eye?" means what was told
    return found


def understood(text: str, before: Asked | None = None) -> Asked:
    """Return what a question asks for.

    Parameters
    ----------
    before : what the question before it asked for.

    Examples
    --------
    >>> understood("How many microaneurysms are there?").topics
    ('lesions',)
    >>> understood("and where?", understood("How many microaneurysms are there?")).terms
    ('microaneurysm',)
    """
    found = _read(text[:LONGEST_READ])
    return found if before is None or found.refusal else _in_the_light_of(found, before)


def _in_the_light_of(found: Asked, before: Asked) -> Asked:
    spoken = before.about or before.topics
    if found.topics == (UNKNOWN,):
        if not (found.side or found.of or found.where or found.terms or found.quantities):
            return found
        if before.refusal or before.topics == (UNKNOWN,):
            return found
        if found.side and {*spoken} & {*FACETS, *_OF_THE_TALK}:
            return replace(found, topics=("summary",))  # what was spoken of lies in no eye
        return replace(
            before,
            terms=found.terms or before.terms,
            quantities=found.quantities or before.quantities,
            side=_side(found.side, before),
            of=found.of or before.of,
            where=found.where or before.where,
        )
    topic = found.topics[0]
    if topic in ACTS and not found.about and not before.refusal and spoken != (UNKNOWN,):
        found = replace(found, about=spoken, quantities=found.quantities or before.quantities)
        found = replace(found, side=found.side or before.side, of=found.of or before.of)
    if topic in (*ACTS, *FACETS, "where", "lesions", "grade") and not found.terms:
        found = replace(found, terms=before.terms)
    return replace(found, side=_side(found.side, before))


def _side(side: Side, before: Asked) -> Side:
    if side != "other" or before.side not in ("left", "right"):
        return side
    return "right" if before.side == "left" else "left"


@lru_cache(maxsize=4096)
def _read(text: str) -> Asked:
    """Return what a message asks for by itself: its questions, where it has some."""
    sentences = [s.strip() for s in _SENTENCE.findall(text) if s.strip()][:MOST_SENTENCES]
    if len(sentences) < 2:
        return _read_one(text)
    found = [_read_one(s) for s in sentences if s.endswith(("?", "？"))] or [
        _read_one(s) for s in sentences
    ]
    known = [one for one in found if one.topics != (UNKNOWN,)]
    whole = _read_one(text)
    if not known or whole.refusal == "injection":
        return whole
    refused = next((one for one in known if one.refusal), None)
    return refused or _together(known)


def _together(known: Sequence[Asked]) -> Asked:
    """Return the last of several questions, with what those before it ask of the photograph."""
    last = known[-1]
    of_photograph = [one for one in known if not {*one.topics} & {*ACTS, *FACETS}]
    if last not in of_photograph:
        return last
    return replace(
        last,
        topics=_union(one.topics for one in of_photograph),
        terms=_union(one.terms for one in of_photograph),
        quantities=_union(one.quantities for one in of_photograph),
    )


def _union(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for some in several for one in some))


@lru_cache(maxsize=4096)
def _read_one(text: str) -> Asked:
    """Return what a sentence asks for."""
    language = language_of(text) or "en"
    plain = " ".join(normalised(text).split())
    if why := _first(plain, "refusals", language):
        return Asked((f"{REFUSE}{why}",))
    named = _Named(plain, language)
    side: Side = _first(plain, "selects", language) or ""  # type: ignore[assignment]
    common = Asked(
        (UNKNOWN,), named.terms, named.quantities, side=side, of=named.of, where=named.where
    )
    about = _topics(named, language)
    if named.terms and (facet := _first(named.text, "facets", language)):
        return _of_facet(common, facet, named.text, language)
    if act := _first(plain, "acts", language):
        also = tuple(topic for topic in about if topic not in _SMALL)
        return replace(common, topics=(act,), about=also, plain=act == "patient")
    if not about and (facet := _first(named.text, "facets", language)):
        return _of_facet(common, facet, named.text, language)
    if set(about) <= _SMALL and (facet := _first(named.text, "facets", language)):
        return _of_facet(common, facet, named.text, language)
    return replace(common, topics=about) if about else common


_OF_THE_TALK = ("sources", "tool", "help", "hello", "thanks", "privacy")
"""Topics that speak of the assistant, not of a photograph."""
_SMALL = {"summary", "condition", "help", "hello", "thanks", "healthy"}
"""Topics so general that a facet or an act beside them is what was meant."""


def _of_facet(common: Asked, facet: str, text: str, language: Language) -> Asked:
    links = tuple(name for name, known in _rules("links", language) if _fits(known, text))
    patient = _fits(dict(_rules("acts", language))["patient"], text)
    return replace(common, topics=(facet,), links=links, plain=patient)


def _topics(named: _Named, language: Language) -> tuple[str, ...]:
    """Return the aspects that are asked for, the foremost first."""
    fitting = [topic for topic, known in _rules("topics", language) if _fits(known, named.text)]
    families = [_family(quantity) for quantity in named.quantities]
    lesions = [term for term in named.terms if term in terms.lesions()]
    found: list[str] = []
    if "spread" in fitting:
        found.append("spread")
    elif "where" in fitting and (
        lesions or not (families or "fovea" in fitting or "disc" in fitting)
    ):
        found.append("where")
    found += families
    if lesions and not found and "grade" not in fitting:
        found.append("lesions")
    if len(lesions) < len(named.terms) and "grade" not in fitting:
        found.append("condition")
    if families or (found and found[0] in ("where", "spread", "lesions", "condition")):
        return tuple(dict.fromkeys([*found, *(t for t in fitting if t in _BESIDE)]))
    general = [topic for topic in fitting if topic != "where"]
    specific = [topic for topic in general if topic not in _SMALL]
    if set(specific) & _OF_VESSELS:
        specific = [topic for topic in specific if topic not in ("vessels", "measurements")]
    if set(specific) & _OF_VESSELS - {"zones"}:
        specific = [topic for topic in specific if topic != "zones"]
    return tuple(specific or general[:1])


_OF_VESSELS = {"calibre", "tortuosity", "fractal", "branching", "zones"}
"""Topics that say more exactly what of the vessels is asked for."""


_BESIDE = {"quality", "eye", "modality"}
"""Topics that may be asked for in one breath with a condition or quantity."""


@cache
def _family(quantity: str) -> str:
    """Return the topic under which a quantity is asked for; its own where it has none."""
    for topic, starts in _FAMILIES.items():
        if quantity.startswith(starts):
            return topic
    return "quantity"


def family(topic: str) -> tuple[str, ...]:
    """Return the quantities of a topic."""
    starts = _FAMILIES.get(topic, ())
    return tuple(name for name in terms.quantities() if starts and name.startswith(starts))


class _Named:
    """What of the vocabulary a question names; its text with placeholders for it."""

    def __init__(self, text: str, language: Language) -> None:
        self.text = text
        found: dict[str, list[str]] = {"term": [], "quantity": [], "vessels": [], "zone": []}
        for family_, mark in (("quantities", "quantity"), ("terms", "term")):
            for name, known in _rules(family_, language):
                for pattern in known:
                    self.text, count = pattern.subn(f"<{mark}>", self.text)
                    if count and name not in found[mark]:
                        found[mark].append(name)
        for other in LANGUAGES if language == "zh" else (language,):
            for mention in reversed(lexicon(other).find(self.text)):
                self._take(mention, found)
        self.terms = tuple(t for t in found["term"] if t in _speakable() and t not in _NO_TERM)
        self.quantities = tuple(dict.fromkeys(found["quantity"]))
        self.of = tuple(dict.fromkeys(found["vessels"]))
        self.where = next(iter(found["zone"]), "")

    def _take(self, mention: Mention, found: dict[str, list[str]]) -> None:
        for kind, names in found.items():
            word = mention.of_kind(kind)
            if word is None or (kind == "term" and word.id not in _speakable() - _NO_TERM):
                continue
            if word.id not in names:
                names.insert(0, word.id)
            if kind in ("term", "quantity"):
                self.text = f"{self.text[: mention.start]}<{kind}>{self.text[mention.end :]}"
                return


@cache
def _speakable() -> frozenset[str]:
    return frozenset({*terms.conditions(), *terms.lesions()})


def _first(text: str, kind: str, language: Language) -> str:
    """Return the first name of a family of rules that fits; empty where none does."""
    return next((name for name, known in _rules(kind, language) if _fits(known, text)), "")


def _fits(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


@cache
def _rules(kind: str, language: Language) -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    known = _words(language).get(kind, {})
    return tuple(
        (name, tuple(re.compile(pattern) for pattern in patterns))
        for name, patterns in known.items()
    )


@cache
def _words(language: Language) -> dict[str, Any]:
    file = files("fundoscope") / "serve" / "words" / f"questions.{language}.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
