"""Text read back into claims, by rules, in English and Chinese.

A text is cut into sentences and each number is lifted out, so that the rest (its *skeleton*) is
interpreted once however often it comes back with other numbers. Rules work on a clause: cues deny,
doubt or set aside what is mentioned; numbers belong to the quantity, scale, lesion or box that they
stand beside. A number that belongs to nothing is a claim too, and nothing supports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from fundoscope import terms
from fundoscope.records import UNMEASURED, Aspect, Box, Claim, Language, Statement
from fundoscope.verify.lexicon import Mention, Word, lexicon, normalised

UNPLACED_NUMBER = "number"
"""Term of a claim whose number belongs to nothing that could be checked."""
SOMEWHERE = "somewhere"
"""Value of a claim that places a lesion without a box."""

SEVERITY_OF = "diabetic_retinopathy"
"""The condition that words such as "severe" grade."""

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.#])[-−+]?\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:\.(?!\s|$)[^.!?。！？\n]*)*[.!?。！？\n]*")
_NO_HASH = str.maketrans(dict.fromkeys("#＃﹟", " "))
"""`#` stands for numbers in a sentence that is read; one that was written stands for none."""
_TITLE = re.compile(r"\bDr\.?\s+(?=[A-Z][a-z])")
"""Before a name it is no diabetic retinopathy."""
_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)、]\s+|[-*•]\s+|#+\s+)")
_BOX = re.compile(r"[\[(<]\s*#\s*[,，]\s*#\s*[,，]\s*#\s*[,，]\s*#\s*[\])>]")
_SPAN = re.compile(r"#\s*(?:[–—~]|至|到|to\b)?\s*#")
_UNIT = re.compile(
    r"\s?((?:mm|dd|px)(?:²|⁻[¹²])|dd\b|µm|μm|um\b|microns?\b|micrometers?\b|micrometres?\b|微米|mm\b|毫米|px\b|pixels?\b|像素"
    r"|°|degrees?\b|度|d\b|diopters?\b|dioptres?\b|屈光度|%|percent\b|per cent\b)"
)
_UNITS = {
    "µm": "um", "μm": "um", "um": "um", "micron": "um", "微米": "um", "mm": "mm", "毫米": "mm",
    "px": "px", "pixel": "px", "像素": "px", "°": "deg", "degree": "deg", "度": "deg", "d": "D",
    "diopter": "D", "dioptre": "D", "屈光度": "D", "%": "%", "percent": "%", "per cent": "%",
    "micrometer": "um", "micrometre": "um", "dd": "DD", "mm²": "mm2", "dd²": "DD2", "px²": "px2",
    "mm⁻¹": "1/mm", "dd⁻¹": "1/DD", "px⁻¹": "1/px", "mm⁻²": "1/mm2", "dd⁻²": "1/DD2",
    "px⁻²": "1/px2",
}  # fmt: skip
_COUNTER = re.compile(r"\s?(处|个|枚|片)")


@dataclass(frozen=True, slots=True)
class _Number:
    """A number's place in a skeleton: `index` counts the numbers from the left."""

    index: int
    start: int
    end: int
    unit: str = ""
    counted: bool = False


@dataclass(frozen=True, slots=True)
class _Box:
    indices: tuple[int, int, int, int]
    start: int
    end: int


_Item = Mention | _Number | _Box


@dataclass(frozen=True, slots=True)
class _Template:
    """A claim whose numbers are still to be filled in."""

    statement: Statement
    numbers: tuple[int, ...] = ()


@dataclass(slots=True)
class _Context:
    """What a clause inherits from those before it in its sentence."""

    scales: tuple[str, ...] = ()
    zone: str = ""
    vessels: str = ""
    quantity: str = ""
    lesion: str = ""
    templates: list[_Template] = field(default_factory=list)

    def claim(
        self,
        aspect: Aspect,
        term: str,
        value: str | int = "",
        numbers: tuple[int, ...] = (),
        *,
        unit: str = "",
        scale: str = "",
        of: str = "",
        where: str = "",
    ) -> None:
        said = Statement(aspect, term, value, unit, scale, of, where)
        self.templates.append(_Template(said, numbers))


def claims(text: str, language: Language) -> tuple[Claim, ...]:
    """Return what a text claims, in order, each claim once.

    Sentences that ask are skipped: a question claims nothing (see `fundoscope.verify.style` for
    what a question may give away).
    """
    found: dict[Statement, Claim] = {}
    for sentence in _asserted(text):
        for claim in _sentence_claims(sentence, language):
            found.setdefault(claim.statement, claim)
    return tuple(found.values())


