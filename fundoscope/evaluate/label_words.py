"""Labels in words: as an answer that is read back as the label, and as the shortest text of it."""

from __future__ import annotations

from collections.abc import Mapping

from fundoscope import terms
from fundoscope.describe.statements import place
from fundoscope.describe.wording import sentences
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Options,
    Quality,
    Space,
    Value,
    YesNo,
)
from fundoscope.records import Box, Language, Statement

_YES_NO: Mapping[Language, Mapping[str, str]] = {
    "en": {"yes": "Yes", "no": "No", "suspected": "Possibly"},
    "zh": {"yes": "是", "no": "否", "suspected": "可能"},
}
_EYES: Mapping[Language, Mapping[str, str]] = {
    "en": {"left": "Left", "right": "Right"},
    "zh": {"left": "左眼", "right": "右眼"},
}
_QUALITIES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "good": "Good", "usable": "Usable", "reject": "Reject",
        "gradable": "Gradable", "ungradable": "Ungradable",
    },
    "zh": {
        "good": "良好", "usable": "可用", "reject": "不合格",
        "gradable": "可分级", "ungradable": "不可分级",
    },
}  # fmt: skip
_NO_BOX: Mapping[Language, str] = {"en": "No.", "zh": "没有。"}


def label_texts(space: Space, language: Language) -> dict[str, str]:
    """Return the shortest text of every label, by label; empty where they cannot be counted.

    These are what a model's likelihoods are asked for: `Yes` and `No`, a level's number, an
    option's letter.
    """
    match space:
        case YesNo():
            asked = ("no", "suspected", "yes") if space.suspected else ("no", "yes")
            return {label: _YES_NO[language][label] for label in asked}
        case Levels():
            return {str(level): str(level) for level in sorted(terms.scale(space.scale).levels)}
        case Quality():
            grades = ("ungradable", "gradable") if space.binary else ("reject", "usable", "good")
            return {grade: _QUALITIES[language][grade] for grade in grades}
        case EyeSide():
            return dict(_EYES[language])
        case Options():
            return {letter: letter for letter, _ in space.options}
        case _:
            return {}


def answer_of(label: Label, space: Space, language: Language) -> str:
    """Return an answer that says a label and nothing else.

    `answers.read_answer` reads it back as that label; a tested property.
    """
    match label, space:
        case FoundTerms(), _:
            return terms_text(label, language)
        case FoundBoxes(), Boxes():
            return ", ".join(box_in(box, space) for box in label.boxes) or _NO_BOX[language]
        case Value(), Number():
            return number_text(label, space, language)
        case int(), Levels():
            return _level(label, space, language)
        case "suspected", YesNo():
            return said([Statement("finding", space.term, "suspected")], language)
        case _:
            text = label_texts(space, language)[str(label)]
            return f"{text}." if language == "en" else f"{text}。"


def said(statements: list[Statement], language: Language) -> str:
    """Return statements as one text."""
    return (" " if language == "en" else "").join(sentences(statements, language))


def terms_text(label: FoundTerms, language: Language) -> str:
    """Return what is said of several terms, those of one status together."""
    order = ("present", "suspected", "absent", "abstained")
    status = {"abstained": "not_assessed"}
    statements = [
        Statement("finding", term, status.get(found, found))
        for wanted in order
        for term, found in label.statuses
        if found == wanted
    ]
    return said(statements, language)


def number_text(label: Value, space: Number, language: Language) -> str:
    """Return a value with its quantity and unit."""
    decimals = terms.quantity(space.quantity).decimals
    statement = Statement(
        "measurement",
        space.quantity,
        round(label.value, decimals),
        unit=space.unit,
        of=space.of,
        where=space.where,
        decimals=decimals,
    )
    return said([statement], language)


def box_in(box: Box, space: Boxes) -> str:
    """Return a box in the notation that was asked for; shares of the photograph by default."""
    width, height = 1.0, 1.0
    if space.convention == "pixels" and space.size is not None:
        width, height = space.size
    elif space.convention in ("0-1000", "percent"):
        width = height = 1000.0 if space.convention == "0-1000" else 100.0
    x_min, y_min, x_max, y_max = box
    corner = (x_max, y_max) if space.form == "xyxy" else (x_max - x_min, y_max - y_min)
    numbers = (x_min * width, y_min * height, corner[0] * width, corner[1] * height)
    digits = 4 if width == 1 else 1 if space.convention == "percent" else 0
    return f"[{', '.join(f'{number:.{digits}f}' for number in numbers)}]"


def box_statement(kind: str, box: Box) -> Statement:
    """Return the statement that a lesion of a kind lies in a box."""
    return Statement("lesion_box", kind, box, where=place(box))


def _level(level: int, space: Levels, language: Language) -> str:
    scale = terms.scale(space.scale)
    if scale.term in ("quality", "gradability"):  # its words are no levels to `answers`
        return f"Grade {level}." if language == "en" else f"{level} 级。"
    return said([Statement("grade", scale.term, level, scale=scale.id)], language)
