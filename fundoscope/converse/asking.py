"""What is worked out for a request, in processes beside the one that talks to the server.

Before it goes out: the prompt, and the photograph as it is sent. When its answer is back: the
turns, the verdict, and what to tell the model where it was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fundoscope.converse.facet_asking import WrongTurns, worded, words_for
from fundoscope.converse.facet_topics import unlinked_reason
from fundoscope.converse.facets import facets_version
from fundoscope.converse.prompts import (
    KNOWLEDGE,
    facts_text,
    first_messages,
    prompt_version,
    repair_message,
    reread_message,
)
from fundoscope.converse.sent_photographs import sent_photograph
from fundoscope.converse.transcript import Unreadable, read_transcript
from fundoscope.errors import PhotographError
from fundoscope.ledger import Settled, settled
from fundoscope.records import Conversation, Language, Verdict, record_from_json
from fundoscope.verify.check import Facts, judge
from fundoscope.verify.claims import claims

MOST_FAULTS_TOLD = 6
"""Of an answer's faults; a model that hears of more mends none of them."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a job asks: what is the same for all its requests."""

    engine: str
    source: str
    model: str
    seed: int
    structured: bool
    photographs: Path | None
    """Their folder, when they are sent."""
    cache: Path
    photograph_px: int
    jpeg_quality: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request's words, and its photograph."""

    system: str
    user: str
    photograph: Path | None = None
    problem: str = ""
    """Why it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Examined:
    """An answer, read and judged."""

    end: Settled
    tell: str = ""
    """What to send back where it is not kept."""


def prepared(manner: Manner, line: bytes, track: str, language: Language) -> Prepared:
    """Return what to ask about a record (one line of JSON)."""
    facts = _facts(line)
    if track == KNOWLEDGE and (reason := unlinked_reason(facts)):
        return Prepared("", "", problem=reason)
    photograph = None
    if manner.photographs and not facts.record.topic:
        if not facts.record.photograph.file:
            return Prepared("", "", problem="no photograph to send")
        try:
            photograph = sent_photograph(
                manner.photographs / facts.record.photograph.file,
                manner.cache,
                manner.photograph_px,
                manner.jpeg_quality,
            )
        except (PhotographError, OSError) as problem:
            return Prepared("", "", problem=f"the photograph cannot be sent: {problem}")
    if track == KNOWLEDGE:
        system, user = words_for(
            facts, language, manner.seed,
            structured=manner.structured, photograph=photograph is not None,
        )  # fmt: skip
        return Prepared(system, user, photograph)
    system, user = first_messages(
        facts_text(facts.record, language, facts),
        track,
        language,
        manner.source,
        structured=manner.structured,
        photograph=photograph is not None,
    )
    return Prepared(system, user, photograph)


def examined(
    manner: Manner, line: bytes, track: str, language: Language, raw: str, cut: bool
) -> Examined:
    """Return the turns of an answer, judged against the record, and what to tell the model.

    Parameters
    ----------
    raw : the answer, word for word.
    cut : whether the server stopped it before its end.
    """
    if cut:
        return _unreadable("the answer was cut at its greatest length", raw, language)
    try:
        turns = read_transcript(raw, language)
    except Unreadable as problem:
        return _unreadable(str(problem), raw, language)
    facts = _facts(line)
    conversation = Conversation(
        key=facts.record.key,
        track=track,
        language=language,
        turns=turns,
        engine=manner.engine,
        prompt_version=asked_version(track, language, manner.source),
        seed=manner.seed,
        model=manner.model,
    )
    if track == KNOWLEDGE:
        try:
            conversation, verdict = worded(turns, facts, language, manner.seed, conversation)
        except WrongTurns as problem:
            return _unreadable(str(problem), raw, language)
    else:
        verdict = judge(conversation, facts.record, facts)
    if verdict.kept:
        return Examined(settled(conversation, verdict))
    return Examined(settled(conversation, verdict), repair_message(_faults(verdict), language))


def asked_version(track: str, language: Language, source: str) -> str:
    """Return what decides the words of a request; for knowledge, its plan and facts too."""
    version = prompt_version(track, language, source)
    return f"{version}.{facets_version()}" if track == KNOWLEDGE else version


def warmed(languages: tuple[Language, ...]) -> None:
    """Load the words that reading answers takes, while the first requests are on their way."""
    for language in languages:
        claims("A photograph.", language)


def _unreadable(reason: str, raw: str, language: Language) -> Examined:
    end = Settled(False, f"unreadable answer: {reason}", raw=raw)
    return Examined(end, reread_message(reason, language))


def _faults(verdict: Verdict) -> list[str]:
    """Return what is wrong, one line each, with the words that are wrong."""
    faults = [
        f"{one.claim.words!r}: {one.judgement}, {one.reason}"
        for one in verdict.judged
        if one.judgement != "supported"
    ]
    if not faults:
        turn = "" if verdict.turn is None else f"turn {verdict.turn + 1}: "
        faults = [f"{turn}{verdict.reason}"]
    return faults[:MOST_FAULTS_TOLD]


@lru_cache(maxsize=512)
def _facts(line: bytes) -> Facts:
    return Facts.of(record_from_json(line))
