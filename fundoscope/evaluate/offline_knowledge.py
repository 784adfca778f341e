"""Questions about a condition, without a photograph: which one, which facet, and its facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from fundoscope.knowledge.graph import Facet, facts_of, knowledge
from fundoscope.records import Language
from fundoscope.verify.lexicon import Lexicon, normalised

_FACETS: Mapping[Facet, re.Pattern[str]] = {
    "prognosis": re.compile(
        r"outlook|prognos|long run|over time|be expected|daily life|lifestyle|\bcourse\b"
        r"|预后|长期|转归|日常|生活方式"
    ),
    "treatment": re.compile(r"treat|prevent|therap|done about|治疗|预防"),
    "causes": re.compile(
        r"\bcaus|\bwhy\b|symptom|risk factor|lies behind|病因|成因|为什么|症状|危险因素|原因"
    ),
    "examination": re.compile(r"diagnos|examin|\btests?\b|诊断|检查"),
    "visual": re.compile(
        r"recogni|\bsee\b|appear|look|\bsigns?\b|fundus|photograph|image|识别|表现|外观|特征|眼底"
    ),
}
"""Words of a question for each facet; the first facet that has one is asked for."""


def facts_text(question: str, language: Language) -> str | None:
    """Return the facts that answer a question about a condition, or None where it is none.

    Each fact is a sentence whose source was read; nothing is added.
    """
    condition, facet = condition_in(question, language), facet_in(question)
    if condition is None or facet is None:
        return None
    texts = [fact.text(language) for fact in facts_of(condition, facet)]
    return (" " if language == "en" else "").join(texts) or None


def condition_in(question: str, language: Language) -> str | None:
    """Return the condition that a question names, the longest name where there are several."""
    known = set(knowledge().conditions)
    named = [
        (mention.end - mention.start, word.id)
        for mention in _lexicon(language).find(normalised(question))
        if (word := mention.of_kind("term")) is not None and word.id in known
    ]
    return max(named)[1] if named else None


def facet_in(question: str) -> Facet | None:
    """Return the facet that a question asks for."""
    low = question.lower()
    return next((facet for facet, words in _FACETS.items() if words.search(low)), None)


@cache
def _lexicon(language: Language) -> Lexicon:
    return Lexicon(language)
