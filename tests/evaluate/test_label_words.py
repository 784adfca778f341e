"""Every label has words, and whoever reads the words gets the label back."""

from collections.abc import Iterator

import pytest

from fundoscope import terms
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
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
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.label_words import answer_of, label_texts
from fundoscope.records import LANGUAGES, Language

OPTIONS = Options((("A", "Glaucoma"), ("B", "Normal fundus"), ("C", "Cataract")))


def every_label() -> Iterator[tuple[Label, Space]]:
    for term in [*terms.conditions(), *terms.lesions()]:
        yield "yes", YesNo(term)
        yield "no", YesNo(term)
        yield "suspected", YesNo(term, suspected=True)
        yield FoundTerms(((term, "present"),)), Findings((term,))
        yield FoundTerms(((term, "absent"),)), Findings((term,))
    for scale in terms.scales().values():
        yield from ((level, Levels(scale.id)) for level in scale.levels)
    for grade in ("good", "usable", "reject"):
        yield grade, Quality()
    for grade in ("gradable", "ungradable"):
        yield grade, Quality(binary=True)
    yield from ((side, EyeSide()) for side in ("left", "right"))
    yield from ((letter, OPTIONS) for letter in "ABC")
    yield FoundBoxes((), ""), Boxes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_says_a_label_is_read_as_that_label(language: Language) -> None:
    wrong = [
        (label, space, answer)
        for label, space in every_label()
        if read_answer(answer := answer_of(label, space, language), space).label != label
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_is_read_back_with_its_unit(language: Language) -> None:
    for value, space in (
        (1.42, Number("fractal_dimension", "1", "all", "whole")),
        (0.61, Number("avr_knudtson", "1", "", "zone_b")),
        (12.0, Number("haemorrhage_count", "1")),
        (145.5, Number("crae_knudtson", "um", "", "zone_b")),
    ):
        answer = answer_of(Value(value, value, value), space, language)
        assert read_answer(answer, space).label == Value(value, value, value)


@pytest.mark.parametrize("convention", [None, "normalised", "pixels", "0-1000", "percent"])
@pytest.mark.parametrize("form", ["xyxy", "xywh"])
def test_boxes_are_read_back_from_the_notation_that_was_asked_for(
    convention: str | None, form: str
) -> None:
    space = Boxes((2000, 1000), convention, form)  # type: ignore[arg-type]
    boxes = ((0.1, 0.2, 0.35, 0.4), (0.5, 0.5, 0.75, 0.75))
    read = read_answer(answer_of(FoundBoxes(boxes, "normalised"), space, "en"), space).label
    assert isinstance(read, FoundBoxes) and read.boxes == boxes


def test_the_shortest_texts_are_those_of_the_labels() -> None:
    assert label_texts(YesNo("glaucoma"), "en") == {"no": "No", "yes": "Yes"}
    assert label_texts(YesNo("glaucoma", suspected=True), "zh") == {
        "no": "否", "suspected": "可能", "yes": "是",
    }  # fmt: skip
    assert label_texts(Levels("icdr"), "en") == {n: n for n in "01234"}
    assert label_texts(OPTIONS, "zh") == {"A": "A", "B": "B", "C": "C"}
    assert label_texts(Number("fractal_dimension", "1"), "en") == {}
