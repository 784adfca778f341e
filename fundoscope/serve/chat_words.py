"""The words of the chat page, those of the report among them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from fundoscope.records import Language
from fundoscope.serve.report_words import Words, report_entries


@cache
def chat_words(language: Language) -> Words:
    """Return the words of the chat page in a language; what it lacks is the report's."""
    file = files("fundoscope.serve") / "chat_page" / "words.yaml"
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Words({**report_entries(), **own}, language)
