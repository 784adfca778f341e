"""Finding the vocabulary's words in a text: leftmost, longest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from fundoscope import terms
from fundoscope.records import Language
from fundoscope.verify.cues import CUES, SEVERITIES


@dataclass(frozen=True, slots=True)
class Word:
    """What a phrase of the text stands for; an ambiguous phrase stands for several."""

    kind: str
    """What kind of word: `term`, `level`, `scale`, `quantity`, `zone`, ..., or a cue's name."""
    id: str
    level: int = -1


@dataclass(frozen=True, slots=True)
class Mention:
    """A phrase of the vocabulary in a text."""

    words: tuple[Word, ...]
    start: int
    end: int

    def of_kind(self, kind: str) -> Word | None:
        """Return the meaning of that kind, if the phrase has one."""
        return next((word for word in self.words if word.kind == kind), None)


class Lexicon:
    """Phrases of one language and what they stand for."""

    def __init__(self, language: Language) -> None:
        self.language = language
        meanings: dict[str, list[Word]] = defaultdict(list)
        for phrase, word in _phrases(language):
            key = normalised(phrase)
            if word not in meanings[key]:
                meanings[key].append(word)
        self._by_start: dict[str, list[tuple[str, tuple[Word, ...]]]] = defaultdict(list)
        for phrase in sorted(meanings, key=len, reverse=True):
            self._by_start[phrase[:2]].append((phrase, tuple(meanings[phrase])))

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in a normalised text, in order, none overlapping."""
        found: list[Mention] = []
        position = 0
        while position < len(text):
            mention = self._at(text, position)
            if mention:
                found.append(mention)
                position = mention.end
            else:
                position += 1
        return found

    def _at(self, text: str, position: int) -> Mention | None:
        if _inside_word(text, position):
            return None
        two = self._by_start.get(text[position : position + 2], [])
        for phrase, words in two + self._by_start.get(text[position], []):
            if text.startswith(phrase, position):
                end = position + len(phrase)
                if _inside_word(text, end) and text[end : end + 1] == "s":
                    end += 1  # an English plural
                if not _inside_word(text, end):
                    return Mention(words, position, end)
        return None


def normalised(text: str) -> str:
    """Return a text as phrases are compared: lower case, hyphens as blanks, plain brackets."""
    return text.lower().translate(_PLAIN)


_PLAIN = str.maketrans(
    {"-": " ", "‐": " ", "‑": " ", "（": "(", "）": ")", "’": "'", "\u00a0": " "}
)


def _is_letter(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _inside_word(text: str, position: int) -> bool:
    """Whether a Latin word runs across `position`; Chinese characters have no word borders."""
    return (
        0 < position < len(text) and _is_letter(text[position - 1]) and _is_letter(text[position])
    )


def _phrases(language: Language) -> Iterator[tuple[str, Word]]:
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities())
    for family in (*families, terms.systemic()):
        for term in family.values():
            kind = "modality" if term.kind == "modality" else "term"
            for name in term.names(language):
                yield name, Word(kind, term.id)
    for quantity in terms.quantities().values():
        for name in quantity.names(language):
            yield name, Word("quantity", quantity.id)
    for scale in terms.scales().values():
        for name in scale.names(language):
            yield name, Word("scale", scale.id)
        if not scale.words_of:  # borrowed words belong to the scale they come from
            for level in scale.levels.values():
                for name in level.names(language):
                    yield name, Word("level", scale.id, level.level)
    for kind, table in (("vessels", terms.VESSELS), ("zone", terms.ZONES), ("place", terms.PLACES)):
        for id, names in table.items():
            for name in names[language]:
                yield name, Word(kind, id)
    for severity, names in SEVERITIES.items():
        for name in names[language]:
            yield name, Word("severity", "severity", severity)
    for cue, phrases in CUES[language].items():
        for phrase in phrases:
            yield phrase, Word(cue, cue)


@cache
def lexicon(language: Language) -> Lexicon:
    """Return the lexicon of a language."""
    return Lexicon(language)
