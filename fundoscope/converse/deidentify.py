"""Hide who, where and when in a consultation, in Chinese and English.

Rules look for shapes (numbers), suffixes (hospitals, addresses), titles, introductions and lists;
a name learnt anywhere in a dialogue is hidden everywhere in it. They are no proof: what they leave
is looked at again, by other means, in `deidentify_suspicion`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fundoscope.converse.deidentify_chinese import chinese_names
from fundoscope.converse.deidentify_english import english_names
from fundoscope.converse.deidentify_numbers import numbers_that_tell
from fundoscope.converse.deidentify_places import places
from fundoscope.converse.deidentify_words import Hidden, Kind, word_set
from fundoscope.records import Language

PLACEHOLDERS: Mapping[Kind, Mapping[Language, str]] = {
    "doctor": {"en": "[DOCTOR NAME]", "zh": "[医生姓名]"},
    "person": {"en": "[NAME]", "zh": "[姓名]"},
    "hospital": {"en": "[HOSPITAL]", "zh": "[医院]"},
    "phone": {"en": "[PHONE]", "zh": "[电话]"},
    "account": {"en": "[ACCOUNT]", "zh": "[账号]"},
    "address": {"en": "[ADDRESS]", "zh": "[地址]"},
    "place": {"en": "[PLACE]", "zh": "[地点]"},
    "date": {"en": "[DATE]", "zh": "[日期]"},
    "id_number": {"en": "[ID NUMBER]", "zh": "[证件号]"},
    "email": {"en": "[E-MAIL]", "zh": "[邮箱]"},
    "url": {"en": "[URL]", "zh": "[网址]"},
    "price": {"en": "[PRICE]", "zh": "[价格]"},
    "old_age": {"en": "[AGE OVER 89]", "zh": "[90岁以上]"},
}
"""What is written instead, in the language of the dialogue."""

PLACEHOLDER = re.compile(
    "|".join(re.escape(p) for both in PLACEHOLDERS.values() for p in both.values())
)

_FULL_WIDTH = {
    code: code - 0xFEE0
    for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_FULL_WIDTH |= {0xFF20: "@", 0xFF0E: ".", 0xFF0B: "+", 0xFF0D: "-", 0x3000: " ", 0xA0: " "}
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_BEHIND_SURNAME = 2


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A text with its placeholders, and what they stand for."""

    text: str
    original: str
    """The text that the spans belong to: full-width digits and letters made plain."""
    hidden: tuple[Hidden, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each kind were hidden."""
        return Counter(span.kind for span in self.hidden)


def plain(text: str) -> str:
    """Return a text with plain digits and Latin letters, and nothing invisible in it."""
    return _INVISIBLE.sub("", text.translate(_FULL_WIDTH))


def deidentified(
    text: str, language: Language, known: Mapping[str, Kind] | None = None
) -> Deidentified:
    """Return one text with everything that tells who, where and when replaced.

    Parameters
    ----------
    known : names known from elsewhere (the head of the block), and what they are.

    Examples
    --------
    >>> deidentified("王医生，我的电话是13812345678，眼压 21 mmHg。", "zh").text
    '[医生姓名]医生，我的电话是[电话]，眼压 21 mmHg。'
    """
    return deidentified_together([text], language, known)[0]


def deidentified_together(
    texts: Sequence[str], language: Language, known: Mapping[str, Kind] | None = None
) -> list[Deidentified]:
    """Return the texts of one dialogue; a name learnt in one of them is hidden in all."""
    originals = [plain(text) for text in texts]
    first = [_found(text) for text in originals]
    names = _learnt(originals, first) | _parts_of(known or {})
    return [
        _replaced(text, _merged([*_occurrences(text, names), *spans]), language)
        for text, spans in zip(originals, first, strict=True)
    ]


def names_learnt(texts: Sequence[str]) -> dict[str, Kind]:
    """Return the names that texts give away; for `known`, where some of them are not written."""
    originals = [plain(text) for text in texts]
    return _learnt(originals, [_found(text) for text in originals])


def _found(text: str) -> list[Hidden]:
    """Return every span, those of earlier rules first: they win where two meet."""
    masked = PLACEHOLDER.sub(lambda match: "\u2042" * len(match[0]), text)  # never within one
    finders = (numbers_that_tell, places, chinese_names, english_names)
    return [span for finder in finders for span in finder(masked)]


def _merged(spans: Iterable[Hidden]) -> list[Hidden]:
    """Return spans that do not touch; where two meet, the earlier rule names their union."""
    kept: list[Hidden] = []
    for span in spans:
        meeting = [other for other in kept if span.start < other.end and other.start < span.end]
        if not meeting:
            kept.append(span)
            continue
        if any(other.start <= span.start and span.end <= other.end for other in meeting):
            continue
        union = Hidden(
            meeting[0].kind,
            min(span.start, *(other.start for other in meeting)),
            max(span.end, *(other.end for other in meeting)),
        )
        kept = [other for other in kept if other not in meeting] + [union]
    return sorted(kept, key=lambda span: span.start)


def _learnt(texts: Sequence[str], found: Sequence[list[Hidden]]) -> dict[str, Kind]:
    """Return the names that a dialogue gave away, and their parts."""
    names: dict[str, Kind] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in _merged(spans):
            if span.kind not in ("doctor", "person"):
                continue
            name = text[span.start : span.end].strip()
            for part in name_parts(name):
                names.setdefault(part, span.kind)
    return names


def _parts_of(known: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return known names with the parts of those of persons."""
    return {
        part: kind
        for name, kind in known.items()
        for part in (name_parts(name) if kind in ("doctor", "person") else [name])
    }


def name_parts(name: str) -> Iterator[str]:
    """Yield a name and those parts of it that are telling when they stand alone."""
    if re.search("[\u4e00-\u9fff]", name):
        if len(name) > 1:
            yield name
        if len(name) > _BEHIND_SURNAME and name[-2:] not in word_set("names_zh", "not_names"):
            yield name[-2:]
        return
    common = word_set("names_en", "common") | word_set("names_en", "eponyms")
    for part in (name, *name.split()):
        if len(part) > 2 and part not in common and not part.islower():
            yield part


def _occurrences(text: str, names: Mapping[str, Kind]) -> Iterator[Hidden]:
    for name in sorted(names, key=len, reverse=True):
        latin = name[0].isascii()
        pattern = rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" if latin else re.escape(name)
        for match in re.finditer(pattern, text):
            yield Hidden(names[name], *match.span())


def _replaced(text: str, spans: Sequence[Hidden], language: Language) -> Deidentified:
    parts: list[str] = []
    position = 0
    for span in spans:
        if parts and span.start == position and parts[-1] == PLACEHOLDERS[span.kind][language]:
            position = span.end  # a city behind its province is one place
            continue
        parts += [text[position : span.start], PLACEHOLDERS[span.kind][language]]
        position = span.end
    return Deidentified("".join([*parts, text[position:]]), text, tuple(spans))
