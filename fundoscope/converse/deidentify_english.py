"""English-language names: by title, introduction, relation, greeting and farewell, then by the lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope.converse.deidentify_words import Hidden, Kind, word_list, word_set

_PARTICLE = r"(?:van|von|der|den|de|del|da|dos|di|la|le|bin|bint|ibn|al|el|ter|ten|st\.)"
_TOKEN = r"(?:[A-Z](?:'|’)?[A-Za-zÀ-ÖØ-öø-ÿ]*(?:[-'’][A-Za-zÀ-ÖØ-öø-ÿ]+)*)"
_INITIAL = r"[A-Z]\."
_NAME = rf"(?:{_INITIAL}\s?){{0,2}}{_TOKEN}(?:\s(?:{_INITIAL}|(?:{_PARTICLE}\s){{0,2}}{_TOKEN}|{_PARTICLE}\s{_TOKEN})){{0,3}}"
_PARTICLED = rf"(?:{_PARTICLE}\s){{1,2}}{_TOKEN}"
_LOWER = r"[a-z]{2,}(?:['’-][a-z]+)?"


@cache
def _anchored() -> tuple[tuple[Kind, re.Pattern[str], bool], ...]:
    """What stands before or behind a name; the last field: whether lower case may be a name too."""
    relatives = "|".join(map(re.escape, word_list("names_en", "relatives")))
    doctor = "|".join(word_list("names_en", "titles_doctor"))
    person = "|".join(word_list("names_en", "titles_person"))
    name = rf"(?P<name>{_PARTICLED}|{_NAME})"
    either = rf"(?P<name>{_PARTICLED}|{_NAME}|{_LOWER}(?:\s{_LOWER})?)"
    return (
        ("doctor", re.compile(rf"\b(?:{doctor}|DR|dr|prof|doctor|professor)\.?\s{name}"), False),
        ("doctor", re.compile(rf"\b(?:DR|[Dd]r)(?:\.\s?|\s)(?P<name>{_LOWER}(?:\s{_LOWER})?)"), True),
        ("doctor", re.compile(rf"{name},?\s(?:MD|M\.D\.|DO|FRCS|FRCOphth|MBBS|MS|OD|PhD|FACS)\b"), False),
        ("doctor", re.compile(rf"(?i:\b(?:doctor|surgeon|specialist|ophthalmologist|optometrist|optician|consultant|physician|nurse|GP)\b(?:\s(?:who|that)\s\w+\s\w+)?,?\s(?:is\s|was\s|called\s|named\s)?){name}"), False),
        ("doctor", re.compile(rf"(?i:\b(?:seen|treated|examined|operated(?: on)?|referred|diagnosed|checked|lasered|injected) by\s){name}"), False),
        ("person", re.compile(rf"\b(?:{person}|mr|mrs|ms|miss)\.?\s{name}"), False),
        ("person", re.compile(rf"\b(?:mr|mrs|ms|Mr|Mrs|Ms)\.?\s(?P<name>{_LOWER})"), True),
        ("person", re.compile(rf"(?i:\bmy name is|\bmy name's|\bname:|\bnames?\sis|\b(?:full |patient'?s? |pt |first |last |sur)name:?|\bmyself|\bcall(?:ed)? me)\s+{either}"), True),
        ("person", re.compile(rf"(?i:\bI am|\bI'm|\bi'm|\bthis is|\bit is|\bit's|\bthat's|\bcalled|\bnamed|\bgo by|\bknown as|\bsigned|\bpatient:?|\bpt:?|\bclient:?|\bcontact(?: is)?|\baccording to|\bask for|\bbehalf of|\bspeak(?:ing)? to|\bspoke (?:to|with)|\bregarding|\bre:|\bfrom:|\bto:|\battn:?)\s{name}"), False),
        ("person", re.compile(rf"(?i:\b(?:{relatives})(?:\s(?:called|named|is called|is named)|'s name is)?,?)\s{name}"), False),
        ("person", re.compile(rf"(?i:\b(?:dear|hi|hello|hey|good (?:morning|evening|afternoon|day)|welcome|greetings|thanks|thank you|bye|hiya)\b,?)\s{name}"), False),
        ("person", re.compile(rf"(?i:\b(?:regards|sincerely|faithfully|truly|cheers|thanks|thank you|wishes|love|respectfully|gratefully|yours|warmly|take care|wishes from|regards from|greetings from)\b)[,.!\s]+(?:from\s)?{name}(?=\s*[.!]?\s*$)", re.MULTILINE), False),
        ("person", re.compile(rf"^{name}(?=\s(?:here|writing|again)\b|\s?\((?:\d|aged?\b|a\s\d)|,\s\d{{1,2}}\b|,?\s(?:aged?\s\d|aged\b))", re.MULTILINE), False),
        ("person", re.compile(rf"(?<=[,.!?]\s){name}(?=\s(?:here|writing again)\b)"), False),
        ("person", re.compile(rf"^{name}\s*$", re.MULTILINE), False),
    )  # fmt: skip


def english_names(text: str) -> Iterator[Hidden]:
    """Yield the names of doctors and of everyone else in an English text."""
    for kind, pattern, lower in _anchored():
        position = 0
        while match := pattern.search(text, position):
            titled = bool(_TITLE.search(text, match.start(), match.start("name")))
            trimmed = _trimmed(match["name"], lower, titled)
            if trimmed:
                start = match.start("name") + trimmed[0]
                yield Hidden(kind, start, match.start("name") + trimmed[1])
            position = max(match.start() + 1, match.start("name"))
    yield from _listed(text)


_TITLE = re.compile(r"(?:\b(?:[Dd]r|Prof|[Mm]rs?|[Mm]s|Miss)\.?|\bProfessor|\bDoctor|(?i:name is|name's|name:?|named|patient:))\s+$")


def _trimmed(name: str, lower: bool, titled: bool = False) -> tuple[int, int] | None:
    """Return where in a candidate the name stands, words of every day cut off at both ends."""
    words = list(re.finditer(r"\S+", name))
    kept = []
    for word in words:
        plain = word[0].strip(".,'’")
        if re.fullmatch(_INITIAL, word[0]):
            kept.append(word)
            continue
        if titled and not kept and plain.istitle() and plain not in word_set("names_en", "never_behind_title"):
            kept.append(word)
            continue
        if kept and plain in word_set("names_en", "surnames_that_are_words"):
            kept.append(word)
            break
        if _is_no_name(plain, lower):
            if kept:
                break
            if not plain.istitle() or plain in word_set("names_en", "eponyms"):
                return None  # "Dr said", "patient Stargardt": nothing behind it is a name either
            continue
        if plain.islower() and not lower and not _is_particle(plain):
            break
        kept.append(word)
    while kept and (_is_particle(kept[-1][0]) or not kept[-1][0].strip(".,'’")):
        kept.pop()
    if all(re.fullmatch(_INITIAL, word[0]) for word in kept):
        return None
    return (kept[0].start(), kept[-1].end()) if kept else None


def _is_particle(word: str) -> bool:
    return re.fullmatch(_PARTICLE, word) is not None


def _is_no_name(word: str, lower: bool) -> bool:
    if word in word_set("names_en", "common"):
        return word not in word_set("names_en", "surnames")
    if word.islower():
        return not _is_particle(word) and (not lower or word in _lower_stop())
    if len(word) > 1 and word.isupper() and word.title() not in _known():
        return True  # OCT, AMD, IOP
    return word in word_set("names_en", "eponyms") and word not in _known()


@cache
def _lower_stop() -> frozenset[str]:
    return word_set("names_en", "lower_stop") | frozenset(w.lower() for w in word_set("names_en", "common"))


@cache
def _known() -> frozenset[str]:
    return word_set("names_en", "given") | word_set("names_en", "surnames")


def _listed(text: str) -> Iterator[Hidden]:
    """Yield names that the lists know, wherever they stand."""
    given, loose = word_set("names_en", "given"), word_set("names_en", "ambiguous_given")
    surnames = word_set("names_en", "surnames")
    for match in re.finditer(rf"(?<![\w'’-]){_TOKEN}(?:\s(?:{_INITIAL}\s)?(?:(?:{_PARTICLE}\s){{0,2}}{_TOKEN}))?(?:['’]s\b)?", text):
        words = re.sub(r"['’]s$", "", match[0]).split()
        first, last = words[0], words[-1]
        end = match.start() + len(" ".join(words))
        if _is_medical(first, text, match.start()):
            continue
        if len(words) == 1:
            if first in given:
                yield Hidden("person", match.start(), end)
        elif first in given or (first in loose and last in surnames) or (first in surnames and last in surnames):
            last_is_name = last not in word_set("names_en", "common") | word_set("names_en", "eponyms") or last in surnames | word_set("names_en", "surnames_that_are_words")
            yield Hidden("person", match.start(), end if last_is_name else match.start() + len(first))
        elif _unknown_pair(first, last, text, match.start()):
            yield Hidden("person", match.start(), end)
        elif last in given and not _is_medical(last, text, match.end()):
            yield Hidden("person", text.find(last, match.start()), end)


def _unknown_pair(first: str, last: str, text: str, start: int) -> bool:
    """Whether two capitalised words are neither of every day nor of medicine: likely a name."""
    known = word_set("names_en", "common") | word_set("names_en", "eponyms")
    mixed = all(len(word) > 1 and not word.isupper() for word in (first, last))
    return mixed and first not in known and last not in known and not _STUDY.match(text, start)


_STUDY = re.compile(r"(?:[A-Z][\w'’-]+\s){1,5}(?:Study|Trial|Council|Association|Academy|Society|Group|Network|Classification|Scale|Ocean|Sea)")


def _is_medical(word: str, text: str, start: int) -> bool:
    """Whether a name is an eponym here: "Bell's palsy", "Graves disease", "Charles Bonnet"."""
    if word not in word_set("names_en", "eponyms"):
        return word in word_set("names_en", "common")
    return _EPONYMOUS.match(text, start) is not None or word not in _known()


_EPONYMOUS = re.compile(
    r"(?:[A-Z][\w'’-]+[\s-]){1,4}(?:disease|syndrome|palsy|spots?|ring|grid|test|chart|dystrophy|sign|membrane|pupil|phenomenon|reaction|retinopathy|lines?|nodules?|tonomet|applanation|visual field|laser|lens|plaque|atrophy|maculopathy|anomaly|folds?|hole|naevus|Bonnet|Robertson|Gunn|Johnson|von)"
)
