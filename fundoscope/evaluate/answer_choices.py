"""Answers that choose: quality of a photograph, side of the eye, a letter of several options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from fundoscope.evaluate.answer_book import Book, book
from fundoscope.evaluate.answer_says import Heard, hear
from fundoscope.evaluate.answer_spaces import (
    Options,
    Quality,
    Reading,
    abstained,
    contradictory,
    decided,
)
from fundoscope.verify.lexicon import Word, normalised

_BINARY = {
    "good": "gradable", "usable": "gradable", "gradable": "gradable", "reject": "ungradable",
}  # fmt: skip
_TOO_POOR = re.compile(
    r"\btoo (?:\w+ )?(?:blurred|blurry|dark|bright|poor|hazy|bad)\b|\bcannot be graded\b"
    r"|\bnot (?:be )?gradable\b|太(?:模糊|暗|亮|差)"
)


def read_quality(text: str, space: Quality) -> Reading:
    """Return the quality that an answer gives a photograph."""
    heard = hear(text, book())
    found, doubted = _qualities(heard, space)
    low = text.lower()
    if _TOO_POOR.search(low):
        found.add("ungradable" if space.binary else "reject")
    if space.binary and set(heard.lead) == {"yes"}:
        found.add("gradable")
    elif space.binary and set(heard.lead) == {"no"}:
        found.add("ungradable")
    if doubted or (heard.unsure and not found):
        return abstained(text)
    if len(found) > 1 or len(set(heard.lead)) > 1:
        return contradictory(text)
    return decided(found.pop(), text[:200]) if found else abstained()


def _qualities(heard: Heard, space: Quality) -> tuple[set[str], bool]:
    found: set[str] = set()
    doubted = False
    for one in heard.said:
        if one.word.kind != "quality":
            continue
        label = one.word.id
        if one.status == "absent":
            if label in ("usable", "gradable"):
                found.add("ungradable" if space.binary else "reject")
        elif one.status != "present":
            doubted = True
        elif space.binary:
            found.add(_BINARY[label])
        elif label == "gradable":
            doubted = True  # good or usable: it does not say which
        else:
            found.add(label)
    return found, doubted


_SIDE_ALONE = re.compile(
    r"\s*(?:it is |it's |the |是|为|(?:eye|eye side|laterality|side|眼别)\s*:\s*)*"
    r"(left|right|左|右|l|r)"
    r"(?:\s*[,;]\s*not (?:the )?(?:left|right))?\s*[.。!]?\s*",
    re.IGNORECASE,
)
_SIDES = {"left": "left", "l": "left", "左": "left", "right": "right", "r": "right", "右": "right"}
_LATIN_SIDE = re.compile(r"(?<![A-Za-z])(O\.?S\.?|O\.?D\.?)(?![A-Za-z])")


def read_eye(text: str) -> Reading:
    """Return the side of the eye that an answer gives; a side of the picture is none."""
    if match := _SIDE_ALONE.fullmatch(text):
        return decided(_SIDES[match.group(1).lower()], match.group())
    spelt = _LATIN_SIDE.sub(lambda m: " left eye " if "S" in m.group() else " right eye ", text)
    if text.strip(" .").lower() in ("os", "od"):
        spelt = "left eye" if text.strip(" .").lower() == "os" else "right eye"
    heard = hear(spelt, book())
    eyes = [one for one in heard.said if one.word.kind == "eye"]
    present = {one.word.id for one in eyes if one.status == "present"}
    absent = {one.word.id for one in eyes if one.status == "absent"}
    if any(one.status not in ("present", "absent") for one in eyes) or "both" in present:
        return abstained(text)
    if not present and len(absent) == 1:
        present = {"left", "right"} - absent
        absent = set()
    if len(present) > 1 or present & absent:
        return contradictory(text)
    return decided(present.pop(), text[:200]) if present else abstained()


_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6,
    "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8,
}  # fmt: skip
_ORDINAL = re.compile(
    r"\b(?:option|choice|number|answer) (\d)\b"
    r"|\bthe (first|second|third|fourth|fifth|sixth) (?:option|choice|one|answer)\b"
    r"|第([一二三四五六七八\d])(?:个|项|选项)+|^\s*(\d)\s*[.。]?\s*$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?<![A-Za-z\d])([A-Z])(?![A-Za-z\d'])(?!型)")
_SMALL_LETTER = re.compile(r"^\s*[(\[]?([a-z])[)\].:]?\s*$|^\s*\(?([a-z])[).](?=\s)")
_ARTICLE_AHEAD = re.compile(r"A(?=\s+[a-z])")
_LIST_OF_ALL = re.compile(
    r"(?:^|\n)[ \t]*\(?A\s*[.):、].{0,200}?\bB\s*[.):、].{0,200}?\bC\s*[.):、].*"
)
_AFTER_LETTER_VERB = re.compile(
    r"A\s+(?:is|was|or|and|because|since|as|seems|fits|does|but|would)\b"
)


def read_option(text: str, space: Options) -> Reading:
    """Return the letter of the option that an answer chooses, by letter or by text."""
    words = _book_of(space)
    text = _LIST_OF_ALL.sub("\n", text)
    marked, unknown = _with_letters(text, space)
    heard = hear(marked, words)
    letters = {letter for letter, _ in space.options}
    present: set[str] = set()
    absent: set[str] = set()
    doubted = False
    by_letter: set[str] = set()
    for one in heard.said:
        for letter in _letters_of(one.word, space):
            if one.status == "present":
                present.add(letter)
                if one.word.kind == "option":
                    by_letter.add(letter)
            elif one.status == "absent":
                absent.add(letter)
            else:
                doubted = True
    if unknown or (doubted and not present):
        return abstained(text)
    if doubted:
        return abstained(text)
    if len(present) > 1 or present & absent:
        return contradictory(text)
    return decided(present.pop(), text[:200]) if present & letters else abstained()


def _letters_of(word: Word, space: Options) -> Iterator[str]:
    if word.kind == "option":
        yield word.id
    elif word.kind == "normal" or word.id == "normal_fundus":
        yield from (letter for letter, text in space.options if _is_normal(text))


@lru_cache(maxsize=4096)
def _is_normal(text: str) -> bool:
    return any(
        word.kind == "normal" or word.id == "normal_fundus"
        for word in book().meanings.get(normalised(text), ())
    )


@lru_cache(maxsize=256)
def _book_of(space: Options) -> Book:
    """Return the book with the options' texts and the other names of what they name."""
    extra: list[tuple[str, Word]] = []
    known = book().meanings
    for letter, text in space.options:
        if _is_normal(text):
            continue
        key = normalised(text).strip(" .。")
        extra.append((key, Word("option", letter)))
        for word in known.get(key, ()):
            if word.kind in ("term", "level"):
                extra += [(name, Word("option", letter)) for name in _names(word)]
        extra.append((_mark(letter), Word("option", letter)))
    extra += [(_mark(letter), Word("option", letter)) for letter, _ in space.options]
    return book(tuple(dict.fromkeys(extra)))


