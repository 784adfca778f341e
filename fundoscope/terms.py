"""The controlled vocabulary: every word that a record may use, in English and Chinese.

The words themselves stand in `vocabulary/*.yaml`, one file a kind; codes are ICD-10-CM, MONDO,
SNOMED CT, HPO and DOID where one fits exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from fundoscope.errors import TermError, nearest
from fundoscope.records import Language

Kind = Literal["condition", "lesion", "anatomy", "modality", "systemic"]
UNIT_WORDS: Mapping[str, str] = {
    "um": "µm", "mm": "mm", "px": "px", "deg": "°", "D": "D", "%": "%", "1": "",
    "DD": "DD", "mm2": "mm²", "DD2": "DD²", "px2": "px²", "1/mm": "mm⁻¹", "1/DD": "DD⁻¹",
    "1/px": "px⁻¹", "1/mm2": "mm⁻²", "1/DD2": "DD⁻²", "1/px2": "px⁻²",
}  # fmt: skip
"""How a unit is written, in either language. DD is the diameter of the optic disc."""

VESSELS: Mapping[str, Mapping[Language, tuple[str, ...]]] = {
    "all": {
        "en": ("all vessels", "whole vessel tree", "vessels overall"),
        "zh": ("全部血管", "所有血管"),
    },
    "arteries": {
        "en": ("arteriolar", "arterial", "arterioles", "arteries", "artery"),
        "zh": ("动脉", "小动脉"),
    },
    "veins": {"en": ("venular", "venous", "venules", "veins", "vein"), "zh": ("静脉", "小静脉")},
}
"""Which vessels a quantity speaks of. The first word is the one we write."""

ZONES: Mapping[str, Mapping[Language, tuple[str, ...]]] = {
    "whole": {
        "en": ("whole field", "whole photograph", "whole image"),
        "zh": ("全视野", "整张照片", "全图"),
    },
    "zone_b": {"en": ("zone B",), "zh": ("B 区", "B区")},
    "zone_c": {"en": ("zone C",), "zh": ("C 区", "C区")},
}
"""Zones around the optic disc: B is 1 to 1.5, C is 1 to 2.5 disc diameters from its centre."""

PLACES: Mapping[str, Mapping[Language, tuple[str, ...]]] = {
    "upper_left": {"en": ("upper left", "top left"), "zh": ("左上", "左上方")},
    "upper_right": {"en": ("upper right", "top right"), "zh": ("右上", "右上方")},
    "lower_left": {"en": ("lower left", "bottom left"), "zh": ("左下", "左下方")},
    "lower_right": {"en": ("lower right", "bottom right"), "zh": ("右下", "右下方")},
    "centre": {"en": ("centre", "center", "middle"), "zh": ("中央", "中心区", "中部")},
}
"""Where in the photograph a box lies; of the picture, not of the retina."""


@dataclass(frozen=True, slots=True)
class Term:
    """A condition, lesion, structure or kind of picture."""

    id: str
    kind: Kind
    en: tuple[str, ...]
    zh: tuple[str, ...]
    plural: str = ""
    """English plural, for what is counted."""
    is_a: tuple[str, ...] = ()
    """Broader terms that this one implies."""
    codes: Mapping[str, str] = field(default_factory=dict)

    def names(self, language: Language) -> tuple[str, ...]:
        """Return every name in a language, the one we write first."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that can be measured."""

    id: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    unit: str
    decimals: int
    """Digits after the point that are said."""
    plausible: tuple[float, float]
    """Outside it a value is a failure of the tool or of its scale, not a measurement."""
    vessels: bool = False
    """Whether it is given for all vessels, arteries and veins, and by zone."""

    def names(self, language: Language) -> tuple[str, ...]:
        """Return every name in a language, the one we write first."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a scale, worded."""

    level: int
    en: tuple[str, ...]
    zh: tuple[str, ...]

    def names(self, language: Language) -> tuple[str, ...]:
        """Return every wording in a language, the one we write first."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Scale:
    """A grading scale and the one thing that it speaks of."""

    id: str
    term: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    levels: Mapping[int, Level]
    source: str
    present_from: int | None = None
    """Lowest level that means `term` is present; None where the scale says no such thing."""
    words_of: str = ""
    """The scale whose level words this one borrows."""

    def names(self, language: Language) -> tuple[str, ...]:
        """Return every name in a language, the one we write first."""
        return self.en if language == "en" else self.zh


def _load(name: str) -> dict[str, Any]:
    text = (files("fundoscope") / "vocabulary" / f"{name}.yaml").read_text(encoding="utf-8")
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return dict(loaded)


def _terms(name: str, kind: Kind) -> dict[str, Term]:
    return {
        id: Term(
            id=id,
            kind=kind,
            en=tuple(entry["en"]),
            zh=tuple(entry["zh"]),
            plural=entry.get("plural", ""),
            is_a=tuple(entry.get("is_a", ())),
            codes=dict(entry.get("codes", {})),
        )
        for id, entry in _load(name).items()
    }


@cache
def conditions() -> Mapping[str, Term]:
    """Return conditions and signs by id."""
    return _terms("conditions", "condition")


@cache
def lesions() -> Mapping[str, Term]:
    """Return the lesions that can be outlined, by id."""
    return _terms("lesions", "lesion")


@cache
def anatomy() -> Mapping[str, Term]:
    """Return the structures that can have a place, by id."""
    return _terms("anatomy", "anatomy")


@cache
def modalities() -> Mapping[str, Term]:
    """Return the kinds of picture, by id."""
    return _terms("modalities", "modality")


@cache
def systemic() -> Mapping[str, Term]:
    """Return systemic diagnoses by id: known so that a text that states one is refused."""
    return _terms("systemic", "systemic")


@cache
def quantities() -> Mapping[str, Quantity]:
    """Return what can be measured, by id."""
    return {
        id: Quantity(
            id=id,
            en=tuple(entry["en"]),
            zh=tuple(entry["zh"]),
            unit=entry["unit"],
            decimals=entry["decimals"],
            plausible=(entry["plausible"][0], entry["plausible"][1]),
            vessels=entry.get("vessels", False),
        )
        for id, entry in _load("quantities").items()
    }


@cache
def scales() -> Mapping[str, Scale]:
    """Return the grading scales, by id."""
    loaded = _load("scales")
    found = {}
    for id, entry in loaded.items():
        words_of = entry.get("words_of", "")
        levels = entry.get("levels") or loaded[words_of]["levels"]
        found[id] = Scale(
            id=id,
            term=entry["term"],
            en=tuple(entry["en"]),
            zh=tuple(entry["zh"]),
            levels={
                n: Level(n, tuple(words["en"]), tuple(words["zh"])) for n, words in levels.items()
            },
            source=entry["source"],
            present_from=entry.get("present_from"),
            words_of=words_of,
        )
    return found


def term(id: str) -> Term:
    """Return the condition, lesion, structure or modality called `id`.

    Raises
    ------
    TermError
        If the vocabulary has none of that name; the nearest is offered.
    """
    for family in (conditions(), lesions(), anatomy(), modalities()):
        if id in family:
            return family[id]
    known = [*conditions(), *lesions(), *anatomy(), *modalities()]
    raise TermError(f"the vocabulary has no term {id!r}", mend=nearest(id, known))


def quantity(id: str) -> Quantity:
    """Return the quantity called `id`; TermError offers the nearest."""
    if id not in quantities():
        raise TermError(f"the vocabulary has no quantity {id!r}", mend=nearest(id, quantities()))
    return quantities()[id]


def scale(id: str) -> Scale:
    """Return the grading scale called `id`; TermError offers the nearest."""
    if id not in scales():
        raise TermError(f"the vocabulary has no scale {id!r}", mend=nearest(id, scales()))
    return scales()[id]


@cache
def broader(id: str) -> frozenset[str]:
    """Return every term that `id` implies, itself included."""
    found = {id}
    known = conditions().get(id) or lesions().get(id)
    for parent in known.is_a if known else ():
        found |= broader(parent)
    return frozenset(found)
