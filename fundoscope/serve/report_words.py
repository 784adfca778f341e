"""The words of the report in both languages, and what tools say in English put into Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.records import Language


class Words:
    """Words of a page in one language: `words("title")`, `words("photograph_of", number=1)`."""

    def __init__(self, entries: Mapping[str, Mapping[str, str]], language: Language) -> None:
        self._entries, self.language = entries, language

    def __call__(self, key: str, **filled: object) -> str:
        """Return a word; KeyError is a bug of the page that asks."""
        text = self._entries[key][self.language]
        return text.format(**filled) if filled else text

    def listed(self, names: tuple[str, ...] | list[str]) -> str:
        """Return names as a list in a sentence: `a, b and c`."""
        if self.language == "zh":
            return "、".join(names)
        return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


@cache
def report_words(language: Language) -> Words:
    """Return the words of the report."""
    return Words(report_entries(), language)


def reason_in(reason: str, language: Language) -> str:
    """Return a reason of the tools in a language; as it is where nobody has put it into words.

    Examples
    --------
    >>> reason_in("no mask of the optic cup was given", "zh")
    '未勾画视杯'
    """
    if language == "en":
        return reason
    for pattern, template in _reasons():
        if found := pattern.fullmatch(reason):
            parts = {name: _reason_part(text) for name, text in found.groupdict().items()}
            return template.format(**parts)
    return reason


def _reason_part(text: str) -> str:
    loaded = report_entries()
    known: Mapping[str, str] = loaded["reason_words"]
    if text in known:
        return known[text]
    parts = text.split(", ")  # a list of what is wrong with a photograph
    return "、".join(loaded[part]["zh"] if part in loaded else part for part in parts)


@cache
def _reasons() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(entry["en"]), entry["zh"]) for entry in report_entries()["reasons"]]


@cache
def report_entries() -> dict[str, Any]:
    """Return the words of the report in both languages, by key."""
    file = files("fundoscope.serve") / "report_templates" / "words.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
