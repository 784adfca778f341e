"""What a server is asked to word for the track `knowledge`, and what its answer is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fundoscope.converse.facets import TRACK, Planned, planned
from fundoscope.converse.prompts import AskedOf, knowledge_messages
from fundoscope.records import Conversation, Language, Turn, Verdict
from fundoscope.verify.check import Facts
from fundoscope.verify.knowledge import judge_knowledge, without_marks
from fundoscope.verify.knowledge_phrases import phrases

_ASKED_BY: dict[Language, dict[str, str]] = {
    "en": {"patient": "patient", "student": "student of medicine", "clinician": "clinician"},
    "zh": {"patient": "患者", "student": "医学生", "clinician": "临床医生"},
}


class WrongTurns(ValueError):
    """An answer that does not answer the questions given, one for one."""


def words_for(
    facts: Facts, language: Language, seed: int, *, structured: bool, photograph: bool
) -> tuple[str, str]:
    """Return the system message and the user message that ask to word a record's plan."""
    turns = [
        AskedOf(
            one.question,
            _ASKED_BY[language][one.audience],
            tuple(fact.text(language) for fact in one.given),
            _before(one, language),
            one.as_list,
        )
        for one in _to_word(facts, language, seed)
    ]
    return knowledge_messages(turns, language, structured=structured, photograph=photograph)


def worded(
    answers: Sequence[Turn], facts: Facts, language: Language, seed: int, frame: Conversation
) -> tuple[Conversation, Verdict]:
    """Return the dialogue of a plan with a model's answers, and whether it is kept.

    Its marks are taken away where it is kept, and stay where it is not, to be read.

    Parameters
    ----------
    answers : the model's, one for each question that it was given.
    frame : the conversation without its turns.

    Raises
    ------
    WrongTurns
        If there are more or fewer answers than questions.
    """
    plan = planned(facts, language, seed)
    wanted = sum(bool(one.given) for one in plan)
    if len(answers) != wanted:
        raise WrongTurns(f"{len(answers)} answers to {wanted} questions")
    left = iter(answers)
    turns = [
        replace(one, before=_before(one, language)).turn(
            next(left).answer if one.given else "", language
        )
        for one in plan
    ]
    said = replace(frame, track=TRACK, turns=tuple(turns))
    given = [one.given for one in plan]
    verdict = judge_knowledge(said, facts.record, given, "marked", facts)
    if verdict.kept:
        clean = tuple(replace(turn, answer=without_marks(turn.answer)) for turn in turns)
        said = replace(said, turns=clean)
    return said, verdict


def _to_word(facts: Facts, language: Language, seed: int) -> list[Planned]:
    return [one for one in planned(facts, language, seed) if one.given]


def _before(one: Planned, language: Language) -> str:
    """Return what is said before the facts; of a photograph, that they do not describe it."""
    marks = phrases(language)["whole"][:2]
    if one.about != "photograph" or not one.facts or any(mark in one.before for mark in marks):
        return one.before
    return (" " if language == "en" else "").join(part for part in (one.before, marks[1]) if part)
