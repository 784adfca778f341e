"""Urgent symptoms must be met with the advice to seek care at once; dangerous advice is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from fundoscope.converse.consultation_records import ConsultationTurn
from fundoscope.converse.deidentify_words import words
from fundoscope.records import Language

SENTENCE = re.compile(
    r"(?:\b(?:Drs?|Mrs?|Ms|Prof|St|vs|approx|[A-Z]|e\.g|i\.e)\.|\.(?=\S)|[^.!?。！？；;\n])+"
    r"[.!?。！？；;]*|\n",
    re.IGNORECASE,
)
"""A sentence with its end, or an end of line. The points of "Dr." and 0.8 end none."""
_CLAUSE = re.compile(r"[,，、:：]|\b(?:but|however|although)\b|但是?|不过|可是")


@dataclass(frozen=True, slots=True)
class SafetySentence:
    """A sentence that may be added to the doctor's last turn, and the page that says so."""

    text: str
    source: str


def urgent_symptoms(
    turns: Iterable[ConsultationTurn], language: Language, description: str = ""
) -> list[str]:
    """Return the urgent symptoms that the patient says are there, each once.

    Examples
    --------
    >>> urgent_symptoms([ConsultationTurn("patient", "今天右眼突然看不见了")], "zh")
    ['sudden_vision_loss']
    >>> urgent_symptoms([ConsultationTurn("patient", "没有闪光感和黑影遮挡")], "zh")
    []
    """
    said = [description, *(turn.text for turn in turns if turn.role == "patient")]
    return [
        symptom
        for symptom in words("urgency")["urgent"]
        if any(
            _complained(symptom, sentence, language)
            for text in said
            for sentence in sentences(text)
        )
    ]


def urges_care(text: str, language: Language) -> bool:
    """Return whether a text tells to seek care at once, not only should things become worse.

    Examples
    --------
    >>> urges_care("Please go to the emergency department today.", "en")
    True
    >>> urges_care("If it gets worse, see a doctor immediately.", "en")
    False
    """
    return any(_urges(sentence, language) for sentence in sentences(text))


def dangers(turns: Iterable[ConsultationTurn], language: Language, urgent: bool) -> list[str]:
    """Return which kinds of dangerous advice the doctor gives.

    Parameters
    ----------
    urgent : whether the patient has an urgent symptom: only then is "no need to be seen" dangerous.
    """
    found = []
    for kind in words("urgency")["dangerous"]:
        if kind == "advice_against_care" and not urgent:
            continue
        pattern, warned = _pattern("dangerous", kind, language), _pattern("warned", "", language)
        for sentence in (
            s for turn in turns if turn.role == "doctor" for s in sentences(turn.text)
        ):
            match = pattern.search(sentence)
            if match and kind not in found:
                # "no need" is itself a negation; in the others one inside is a warning
                end = match.start() if kind == "advice_against_care" else match.end()
                if not warned.search(sentence, 0, end):
                    found.append(kind)
    return found


def safety_sentence(symptoms: Iterable[str], language: Language) -> list[SafetySentence] | None:
    """Return what to add for symptoms, or None where one of them has no sourced sentence."""
    found = []
    for symptom in symptoms:
        entry = next((e for e in words("urgency")["append"] if symptom in e["symptoms"]), None)
        if entry is None:
            return None
        sentence = SafetySentence(entry[language], entry["source"])
        if sentence not in found:
            found.append(sentence)
    return found


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, in order, without blanks around them."""
    return (match[0].strip() for match in SENTENCE.finditer(text) if match[0].strip())


def _complained(symptom: str, sentence: str, language: Language) -> bool:
    """Whether a symptom is told of, and not denied in its clause."""
    denied = _pattern("denied", "", language)
    for match in _pattern("urgent", symptom, language).finditer(sentence):
        clause = [m.end() for m in _CLAUSE.finditer(sentence, 0, match.start())]
        before = sentence[clause[-1] if clause else 0 : match.start()]
        if not denied.search(before) and not _denied_inside(match[0], language):
            return True
    return False


def _denied_inside(words_said: str, language: Language) -> bool:
    """Whether "no" opens what was matched: "no flashes and no floaters"."""
    return _pattern("denied", "", language).match(words_said) is not None


def _urges(sentence: str, language: Language) -> bool:
    return (
        _pattern("at_once", "when", language).search(sentence) is not None
        and _pattern("at_once", "where", language).search(sentence) is not None
        and _pattern("at_once", "conditional", language).search(sentence) is None
        and _pattern("at_once", "unsaid", language).search(sentence) is None
    )


@cache
def _pattern(group: str, key: str, language: Language) -> re.Pattern[str]:
    entry: dict[str, Any] = words("urgency")[group]
    patterns = (entry[key] if key else entry)[language]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
