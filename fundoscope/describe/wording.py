"""From statements to sentences: what goes together, in which order, in either language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import groupby
from types import ModuleType
from typing import Protocol, TypeVar

from fundoscope import terms
from fundoscope.records import UNMEASURED, Language, Statement

T = TypeVar("T")


class Pick(Protocol):
    """Chooses one wording of several: `random.Random(seed).choice`, or `first`."""

    def __call__(self, options: Sequence[T], /) -> T: ...


MOST_VALUES = 4
"""Most values in one sentence; more is a table, not a sentence."""
MOST_ABSENT = 6


def first(options: Sequence[T], /) -> T:
    """Choose the first wording."""
    return options[0]


def number_text(statement: Statement) -> str:
    """Return a value with the digits that are said and its unit."""
    value = statement.value
    assert isinstance(value, int | float)
    if statement.aspect == "lesion_area":
        return f"{value:.3f} %"
    unit = terms.UNIT_WORDS[statement.unit]
    decimals = statement.decimals
    if decimals is None:
        decimals = terms.quantity(statement.term).decimals
    text = f"{value:.{decimals}f}"
    return f"{text} {unit}".rstrip() if unit != "°" else f"{text}°"


def box_text(statement: Statement) -> str:
    """Return a box as `[x_min, y_min, x_max, y_max]`, four decimals."""
    assert isinstance(statement.value, tuple)
    return f"[{', '.join(f'{part:.4f}' for part in statement.value)}]"


def sentences(statements: Sequence[Statement], language: Language, pick: Pick = first) -> list[str]:
    """Return sentences that say exactly these statements.

    Parameters
    ----------
    statements : in the order of `describe.statements`; neighbours that belong together are joined.
    pick : how one of several wordings is chosen.
    """
    return list(_sentences(list(statements), _words_of(language), pick))


@cache
def _words_of(language: Language) -> ModuleType:
    # by name, since the languages import this module for what they share
    return import_module(f"fundoscope.describe.{'english' if language == 'en' else 'chinese'}")


def _sentences(statements: list[Statement], words: ModuleType, pick: Pick) -> Iterator[str]:
    for key, group in groupby(statements, key=_belongs_with):
        members = list(group)
        aspect = key[0]
        if aspect == "picture":
            by_aspect = {s.aspect: s for s in members}
            yield words.picture(by_aspect.get("modality"), by_aspect.get("eye"), pick)
        elif aspect == "quality":
            yield from (words.quality(s, pick) for s in members)
        elif aspect == "grade":
            yield from (words.grade(s, pick) for s in members)
        elif aspect == "finding":
            size = MOST_ABSENT if key[1] == "absent" else len(members)
            yield from (words.findings(key[1], part, pick) for part in _parts(members, size))
        elif aspect == "lesions":
            yield from _lesion_sentences(members, words, pick)
        elif aspect == "structure":
            yield from (words.structure(s, pick) for s in members)
        elif aspect == "unmeasured":
            yield from (words.unmeasured(part, pick) for part in _parts(members, MOST_VALUES))
        else:
            yield from (words.measurements(part, pick) for part in _parts(members, MOST_VALUES))


def _belongs_with(statement: Statement) -> tuple[str, ...]:
    """Return what neighbouring statements must share to stand in one sentence."""
    if statement.aspect in ("modality", "eye"):
        if statement.value == UNMEASURED:
            return "picture", UNMEASURED
        return ("picture",)
    if statement.aspect == "finding":
        normal = statement.term in ("normal_fundus", "abnormality")
        return "finding", str(statement.value), statement.term if normal else ""
    if statement.aspect in ("lesion_count", "lesion_area", "lesion_box"):
        return "lesions", statement.term
    if statement.aspect == "measurement":
        kind = "unmeasured" if statement.value == UNMEASURED else "measurement"
        return kind, statement.of, statement.where
    return (statement.aspect,)


def _lesion_sentences(members: Sequence[Statement], words: ModuleType, pick: Pick) -> Iterator[str]:
    by_aspect = {s.aspect: s for s in members if s.aspect != "lesion_box"}
    if by_aspect:
        yield words.lesions(by_aspect.get("lesion_count"), by_aspect.get("lesion_area"), pick)
    if boxes := [s for s in members if s.aspect == "lesion_box"]:
        yield words.boxes(boxes, pick)


def _parts(members: Sequence[Statement], size: int) -> Iterator[Sequence[Statement]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]
