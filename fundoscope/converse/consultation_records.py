"""A consultation between a patient and a doctor, from the file to the clean dialogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fundoscope.converse.deidentify_words import Kind
from fundoscope.records import Language

Role = Literal["patient", "doctor"]


@dataclass(frozen=True, slots=True)
class ConsultationTurn:
    """What one of the two says before the other speaks."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that was left out of a kept consultation; the words themselves are not kept."""

    reason: str
    turn: int | None
    """Index of the turn in the source, from 0; None for what is no turn."""


@dataclass(frozen=True, slots=True)
class RawConsultation:
    """A consultation as it was read; it names people and is never written."""

    id: str
    description: str
    turns: tuple[ConsultationTurn, ...]
    where: str
    """`file:line` of its first line."""
    known: Mapping[str, Kind] = field(default_factory=dict)
    """Names that the head of the block gives away: the doctor, the hospital."""
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True, slots=True)
class Consultation:
    """A clean, de-identified dialogue about the fundus: patient first, doctor last, in turns."""

    id: str
    language: Language
    description: str
    turns: tuple[ConsultationTurn, ...]
    score: float
    """How much it is about the fundus (`consultation_relevance`)."""
    placeholders: Mapping[str, int]
    """How many of each kind were hidden: `doctor`, `phone`, ..."""
    removed: tuple[Removed, ...]


@dataclass(frozen=True, slots=True)
class RejectedConsultation:
    """A consultation that was not kept, and why; the reason quotes nothing that was said."""

    id: str
    reason: str
    where: str
    """`file:line` of its first line."""
