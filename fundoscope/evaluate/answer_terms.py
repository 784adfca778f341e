"""Answers about terms: whether one is present, or which of several are.

What a statement says wins over a bare "yes": "Yes, the image is abnormal" means that it is not
normal, and "是的，没有" means none. A bare "no" before a statement that affirms is contradictory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from fundoscope import terms
from fundoscope.evaluate.answer_book import NARROWER, book
from fundoscope.evaluate.answer_says import Heard, Said, Status, hear
from fundoscope.evaluate.answer_spaces import (
    Findings,
    FindingStatus,
    FoundTerms,
    Reading,
    YesNo,
    abstained,
    contradictory,
    decided,
)

ABNORMAL, NORMAL = "abnormality", "normal_fundus"


def read_yes_no(text: str, space: YesNo) -> Reading:
    """Return whether an answer says that the space's term is present."""
    heard = hear(text, book())
    leads = set(heard.lead)
    if leads == {"yes", "no"}:
        return contradictory(text)
    found = what_is_said(heard, space.term)
    status = _settled(found)
    words = _words(text, found)
    if status == "contradictory" or (status == "present" and "no" in leads):
        return contradictory(words)
    if status in ("present", "absent"):
        return decided("yes" if status == "present" else "no", words)
    if status == "suspected" and space.suspected and "no" not in leads:
        return decided("suspected", words)
    if status is not None or heard.unsure or not leads:
        return abstained(words if status else text if heard.unsure else "")
    return decided(leads.pop(), text.split("\n")[0][:80])


def read_findings(text: str, space: Findings) -> Reading:
    """Return what an answer says of each of the space's terms."""
    heard = hear(text, book())
    statuses: list[tuple[str, FindingStatus]] = []
    said: list[tuple[Said, Status]] = []
    for term in space.terms:
        found = what_is_said(heard, term)
        status = _settled(found)
        said += found
        if status is None:
            continue
        if status == "suspected" and not space.suspected:
            status = "abstained"
        statuses.append((term, status))
    kinds = {status for _, status in statuses}
    words = _words(text, said)
    if kinds & {"present", "absent", "suspected"}:
        return decided(FoundTerms(tuple(statuses)), words)
    return contradictory(words) if "contradictory" in kinds else abstained(words)


def what_is_said(heard: Heard, term: str) -> list[tuple[Said, Status]]:
    """Return what was heard that bears on a term, with what it means for the term."""
    no_kind = any(
        one.word.kind == "level" and one.word.level == 4 and one.status == "absent"
        for one in heard.said
    )
    return [
        (one, status)
        for one in heard.said
        if no_kind or one.status != "absent" or not _only_a_kind(one)
        for status in _meaning(one, term)
    ]


def _only_a_kind(one: Said) -> bool:
    """Whether it names a kind of a term: "not NPDR" does not deny the retinopathy."""
    return one.word.kind == "term" and one.word.level == NARROWER


def _meaning(one: Said, term: str) -> Iterator[Status]:
    for id, status in _implied(one):
        wider = terms.broader(id)
        if term in wider and status != "absent":
            yield status
        elif status == "absent" and id in terms.broader(term):
            yield "absent"
        elif term == NORMAL and ABNORMAL in wider:
            if status == "present":
                yield "absent"
            elif id == ABNORMAL:
                yield "present" if status == "absent" else "unknown"
        elif id == NORMAL and ABNORMAL in terms.broader(term):
            if status == "present":
                yield "absent"
            elif term == ABNORMAL:
                yield "present" if status == "absent" else "unknown"


def _implied(one: Said) -> Iterator[tuple[str, Status]]:
    """Yield the terms of which something is said."""
    if one.word.kind == "normal":
        yield NORMAL, one.status
    elif one.word.kind == "term" and one.word.id not in terms.systemic():
        yield one.word.id, one.status
    elif one.word.kind == "level" and one.status != "absent":
        scale = terms.scale(one.word.id)
        if scale.present_from is not None and one.word.level >= scale.present_from:
            status: Status = one.status
            if one.alternative:
                status = "present"  # "mild or moderate": it is there, whichever it is
            yield scale.term, status
            if scale.id == "dme_risk":
                yield "hard_exudate", status


def _settled(found: Iterable[tuple[Said, Status]]) -> FindingStatus | None:
    """Return the one status of what was said, or None where nothing was."""
    by_status: dict[Status, set[str]] = defaultdict(set)
    for one, status in found:
        by_status[status].add(one.word.id)
    if not by_status:
        return None
    if "present" in by_status and "absent" in by_status:
        return "contradictory"
    doubted = by_status["suspected"] | by_status["unknown"]
    if "present" in by_status and not doubted <= by_status["present"]:
        return "present"  # the doubt is about something else of its kind
    if doubted:
        return "abstained" if by_status["unknown"] or len(by_status) > 3 else "suspected"
    return "present" if "present" in by_status else "absent"


def _words(text: str, found: Iterable[tuple[Said, Status]]) -> str:
    """Return the lines or sentences of the text that hold what was said."""
    places = sorted({one.start for one, _ in found})
    if not places:
        return ""
    begin = max(text.rfind(mark, 0, places[0]) for mark in (". ", "。", "\n", "; ")) + 1
    ends = [at for mark in (".", "。", "\n") if (at := text.find(mark, places[-1])) >= 0]
    return text[begin : min(ends) if ends else len(text)].strip()
