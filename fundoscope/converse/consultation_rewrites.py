"""What a rewritten consultation may not do: add a number, a term, a finding, or lose the turns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fundoscope import terms
from fundoscope.converse.consultation_records import Consultation
from fundoscope.converse.consultation_relevance import named
from fundoscope.converse.deidentify import PLACEHOLDER, plain
from fundoscope.records import Language
from fundoscope.verify.claims import claims

Rewrite = Callable[[Consultation], Consultation]
"""Returns a consultation in other words; a language model behind it, or a plain function."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:/\d+(?:\.\d+)?)?")
_DOCTOR = re.compile(r"\b[Dd]rs?\b\.?")
_ZH_NUMBER = re.compile(
    "[〇零一二三四五六七八九十百千万两半]+(?=[个天周月年次滴支针片粒毫微度岁小分]|毫克|毫米|左右)"
)


def added_by(rewritten: Consultation, original: Consultation, facts: Iterable[str] = ()) -> str:
    """Return what a rewrite says beyond the original and the facts; nothing if all is well.

    Parameters
    ----------
    facts : sentences in the dialogue's language that the rewrite may also draw on.
    """
    language = original.language
    before = "\n".join([*_texts(original), *facts])
    after = "\n".join(_texts(rewritten))
    wrong = _wrong_form(rewritten, original)
    if wrong:
        return wrong
    numbers = _numbers(after) - _numbers(before)
    if numbers:
        return f"the rewrite adds the number {min(numbers)}"
    new = (_terms(after, language) - _terms(before, language)) or (
        _findings(after, language) - _findings(before, language)
    )
    if new:
        return f"the rewrite adds {min(new)}"
    return ""


def _texts(consultation: Consultation) -> list[str]:
    return [consultation.description, *(turn.text for turn in consultation.turns)]


def _wrong_form(rewritten: Consultation, original: Consultation) -> str:
    """Return how a rewrite is no dialogue of the same patient, or nothing."""
    if (rewritten.id, rewritten.language) != (original.id, original.language):
        return "the rewrite changes the id or the language"
    roles = [turn.role for turn in rewritten.turns]
    if not roles or roles != ["patient", "doctor"] * (len(roles) // 2):
        return "the rewrite does not alternate from the patient to the doctor"
    if not all(turn.text.strip() for turn in rewritten.turns):
        return "the rewrite has an empty turn"
    return ""


def _numbers(text: str) -> set[str]:
    said = PLACEHOLDER.sub("", plain(text))
    return {n.replace(",", "") for n in _NUMBER.findall(said)} | set(_ZH_NUMBER.findall(said))


def _terms(text: str, language: Language) -> set[str]:
    """Return the vocabulary ids that a text names, systemic and broader ones included."""
    found = set(named(text, language))
    lowered = text.lower()
    for term in terms.systemic().values():
        if any(name.lower() in lowered for name in term.names(language)):
            found.add(term.id)
    return found | {wide for id in found for wide in terms.broader(id)}


def _findings(text: str, language: Language) -> set[str]:
    """Return what a text claims to be there or not: "no detachment" turned round is a new claim."""
    said = _DOCTOR.sub("Doctor", PLACEHOLDER.sub("", text))  # "Dr" is no diabetic retinopathy
    return {
        f"{claim.statement.value} {term}"
        for claim in claims(said, language)
        if claim.statement.aspect == "finding"
        for term in _implied(claim.statement.term, str(claim.statement.value))
    }


def _implied(term: str, value: str) -> frozenset[str]:
    return terms.broader(term) if value == "present" else frozenset((term,))
