"""The closed list of what an answer may say that is no fact, and sentences of a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from fundoscope.records import Language

_ENDS = {
    "en": re.compile(
        r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)\s+(?=[\"'(\[]?[A-Z0-9])|\n+"
    ),
    "zh": re.compile(r"(?<=[。！？])(?!\s*\[)\s*|\n+"),
}
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)、])\s*")
URGENT = re.compile(
    r"\bemergency\b|\bat once\b|\bimmediate(?:ly)?\b|\bsame day\b|\bwithin 24 hours\b"
    r"|\bon the day\b|\bambulance\b|\bwithout delay\b|\burgent(?:ly)?\b|急症|立即|当日|当天|马上",
    re.IGNORECASE,
)
"""Words of a fact that say that care cannot wait."""


@cache
def phrases(language: Language) -> Mapping[str, tuple[str, ...]]:
    """Return the closed list of a language, by what the phrases are for."""
    file = files("fundoscope") / "verify" / "knowledge_phrases.yaml"
    loaded = yaml.safe_load(file.read_text(encoding="utf-8"))[language]
    return {use: tuple(words) for use, words in loaded.items()}


def sentences_of(text: str, language: Language) -> list[str]:
    """Return the sentences of a text, without bullets."""
    parts = (_BULLET.sub("", part).strip() for part in _ENDS[language].split(text))
    return [part for part in parts if part]


def without_opening(sentence: str, language: Language) -> str:
    """Return a sentence without the phrase of the closed list before it."""
    known = phrases(language)
    for use in ("connect", "general", "compare", "open"):
        for phrase in known[use]:
            if sentence.lower().startswith(phrase.lower()):
                return sentence[len(phrase) :].strip()
    return sentence


def use_of(sentence: str, language: Language) -> str:
    """Return what a whole sentence of the closed list is for; empty where it is none."""
    for use in ("whole", "closing", "seek_care", "true", "false"):
        if sentence in phrases(language)[use]:
            return use
    return ""
