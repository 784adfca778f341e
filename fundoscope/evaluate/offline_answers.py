"""What a sighting says to a question, worded as statements that are read back as what they say.

Asked yes or no, what the network of conditions calls present or absent is said so, with its
thresholds; where it is uncertain, or no network looks for what is asked, the answer is that it
cannot be told. A probability is no diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from fundoscope import terms
from fundoscope.describe.english import listed
from fundoscope.describe.statements import measurement_statement
from fundoscope.evaluate.answer_book import book
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FindingStatus,
    FoundTerms,
    Levels,
    Number,
    Options,
    Quality,
    Space,
    YesNo,
)
from fundoscope.evaluate.label_words import answer_of, box_in, said, terms_text
from fundoscope.evaluate.sightings import Sighting
from fundoscope.records import Box, Language, Measured, Statement, Unmeasured
from fundoscope.verify.lexicon import Lexicon, normalised

Status = Literal["present", "absent", "uncertain"]
NORMAL, ABNORMAL = "normal_fundus", "abnormality"
CANNOT: Mapping[Language, str] = {"en": "I cannot tell: {}.", "zh": "无法判断：{}。"}
WHY: Mapping[str, Mapping[Language, str]] = {
    "nobody looks": {
        "en": "no network of this assistant judges it",
        "zh": "本助手没有判断此项的网络",
    },
    "uncertain": {"en": "the network is not certain enough", "zh": "网络的把握不够"},
    "side": {
        "en": "the file does not state it, and disc and fovea do not show it",
        "zh": "文件未注明，视盘与黄斑中心凹的位置也不能说明",
    },
    "no scale": {
        "en": "the scale of the photograph is not known",
        "zh": "照片的比例尺未知",
    },
    "no place": {
        "en": "the place of the optic disc or the fovea is not known",
        "zh": "视盘或黄斑中心凹的位置未知",
    },
    "several": {"en": "it looks at one photograph at a time", "zh": "本助手一次只看一张照片"},
    "no question": {
        "en": "the question is not understood",
        "zh": "没有理解这个问题",
    },
    "not a fundus photograph": {"en": "this is no fundus photograph", "zh": "这张图片并非眼底照片"},
    "ultra-wide": {
        "en": "the photograph shows more of the eye than the networks learned from",
        "zh": "照片视野超出了网络学习的范围",
    },
    "poor": {"en": "the photograph was refused for its quality", "zh": "照片因质量被拒"},
}
"""Why something cannot be told."""
CHANCE: Mapping[Language, str] = {
    "en": "The network gives it a probability of {:.2f}.",
    "zh": "网络给出的概率为 {:.2f}。",
}
"""Said of conditions: what the threshold calls present may be less likely than not."""
UNCERTAIN: Mapping[Language, str] = {"en": "Uncertain: {}.", "zh": "不能确定：{}。"}
DME_SCALE = "dme_risk"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and the chance of each label where it has one."""

    text: str
    probabilities: Mapping[str, float] = field(default_factory=dict)


def cannot(why: str, language: Language) -> Told:
    """Return the answer that something cannot be told."""
    return Told(CANNOT[language].format(WHY[why][language]))


def answer_from(seen: Sighting, question: str, space: Space, language: Language) -> Told:
    """Return the answer to a question about a photograph."""
    if isinstance(space, Quality):
        return _quality(seen, space, language)
    if isinstance(space, YesNo) and space.term in terms.modalities():
        return _modality(seen, space, language)
    if why := _refusal(seen):
        return cannot(why, language)
    match space:
        case YesNo():
            return _yes_no(seen, space, language)
        case Findings():
            return _findings(seen, space, language)
        case Levels():
            return _level(seen, space, language)
        case EyeSide():
            side = seen.record.photograph.eye
            statement = Statement("eye", "eye", side or "")
            return Told(said([statement], language)) if side else cannot("side", language)
        case Options():
            return _option(seen, space, language)
        case Boxes():
            return _boxes(seen, question, space, language)
        case Number():
            return _number(seen, space, language)


