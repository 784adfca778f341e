"""A second look at a text from which persons and places should be gone, by other means.

The replacing rules look for what a name or number *is*; this looks for where one would *stand*:
what is before a title, behind "my name is", in front of "hospital", how many digits come in a row,
which words are capitalised (`rules_suspicion.yaml`). A word in such a place must be on a short list
of harmless ones. Better a sound dialogue lost than a person named: callers refuse what is
suspicious.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from fundoscope.converse.consultation_relevance import named
from fundoscope.converse.deidentify import PLACEHOLDER, plain
from fundoscope.converse.deidentify_words import CJK, word_list, word_set, words
from fundoscope.records import Language

_MASK = "□"
_NUMERALS = str.maketrans(
    "〇零○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖", "00012345678912123456789"
)
_DIGITS = re.compile(r"(?:\d[\s().—–-]{0,2}){6,}\d")
_VALUE = re.compile(r"[.]\d|\s*(?:um|µm|μm|mm|微米|毫米|mg|毫克|ml|单位|IU|%|度|D\b|cells|/)")
_RANGE = re.compile(r"\d{1,4}\s?[-—–~]\s?\d{1,4}(?!\d)")


@cache
def _place(name: str) -> re.Pattern[str]:
    """Return a pattern of `rules_suspicion.yaml`."""
    return re.compile(words("rules_suspicion")[name])


def suspicions(text: str, language: Language) -> list[str]:
    """Return why a text may still name a person or place; empty where nothing looks so.

    The reasons name a kind, never the words: they are written beside rejects.

    Examples
    --------
    >>> suspicions("打我电话 138 1234 5678", "zh")
    ['seven digits or more in a row']
    >>> suspicions("[医生姓名]医生说眼压 21 mmHg，视力 0.8。", "zh")
    []
    """
    masked = PLACEHOLDER.sub(_MASK, plain(text))
    return [reason for reason, looks in _LOOKS if looks(masked)]


def _digit_run(text: str) -> bool:
    return any(_telling(text, match) for match in _DIGITS.finditer(text.translate(_NUMERALS)))


def _telling(text: str, match: re.Match[str]) -> bool:
    """Whether digits in a row are more than measurements side by side or a range."""
    said = match[0]
    if (
        re.fullmatch(r"\D*".join([r"\d{1,4}\.\d{1,2}"] * max(1, said.count("."))), said)
        and "." in said
    ):
        return False  # 0.8 1.0 14.5: decimals, each with its point
    short = all(len(group) <= 4 for group in re.split(r"\D+", said))
    return not (short and (_RANGE.fullmatch(said) or _VALUE.match(text, match.end())))


def _before_title(text: str) -> bool:
    return any(
        (before := text[max(0, match.start("before")) : match.end("before")])
        and not _place("before_title_ok").search(before)
        and _surname_near(before)
        for match in _place("title").finditer(text)
    )


def _surname_near(before: str) -> bool:
    surnames = words("names_zh")["surnames"]
    return any(character in surnames for character in before)


def _named_hospital(text: str) -> bool:
    for match in _place("hospital").finditer(text):
        before = _place("kind_of_hospital").sub("", match["before"])
        if before and not _place("before_hospital_ok").search(before):
            return True
    return False


def _lone_name(text: str) -> bool:
    """Whether a clause is nothing but a common surname and one or two characters."""
    common, usual = words("names_zh")["common_surnames"], word_set("names_zh", "not_names")
    given = words("names_zh")["given"]
    return any(
        2 <= len(clause) <= 3 and clause[0] in common and clause[:2] not in usual
        and all(character in given for character in clause[1:])
        for clause in re.split(r"[^\u4e00-\u9fff]+", text)
    )  # fmt: skip


def _related_name(text: str) -> bool:
    """Whether a relation is followed by a surname that begins no everyday word."""
    common, usual = words("names_zh")["common_surnames"], word_set("names_zh", "not_names")
    relatives = "|".join(word_list("names_zh", "relatives"))
    return any(
        match["next"][0] in common
        and match["next"] not in usual
        and match["next"][1] in words("names_zh")["given"]
        for match in re.finditer(
            rf"(?:{relatives}|叫|我是|这是|本人)[:：，,]?(?P<next>[\u4e00-\u9fff]{{2}})", text
        )
    )


def _name_shape(text: str) -> bool:
    """Whether a common surname and two characters of given names come in a row, anywhere."""
    rules, usual = words("names_zh"), word_set("names_zh", "not_names")
    given, loose = set(rules["given"]) - set(_place("function").pattern), set(rules["loose_given"])
    for match in re.finditer(rf"(?=([{rules['common_surnames']}])([{CJK}])([{CJK}]))", text):
        surname, first, second = match.groups()
        before = text[max(0, match.start() - 1) : match.start()]
        if (
            {first, second} <= given
            and not {first, second} <= loose
            and not {surname + first, first + second, before + surname} & usual
            and not _in_a_term(text, match.start())
        ):
            return True
    return False


def _in_a_term(text: str, at: int) -> bool:
    """Whether one of the three characters from `at` on is part of a term of the eye."""
    return bool(named(text[max(0, at - 3) : at + 6], "zh"))


def _harmless() -> frozenset[str]:
    return word_set("names_en", "common") | word_set("names_en", "eponyms")


def _capital_name(text: str) -> bool:
    for pattern in (_place("named"), _place("titled"), _place("closing"), _place("related")):
        for match in pattern.finditer(text):
            found = match.groupdict()
            name = found.get("name") or found.get("lower") or ""
            if "who" in found and found["who"] not in word_set("names_en", "relatives"):
                continue
            if name.title() not in _harmless() and name not in word_set("names_en", "lower_stop"):
                return True
    return False


def _capital_pair(text: str) -> bool:
    return any(
        not {match["first"], match["last"]} & _harmless()
        for match in _place("capitals").finditer(text)
    )


def _english_hospital(text: str) -> bool:
    return any(match["name"] not in _harmless() for match in _place("en_hospital").finditer(text))


def _pattern(name: str) -> Callable[[str], bool]:
    return lambda text: _place(name).search(text) is not None


_LOOKS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("seven digits or more in a row", _digit_run),
    ("an address of mail or of a page", _pattern("link")),
    ("an account of a messenger", _pattern("account")),
    ("a surname before a title", _before_title),
    ("an introduction by name", _pattern("introduced")),
    ("a relation and a name", _related_name),
    ("the shape of a name", _name_shape),
    ("a hospital with a name", _named_hospital),
    ("a clause that is a name", _lone_name),
    ("a capitalised name behind a title, an introduction or a farewell", _capital_name),
    ("two capitalised words that are no known term", _capital_pair),
    ("a hospital with a name (English)", _english_hospital),
    ("an exact date", _pattern("date")),
    ("an exact date (English)", _pattern("en_date")),
    ("a number of a file or card", _pattern("numbered")),
    ("an age over 89", _pattern("great_age")),
    ("a price", _pattern("money")),
    ("a street address", _pattern("address")),
)


def reasons_to_refuse(texts: Iterator[str] | list[str], language: Language) -> list[str]:
    """Return the suspicions of all texts, each once, in order."""
    return list(dict.fromkeys(reason for text in texts for reason in suspicions(text, language)))
