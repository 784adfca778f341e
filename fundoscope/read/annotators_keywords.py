"""Diagnostic keywords as annotators wrote them, and what is recorded for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.records import Finding, Grade, Status


@dataclass(frozen=True, slots=True)
class Keyword:
    """What one keyword says of an eye."""

    present: tuple[str, ...] = ()
    suspected: tuple[str, ...] = ()
    clinical_dr: int | None = None
    """Level of diabetic retinopathy that the keyword's severity word means."""
    no_fundus: str = ""
    """Why no record is made of a file with this keyword; empty for all that show a fundus."""


@cache
def keywords() -> Mapping[str, Keyword]:
    """Return every known keyword, in lower case."""
    text = (files("fundoscope.read") / "annotators_keywords.yaml").read_text(encoding="utf-8")
    return {word: _keyword(entry) for word, entry in yaml.safe_load(text).items()}


def _keyword(entry: str | dict[str, Any]) -> Keyword:
    if isinstance(entry, str):
        return Keyword(present=(entry,))
    return Keyword(
        present=_several(entry.get("present", ())),
        suspected=_several(entry.get("suspected", ())),
        clinical_dr=entry.get("clinical_dr"),
        no_fundus=entry.get("no_fundus", ""),
    )


def _several(entry: str | Iterable[str]) -> tuple[str, ...]:
    return (entry,) if isinstance(entry, str) else tuple(entry)


def findings_of(said: Iterable[Keyword], source: str) -> tuple[Finding, ...]:
    """Return each term once, in the order said; what is present is not merely suspected too."""
    status: dict[str, Status] = {}
    for keyword in said:
        for term in keyword.present:
            status[term] = "present"
        for term in keyword.suspected:
            status.setdefault(term, "suspected")
    return tuple(Finding(term, seen, source) for term, seen in status.items())


def grades_of(said: Iterable[Keyword], source: str) -> tuple[Grade, ...]:
    """Return the levels of diabetic retinopathy that keywords name, each once, ascending."""
    levels = {keyword.clinical_dr for keyword in said if keyword.clinical_dr is not None}
    return tuple(Grade("clinical_dr", level, source) for level in sorted(levels))
