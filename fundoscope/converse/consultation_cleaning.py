"""Take from a consultation what teaches nothing, and put what is left into turns.

Sentences of greeting, appointment, price and advertising go, unless they name something of the eye
or urge to seek care; turns of one speaker in a row become one; the patient begins and the doctor
ends. Everything that goes leaves its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from fundoscope.converse.consultation_records import ConsultationTurn, RawConsultation, Removed
from fundoscope.converse.consultation_relevance import named
from fundoscope.converse.consultation_safety import SENTENCE, urges_care
from fundoscope.converse.deidentify import plain
from fundoscope.converse.deidentify_words import words
from fundoscope.records import Language

_URL = re.compile(r"(?:https?://|www\.)[^\s，。；、）)】\]>\"'“”\u4e00-\u9fff]+")
_WHOLE = ("greeting",)
_BLANKS = re.compile(r"[ \t]{2,}")


def language_of(texts: list[str]) -> Language:
    """Return the language of texts: Chinese where Chinese characters are more than a tenth."""
    joined = "".join(texts)
    chinese = len(re.findall("[\u4e00-\u9fff]", joined))
    letters = chinese + len(re.findall("[A-Za-z]", joined))
    return "zh" if letters and chinese / letters > 0.1 else "en"


def cleaned(raw: RawConsultation, language: Language, description_opens: bool) -> RawConsultation:
    """Return a consultation without what teaches nothing; its turns may be none at all.

    Parameters
    ----------
    description_opens : whether the patient's description stands as the first turn where the doctor
        speaks first, so that an answer to it is not lost.
    """
    removed = list(raw.removed)
    description, gone = _without_chatter(raw.description, language)
    removed += [Removed(f"description: {reason}", None) for reason in gone]
    turns: list[tuple[int, ConsultationTurn]] = []
    for index, turn in enumerate(raw.turns):
        text, gone = _without_chatter(turn.text, language)
        removed += [Removed(reason, index) for reason in gone]
        if text:
            turns.append((index, ConsultationTurn(turn.role, text)))
        elif not gone:
            removed.append(Removed("empty turn", index))
    if description_opens and description and turns and turns[0][1].role == "doctor":
        turns.insert(0, (-1, ConsultationTurn("patient", description)))
    turns, dangling = _without_dangling(turns)
    removed += dangling
    merged = _merged(turns, "" if language == "zh" else " ")
    return replace(raw, description=description, turns=merged, removed=tuple(removed))


def _without_chatter(text: str, language: Language) -> tuple[str, list[str]]:
    """Return a text without its idle sentences, and why each of them went."""
    text, links = _URL.subn("", plain(text))
    gone = ["address of a page"] * links
    kept = []
    for match in SENTENCE.finditer(text):
        sentence = match[0]
        reason = idle(sentence.strip(), language) if sentence.strip() else ""
        if reason:
            gone.append(reason)
        else:
            kept.append(sentence)
    said = _BLANKS.sub(" ", "".join(kept)).strip(" \t\r\n,，、;；")
    said = re.sub(r"\s*\n\s*", "\n", said)
    return (said, gone) if re.search(r"\w", said) else ("", gone)


def idle(sentence: str, language: Language) -> str:
    """Return why a sentence teaches nothing, or nothing where it may.

    Examples
    --------
    >>> idle("谢谢您！", "zh")
    'greeting'
    >>> idle("视网膜脱离要尽快手术，费用请问医院。", "zh")
    ''
    """
    for reason, whole, pattern in _idle_patterns(language):
        if whole:
            if pattern.fullmatch(sentence.rstrip(".!?。！？；;~～ ")):
                return reason
        elif pattern.search(sentence) and not _teaches(sentence, language):
            return reason
    return ""


def _teaches(sentence: str, language: Language) -> bool:
    return bool(named(sentence, language)) or urges_care(sentence, language)


@cache
def _idle_patterns(language: Language) -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    flags = re.IGNORECASE if language == "en" else 0
    return tuple(
        (reason, reason in _WHOLE, re.compile("|".join(f"(?:{p})" for p in entry[language]), flags))
        for reason, entry in words("chatter").items()
    )


_Indexed = list[tuple[int, ConsultationTurn]]


def _without_dangling(turns: _Indexed) -> tuple[_Indexed, list[Removed]]:
    """Return the turns from the patient's first to the doctor's last."""
    removed = []
    while turns and turns[0][1].role != "patient":
        removed.append(Removed("doctor's turn before the patient's first", turns[0][0]))
        turns = turns[1:]
    while turns and turns[-1][1].role != "doctor":
        removed.append(Removed("patient's turn after the doctor's last", turns[-1][0]))
        turns = turns[:-1]
    return turns, removed


def _merged(turns: _Indexed, between: str) -> tuple[ConsultationTurn, ...]:
    return tuple(_merging(turns, between))


def _merging(turns: _Indexed, between: str) -> Iterator[ConsultationTurn]:
    """Yield turns in which the two take turns; what one said in a row is one."""
    role, said = None, ""
    for _, turn in turns:
        if turn.role == role:
            said += (
                between if said[-1:] in ".!?。！？；;\n" else ("，" if not between else ". ")
            ) + turn.text
            continue
        if role is not None:
            yield ConsultationTurn(role, said)
        role, said = turn.role, turn.text
    if role is not None:
        yield ConsultationTurn(role, said)
