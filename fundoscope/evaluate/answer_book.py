"""Finding words of answers in either language: the vocabulary, verify's cues, and free speech."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope import terms
from fundoscope.records import LANGUAGES
from fundoscope.verify.cues import CUES, SEVERITIES
from fundoscope.verify.lexicon import Word, normalised

_START = re.compile(r"[a-z0-9]+|[^\x00-\x7f]|[+/]")
_TAKEN_FROM_VERIFY = (
    "deny", "absent", "doubt", "unknown", "aside", "except", "contrast", "sure",
    "left_eye", "right_eye", "normal_word", "quality_word",
)  # fmt: skip
_LATIN_WORD = re.compile(r"[a-z][a-z'-]*")
_HAN = re.compile(r"[一-鿿]+")
_Phrase = tuple[str, tuple[Word, ...], frozenset[str]]
NARROWER = 1
"""Level of a term's word that names only a kind of it."""
SUBJECTS = frozenset({"term", "level", "severity", "normal", "quality", "eye", "option"})
"""Kinds of words of which something is said."""


@cache
def _free_words() -> Mapping[str, Any]:
    text = (files("fundoscope.evaluate") / "answer_words.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.load(
        text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return loaded


@dataclass(frozen=True, slots=True)
class Mention:
    """A phrase of the book in a text."""

    words: tuple[Word, ...]
    kinds: frozenset[str]
    """Kinds of its words."""
    start: int
    end: int


class Book:
    """Phrases of both languages and what they stand for; longest first."""

    def __init__(self, extra: Iterable[tuple[str, Word]] = ()) -> None:
        self.meanings = _meanings()
        for phrase, word in extra:
            key = normalised(phrase)
            known = self.meanings.get(key, ())
            if word not in known:
                self.meanings[key] = (word, *known)
        self._by_start: dict[str, list[_Phrase]] = defaultdict(list)
        for phrase in sorted(self.meanings, key=len, reverse=True):
            start = _START.match(phrase)
            if start:
                words = self.meanings[phrase]
                kinds = frozenset(word.kind for word in words)
                self._by_start[start.group()].append((phrase, words, kinds))

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in a normalised text, in order, none overlapping."""
        found: list[Mention] = []
        end = 0
        for match in _START.finditer(text):
            at = match.start()
            if at < end:
                continue
            word = match.group()
            phrases = self._by_start.get(word)
            if phrases is None and word[-1:] == "s":
                phrases = self._by_start.get(word[:-1])
            mention = _longest(text, at, phrases) if phrases else None
            if mention:
                found.append(mention)
                end = mention.end
        return found


@cache
def _plain_words() -> tuple[frozenset[str], frozenset[str], int]:
    """Return plain Latin words, plain Chinese words, and the length of the longest of those."""
    text = (files("fundoscope.evaluate") / "answer_plain.yaml").read_text(encoding="utf-8")
    loaded = yaml.safe_load(text)
    chinese = frozenset(loaded["zh"].split())
    return frozenset(loaded["en"].split()), chinese, max(map(len, chinese))


def strange_word(text: str, mentions: Iterable[Mention], start: int, end: int) -> str:
    """Return the first word from `start` to `end` that is no mention and not plain, or nothing."""
    at = start
    for mention in mentions:
        if mention.start >= at and (word := _strange(text[at : mention.start])):
            return word
        at = max(at, mention.end)
    return _strange(text[at:end])


@lru_cache(maxsize=16_384)
def _strange(text: str) -> str:
    latin, chinese, longest = _plain_words()
    for match in _LATIN_WORD.finditer(text):
        word = match.group().strip("'-")
        if len(word) > 1 and not _is_plain(word, latin):
            return word
    for match in _HAN.finditer(text):
        run, at = match.group(), 0
        while at < len(run):
            length = next(
                (
                    n
                    for n in range(min(longest, len(run) - at), 0, -1)
                    if run[at : at + n] in chinese
                ),
                0,
            )
            if not length:
                return run
            at += length
    return ""


def _is_plain(word: str, plain: frozenset[str]) -> bool:
    if word in plain:
        return True
    return any(word.endswith(end) and word[: -len(end)] in plain for end in ("s", "ly", "'s"))


def _longest(text: str, at: int, phrases: list[_Phrase]) -> Mention | None:
    for phrase, words, kinds in phrases:
        if text.startswith(phrase, at):
            end = at + len(phrase)
            if _latin(phrase[-1]):
                if text[end : end + 1] == "s":
                    end += 1  # an English plural
                if _latin(text[end : end + 1]):
                    continue
            return Mention(words, kinds, at, end)
    return None


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


@cache
def _base() -> Mapping[str, tuple[Word, ...]]:
    own = list(_own_phrases())
    overridden = {normalised(phrase) for phrase, _ in own}
    meanings: dict[str, list[Word]] = defaultdict(list)
    for phrase, word in own:
        meanings[normalised(phrase)].append(word)
    for phrase, word in _vocabulary():
        key = normalised(phrase)
        if word.kind == word.id and key in overridden:
            continue
        if word not in meanings[key]:
            meanings[key].append(word)
    return {phrase: tuple(words) for phrase, words in meanings.items()}


def _meanings() -> dict[str, tuple[Word, ...]]:
    return dict(_base())


def _own_phrases() -> Iterator[tuple[str, Word]]:
    free = _free_words()
    for id, names in free["terms"].items():
        terms.term(id)
        for name in _both(names):
            yield name, Word("term", id)
    for id, names in free["narrower_terms"].items():
        for name in _both(names):
            yield name, Word("term", id, NARROWER)
    for scale, levels in free["levels"].items():
        for level, names in levels.items():
            for name in _both(names):
                yield name, Word("level", scale, level)
    for label, names in free["quality"].items():
        for name in _both(names):
            yield name, Word("quality", label)
            if name.startswith("质量"):
                yield from ((of + name, Word("quality", label)) for of in ("图像", "照片", "成像"))
    for label, names in free["weak_quality"].items():
        for name in _both(names):
            yield name, Word("quality", label, 0)  # 0: only beside a word for quality
    for cue, names in free["cues"].items():
        for name in _both(names):
            yield name, _CUE_SUBJECTS.get(cue, Word(cue, cue))


_CUE_SUBJECTS = {
    "normal_word": Word("normal", "normal_fundus"),
    "left_eye": Word("eye", "left"),
    "right_eye": Word("eye", "right"),
    "both_eyes": Word("eye", "both"),
}


def _both(names: Mapping[str, list[str]]) -> Iterator[str]:
    for language in LANGUAGES:
        yield from names.get(language, ())


def _vocabulary() -> Iterator[tuple[str, Word]]:
    for language in LANGUAGES:
        for family in (terms.conditions(), terms.lesions(), terms.systemic()):
            for term in family.values():
                for name in term.names(language):
                    yield name, Word("term", term.id)
        for scale in terms.scales().values():
            for name in scale.names(language):
                yield name, Word("scale", scale.id)
            if scale.words_of or scale.id in ("eyeq", "gradable", "messidor_dr"):
                continue  # borrowed words; quality has its own; Messidor's hold their number
            for level in scale.levels.values():
                for name in level.names(language):
                    if level.level:  # level 0 is a denial, and is read as one
                        yield name, Word("level", scale.id, level.level)
        for severity, names in SEVERITIES.items():
            for name in names[language]:
                yield name, Word("severity", "icdr", severity)
        for cue in _TAKEN_FROM_VERIFY:
            for name in CUES[language][cue]:
                yield name, _CUE_SUBJECTS.get(cue, Word(cue, cue))


@lru_cache(maxsize=512)
def book(extra: tuple[tuple[str, Word], ...] = ()) -> Book:
    """Return the book of both languages, with the phrases of a question's options if it has any."""
    return Book(extra)
