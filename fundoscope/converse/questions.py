"""Questions as a layperson asks them, drawn from a grammar (`wordings/questions.*.yaml`)."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.records import Language

_CHOICE = re.compile(r"\[([^\]]*)\]")
_TIDY = ((re.compile(r"\s{2,}"), " "), (re.compile(r"\s+([?.,;:!])"), r"\1"))


def ask(topic: str, language: Language, random_: random.Random, **names: str) -> str:
    """Return one question about a topic.

    Parameters
    ----------
    topic : a key of the grammar, such as `condition` or `vessels`.
    names : what the pattern's braces stand for.
    """
    return _worded(random_.choice(_patterns(language)[topic]), language, random_, names)


def drawn(pattern: str, language: Language, random_: random.Random, **names: str) -> str:
    """Return one wording of a pattern in which `[a|b|]` is one of several, or nothing."""
    return _worded(_parsed_once(pattern), language, random_, names)


def _worded(
    parts: Sequence[str | list[str]],
    language: Language,
    random_: random.Random,
    names: Mapping[str, str],
) -> str:
    text = "".join(part if isinstance(part, str) else random_.choice(part) for part in parts)
    for pattern, replacement in _TIDY if language == "en" else ():
        text = pattern.sub(replacement, text)
    text = text.format(**names) if names else text
    return text[0].upper() + text[1:]


def variety(topic: str, language: Language) -> int:
    """Return how many questions the grammar can ask about a topic."""
    total = 0
    for pattern in _patterns(language)[topic]:
        product = 1
        for part in pattern:
            product *= 1 if isinstance(part, str) else len(part)
        total += product
    return total


def topics(language: Language) -> list[str]:
    """Return the topics that can be asked about."""
    return sorted(_patterns(language))


@cache
def grammar_version(language: Language) -> int:
    """Return the version that a changed grammar raises."""
    return int(_grammar(language)["version"])


@cache
def _grammar(language: Language) -> dict[str, Any]:
    file = files("fundoscope") / "converse" / "wordings" / f"questions.{language}.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


@cache
def _patterns(language: Language) -> dict[str, list[list[str | list[str]]]]:
    return {
        topic: [_parsed(pattern) for pattern in patterns]
        for topic, patterns in _grammar(language).items()
        if topic != "version"
    }


@cache
def _parsed_once(pattern: str) -> tuple[str | list[str], ...]:
    return tuple(_parsed(pattern))


def _parsed(pattern: str) -> list[str | list[str]]:
    parts: list[str | list[str]] = []
    for index, part in enumerate(_CHOICE.split(pattern)):
        if index % 2:
            parts.append(part.split("|"))
        elif part:
            parts.append(part)
    return parts
