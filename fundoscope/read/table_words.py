"""Words of a user's table, in either language, and the terms that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fundoscope import terms
from fundoscope.errors import TermError, nearest
from fundoscope.read.annotators_keywords import Keyword, keywords
from fundoscope.records import LANGUAGES, Eye, Finding, Grade, Measured, Sex, Status, Unmeasured

TOOL = "user table"
EYES: Mapping[str, Eye] = {
    **dict.fromkeys(("left", "l", "os", "le", "left eye", "左", "左眼"), "left"),
    **dict.fromkeys(("right", "r", "od", "re", "right eye", "右", "右眼"), "right"),
}
SEXES: Mapping[str, Sex] = {
    **dict.fromkeys(("female", "f", "woman", "女", "女性"), "female"),
    **dict.fromkeys(("male", "m", "man", "男", "男性"), "male"),
}
QUALITIES: Mapping[str, int] = {
    **dict.fromkeys(("good", "excellent", "良好", "好", "优", "优秀"), 0),
    **dict.fromkeys(
        ("usable", "adequate", "acceptable", "fair", "可用", "尚可", "一般", "合格"), 1
    ),
    **dict.fromkeys(("reject", "rejected", "poor", "bad", "不合格", "差", "较差", "不可用"), 2),
}
"""Quality word -> level of `stated_quality`."""

_ABSENT = (
    "no evidence of", "no signs of", "no sign of", "no obvious", "no apparent", "no visible",
    "absence of", "without", "no", "未见明显", "无明显", "未发现", "未见", "没有", "无",
)  # fmt: skip
_SUSPECTED = (
    "suspected",
    "suspicious",
    "suspicion of",
    "possible",
    "probable",
    "疑似",
    "可疑",
    "怀疑",
)
_GRADED = ("clinical_dr", "dme_risk", "messidor2_dme", "meta_pm", "messidor_dr")
"""Scales whose level words a disease column may hold; the first that knows a word owns it."""
_UNITS = {"µm": "um", "μm": "um", "um": "um", "微米": "um", "°": "deg", "degrees": "deg",
          "度": "deg", "毫米": "mm", "像素": "px"}  # fmt: skip
_VALUE = re.compile(
    r"(?P<name>.*?\D)\s*[:=：]?\s*(?P<value>[-+−]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(?P<unit>\D*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one part of a disease text says."""

    findings: tuple[Finding, ...] = ()
    grades: tuple[Grade, ...] = ()


@cache
def disease_names() -> Mapping[str, str]:
    """Return every name of a condition or lesion, in lower case, and its term."""
    names = {
        name.lower(): id
        for family in (terms.conditions(), terms.lesions())
        for id, term in family.items()
        for language in LANGUAGES
        for name in term.names(language)
    }
    return names | {"normal": "normal_fundus", "正常": "normal_fundus"}


@cache
def level_words() -> Mapping[str, tuple[str, int]]:
    """Return every wording of a grade, in lower case, with its scale and level."""
    found: dict[str, tuple[str, int]] = {}
    for id in _GRADED:
        for level in terms.scale(id).levels.values():
            for language in LANGUAGES:
                for name in level.names(language):
                    found.setdefault(name.lower(), (id, level.level))
    return found


def read_disease(text: str, source: str) -> Said:
    """Return the findings and grades that a disease text names.

    Parts are separated by `;`, a comma (either width), `、` or "and". A part is a name of the
    vocabulary, perhaps after "no" or "suspected", or the words of a grade.

    Raises
    ------
    TermError
        If a part is not known, or says the contrary of another.
    """
    findings: dict[str, Finding] = {}
    grades: dict[str, Grade] = {}
    for part in _parts(text):
        said = _read_part(part, source)
        for finding in said.findings:
            before = findings.setdefault(finding.term, finding)
            if before != finding:
                raise TermError(
                    f"{finding.term!r} is said to be {before.status} and {finding.status}"
                )
        for grade in said.grades:
            if grades.setdefault(grade.scale, grade) != grade:
                raise TermError(f"two levels of {grade.scale!r} are said of one photograph")
    _refuse_contrary(findings)
    return Said(tuple(findings.values()), tuple(grades.values()))


def _refuse_contrary(findings: Mapping[str, Finding]) -> None:
    """Refuse a disease that is present while a broader one is said to be absent."""
    absent = {term for term, finding in findings.items() if finding.status == "absent"}
    present = {term for term, finding in findings.items() if finding.status == "present"}
    for term in present:
        for denied in absent & terms.broader(term):
            raise TermError(f"{denied!r} is said to be absent, and {term!r} present")
        if term == "normal_fundus" and (ill := [t for t in present if _is_abnormal(t)]):
            raise TermError(f"the fundus is said to be normal, and {ill[0]!r} present")


def _is_abnormal(term: str) -> bool:
    return "abnormality" in terms.broader(term)


def _parts(text: str) -> Iterator[str]:
    for piece in re.split(r"[;；,，、]", text):
        piece = " ".join(piece.split()).strip(" .。").lower()
        if not piece:
            continue
        yield from [piece] if _is_known(piece) else re.split(r"\s+and\s+|和", piece)