def _asserted(text: str) -> Iterator[str]:
    """Yield the sentences of a text that do not ask, without bullets and list numbers."""
    for line in text.splitlines():
        for match in _SENTENCE.finditer(_TITLE.sub("", _LIST_MARK.sub("", line))):
            if not match.group().rstrip().endswith(("?", "？")):
                yield match.group()


def mentioned(text: str, language: Language) -> list[Mention]:
    """Return the vocabulary's words in a text, asserted or not."""
    return lexicon(language).find(normalised(_NUMBER.sub("#", text.translate(_NO_HASH))))


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a text, as written."""
    return _NUMBER.findall(text)


def _sentence_claims(sentence: str, language: Language) -> Iterator[Claim]:
    sentence = sentence.translate(_NO_HASH)
    written = _NUMBER.findall(sentence)
    skeleton = _NUMBER.sub("#", sentence) if written else sentence
    for template in _interpret(skeleton, language):
        statement, decimals = template.statement, 0
        if template.numbers:
            texts = [written[i].replace("−", "-") for i in template.numbers]
            decimals = min(len(text.partition(".")[2]) for text in texts)
            statement = _filled(statement, [float(text) for text in texts])
        yield Claim(statement, words=sentence.strip(), decimals=decimals)


def _filled(said: Statement, values: list[float]) -> Statement:
    """Return a statement with its number or box."""
    value: int | float | Box = values[0]
    if len(values) == 4:
        value = (values[0], values[1], values[2], values[3])
    elif said.aspect in ("grade", "quality", "lesion_count") and values[0].is_integer():
        value = int(values[0])
    return Statement(
        said.aspect, said.term, value, said.unit, said.scale, said.of, said.where
    )  # not dataclasses.replace: it takes five times as long, for every number


@lru_cache(maxsize=65_536)
def _interpret(skeleton: str, language: Language) -> tuple[_Template, ...]:
    """Return the claims of a sentence whose numbers are `#`."""
    text = normalised(skeleton)
    context = _Context()
    items = _items(text, language)
    context.scales = tuple(
        word.id for item in items if isinstance(item, Mention) and (word := item.of_kind("scale"))
    )
    for clause in _clauses(text, items, language):
        _read_clause(text, clause, context)
    return tuple(_without_repeats(context.templates))


def _items(text: str, language: Language) -> list[_Item]:
    """Return mentions, boxes and numbers in the order of the text."""
    boxes = [match.span() for match in _BOX.finditer(text)]
    items: list[_Item] = list(lexicon(language).find(text))
    for index, match in enumerate(re.finditer("#", text)):
        start = match.start()
        box = next((span for span in boxes if span[0] < start < span[1]), None)
        if box is None:
            items.append(_number(text, index, start))
        elif text.find("#", box[0]) == start:
            items.append(_Box((index, index + 1, index + 2, index + 3), *box))
    return sorted(items, key=lambda item: item.start)


def _number(text: str, index: int, start: int) -> _Number:
    unit = _UNIT.match(text, start + 1)
    if unit:
        word = unit.group(1)
        name = _UNITS.get(word) or _UNITS[word.rstrip("s")]
        return _Number(index, start, unit.end(), name)
    counter = _COUNTER.match(text, start + 1)
    return _Number(index, start, counter.end() if counter else start + 1, counted=bool(counter))


def _clauses(text: str, items: Sequence[_Item], language: Language) -> Iterator[list[_Item]]:
    """Cut a sentence where a denial ends: at contrasts and semicolons; in Chinese at commas too."""
    borders = ";；" if language == "en" else ";；，,"
    clause: list[_Item] = []
    end = 0
    for item in items:
        crossed = any(border in text[end : item.start] for border in borders)
        contrast = isinstance(item, Mention) and item.of_kind("contrast")
        if (crossed or contrast) and clause:
            yield clause
            clause = []
        if not contrast:
            clause.append(item)
        end = item.end
    if clause:
        yield clause


def _read_clause(text: str, clause: Sequence[_Item], context: _Context) -> None:
    cues = _Cues(clause)
    _take_context(clause, context)
    if cues.has("unknown"):
        _read_unknowns(clause, cues, context)
        return
    taken: set[int] = set()  # indices of numbers that found an owner
    if cues.has("respectively"):
        _read_respectively(clause, context, taken)
    graded = _read_grades(text, clause, cues, context, taken)
    for position, item in enumerate(clause):
        if isinstance(item, _Box):
            _read_box(clause, position, context)
        elif isinstance(item, _Number):
            if item.index not in taken:
                _read_number(text, clause, position, cues, context)
        else:
            _read_mention(clause, position, cues, graded, context)


def _read_respectively(clause: Sequence[_Item], context: _Context, taken: set[int]) -> None:
    """Give the first number to the first quantity, the second to the second."""
    named = [
        w.id for item in clause if isinstance(item, Mention) and (w := item.of_kind("quantity"))
    ]
    numbers = [item for item in clause if isinstance(item, _Number)]
    if len(named) != len(numbers):
        return  # read each in its place; what belongs to nothing is refused
    for quantity, number in zip(named, numbers, strict=True):
        taken.add(number.index)
        _claim_value(quantity, number, context)


_ASSERTED = ("term", "level", "modality", "left_eye", "right_eye", "normal_word")


class _Cues:
    """The cues of a clause and how far each reaches."""

    def __init__(self, clause: Sequence[_Item]) -> None:
        self._at: list[tuple[int, str]] = []
        for position, item in enumerate(clause):
            if isinstance(item, Mention) and item.words[0].kind == item.words[0].id:
                self._at.append((position, item.words[0].kind))
        self._asserted = [
            position
            for position, item in enumerate(clause)
            if isinstance(item, Mention)
            and any(
                item.of_kind(kind)
                for kind in ("term", "level", "modality", "left_eye", "right_eye")
            )
        ]

    def has(self, kind: str) -> bool:
        return any(cue == kind for _, cue in self._at)

    def before(self, kind: str, position: int) -> bool:
        return any(cue == kind and at < position for at, cue in self._at)

    def set_aside(self, position: int) -> bool:
        return self.before("aside", position)

    def status(self, position: int) -> str:
        """Return what is said of the mention at `position`: present, suspected or absent."""
        if self.denied(position):
            return "absent"
        return "suspected" if self.has("doubt") else "present"

    def denied(self, position: int) -> bool:
        """Whether the mention at `position` is denied, by a cue before it or one behind it."""
        if self.before("except", position):
            return False
        for at, cue in self._at:
            if cue == "deny" and at < position:
                return True
            if cue == "absent" and at > position:
                return True
            if cue == "deny" and at > position and not any(p > at for p in self._asserted):
                return True  # "drusen are not here": nothing follows that it could deny
        return False


def _take_context(clause: Sequence[_Item], context: _Context) -> None:
    for item in clause:
        if isinstance(item, Mention) and (zone := item.of_kind("zone")):
            context.zone = zone.id


def _read_unknowns(clause: Sequence[_Item], cues: _Cues, context: _Context) -> None:
    vessels = ""
    for position, item in enumerate(clause):
        if not isinstance(item, Mention) or cues.set_aside(position):
            continue
        if word := item.of_kind("vessels"):
            vessels = word.id
        if word := item.of_kind("quantity"):
            context.claim(
                "measurement", word.id, UNMEASURED, of=_of(word.id, vessels), where=context.zone
            )
        elif item.of_kind("quality_word"):
            context.claim("quality", "quality", UNMEASURED)
        elif item.of_kind("eye_word"):
            context.claim("eye", "eye", UNMEASURED)
        elif word := item.of_kind("scale"):
            context.claim("grade", terms.scale(word.id).term, UNMEASURED, scale=word.id)
        elif word := item.of_kind("term"):
            context.claim("finding", word.id, "not_assessed")


def _of(quantity: str, vessels: str) -> str:
    return (vessels or "all") if terms.quantity(quantity).vessels else ""


def _read_grades(
    text: str, clause: Sequence[_Item], cues: _Cues, context: _Context, taken: set[int]
) -> set[str]:
    """Claim the grades of a clause; return the terms that were graded."""
    graded: set[str] = set()
    scale = _scale_of(clause, context)
    spans = {i for m in _SPAN.finditer(text) for i in range(m.start(), m.end())}
    for position, item in enumerate(clause):
        if cues.set_aside(position):
            continue
        if isinstance(item, _Number) and scale and not item.unit and not item.counted:
            if item.start in spans and (scale or cues.has("grade_word")):
                taken.add(item.index)  # "0 to 4": the scale's range
            elif _is_grade_number(clause, position):
                taken.add(item.index)
                graded.add(_claim_grade(scale, context, cues, position, item.index))
        elif isinstance(item, _Number) and not item.unit and _beside_grade_word(clause, position):
            if term := _graded_term(clause):  # "DR grade 3": no scale is named
                taken.add(item.index)
                graded.add(term)
                context.claim("grade", term, "", (item.index,))
        elif isinstance(item, Mention) and (word := item.of_kind("severity")):
            if _graded_term(clause) == SEVERITY_OF:  # "diabetic retinopathy, which is severe"
                graded.add(SEVERITY_OF)
                context.claim("grade", SEVERITY_OF, word.level)
        elif isinstance(item, Mention) and (word := item.of_kind("level")):
            graded |= _read_level(item, word, position, cues, context)
    return graded


def _scale_of(clause: Sequence[_Item], context: _Context) -> str:
    """Return the scale named in the clause, else the only one named in the sentence."""
    for item in clause:
        if isinstance(item, Mention) and (word := item.of_kind("scale")):
            return word.id
    return context.scales[0] if len(set(context.scales)) == 1 else ""


def _is_grade_number(clause: Sequence[_Item], position: int) -> bool:
    """Whether the number stands beside a scale or a grade word, no quantity or lesion between."""
    for step in (-1, 1):
        at = position + step
        while 0 <= at < len(clause):
            item = clause[at]
            if isinstance(item, Mention):
                if item.of_kind("scale") or item.of_kind("grade_word"):
                    return True
                if item.of_kind("quantity") or item.of_kind("level"):
                    break
                if (word := item.of_kind("term")) and word.id in terms.lesions():
                    break
            elif isinstance(item, _Box):
                break
            at += step
    return False


def _beside_grade_word(clause: Sequence[_Item], position: int) -> bool:
    beside = clause[max(0, position - 1) : position + 2]
    return any(isinstance(item, Mention) and item.of_kind("grade_word") for item in beside)


def _graded_term(clause: Sequence[_Item]) -> str:
    """Return the condition of the clause that some scale grades."""
    for item in clause:
        if isinstance(item, Mention):
            word, level = item.of_kind("term"), item.of_kind("level")
            if word and word.id in _scaled_terms():
                return word.id
            if level and terms.scale(level.id).term in _scaled_terms():
                return terms.scale(level.id).term
    return ""


@cache
def _scaled_terms() -> frozenset[str]:
    scaled = {scale.term for scale in terms.scales().values()}
    return frozenset(scaled - {"quality", "gradability"})


def _claim_grade(scale: str, context: _Context, cues: _Cues, position: int, number: int) -> str:
    term = terms.scale(scale).term
    aspect: Aspect = "quality" if term in ("quality", "gradability") else "grade"
    if cues.denied(position):
        context.claim(aspect, term, "not", (), scale=scale)
    else:
        context.claim(aspect, term, "", (number,), scale=scale)
    return term


def _read_level(
    item: Mention, word: Word, position: int, cues: _Cues, context: _Context
) -> set[str]:
    named = next((s for s in context.scales if word.id in (s, terms.scale(s).words_of)), "")
    if not named and not item.of_kind("term") and word.id not in _borrowed_scales():
        named = word.id  # no other scale says it in these words
    term = terms.scale(word.id).term
    if term in ("quality", "gradability"):
        if not named and not cues.has("quality_word") and term == "quality":
            return set()  # "a good view" grades nothing
        if item.words and term == "quality" and len({w.id for w in item.words}) > 1:
            return set()
        context.claim("quality", term, "not" if cues.denied(position) else word.level, scale=named)
        return {term}
    if item.of_kind("term") and not named:
        return set()  # a sign of that name, not a level
    context.claim("grade", term, "not" if cues.denied(position) else word.level, scale=named)
    return {term}


@cache
def _borrowed_scales() -> frozenset[str]:
    return frozenset(scale.words_of for scale in terms.scales().values())


def _read_box(clause: Sequence[_Item], position: int, context: _Context) -> None:
    box = clause[position]
    assert isinstance(box, _Box)
    kind = context.lesion or _nearest_term(clause, position)
    where = _place_beside(clause, position)
    if kind in terms.anatomy():
        context.claim("structure", kind, "", box.indices, where=where)
    elif kind:
        context.claim("lesion_box", kind, "", box.indices, where=where)
    else:
        context.claim("measurement", UNPLACED_NUMBER, "", box.indices)


def _nearest_term(clause: Sequence[_Item], position: int) -> str:
    for item in clause[position + 1 :]:
        if isinstance(item, Mention) and (word := item.of_kind("term")):
            return word.id
    return ""


def _place_beside(clause: Sequence[_Item], position: int) -> str:
    """Return the place named right after the box, else right before it."""
    for at in (position + 1, position - 1):
        if 0 <= at < len(clause):
            item = clause[at]
            if isinstance(item, Mention) and (word := item.of_kind("place")):
                return word.id
    return ""


def _read_number(
    text: str, clause: Sequence[_Item], position: int, cues: _Cues, context: _Context
) -> None:
    number = clause[position]
    assert isinstance(number, _Number)
    if cues.set_aside(position):
        return
    numbers = (number.index,)
    lesion = _counted_lesion(text, clause, position, number, context)
    if lesion:
        context.claim("lesion_count", lesion, "", numbers)
    elif number.unit == "%" and cues.has("cover_word") and context.lesion:
        context.claim("lesion_area", context.lesion, "", numbers, unit="%")
    elif context.quantity:
        _claim_value(context.quantity, number, context)
    else:
        context.claim("measurement", UNPLACED_NUMBER, "", numbers, unit=number.unit)


def _claim_value(quantity: str, number: _Number, context: _Context) -> None:
    context.claim(
        "measurement",
        quantity,
        "",
        (number.index,),
        unit=number.unit or "1",
        of=_of(quantity, context.vessels),
        where=context.zone,
    )


def _counted_lesion(
    text: str, clause: Sequence[_Item], position: int, number: _Number, context: _Context
) -> str:
    """Return the lesion that a number counts: `12 microaneurysms`, `微动脉瘤 12 处`."""
    if number.unit:
        return ""
    following = clause[position + 1] if position + 1 < len(clause) else None
    if isinstance(following, Mention) and (word := following.of_kind("term")):
        between = text[number.end : following.start]
        if word.id in terms.lesions() and len(between) <= 20 and not set(between) & set(",，:：("):
            return word.id
    return context.lesion if number.counted else ""


def _read_mention(
    clause: Sequence[_Item], position: int, cues: _Cues, graded: set[str], context: _Context
) -> None:
    item = clause[position]
    assert isinstance(item, Mention)
    if word := item.of_kind("vessels"):
        context.vessels = word.id
    if word := item.of_kind("quantity"):
        context.quantity = word.id
        return
    if cues.set_aside(position):
        return
    if item.of_kind("normal_word"):
        context.claim("finding", "normal_fundus", cues.status(position))
    if word := item.of_kind("modality"):
        context.claim("modality", word.id, "absent" if cues.denied(position) else "present")
    for cue, eye in (("left_eye", "left"), ("right_eye", "right")):
        if item.of_kind(cue):
            context.claim("eye", "eye", f"not {eye}" if cues.denied(position) else eye)
    if word := item.of_kind("term"):
        if word.id in terms.lesions() or word.id in terms.anatomy():
            context.lesion = word.id
        if not (
            item.of_kind("level")
            and graded & {terms.scale(w.id).term for w in item.words if w.kind == "level"}
        ):
            _claim_finding(clause, position, word.id, cues, graded, context)


def _claim_finding(
    clause: Sequence[_Item], position: int, term: str, cues: _Cues, graded: set[str],
    context: _Context,
) -> None:  # fmt: skip
    if term in terms.anatomy() or term in graded:
        return
    denied = cues.denied(position)
    if term in terms.lesions() and not denied and (place := _only_place(clause)):
        if not any(isinstance(item, _Box) for item in clause):
            context.claim("lesion_box", term, SOMEWHERE, where=place)
        return
    context.claim("finding", term, cues.status(position))


def _without_repeats(templates: Sequence[_Template]) -> Iterator[_Template]:
    """Yield each claim once; a count or a box says already that a lesion is there."""
    counted = {
        t.statement.term
        for t in templates
        if t.statement.aspect in ("lesion_count", "lesion_area", "lesion_box")
    }
    for template in dict.fromkeys(templates):
        said = template.statement
        if not (said.aspect == "finding" and said.value == "present" and said.term in counted):
            yield template


def _only_place(clause: Sequence[_Item]) -> str:
    places = [w.id for item in clause if isinstance(item, Mention) and (w := item.of_kind("place"))]
    return places[0] if len(places) == 1 else ""
