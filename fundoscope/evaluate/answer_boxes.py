"""Answers that place boxes, in the notations that models use, with the convention they are in.

Four bare numbers do not say what they count: with all of them at most 1 they are shares of the
photograph; larger ones are pixels or thousandths. Where the numbers, a notation, a word or the
prompt's convention leave one reading, that is it; where they leave two, the answer abstains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fundoscope.evaluate.answer_book import book
from fundoscope.evaluate.answer_says import hear
from fundoscope.evaluate.answer_spaces import (
    BoxConvention,
    Boxes,
    FoundBoxes,
    Reading,
    abstained,
    decided,
)
from fundoscope.records import Box

_N = r"(-?\d+(?:\.\d+)?)\s*(?:%|px|pixels|像素)?"
_SEP = r"(?:\s*[,，]\s*|\s+)"
_TAG = re.compile(r"<\|box_start\|>([^<]*)<\|box_end\|>|<box>([^<]*)</box>|<bbox>([^<]*)</bbox>")
_POINTS = re.compile(
    rf"\(\s*{_N}{_SEP}{_N}\s*\)\s*"
    r"(?:[,，]?\s*(?:and\s+)?(?:右下角?|bottom[ -]right)\s*:?|,|，|to|and|-|–|到|至|和)?\s*"
    rf"\(\s*{_N}{_SEP}{_N}\s*\)",
    re.IGNORECASE,
)
_FOUR = re.compile(rf"(?<![\d.,]){_N}{_SEP}{_N}{_SEP}{_N}{_SEP}{_N}(?!\s*,?\s*[\d.])")
_NAMED_CORNERS = re.compile(
    r"x_?(?:1|min)\W{1,4}" + _N + r"\W{1,4}y_?(?:1|min)\W{1,4}" + _N
    + r"\W{1,4}x_?(?:2|max)\W{1,4}" + _N + r"\W{1,4}y_?(?:2|max)\W{1,4}" + _N,
    re.IGNORECASE,
)  # fmt: skip
_NAMED_SIZE = re.compile(
    r"\bx\W{1,4}" + _N + r"\W{1,4}y\W{1,4}" + _N + r"\W{1,4}(?:width|w|宽)\W{1,4}" + _N
    + r"\W{1,4}(?:height|h|高)\W{1,4}" + _N,
    re.IGNORECASE,
)  # fmt: skip
_FROM, _TO = r"\s*(?:from|runs from|从|:|=|为)*\s*", r"\s*(?:-|–|to|到|至)\s*"
_SPANS = re.compile(
    r"\bx" + _FROM + _N + _TO + r"(?:x\s*=?)?\s*" + _N
    + r"\W{0,3}(?:and)?\s*y" + _FROM + _N + _TO + r"(?:y\s*=?)?\s*" + _N,
    re.IGNORECASE,
)  # fmt: skip
_PIXELS = re.compile(r"pixel|\bpx\b|px\b|像素", re.IGNORECASE)
_THOUSAND = re.compile(r"0\s*(?:-|–|to|到)\s*1000|thousandth|千分", re.IGNORECASE)
_LONGEST = 20_000
_SCALE_WORDS = re.compile(r"0\s*(?:-|–|to|到)\s*1000")


@dataclass(frozen=True, slots=True)
class _Group:
    numbers: tuple[float, float, float, float]
    form: str
    percent: bool
    tagged: bool


def read_boxes(written: str, text: str, space: Boxes) -> Reading:
    """Return the boxes of an answer, as shares of the photograph.

    Parameters
    ----------
    written : the answer with its notations (`Answer.written`)
    text : the answer as sentences, for one that says that there is nothing
    """
    written = written[-_LONGEST:]
    groups = list(_groups(_SCALE_WORDS.sub(" 千分 ", written), space.form))
    if not groups:
        return _nothing(written, text)
    hint = _hint(written, space)
    conventions = {_convention(group, hint, space) for group in groups}
    if len(conventions) > 1 or None in conventions:
        return abstained(written)
    convention = conventions.pop()
    assert convention is not None
    boxes = [_box(group, convention, space) for group in groups]
    if any(box is None for box in boxes):
        return abstained(written)
    found = tuple(dict.fromkeys(box for box in boxes if box))
    return decided(FoundBoxes(found, convention), written[:300])


def _nothing(written: str, text: str) -> Reading:
    if re.fullmatch(r"\W*\[\s*\]\W*", written):
        return decided(FoundBoxes((), ""), written)
    heard = hear(text, book())
    denied = [one for one in heard.said if one.status == "absent"]
    if (denied and len(denied) == len(heard.said)) or (not heard.said and heard.lead == ["no"]):
        return decided(FoundBoxes((), ""), text[:200])
    return abstained(text)


def _groups(text: str, form: str) -> Iterator[_Group]:
    def group(match: re.Match[str], shape: str, *, tagged: bool = False) -> _Group:
        a, b, c, d = (float(number) for number in match.groups())
        return _Group((a, b, c, d), shape, "%" in match.group(), tagged)

    for tag in _TAG.finditer(text):
        inner = next(part for part in tag.groups() if part is not None)
        found = list(_POINTS.finditer(inner)) or list(_FOUR.finditer(inner))
        yield from (group(match, form, tagged=True) for match in found)
    text = _TAG.sub(" ", text)
    for pattern, shape in (
        (_NAMED_CORNERS, "xyxy"),
        (_NAMED_SIZE, "xywh"),
        (_POINTS, "xyxy"),
        (_SPANS, "spans"),
        (_FOUR, form),
    ):
        for match in pattern.finditer(text):
            yield group(match, shape)
        text = pattern.sub(" ", text)


def _hint(written: str, space: Boxes) -> BoxConvention | None:
    said: set[BoxConvention] = set()
    if _THOUSAND.search(written):
        said.add("0-1000")
    elif _PIXELS.search(written):
        said.add("pixels")
    if len(said) == 1:
        return said.pop()
    return space.convention


def _convention(group: _Group, hint: BoxConvention | None, space: Boxes) -> BoxConvention | None:
    """Return the only convention that fits, or None."""
    if group.percent:
        return "percent"
    if max(group.numbers) <= 1:
        return "normalised"
    if hint is None and group.tagged and max(group.numbers) <= 1000:
        return "0-1000"  # what the models that write these tags count in
    if hint is not None:
        return hint
    fitting: list[BoxConvention] = []
    whole = all(number.is_integer() for number in group.numbers)
    if whole and max(group.numbers) <= 1000 and _box(group, "0-1000", space) is not None:
        fitting.append("0-1000")
    if space.size is None or _box(group, "pixels", space) is not None:
        fitting.append("pixels")
    return fitting[0] if len(fitting) == 1 and (space.size or fitting[0] != "pixels") else None


def _box(group: _Group, convention: BoxConvention, space: Boxes) -> Box | None:
    """Return a box as shares of the photograph, or None where it is none."""
    a, b, c, d = group.numbers
    if group.form == "xywh":
        x_min, y_min, x_max, y_max = a, b, a + c, b + d
    elif group.form == "spans":
        x_min, x_max, y_min, y_max = a, b, c, d
    else:
        x_min, y_min, x_max, y_max = a, b, c, d
    width, height = 1.0, 1.0
    if convention == "pixels":
        if space.size is None:
            return None
        width, height = float(space.size[0]), float(space.size[1])
    elif convention == "0-1000":
        width = height = 1000.0
    elif convention == "percent":
        width = height = 100.0
    box = (x_min / width, y_min / height, x_max / width, y_max / height)
    inside = all(-1e-9 <= edge <= 1 + 1e-9 for edge in box)
    if not inside or box[2] <= box[0] or box[3] <= box[1]:
        return None
    return (round(box[0], 6), round(box[1], 6), round(box[2], 6), round(box[3], 6))