def _is_known(part: str) -> bool:
    return any(part in words for words in (disease_names(), keywords(), level_words()))


def _read_part(part: str, source: str) -> Said:
    if _is_known(part):
        return _known(part, "present", source)
    prefixes: tuple[tuple[Status, tuple[str, ...]], ...] = (
        ("absent", _ABSENT),
        ("suspected", _SUSPECTED),
    )
    for status, words in prefixes:
        for word in words:
            rest = part.removeprefix(word)
            if rest != part and (rest.startswith(" ") or not word.isascii()):
                return _known(rest.strip(), status, source)
    raise _unknown(part)


def _known(name: str, status: Status, source: str) -> Said:
    if name in disease_names():
        return Said((Finding(disease_names()[name], status, source),))
    keyword = keywords().get(name, Keyword())
    if keyword.present and keyword.clinical_dr is None:
        return Said(tuple(Finding(term, status, source) for term in keyword.present))
    if keyword.suspected and status != "absent":
        return Said(tuple(Finding(term, "suspected", source) for term in keyword.suspected))
    scale_level = _scale_level(name)
    if scale_level is None:
        raise _unknown(name)
    scale, level = terms.scale(scale_level[0]), scale_level[1]
    present = scale.present_from is not None and level >= scale.present_from
    if status == "suspected" and present:
        return Said((Finding(scale.term, "suspected", source),))
    if status != "present":
        raise TermError(
            f"{status} {name!r}: the absence of one level says nothing of the others",
            mend="name the level that was seen, or the disease that was not",
        )
    finding = Finding(scale.term, "present" if present else "absent", source)
    return Said((finding,), (Grade(scale.id, level, source),))


def _scale_level(name: str) -> tuple[str, int] | None:
    keyword = keywords().get(name, Keyword())
    if keyword.clinical_dr is not None:
        return "clinical_dr", keyword.clinical_dr
    return level_words().get(name)


def _unknown(part: str) -> TermError:
    known = {*disease_names(), *level_words(), *keywords()}
    return TermError(f"no condition is called {part!r}", mend=nearest(part, known))


def read_quantities(text: str) -> Iterator[Measured | Unmeasured]:
    """Yield what a text such as `fractal dimension 1.47; CRAE 150 µm` measures.

    Raises
    ------
    TermError
        If a part is not `name value [unit]`, its name is not of the vocabulary, or its unit is
        missing or another than the vocabulary's.
    """
    for part in re.split(r"[;；,，]", text):
        if not part.strip():
            continue
        fits = _VALUE.fullmatch(part.strip())
        if fits is None:
            raise TermError(
                f"{part.strip()!r} is not `name value [unit]`",
                mend="such as: fractal dimension 1.47; CRAE 150 µm",
            )
        id, of, where = _quantity(fits["name"].strip(" :=：").lower())
        unit, wanted = fits["unit"].strip(), terms.quantity(id).unit
        if (_UNITS.get(unit, unit) or "1") != wanted:
            raise TermError(
                f"{id} has the unit {unit or 'none'!r} in {part.strip()!r}",
                mend=f"give it in {terms.UNIT_WORDS[wanted] or 'no unit'}",
            )
        yield quantity_value(id, float(fits["value"].replace("−", "-")), of, where)


def quantity_value(id: str, value: float, of: str = "", where: str = "") -> Measured | Unmeasured:
    """Return a quantity in the vocabulary's unit, Unmeasured where it cannot be true."""
    quantity = terms.quantity(id)
    if quantity.vessels:
        of, where = of or "all", where or "whole"
    low, high = quantity.plausible
    if not low <= value <= high:
        reason = f"the table says {value:g}, outside the plausible {low:g} to {high:g}"
        return Unmeasured(id, reason, tool=TOOL, of=of, where=where)
    return Measured(id, value, quantity.unit, tool=TOOL, of=of, where=where)


def _quantity(name: str) -> tuple[str, str, str]:
    """Return id, vessels and zone of a quantity's name."""
    names = {
        known.lower(): id
        for id, quantity in terms.quantities().items()
        for language in LANGUAGES
        for known in (*quantity.names(language), id)
    }
    if name in names:
        return names[name], "", ""
    rest, where = _without(name, terms.ZONES)
    if rest in names:
        return names[rest], "", where
    rest, of = _without(rest, terms.VESSELS)
    if rest in names:
        return names[rest], of, where
    raise TermError(f"no quantity is called {name!r}", mend=nearest(name, names))


def _without(
    name: str, words_of: Mapping[str, Mapping[terms.Language, tuple[str, ...]]]
) -> tuple[str, str]:
    """Return a name without the words of a zone or of vessels, and which they were."""
    for id, words in words_of.items():
        for word in sorted((w for said in words.values() for w in said), key=len, reverse=True):
            bare = rf"(?<![a-z]){re.escape(word.lower())}(?![a-z])"  # `\b` knows no Chinese
            found = re.search(rf"[(（]?\s*(?:in |of )?{bare}\s*[)）]?", name)
            if found:
                rest = name[: found.start()] + " " + name[found.end() :]
                return " ".join(rest.split()), id
    return name, ""
