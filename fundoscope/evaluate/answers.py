"""From a model's free answer to a label, by rules, in English and Chinese; it never guesses.

An answer that says nothing that the question's answer space knows, or says it with a doubt,
*abstains*; one that says a thing and its opposite is *contradictory*; all else is *decided*, with
the words that decided. Thoughts are dropped. A marked answer ("the answer is", `\\boxed{}`) counts
first, then what stands behind the last "therefore", then the whole.
"""

from __future__ import annotations

from collections.abc import Callable

from fundoscope.evaluate.answer_boxes import read_boxes
from fundoscope.evaluate.answer_choices import read_eye, read_option, read_quality
from fundoscope.evaluate.answer_levels import read_level
from fundoscope.evaluate.answer_numbers import read_number
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    Levels,
    Number,
    Options,
    Quality,
    Reading,
    Space,
    YesNo,
    abstained,
    contradictory,
)
from fundoscope.evaluate.answer_terms import read_findings, read_yes_no
from fundoscope.evaluate.answer_text import Answer, cleaned

VERSION = "1"
"""Of the rules; a report states it, for other rules may read an answer otherwise."""


def read_answer(answer: str, space: Space, *, question: str = "") -> Reading:
    """Return the label that an answer gives, if it gives one.

    Parameters
    ----------
    answer : the model's words, in English or Chinese, as they came
    space : what the question may be answered with
    question : the question as asked, so that an echo of it is not read as an answer

    Returns
    -------
    Reading
        `decided` with a label of the space, `abstained`, or `contradictory`.

    Examples
    --------
    >>> read_answer("Yes, the image is abnormal.", YesNo("normal_fundus")).label
    'no'
    >>> read_answer("Glaucoma cannot be excluded.", YesNo("glaucoma")).outcome
    'abstained'
    >>> read_answer("An image of the retina.", Options((("A", "Glaucoma"),))).outcome
    'abstained'
    """
    text = cleaned(answer, question)
    if isinstance(space, Boxes):
        return read_boxes(text.written, text.whole, space)
    return _concluded(text, lambda part: _read(part, space))


def _read(text: str, space: Space) -> Reading:
    match space:
        case YesNo():
            return read_yes_no(text, space)
        case Levels():
            return read_level(text, space)
        case Findings():
            return read_findings(text, space)
        case Quality():
            return read_quality(text, space)
        case EyeSide():
            return read_eye(text)
        case Options():
            return read_option(text, space)
        case Number():
            return read_number(text, space)
        case Boxes():
            raise AssertionError("boxes are read with their notations")


def _concluded(text: Answer, read: Callable[[str], Reading]) -> Reading:
    """Return what the marked answers say, else the conclusion, else the whole."""
    marked = [reading for part in text.strong if (reading := read(part)).outcome != "abstained"]
    labels = {reading.label for reading in marked}
    if len(labels) > 1:
        return contradictory(" / ".join(reading.words for reading in marked))
    if marked and marked[0].outcome == "decided":
        return marked[-1]
    if marked:
        return marked[0]
    if text.weak:
        reading = read(text.weak)
        if reading.outcome == "decided":
            return reading
    return read(text.whole) if text.whole else abstained()