def _refusal(seen: Sighting) -> str:
    if not seen.refused:
        return ""
    if seen.kind == "not_a_fundus_photograph":
        return "not a fundus photograph"
    return "ultra-wide" if seen.kind == "ultra_wide" else "poor"


def _quality(seen: Sighting, space: Quality, language: Language) -> Told:
    fundus = seen.kind != "not_a_fundus_photograph"
    grade = seen.record.grades[0]
    level = grade.level if fundus else 2
    if not space.binary:
        statement = Statement("quality", "quality", level, scale=grade.scale)
        return Told(said([statement], language), dict(seen.quality) if fundus else {})
    statement = Statement("quality", "gradability", int(level < 2), scale="gradable")
    poor = seen.quality["reject"]
    chances = {"gradable": 1 - poor, "ungradable": poor} if fundus else {}
    return Told(said([statement], language), chances)


def _modality(seen: Sighting, space: YesNo, language: Language) -> Told:
    kinds = {"ultra_wide": "ultra_widefield_photograph", "not_a_fundus_photograph": ""}
    shown = kinds.get(seen.kind, "colour_fundus_photograph")
    return Told(answer_of("yes" if space.term == shown else "no", space, language))


# what is there


def chance_of(seen: Sighting, term: str) -> tuple[Status | None, float | None]:
    """Return what is made of a term, and how likely it is; None where nobody looks for it.

    A term that nobody looks for is present where a narrower one is: hard exudates are exudation.
    """
    if term in seen.judged:
        return seen.judged[term], seen.conditions[term]
    if term == ABNORMAL and NORMAL in seen.judged:
        opposite: Mapping[Status, Status] = {"present": "absent", "absent": "present"}
        normal = seen.judged[NORMAL]
        return opposite.get(normal, normal), 1 - seen.conditions[NORMAL]
    counts = {total.kind: total.count for total in seen.record.lesion_totals}
    if term in counts:
        return ("present" if counts[term] else "absent"), seen.lesion_certainty.get(term)
    narrower = [known for known in (*seen.judged, *counts) if term in terms.broader(known)]
    if any(chance_of(seen, known)[0] == "present" for known in narrower):
        return "present", None
    return None, None


def _yes_no(seen: Sighting, space: YesNo, language: Language) -> Told:
    status, chance = chance_of(seen, space.term)
    chances = {} if chance is None else {"yes": chance, "no": 1 - chance}
    if status == "uncertain" and space.suspected:
        return Told(answer_of("suspected", space, language), chances)
    if status is None or status == "uncertain":
        why = "uncertain" if status else "nobody looks"
        return Told(cannot(why, language).text, chances)
    parts = [answer_of("yes" if status == "present" else "no", space, language)]
    if space.term != NORMAL:  # as a statement it would say that readers described it
        parts.append(said([Statement("finding", space.term, status)], language))
    if chance is not None and space.term in seen.judged:
        parts.append(CHANCE[language].format(chance))
    return Told(_joined(parts, language), chances)


def _findings(seen: Sighting, space: Findings, language: Language) -> Told:
    statuses: list[tuple[str, FindingStatus]] = []
    uncertain, chances = [], {}
    for term in space.terms:
        status, chance = chance_of(seen, term)
        if status == "present" or status == "absent":
            statuses.append((term, status))
        elif status is None:
            statuses.append((term, "abstained"))
        elif space.suspected:
            statuses.append((term, "suspected"))
        else:
            uncertain.append(terms.term(term).names(language)[0])
        if chance is not None:
            chances[term] = chance
    if not space.terms:
        return cannot("no question", language)
    parts = [terms_text(FoundTerms(tuple(statuses)), language)] if statuses else []
    if uncertain:
        names = listed(uncertain, "and") if language == "en" else "、".join(uncertain)
        parts.append(UNCERTAIN[language].format(names))
    return Told(_joined(parts, language), chances)