def _names(word: Word) -> Iterator[str]:
    for phrase, words in book().meanings.items():
        if word in words:
            yield phrase


def _mark(letter: str) -> str:
    return f"option{letter.lower()}"


def _with_letters(text: str, space: Options) -> tuple[str, bool]:
    """Return the text with letters and ordinals as `optionX`, and whether one is no option."""
    letters = [letter for letter, _ in space.options]
    unknown = False

    def letter(match: re.Match[str]) -> str:
        nonlocal unknown
        found = match.group(1)
        ahead = text[match.start() :]
        if (
            found == "A"
            and _ARTICLE_AHEAD.match(ahead)
            and not _AFTER_LETTER_VERB.match(ahead)
            and not _text_follows(ahead[1:], space)
        ):
            return match.group()
        if found == "I" and "I" not in letters:
            return match.group()
        if found not in letters:
            unknown = unknown or _chosen(text, match)
            return match.group()
        return f" {_mark(found)} "

    def ordinal(match: re.Match[str]) -> str:
        nonlocal unknown
        written = next(group for group in match.groups() if group).lower()
        place = _ORDINALS.get(written) or int(written)
        if not 1 <= place <= len(letters):
            unknown = True
            return match.group()
        return f" {_mark(letters[place - 1])} "

    if small := _SMALL_LETTER.match(text):
        found = next(group for group in small.groups() if group)
        text = text[: small.start()] + found.upper() + text[small.end() :]
    text = _LETTER.sub(letter, text)
    return _ORDINAL.sub(ordinal, text), unknown


def _chosen(text: str, match: re.Match[str]) -> bool:
    """Whether a letter that is no option stands as the choice."""
    return len(text.strip(" .。()[]")) == 1 or bool(
        re.search(
            r"(?:answer is|answer:|option|choose|答案是|答案:|选)\s*\(?$", text[: match.start()]
        )
    )


def _text_follows(ahead: str, space: Options) -> bool:
    own = next((text for letter, text in space.options if letter == "A"), "")
    return bool(own) and normalised(ahead).strip().startswith(normalised(own))
