"""Claims held against the record: supported, contradicted or unsupported, and by which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from fundoscope import terms
from fundoscope.describe.statements import place, statements
from fundoscope.records import (
    UNMEASURED,
    Aspect,
    Box,
    Claim,
    Conversation,
    Judged,
    Judgement,
    Language,
    Measured,
    Record,
    Statement,
    Verdict,
    measured,
)
from fundoscope.verify.claims import SOMEWHERE, claims
from fundoscope.verify.style import style_problem

BOX_DECIMALS = 2
"""Fewest digits with which a box may be said."""
ROUGHEST = 0.05
"""Largest relative difference that rounding may make."""


@dataclass(frozen=True)
class Facts:
    """A record laid out for looking up what a claim says."""

    record: Record
    said: tuple[Statement, ...]
    """The record's statements, in order."""
    statements: frozenset[Statement]
    status: Mapping[str, str]
    """Term -> `present`, `suspected`, `absent` or `not_assessed`; nothing where nobody looked."""

    @classmethod
    def of(cls, record: Record) -> Facts:
        """Lay out a record."""
        said = statements(record)
        return cls(record, said, frozenset(said), _status(record))

    @cached_property
    def by_aspect(self) -> Mapping[str, tuple[Statement, ...]]:
        """The record's statements of each aspect, in order."""
        found: dict[str, list[Statement]] = {}
        for statement in self.said:
            found.setdefault(statement.aspect, []).append(statement)
        return {aspect: tuple(said) for aspect, said in found.items()}

    def status_of(self, term: str) -> str | None:
        """Return what the record says or implies of a term; None where nobody looked."""
        if term in self.status:
            return self.status[term]
        if any(self.status.get(b) == "absent" for b in terms.broader(term) - {"abnormality"}):
            return "absent"  # no vein occlusion, hence no branch vein occlusion
        if term == "normal_fundus" and self.status.get("abnormality") == "present":
            return "absent"
        if self.status.get("normal_fundus") == "present" and "abnormality" in terms.broader(term):
            return "absent"
        return None


def _status(record: Record) -> dict[str, str]:
    """Return what the record says of each term, what it implies included."""
    found: dict[str, str] = {}

    def say(term: str, status: str) -> None:
        if status in ("present", "suspected"):
            for implied in terms.broader(term):
                if found.get(implied) != "present":
                    found[implied] = status
        else:
            found.setdefault(term, status)

    for finding in record.findings:
        say(finding.term, finding.status)
    for grade in record.grades:
        scale = terms.scale(grade.scale)
        if scale.present_from is not None:
            present = grade.level >= scale.present_from
            say(scale.term, "present" if present else "absent")
            if scale.id == "dme_risk":  # the scale is defined by them
                say("hard_exudate", "present" if present else "absent")
    for total in record.lesion_totals:
        say(total.kind, "present" if total.count else "absent")
        if total.count:
            say("abnormality", "present")
    return found


def check(claim: Claim, facts: Facts) -> Judged:
    """Return the judgement of one claim."""
    if claim.statement in facts.statements:
        return Judged(claim, "supported")
    judgement, reason = _RULES[claim.statement.aspect](claim, facts)
    return Judged(claim, judgement, reason)


def check_text(text: str, facts: Facts, language: Language) -> tuple[Judged, ...]:
    """Return the judgement of every claim in a text."""
    return tuple(check(claim, facts) for claim in claims(text, language))


def judge(conversation: Conversation, record: Record, facts: Facts | None = None) -> Verdict:
    """Return whether a conversation may be kept.

    It is kept when every claim of every answer is supported by the record, no question gives away
    what only the record knows, and its form is right.
    """
    facts = facts or Facts.of(record)
    judged: list[Judged] = []
    fault: tuple[int, str] | None = None
    for index, turn in enumerate(conversation.turns):
        for one in check_text(turn.answer, facts, conversation.language):
            judged.append(one)
            if one.judgement != "supported" and fault is None:
                fault = index, f"{one.judgement}: {one.reason} ({one.claim.words!r})"
    if fault is None:
        fault = style_problem(conversation)
    if fault is None:
        return Verdict(True, judged=tuple(judged))
    return Verdict(False, fault[1], tuple(judged), fault[0])


_Answer = tuple[Judgement, str]
_YES: _Answer = ("supported", "")


def _modality(claim: Claim, facts: Facts) -> _Answer:
    said, known = claim.statement, facts.record.photograph.modality
    if said.term == known and said.value == "present":
        return _YES
    if said.term != known and said.value == "absent":
        return _YES
    return "contradicted", f"the photograph is a {known}"


def _eye(claim: Claim, facts: Facts) -> _Answer:
    said, known = claim.statement.value, facts.record.photograph.eye
    if known is None:
        return _YES if said == UNMEASURED else ("unsupported", "the eye side is not recorded")
    if said == known or (str(said).startswith("not ") and said != f"not {known}"):
        return _YES
    return "contradicted", f"it is the {known} eye"