def _level(seen: Sighting, space: Levels, language: Language) -> Told:
    """Grade where a scale is defined by what is measured; no network grades any other."""
    if space.scale != DME_SCALE:
        return cannot("nobody looks", language)
    measured = {m.name: m for m in seen.record.measurements if isinstance(m, Measured)}
    count = measured.get("hard_exudate_count")
    nearest = measured.get("hard_exudate_fovea_distance")
    if count is None or (count.value and nearest is None):
        return cannot("no place", language)
    level = 0 if not count.value else 2 if nearest and nearest.value <= 1 else 1
    return Told(answer_of(level, space, language))


def _option(seen: Sighting, space: Options, language: Language) -> Told:
    """Choose the likeliest of options that are all looked for, if it is likelier than the rest."""
    chances = {}
    for letter, text in space.options:
        term = _term_of(text)
        chance = chance_of(seen, term)[1] if term else None
        if chance is None:
            return cannot("nobody looks", language)
        chances[letter] = chance
    total = sum(chances.values())
    shares = {letter: chance / total for letter, chance in chances.items()} if total else {}
    best = max(shares, key=lambda letter: shares[letter], default="")
    if not best or shares[best] < 0.5:
        return Told(cannot("uncertain", language).text, shares)
    return Told(answer_of(best, space, language), shares)


def _term_of(text: str) -> str | None:
    for word in book().meanings.get(normalised(text).strip(" .。"), ()):
        if word.kind in ("term", "normal"):
            return word.id
    return None


# where, and how much


def _boxes(seen: Sighting, question: str, space: Boxes, language: Language) -> Told:
    asked = [term for term in _named(question, language) if term in _boxable(seen)]
    if not asked and _named(question, language):
        return cannot("nobody looks", language)
    kinds = [total.kind for total in seen.record.lesion_totals]
    parts = [_boxed(seen, term, space, language) for term in asked or kinds]
    return Told(_joined(parts, language))


def _boxable(seen: Sighting) -> tuple[str, ...]:
    kinds = [total.kind for total in seen.record.lesion_totals]
    return (*kinds, "optic_disc", "fovea")


def _boxed(seen: Sighting, term: str, space: Boxes, language: Language) -> str:
    boxes = list(_boxes_of(seen, term))
    name = terms.term(term)
    if not boxes and term in terms.anatomy():
        return cannot("no place", language).text
    if not boxes:
        return said([Statement("finding", term, "absent")], language)
    shown = ", ".join(box_in(box, space) for box in boxes)
    if language == "en":
        return f"Boxes of {name.plural or name.en[0]}: {shown}."
    return f"{name.zh[0]}的位置框：{shown}。"


def _boxes_of(seen: Sighting, term: str) -> Iterator[Box]:
    yield from (lesion.box for lesion in seen.record.lesions if lesion.kind == term)
    yield from (part.box for part in seen.record.structures if part.term == term)


def _named(question: str, language: Language) -> list[str]:
    """Return the lesions and structures that a question names, in its order."""
    found = (mention.of_kind("term") for mention in _lexicon(language).find(normalised(question)))
    families = (*terms.lesions(), *terms.anatomy())
    return list(dict.fromkeys(word.id for word in found if word and word.id in families))


@cache
def _lexicon(language: Language) -> Lexicon:
    return Lexicon(language)


def _number(seen: Sighting, space: Number, language: Language) -> Told:
    fitting = [
        quantity
        for quantity in seen.record.measurements
        if quantity.name == space.quantity
        and space.of in ("", quantity.of)
        and space.where in ("", quantity.where)
    ]
    if not fitting:
        return cannot("nobody looks", language)
    # where the question leaves it open: all vessels of the whole photograph
    usual: Callable[[Measured | Unmeasured], tuple[bool, bool]] = lambda quantity: (  # noqa: E731
        quantity.of in ("", "all"),
        quantity.where in ("", "whole"),
    )
    chosen = max(fitting, key=usual)
    if isinstance(chosen, Measured) and chosen.unit != space.unit:
        return cannot("no scale", language)
    return Told(said([measurement_statement(chosen)], language))


def _joined(parts: list[str], language: Language) -> str:
    return (" " if language == "en" else "").join(parts)
