"""From doctor-patient dialogues to clean, de-identified, safe dialogues about the fundus.

    for one in consultations(path, ConsultationConfig()):
        ...                          # a Consultation, or a RejectedConsultation with its reason

Read, keep what is about the fundus, clean, de-identify, look a second time, check for safety; where
a rewrite is given, the last three are done again on what it returns. One at a time, in order;
nothing is lost in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fundoscope.converse.consultation_cleaning import cleaned, language_of
from fundoscope.converse.consultation_files import read_consultations
from fundoscope.converse.consultation_records import (
    Consultation,
    ConsultationTurn,
    RawConsultation,
    RejectedConsultation,
    Removed,
)
from fundoscope.converse.consultation_relevance import THRESHOLD, relevance
from fundoscope.converse.consultation_rewrites import Rewrite, added_by
from fundoscope.converse.consultation_safety import (
    dangers,
    safety_sentence,
    urgent_symptoms,
    urges_care,
)
from fundoscope.converse.deidentify import Kind, deidentified_together, names_learnt
from fundoscope.converse.deidentify_suspicion import reasons_to_refuse, suspicions
from fundoscope.records import Language

__all__ = [
    "Consultation",
    "ConsultationConfig",
    "ConsultationTurn",
    "RejectedConsultation",
    "Removed",
    "consultations",
]


class ConsultationConfig(BaseModel):
    """What may vary when dialogues are made of consultations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(default=THRESHOLD, ge=0)
    """Least score to be kept as a dialogue about the fundus."""
    languages: tuple[Language, ...] = ("en", "zh")
    description_opens: bool = True
    """Whether the description is the first turn where the doctor speaks first."""
    urgent_without_advice: Literal["reject", "append"] = "reject"
    """What becomes of an urgent symptom without the advice to seek care: `append` adds a sourced
    sentence to the doctor's last turn where there is one for the symptom."""
    max_turns: int = Field(default=60, ge=2)
    """A longer dialogue is cut behind the doctor's last turn within it."""
    facts: tuple[str, ...] = ()
    """Sentences that a rewrite may draw on beside the consultation itself."""


def consultations(
    path: Path, config: ConsultationConfig | None = None, rewrite: Rewrite | None = None
) -> Iterator[Consultation | RejectedConsultation]:
    """Yield each consultation of a file, kept or rejected, in the order of the file.

    Parameters
    ----------
    rewrite : puts a kept consultation into other words; what it returns is de-identified, looked at
        and checked for safety again, and refused where it adds a number, a term or a finding.

    Raises
    ------
    DialogueError
        If the file is missing, of neither layout, or neither UTF-8 nor GB18030.
    """
    config = config or ConsultationConfig()
    seen: set[bytes] = set()
    for ordinal, raw in enumerate(read_consultations(path), start=1):
        id = _harmless_id(raw.id, path, ordinal)
        if isinstance(raw, RejectedConsultation):
            yield replace(raw, id=id)
            continue
        made = _made(replace(raw, id=id), config, rewrite)
        if isinstance(made, Consultation):
            made = _once(made, raw.where, seen)
        yield made


_SHORT_NUMBER = 6
"""Digits of a number that is none of a telephone, a card or a file."""


def _harmless_id(id: str, path: Path, ordinal: int) -> str:
    """Return the id, or the place in the file where the id itself may tell a person."""
    if id.isdecimal() and len(id) <= _SHORT_NUMBER:
        return id
    if id and not suspicions(id, "en") and not suspicions(id, "zh") and len(id) < 40:
        return id
    return f"{path.stem}-{ordinal}"


def _once(made: Consultation, where: str, seen: set[bytes]) -> Consultation | RejectedConsultation:
    """Return a consultation unless its id or its words came before."""
    said = "\n".join(turn.text for turn in made.turns)
    for reason, key in (("the id came before", made.id), ("the same words came before", said)):
        digest = hashlib.blake2b(f"{reason}{key}".encode(), digest_size=12).digest()
        if digest in seen:
            return RejectedConsultation(made.id, f"duplicate: {reason}", where)
        seen.add(digest)
    return made


