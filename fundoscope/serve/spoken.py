"""An answer under way: its parts, each held by a record, a fact or nothing, and its evidence."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from fundoscope.describe.wording import sentences
from fundoscope.knowledge.graph import Fact
from fundoscope.records import Language, Statement, Unmeasured
from fundoscope.serve.evidence import of_fact, of_statement, without_repeats
from fundoscope.serve.replies import Evidence, Seen
from fundoscope.verify.check import Facts

Kind = Literal["label", "statement", "fact", "plain", "figure", "source"]
"""`plain` claims nothing; a `figure` holds numbers of its evidence; a `source` cites."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer, and what it must be held against."""

    kind: Kind
    text: str
    photograph: int = 0
    facts: tuple[Fact, ...] = ()
    figures: tuple[str, ...] = ()
    """Numbers that a `figure` may hold, as written."""


@dataclass(frozen=True)
class Look:
    """One photograph of the conversation, its record laid out."""

    number: int
    seen: Seen
    facts: Facts
    places: Mapping[Statement, int]
    """Which statement of the record it is."""

    @property
    def refused(self) -> str:
        """Why nothing is measured in it; empty where something may be."""
        return self.seen.masks.refused

    def of(self, *aspects: str) -> list[Statement]:
        """Return the record's statements of some aspects, in order."""
        return [s for s in self.facts.said if s.aspect in aspects]


def looks_at(seen: Sequence[Seen]) -> tuple[Look, ...]:
    """Return the photographs of a conversation with their records laid out."""
    return tuple(Look(number, one, *_laid_out(one)) for number, one in enumerate(seen))


MOST_LAID_OUT = 64
_lock = threading.Lock()
_laid: dict[tuple[str, str | None], tuple[Facts, Mapping[Statement, int]]] = {}
"""Records laid out for the answers before: laying one out takes longer than an answer."""


def _laid_out(seen: Seen) -> tuple[Facts, Mapping[Statement, int]]:
    key, record = (seen.sha256, seen.eye), seen.record
    with _lock:
        found = _laid.get(key)
    if found is not None and found[0].record == record:
        return found
    facts = Facts.of(record)
    found = facts, {statement: place for place, statement in enumerate(facts.said)}
    with _lock:
        _laid[key] = found
        if len(_laid) > MOST_LAID_OUT:
            del _laid[next(iter(_laid))]
    return found


@dataclass
class Spoken:
    """An answer as it grows."""

    language: Language
    parts: list[Part] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    urgent: bool = False
    refused: str = ""
    _urgent: tuple[int, int] = (0, 0)
    """How many parts, and pieces of evidence, the urgent beginning has."""

    def say(self, look: Look, chosen: Iterable[Statement]) -> None:
        """Add the sentences of some statements of a record."""
        chosen = list(chosen)
        if chosen:
            text = joined(sentences(chosen, self.language), self.language)
            self.parts.append(Part("statement", text, look.number))
            self.evidence += [
                of_statement(one, look.facts, look.places, self.language, look.number)
                for one in chosen
            ]

    def plain(self, key: str, look: Look | None = None, **names: str) -> None:
        """Add a sentence of the assistant's own, which claims nothing that a record denies."""
        text = word(key, self.language).format(**names)
        self.parts.append(Part("plain", text, look.number if look else 0))

    def figure(self, key: str, evidence: Evidence, figures: Sequence[str], **names: str) -> None:
        """Add a sentence with numbers that no statement says, and what they come from."""
        text = word(key, self.language).format(**names)
        self.parts.append(Part("figure", text, evidence.photograph, figures=tuple(figures)))
        self.evidence.append(evidence)

    def label(self, text: str, look: Look) -> None:
        """Add the name of a photograph before what is said of it."""
        self.parts.append(Part("label", text, look.number))

    def cite(self, facts: Sequence[Fact], text: str) -> None:
        """Add facts, joined to a text."""
        self.parts.append(Part("fact", text, facts=tuple(facts)))
        self.evidence += [of_fact(fact, self.language) for fact in facts]

    def source(self, text: str) -> None:
        """Add a line that cites a source."""
        self.parts.append(Part("source", text))

    def begin_urgently(self) -> None:
        """Take what was said so far as the urgent beginning of the answer."""
        self.urgent, self._urgent = True, (len(self.parts), len(self.evidence))

    @property
    def urgent_text(self) -> str:
        """The urgent beginning; empty where there is none."""
        return self._text_of(self.parts[: self._urgent[0]])

    @property
    def urgent_evidence(self) -> tuple[Evidence, ...]:
        """What the urgent beginning rests on."""
        return tuple(self.evidence[: self._urgent[1]])

    @property
    def text(self) -> str:
        """The whole answer; labels and sources begin a line, and what follows urgent words."""
        texts = (self.urgent_text, self._text_of(self.parts[self._urgent[0] :]))
        return "\n".join(text for text in texts if text)

    def _text_of(self, parts: Sequence[Part]) -> str:
        lines: list[list[str]] = [[]]
        for part in parts:
            if part.kind in ("label", "source") and lines[-1]:
                lines.append([])
            lines[-1].append(part.text)
        return "\n".join(joined(line, self.language) for line in lines if line)

    @property
    def cited(self) -> tuple[Evidence, ...]:
        """The evidence, each once."""
        return without_repeats(self.evidence)


def joined(parts: Iterable[str], language: Language) -> str:
    """Join sentences as the language does."""
    return (" " if language == "en" else "").join(part for part in parts if part)


def listed(names: Sequence[str], language: Language) -> str:
    """Return `a, b and c`, or `a、b和c`."""
    comma, last = (", ", " and ") if language == "en" else ("、", "和")
    return last.join(filter(None, [comma.join(names[:-1]), names[-1]])) if names else ""


def word(key: str, language: Language) -> str:
    """Return a sentence of `words/answers.*.yaml`; a key such as `refuse.dose` reaches inside."""
    found: Any = _words(language)
    for part in key.split("."):
        found = found[part]
    return str(found)


def reason_words(unmeasured: Unmeasured, language: Language) -> str:
    """Return why a quantity has no value, for readers in either language."""
    known, places, other = _reasons()
    for pattern, wordings in known:
        if match := pattern.fullmatch(unmeasured.reason):
            groups = [_in(group, places, language) for group in match.groups()]
            return _filled(wordings[language], groups)
    return other[language]


def _filled(wording: str, groups: Sequence[str]) -> str:
    for number, group in enumerate(groups, 1):
        wording = wording.replace(f"\\{number}", group)
    return wording


def _in(name: str, places: dict[str, str], language: Language) -> str:
    return places.get(name, name) if language == "zh" else name


@cache
def _reasons() -> tuple[
    list[tuple[re.Pattern[str], dict[Language, str]]], dict[str, str], dict[Language, str]
]:
    data = _read("reasons.yaml")
    return [(re.compile(one["of"]), one) for one in data["reasons"]], data["places"], data["other"]


@cache
def _words(language: Language) -> dict[str, Any]:
    return _read(f"answers.{language}.yaml")


def _read(name: str) -> dict[str, Any]:
    file = files("fundoscope") / "serve" / "words" / name
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