def _graded(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    known = [g for g in facts.record.grades if terms.scale(g.scale).term == said.term]
    if said.scale:
        known = [grade for grade in known if grade.scale == said.scale]
    else:  # level words alone speak of every scale that uses them
        known = [g for g in known if _level_words_of(g.scale, said.term)]
    if said.value == UNMEASURED:
        return ("contradicted", "it was graded") if known else _YES
    if not known:
        on = f" on {said.scale}" if said.scale else ""
        return "unsupported", f"no grade of {said.term}{on} is recorded"
    levels = {grade.level for grade in known}
    if said.value in levels or (said.value == "not" and said.scale):
        return _YES
    return "contradicted", f"the grade of {said.term} is {', '.join(map(str, sorted(levels)))}"


def _level_words_of(scale: str, term: str) -> bool:
    """Whether a level of the scale can be said by its words alone (Messidor's cannot)."""
    return scale != "messidor_dr"


def _finding(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    known = facts.status_of(said.term)
    if said.value == "not_assessed":
        if known in (None, "not_assessed"):
            return _YES
        return "contradicted", f"{said.term} was assessed: {known}"
    if known == said.value:
        return _YES
    if known in (None, "not_assessed"):
        return "unsupported", f"the record says nothing of {said.term}"
    return "contradicted", f"{said.term} is {known}"


def _measurement(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    known = _measured_as(said, facts)
    if said.value == UNMEASURED:
        return ("contradicted", f"{said.term} was measured") if known else _YES
    if said.term not in terms.quantities():
        return "unsupported", f"the number {said.value} belongs to nothing that was measured"
    if not known:
        return "unsupported", f"{said.term} was not measured"
    if any(_same_number(said, claim.decimals, quantity) for quantity in known):
        return _YES
    values = ", ".join(f"{q.value:g} {q.unit}".replace(" 1", "") for q in known[:3])
    return "contradicted", f"{said.term} is {values}"


def _measured_as(said: Statement, facts: Facts) -> list[Measured]:
    """Return the measurements that a claim can mean; what it leaves open means all, whole."""
    found = [q for q in measured(facts.record) if q.name == said.term]
    for part, default in (("of", "all"), ("where", "whole")):
        asked = getattr(said, part)
        narrowed = [q for q in found if getattr(q, part) == (asked or default)]
        if asked or narrowed:
            found = narrowed
    return found


# (said in, known in) -> what a known value is multiplied by
_PER_UNIT = {("um", "mm"): 1000.0, ("mm", "um"): 0.001}


def _same_number(said: Statement, decimals: int, quantity: Measured) -> bool:
    factor = 1.0 if said.unit == quantity.unit else _PER_UNIT.get((said.unit, quantity.unit))
    if factor is None or not isinstance(said.value, float | int):
        return False
    known = quantity.value * factor
    slack = 0.5 * 10.0**-decimals + 1e-9
    return abs(said.value - known) <= slack and abs(said.value - known) <= max(
        ROUGHEST * abs(known), 0.5 * 10.0 ** -terms.quantity(said.term).decimals + 1e-9
    )


def _lesion_count(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    for total in facts.record.lesion_totals:
        if total.kind == said.term:
            if total.count == said.value:
                return _YES
            return (
                "contradicted",
                f"{total.count} {terms.term(said.term).plural or said.term} outlined",
            )
    return "unsupported", f"{said.term} was not counted"


def _lesion_area(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    for total in facts.record.lesion_totals:
        if total.kind == said.term and isinstance(said.value, float | int):
            percent = 100 * total.area_fraction
            if abs(percent - said.value) <= 0.5 * 10.0**-claim.decimals + 1e-9:
                return _YES
            return "contradicted", f"{said.term} covers {percent:.3f} %"
    return "unsupported", f"the area of {said.term} was not measured"


def _boxed(claim: Claim, facts: Facts) -> _Answer:
    said = claim.statement
    boxes = [lesion.box for lesion in facts.record.lesions if lesion.kind == said.term]
    boxes += [s.box for s in facts.record.structures if s.term == said.term]
    if not boxes:
        return "unsupported", f"no box of {said.term} is recorded"
    if said.value == SOMEWHERE:
        if any(place(box) == said.where for box in boxes):
            return _YES
        return "contradicted", f"no {said.term} lies in the {said.where.replace('_', ' ')}"
    for box in boxes:
        if _same_box(said.value, box, claim.decimals):
            if not said.where or said.where == place(box):
                return _YES
            return "contradicted", f"that box lies in the {place(box).replace('_', ' ')}"
    return "contradicted", f"no box of {said.term} is {said.value}"


def _same_box(said: object, box: Box, decimals: int) -> bool:
    if decimals < BOX_DECIMALS or not isinstance(said, tuple):
        return False
    slack = 0.5 * 10.0**-decimals + 1e-9
    return all(abs(a - b) <= slack for a, b in zip(said, box, strict=True))


_RULES: Mapping[Aspect, Callable[[Claim, Facts], _Answer]] = {
    "modality": _modality,
    "eye": _eye,
    "quality": _graded,
    "grade": _graded,
    "finding": _finding,
    "measurement": _measurement,
    "lesion_count": _lesion_count,
    "lesion_area": _lesion_area,
    "lesion_box": _boxed,
    "structure": _boxed,
}


def tally(judged: Iterable[Judged]) -> dict[Judgement, int]:
    """Return how many claims were supported, contradicted and unsupported."""
    counts: dict[Judgement, int] = {"supported": 0, "contradicted": 0, "unsupported": 0}
    for one in judged:
        counts[one.judgement] += 1
    return counts
