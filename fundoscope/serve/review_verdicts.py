"""A dialogue held against its record for the eye: each sentence with what was found of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fundoscope import terms
from fundoscope.records import (
    Aspect,
    Conversation,
    Judged,
    Judgement,
    Record,
    Statement,
)
from fundoscope.verify.check import Facts, check_text
from fundoscope.verify.knowledge import TRACK as KNOWLEDGE
from fundoscope.verify.knowledge import judge_said
from fundoscope.verify.style import IMAGE

_WORST: tuple[Judgement, ...] = ("contradicted", "unsupported", "supported")


@dataclass(frozen=True, slots=True)
class ClaimShown:
    """One claim of a sentence, in words for a reader."""

    says: str
    """The claim as a statement, such as `fractal dimension: 1.47 (all vessels)`."""
    judgement: Judgement
    reason: str
    rests_on: tuple[str, ...]
    """Ids of the record's statements about the same thing: `s0`, `s1`, ... in their order; or the
    id of a fact."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an answer; all parts of an answer, joined, are the answer."""

    text: str
    judgement: Judgement | None = None
    """The worst of its claims'; None where it claims nothing that can be checked."""
    claims: tuple[ClaimShown, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """What the verifier says of a dialogue."""

    passes: bool
    problem: str
    """What is wrong first; empty where nothing."""
    turn: int | None
    """Index of the turn that it is in."""
    turns: tuple[tuple[Part, ...], ...]
    """The parts of each answer."""
    impossible: str = ""
    """Why no reason can have these words exported; empty where they can be."""


def shown_verdict(conversation: Conversation, record: Record) -> ShownVerdict:
    """Return what the verifier says of a dialogue, sentence by sentence.

    A paraphrase of general knowledge may rest on any fact that its turn names.
    """
    facts = Facts.of(record)
    verdict = judge_said(conversation, record, facts, "traced")
    judged = list(_by_turn(conversation, record, facts))
    parts = tuple(
        tuple(_parts(turn.answer, found, facts))
        for turn, found in zip(conversation.turns, judged, strict=True)
    )
    return ShownVerdict(
        verdict.kept, verdict.reason, verdict.turn, parts, _impossible(conversation)
    )


def _impossible(conversation: Conversation) -> str:
    """Return why a dialogue cannot be written for any trainer."""
    texts = [text.strip() for turn in conversation.turns for text in (turn.question, turn.answer)]
    if not texts or not all(texts):
        return "a question or an answer is empty"
    if any(IMAGE in text for text in texts):
        return f"{IMAGE} stands in a text; the export writes it, nobody else"
    if conversation.track == "alignment" and len(conversation.turns) != 1:
        return "an alignment dialogue has exactly one turn"
    return ""


def _by_turn(
    conversation: Conversation, record: Record, facts: Facts
) -> Iterator[Sequence[Judged]]:
    if conversation.track != KNOWLEDGE:
        for turn in conversation.turns:
            yield check_text(turn.answer, facts, conversation.language)
        return
    before = 0  # only the first answer may speak of the photograph, so turns are judged in a row
    for end in range(1, len(conversation.turns) + 1):
        until = replace(conversation, turns=conversation.turns[:end])
        judged = judge_said(until, record, facts, "traced").judged
        yield judged[before:]
        before = len(judged)


def _parts(answer: str, judged: Sequence[Judged], facts: Facts) -> Iterator[Part]:
    """Cut an answer where the sentences lie that claim something."""
    by_words: dict[str, list[Judged]] = {}
    for one in judged:
        by_words.setdefault(one.claim.words, []).append(one)
    end = 0
    lost: list[Judged] = []
    for words, mine in by_words.items():
        start = answer.find(words, end)
        if start < 0:
            lost += mine
            continue
        if start > end:
            yield Part(answer[end:start])
        end = start + len(words)
        yield _part(words, mine, facts)
    if end < len(answer) and not lost:
        yield Part(answer[end:])
    elif lost:  # marks were taken out of their words: they belong to what is left
        yield _part(answer[end:], lost, facts)


def _part(text: str, judged: Sequence[Judged], facts: Facts) -> Part:
    found = {one.judgement for one in judged}
    worst = next(judgement for judgement in _WORST if judgement in found)
    return Part(text, worst, tuple(_claim(one, facts) for one in judged))


def _claim(one: Judged, facts: Facts) -> ClaimShown:
    said = one.claim.statement
    return ClaimShown(plain(said), one.judgement, one.reason, rests_on(said, facts))


def rests_on(said: Statement, facts: Facts) -> tuple[str, ...]:
    """Return the ids of the record's statements that a claim is about, the exact one alone."""
    if said.aspect == "knowledge":
        return (said.term,) if "." in said.term else ()  # a fact's id, not a phrase's use
    exact = [n for n, one in enumerate(facts.said) if one == said]
    about = exact or [n for n, one in enumerate(facts.said) if _about_the_same(one, said)]
    return tuple(f"s{n}" for n in about)


def _about_the_same(one: Statement, said: Statement) -> bool:
    if one.aspect == said.aspect == "measurement":
        parts = ((one.of, said.of), (one.where, said.where))
        return one.term == said.term and all(not b or a == b for a, b in parts)
    return one.term == said.term


def plain(said: Statement) -> str:
    """Return a statement in plain English, whatever it says.

    Examples
    --------
    >>> plain(Statement("measurement", "fractal_dimension", 1.47, unit="1", of="arteries"))
    'fractal dimension: 1.47 (arteries)'
    >>> plain(Statement("grade", "diabetic_retinopathy", 2, scale="icdr"))
    'grade of diabetic retinopathy: 2 on icdr'
    """
    if said.aspect == "knowledge":
        return (
            "a set phrase, which claims nothing" if said.term == "phrase" else "general knowledge"
        )
    name = said.term.replace("_", " ")
    if said.aspect in _NAMED_WITH:
        name = f"{_NAMED_WITH[said.aspect]} {name}"
    beside = [word.replace("_", " ") for word in (said.of, said.where) if word]
    scale = f" on {said.scale}" if said.scale else ""
    return f"{name}: {_value(said)}{scale}" + (f" ({', '.join(beside)})" if beside else "")


_NAMED_WITH: Mapping[Aspect, str] = {
    "grade": "grade of",
    "lesion_count": "number of",
    "lesion_area": "area of",
    "lesion_box": "place of",
    "structure": "place of",
}


def _value(said: Statement) -> str:
    if isinstance(said.value, tuple):
        return f"[{', '.join(f'{part:g}' for part in said.value)}]"
    if isinstance(said.value, str):
        return said.value.replace("_", " ")
    return f"{said.value:g} {terms.UNIT_WORDS.get(said.unit, said.unit)}".rstrip()
