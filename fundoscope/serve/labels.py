"""Which photograph is meant: by eye, by visit, by number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fundoscope.records import Language
from fundoscope.serve.asked_about import Asked
from fundoscope.serve.spoken import Look, word

LONGEST_VISIT = 40
_VISIT = re.compile(r"[^\w .\-/年月日第次]+")


def label_of(look: Look, looks: Sequence[Look], language: Language) -> str:
    """Return what a photograph is called beside others: its eye or visit, else its number."""
    eyes = [one.seen.eye for one in looks]
    visits = [one.seen.visit for one in looks]
    if look.seen.eye and len(set(eyes)) == len(looks):
        return word(f"label.{look.seen.eye}", language)
    visit = visit_name(look.seen.visit)
    if visit and len(set(visits)) == len(looks):
        return word("label.visit", language).format(visit=visit)
    return word("label.number", language).format(n=look.number + 1)


def visit_name(visit: str) -> str:
    """Return a visit's label without what no label needs, such as markup or line breaks."""
    return " ".join(_VISIT.sub(" ", visit).split())[:LONGEST_VISIT].strip()


def chosen(looks: Sequence[Look], asked: Asked, text: str) -> tuple[Look, ...]:
    """Return the photographs that a question is about; none where it asks for another eye."""
    named = tuple(
        one for one in looks if (v := visit_name(one.seen.visit)) and v.lower() in text.lower()
    )
    if named and len(named) < len(looks):
        return named
    if asked.side in ("left", "right"):
        known = [one for one in looks if one.seen.eye]
        same = tuple(one for one in known if one.seen.eye == asked.side)
        if known and len(known) == len(looks):
            return same
        return same or tuple(one for one in looks if not one.seen.eye)
    if asked.side == "other":
        return tuple(looks[1:2])
    return tuple(looks)