def _made(
    raw: RawConsultation, config: ConsultationConfig, rewrite: Rewrite | None
) -> Consultation | RejectedConsultation:
    texts = [raw.description, *(turn.text for turn in raw.turns)]
    language = language_of(texts)
    if language not in config.languages:
        return RejectedConsultation(raw.id, f"language {language} was not asked for", raw.where)
    score = relevance(texts, language)
    if score < config.threshold:
        reason = f"not about the fundus: score {score:g} under {config.threshold:g}"
        return RejectedConsultation(raw.id, reason, raw.where)
    clean = cleaned(raw, language, config.description_opens)
    clean = _cut(clean, config.max_turns)
    known = names_learnt(texts) | dict(clean.known)  # also from what cleaning took away
    if not clean.turns:
        return RejectedConsultation(raw.id, "no question with an answer is left", raw.where)
    left = relevance([clean.description, *(turn.text for turn in clean.turns)], language)
    if left < config.threshold:
        reason = f"not about the fundus once cleaned: score {left:g} under {config.threshold:g}"
        return RejectedConsultation(raw.id, reason, raw.where)
    draft = Consultation(raw.id, language, clean.description, clean.turns, left, {}, clean.removed)
    checked = _checked(draft, config, raw.where, known)
    if rewrite is None or isinstance(checked, RejectedConsultation):
        return checked
    return _rewritten(checked, config, raw.where, rewrite)


def _cut(raw: RawConsultation, max_turns: int) -> RawConsultation:
    if len(raw.turns) <= max_turns:
        return raw
    kept = max_turns - max_turns % 2  # turns alternate, so an even number ends with the doctor
    reason = Removed(f"longer than {max_turns} turns", kept)
    return replace(raw, turns=raw.turns[:kept], removed=(*raw.removed, reason))


def _checked(
    draft: Consultation, config: ConsultationConfig, where: str, known: Mapping[str, Kind]
) -> Consultation | RejectedConsultation:
    """Return a draft de-identified, found unsuspicious and safe, or why not."""
    hidden = _hidden(draft, known)
    texts = [hidden.description, *(turn.text for turn in hidden.turns)]
    suspicious = reasons_to_refuse(texts, hidden.language)
    if suspicious:
        return RejectedConsultation(draft.id, f"may name a person or place: {suspicious[0]}", where)
    return _safe(hidden, config, where)


def _hidden(draft: Consultation, known: Mapping[str, Kind]) -> Consultation:
    done = deidentified_together(
        [draft.description, *(turn.text for turn in draft.turns)], draft.language, known
    )
    counts = dict(draft.placeholders)
    for text in done[0 if draft.description else 1 :]:
        for kind, count in text.counts.items():
            counts[kind] = counts.get(kind, 0) + count
    turns = tuple(
        replace(turn, text=text.text) for turn, text in zip(draft.turns, done[1:], strict=True)
    )
    return replace(draft, description=done[0].text, turns=turns, placeholders=counts)


def _safe(
    draft: Consultation, config: ConsultationConfig, where: str
) -> Consultation | RejectedConsultation:
    """Return a consultation that meets urgency with advice and teaches nothing dangerous."""
    symptoms = urgent_symptoms(draft.turns, draft.language, draft.description)
    harm = dangers(draft.turns, draft.language, urgent=bool(symptoms))
    if harm:
        return RejectedConsultation(draft.id, f"dangerous advice: {harm[0]}", where)
    advised = any(t.role == "doctor" and urges_care(t.text, draft.language) for t in draft.turns)
    if not symptoms or advised:
        return draft
    added = safety_sentence(symptoms, draft.language)
    if config.urgent_without_advice == "reject" or added is None:
        reason = f"urgent symptom without the advice to seek care at once: {symptoms[0]}"
        return RejectedConsultation(draft.id, reason, where)
    between = "" if draft.language == "zh" else " "
    last = draft.turns[-1]
    said = between.join([last.text, *(sentence.text for sentence in added)])
    notes = tuple(Removed(f"added a safety sentence of: {s.source}", None) for s in added)
    return replace(
        draft,
        turns=(*draft.turns[:-1], replace(last, text=said)),
        removed=(*draft.removed, *notes),
    )


def _rewritten(
    original: Consultation, config: ConsultationConfig, where: str, rewrite: Rewrite
) -> Consultation | RejectedConsultation:
    """Return what a rewrite makes of a consultation, if it adds nothing and passes every check."""
    rewritten = rewrite(original)
    added = added_by(rewritten, original, config.facts)
    if added:
        return RejectedConsultation(original.id, added, where)
    # score, what was removed and what was hidden are ours to say, not the rewrite's
    trusted = replace(
        rewritten,
        score=original.score,
        placeholders=original.placeholders,
        removed=original.removed,
    )
    return _checked(trusted, config, where, {})
