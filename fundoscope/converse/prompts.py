"""What a language model is told: the rules, what the labels speak of, and the facts.

The words stand in `prompts/`: a template for each track, language and occasion, and
`label_spaces.yaml`, which says for every source what its labels speak of and what they do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import BaseLoader, Environment, StrictUndefined, Template

from fundoscope.describe.description import fact_lines
from fundoscope.errors import ConfigError, nearest
from fundoscope.records import Language, Photograph, Record
from fundoscope.verify.check import Facts

VERSION = 1
"""Raised when what is sent changes otherwise than by the files of `prompts/`."""

LEAST_NAME = 5
"""Characters from which a name with a digit in it, such as `IM_0012`, can only be a name."""
TRACKS = ("instruction", "alignment")
"""Tracks whose prompt holds the facts of a record; that of knowledge holds others."""
KNOWLEDGE = "knowledge"
LABEL_SPACES = "label_spaces.yaml"
OTHER_SOURCE = "other"
"""Label space of a source that is not ours: what its facts list, and nothing more."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "turns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
                "required": ["question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["turns"],
    "additionalProperties": False,
}
"""JSON schema of a structured answer; how many turns there are is checked afterwards."""

_TITLES: Mapping[Language, str] = {"en": "FACTS", "zh": "已知事实"}
_OF_THE_SET: Mapping[Language, str] = {"en": "the set", "zh": "该数据集"}


def first_messages(
    record_facts: str,
    track: str,
    language: Language,
    source: str,
    *,
    structured: bool,
    photograph: bool,
) -> tuple[str, str]:
    """Return the system message and the user message that ask for a conversation.

    The system message is the same for all records of a source, so that a server may cache it.

    Parameters
    ----------
    record_facts : of `facts_text`.
    source : whose labels they are; decides what is said of the label space.
    structured : whether the answer is to be JSON as in `SCHEMA`, else `User:` and `Assistant:`.
    photograph : whether the photograph is sent along.

    Raises
    ------
    ConfigError
        If there is no prompt for the track.
    """
    template = _template(_named(track, language))
    system = _system(track, language, source, structured, photograph)
    return system, _block(template, "user", facts=record_facts)


@dataclass(frozen=True, slots=True)
class AskedOf:
    """A question to be answered from facts of its own."""

    question: str
    audience: str
    """Who asks, in the language of the prompt."""
    facts: tuple[str, ...]
    before: str = ""
    """What is said already, before the answer."""
    as_list: bool = False


def knowledge_messages(
    turns: Sequence[AskedOf], language: Language, *, structured: bool, photograph: bool
) -> tuple[str, str]:
    """Return the system message and the user message that ask to word facts, each marked."""
    template = _template(f"{KNOWLEDGE}.{language}.j2")
    system = _block(template, "system", structured=structured, photograph=photograph)
    return system, _block(template, "user", turns=turns)


def facts_text(record: Record, language: Language, facts: Facts | None = None) -> str:
    """Return the facts of a record for a prompt: a title, one fact a line, a closing line.

    Neither the photograph's name nor the patient's is among them, nor free notes of the source; nor
    the name of the set, which for a user's own photographs is that of a folder.
    """
    said = (facts or Facts.of(record)).said
    lines = fact_lines(record, said, language, _without_names(record.photograph, language))
    return "\n".join([_TITLES[language], *lines])


def _without_names(photograph: Photograph, language: Language) -> Callable[[str], str]:
    """Return what takes names out of the words that a tool or a table wrote."""
    names = [photograph.key, photograph.id, photograph.patient or ""]
    names = [n for n in names if len(n) >= LEAST_NAME and any(map(str.isdigit, n))]
    pattern = "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names)

    @cache
    def reworded(text: str) -> str:
        if text == photograph.dataset:
            return _OF_THE_SET[language]
        if any(name in text for name in names):
            text = re.sub(pattern, "...", text)
        return " ".join(text.split())

    return reworded


def repair_message(verdict_lines: Iterable[str], language: Language) -> str:
    """Return what a model is told whose answer was refused, with every reason."""
    return _template(f"repair.{language}.j2").render(lines=list(verdict_lines)).strip()


def reread_message(reason: str, language: Language) -> str:
    """Return what a model is told whose answer could not be read."""
    return _template(f"reread.{language}.j2").render(reason=reason).strip()


@cache
def prompt_version(track: str, language: Language, source: str) -> str:
    """Return what decides the words of a prompt: our version and a hash over its files."""
    digest = blake2b(digest_size=6)
    if track == KNOWLEDGE:
        for occasion in (KNOWLEDGE, "repair", "reread"):
            digest.update(_data(f"{occasion}.{language}.j2").encode() + b"\0")
        return f"prompt-{VERSION}.{digest.hexdigest()}"
    for name in (_named(track, language), f"repair.{language}.j2", f"reread.{language}.j2"):
        digest.update(_data(name).encode() + b"\0")
    digest.update(label_space(source, language).encode())
    return f"prompt-{VERSION}.{digest.hexdigest()}"


@cache
def label_space(source: str, language: Language) -> str:
    """Return what the labels of a source speak of, and what they do not."""
    spaces = yaml.safe_load(_data(LABEL_SPACES))
    return str(spaces.get(source, spaces[OTHER_SOURCE])[language]).strip()


def _named(track: str, language: Language) -> str:
    if track not in TRACKS:
        raise ConfigError(f"there is no prompt for a track {track!r}", mend=nearest(track, TRACKS))
    return f"{track}.{language}.j2"


@lru_cache(maxsize=256)
def _system(track: str, language: Language, source: str, structured: bool, photograph: bool) -> str:
    return _block(
        _template(_named(track, language)),
        "system",
        label_space=label_space(source, language),
        structured=structured,
        photograph=photograph,
    )


def _block(template: Template, name: str, **values: object) -> str:
    return "".join(template.blocks[name](template.new_context(values))).strip()


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=BaseLoader(), undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    return environment.from_string(_data(name))


@cache
def _data(name: str) -> str:
    return (files("fundoscope") / "converse" / "prompts" / name).read_text(encoding="utf-8")
