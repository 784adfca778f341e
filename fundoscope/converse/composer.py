"""The embedded engine: conversations composed offline from a record's statements.

Seeded and reproducible byte for byte; varied in number, order and wording; it says all aspects
that the record knows and none that it does not; asked for what was not measured, it refuses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from importlib.resources import files
from itertools import groupby
from typing import Any

import yaml

from fundoscope import terms
from fundoscope.converse.questions import ask, grammar_version
from fundoscope.describe.wording import Pick, sentences
from fundoscope.errors import ConfigError, nearest
from fundoscope.records import UNMEASURED, Conversation, Language, Record, Statement, Turn
from fundoscope.verify.check import Facts

ENGINE = "composer"
VERSION = 1
"""Raised when the same seed gives other words; part of what decides whether to ask again."""

MOST_TURNS = 6
MOST_BOXES = 4
"""Most boxes said in one answer; the record keeps them all."""
PROBES = (
    "glaucoma", "age_related_macular_degeneration", "diabetic_retinopathy", "epiretinal_membrane",
    "hypertensive_retinopathy", "pathological_myopia", "retinal_vein_occlusion", "macular_hole",
    "optic_disc_oedema", "cataract", "drusen", "retinal_detachment", "macular_oedema",
    "retinitis_pigmentosa", "central_serous_chorioretinopathy", "optic_disc_pallor",
)  # fmt: skip
"""Conditions that a layperson asks about, drawn without looking at the record."""
_CALIBRES = ("crae", "crve", "avr")
_DISC = ("disc_", "cup_", "cdr_", "rim_", "fovea_")
_LESION_KINDS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
_CALIBRE_QUANTITIES = ("crae_knudtson", "crve_knudtson", "avr_knudtson")
_DISC_QUANTITIES = ("cdr_vertical", "cdr_horizontal", "disc_height")


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to ask about, and what answers it."""

    name: str
    answer: Callable[[], str]
    names: tuple[tuple[str, str], ...] = ()


def compose(
    record: Record, track: str, language: Language, seed: int = 0, facts: Facts | None = None
) -> Conversation:
    """Return the conversation about a record.

    Parameters
    ----------
    track : `instruction` (3 to 6 turns) or `alignment` (one turn).
    seed : with the record's key, track and language it decides every choice.
    facts : the record laid out, where the caller has it already.

    Raises
    ------
    ConfigError
        If the composer has no such track.
    """
    if track not in _TRACKS:
        raise ConfigError(f"the composer has no track {track!r}", mend=nearest(track, _TRACKS))
    turns = _TRACKS[track](speaker_of(facts or Facts.of(record), track, language, seed))
    return Conversation(
        key=record.key,
        track=track,
        language=language,
        turns=turns,
        engine=ENGINE,
        prompt_version=prompt_version(language, track),
        seed=seed,
    )


def prompt_version(language: Language, track: str = "instruction") -> str:
    """Return what, besides record, track and seed, decides the composer's words."""
    words = f"composer-{VERSION}.{grammar_version(language)}.{_tails()['version']}"
    return f"{words}.{_VERSIONS[track]()}" if track in _VERSIONS else words


def speaker_of(facts: Facts, track: str, language: Language, seed: int) -> Speaker:
    """Return what speaks of a record: the same seed makes the same choices again."""
    said = f"{seed}|{facts.record.key}|{track}|{language}"
    digest = blake2b(said.encode(), digest_size=8).digest()
    return Speaker(facts, language, random.Random(int.from_bytes(digest)))


def register_track(
    name: str, version: Callable[[], str]
) -> Callable[[Callable[[Speaker], tuple[Turn, ...]]], Callable[[Speaker], tuple[Turn, ...]]]:
    """Return a decorator that adds a track; `version` tells when its words have changed."""

    def add(track: Callable[[Speaker], tuple[Turn, ...]]) -> Callable[..., tuple[Turn, ...]]:
        _TRACKS[name], _VERSIONS[name] = track, version
        return track

    return add


def tracks() -> list[str]:
    """Return the tracks that say what the record does and nothing else."""
    return sorted(_TRACKS.keys() - _VERSIONS.keys())


@cache
def _tails() -> dict[str, Any]:
    file = files("fundoscope") / "converse" / "wordings" / "answers.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


class Speaker:
    """One record, one language, one seeded stream of choices."""

    def __init__(self, facts: Facts, language: Language, random_: random.Random) -> None:
        self.facts = facts
        self.language = language
        self.random = random_
        self.pick: Pick = random_.choice

    def of(self, *aspects: str) -> list[Statement]:
        """Return the statements of some aspects."""
        if len(aspects) == 1:
            return list(self.facts.by_aspect.get(aspects[0], ()))
        return [s for s in self.facts.said if s.aspect in aspects]

    def say(self, chosen: Sequence[Statement]) -> str:
        """Return the sentences of some statements."""
        return self.joined(sentences(chosen, self.language, self.pick))

    def tail(self, name: str, **names: str) -> str:
        """Return a sentence that claims nothing."""
        return str(self.pick(_tails()[self.language][name])).format(**names)

    def joined(self, parts: Sequence[str]) -> str:
        """Join sentences as the language does."""
        return (" " if self.language == "en" else "").join(part for part in parts if part)

    def turn(self, topic: Topic) -> Turn:
        """Return the question and the answer of a topic."""
        question = ask(topic.name, self.language, self.random, **dict(topic.names))
        return Turn(question, topic.answer(), (topic.name,))


def _instruction(speaker: Speaker) -> tuple[Turn, ...]:
    known = _known_topics(speaker)
    spare = list(_spare_topics(speaker))
    speaker.random.shuffle(spare)
    fewest = max(3, len(known))
    wanted = min(speaker.random.randint(fewest, MOST_TURNS), len(known) + len(spare))
    chosen = _ordered(known + spare[: max(0, wanted - len(known))], speaker.random)
    return tuple(map(speaker.turn, chosen))


def _ordered(topics: list[Topic], random_: random.Random) -> list[Topic]:
    """Shuffle, but let places follow counts and the conclusion come last."""
    random_.shuffle(topics)
    names = [topic.name for topic in topics]
    if random_.random() < 0.6:  # most people first ask what they are looking at
        topics.sort(key=lambda topic: topic.name not in ("picture", "picture_quality"))
    topics.sort(key=lambda topic: topic.name == "scope")
    if "boxes" in names and "lesions" in names:
        boxes = topics.pop(next(i for i, t in enumerate(topics) if t.name == "boxes"))
        topics.insert(next(i for i, t in enumerate(topics) if t.name == "lesions") + 1, boxes)
    return topics


def _alignment(speaker: Speaker) -> tuple[Turn, ...]:
    def answer() -> str:
        parts = [speaker.say(speaker.of("modality", "eye", "quality"))]
        if condition := condition_statements(speaker):
            parts.append(speaker.say(condition))
        if counts := lesion_counts(speaker):
            parts.append(speaker.say(counts))
        if groups := _measured_groups(speaker):
            parts.append(speaker.say(_some(speaker, speaker.random.choice(groups))))
        return speaker.joined(parts)

    return (speaker.turn(Topic("alignment", answer)),)


_TRACKS: dict[str, Callable[[Speaker], tuple[Turn, ...]]] = {
    "instruction": _instruction,
    "alignment": _alignment,
}
_VERSIONS: dict[str, Callable[[], str]] = {}
"""Of tracks whose words come from elsewhere, too."""


# what the record knows


def _known_topics(speaker: Speaker) -> list[Topic]:
    """Return a topic for everything that the record knows; of too many quantities, some."""
    topics = list(_picture_topics(speaker))
    if condition := condition_statements(speaker):
        topics.append(Topic("condition", lambda: speaker.say(condition)))
    topics += _lesion_topics(speaker)
    measured = _measured_topics(speaker)
    room = MOST_TURNS - len(topics)
    if len(measured) > room:
        measured = speaker.random.sample(measured, room)
    return topics + measured


def _picture_topics(speaker: Speaker) -> Iterator[Topic]:
    picture, quality = speaker.of("modality", "eye"), speaker.of("quality")
    crowded = bool(speaker.of("lesion_count")) and bool(speaker.of("measurement"))
    if quality and (crowded or speaker.random.random() < 0.5):
        yield Topic("picture_quality", lambda: speaker.say([*picture, *quality]))
        return
    eye = speaker.of("eye")
    if eye and not crowded and not quality and speaker.random.random() < 0.4:
        yield Topic("picture", lambda: speaker.say(speaker.of("modality")))
        yield Topic("eye", lambda: speaker.say(eye))
        return
    yield Topic("picture", lambda: speaker.say(picture))
    if quality:
        yield Topic("quality", lambda: speaker.say(quality))


def condition_statements(speaker: Speaker) -> list[Statement]:
    """Return grades and findings; of many absent findings a few, drawn anew for each dialogue."""
    grades = speaker.of("grade")
    findings = [s for s in speaker.of("finding") if s.term not in terms.lesions()]
    absent = [s for s in findings if s.value == "absent" and s.term != "abnormality"]
    shown = [s for s in findings if s not in absent]
    if len(absent) > 4:
        kept = set(speaker.random.sample(range(len(absent)), speaker.random.randint(2, 4)))
        absent = [s for index, s in enumerate(absent) if index in kept]
    shown.sort(key=lambda s: (str(s.value) != "present", s.term != "abnormality"))
    return [*grades, *shown, *absent]


def lesion_counts(speaker: Speaker) -> list[Statement]:
    counts = speaker.of("lesion_count", "lesion_area")
    return counts + [s for s in speaker.of("finding") if s.term in terms.lesions()]


def _lesion_topics(speaker: Speaker) -> Iterator[Topic]:
    counts = lesion_counts(speaker)
    if counts:
        yield Topic("lesions", lambda: speaker.say(counts))
    if boxes := speaker.of("lesion_box"):
        yield Topic("boxes", lambda: speaker.say(_some_boxes(speaker, boxes)))
    elif structures := speaker.of("structure"):
        yield Topic("structure", lambda: speaker.say(structures))


def _some_boxes(speaker: Speaker, boxes: list[Statement]) -> list[Statement]:
    chosen: list[Statement] = []
    for _, group in groupby(boxes, key=lambda s: s.term):
        members = list(group)
        kept = sorted(speaker.random.sample(range(len(members)), min(MOST_BOXES, len(members))))
        chosen += [members[index] for index in kept]
    return chosen


def _measured_groups(speaker: Speaker) -> list[list[Statement]]:
    """Return measured values by vessels and zone."""
    groups: dict[tuple[str, str, str], list[Statement]] = {}
    for s in speaker.of("measurement"):
        if s.value != UNMEASURED:
            groups.setdefault((_family(s.term, s.where), s.of, s.where), []).append(s)
    return list(groups.values())


@cache
def _family(quantity: str, where: str) -> str:
    """Return the topic under which a quantity is asked for."""
    if quantity.startswith(_CALIBRES):
        return "calibre"
    if quantity.startswith(_DISC):
        return "disc"
    if quantity.startswith("spherical"):
        return "refraction"
    if quantity.startswith(tuple(terms.lesions())):
        return "spread"
    return "zones" if where in ("zone_b", "zone_c") else "vessels"


def _some(speaker: Speaker, group: list[Statement]) -> list[Statement]:
    """Return two to four values of a group, in its order."""
    if len(group) <= 2:
        return group
    count = speaker.random.randint(2, min(4, len(group)))
    return [group[i] for i in sorted(speaker.random.sample(range(len(group)), count))]


def _measured_topics(speaker: Speaker) -> list[Topic]:
    families: dict[str, list[list[Statement]]] = {}
    for group in _measured_groups(speaker):
        families.setdefault(_family(group[0].term, group[0].where), []).append(group)

    def answer(groups: list[list[Statement]]) -> str:
        count = min(len(groups), speaker.random.randint(1, 2))
        picked = sorted(speaker.random.sample(range(len(groups)), count))
        return speaker.joined([speaker.say(_some(speaker, groups[i])) for i in picked])

    return [Topic(name, partial(answer, groups)) for name, groups in families.items()]


# what it does not know, or was not asked for


def _spare_topics(speaker: Speaker) -> Iterator[Topic]:
    """Yield topics that fill a dialogue: a condition drawn at random, the limits, refusals.

    Which are offered depends on what was looked for, never on what was found: else a question
    would give the answer away.
    """
    yield _probe(speaker)
    yield Topic("scope", lambda: _scope_answer(speaker))
    if not condition_statements(speaker):
        yield Topic("condition", lambda: _no_diagnosis(speaker))
    measured = {
        _family(s.term, s.where) for s in speaker.of("measurement") if s.value != UNMEASURED
    }
    if "calibre" not in measured:  # asked for figures in general only where there are none
        topic = "calibre" if measured & {"vessels", "zones"} else "ask_vessels"
        yield Topic(topic, partial(_no_figures, speaker, _CALIBRE_QUANTITIES))
    if "disc" not in measured:
        yield Topic("ask_disc", partial(_no_figures, speaker, _DISC_QUANTITIES))
    if not lesion_counts(speaker):
        yield Topic("ask_lesions", lambda: _no_lesions(speaker))
    if not speaker.of("quality"):
        yield Topic("quality", lambda: speaker.say([Statement("quality", "quality", UNMEASURED)]))
    if not speaker.of("eye"):
        yield Topic("eye", lambda: speaker.say([Statement("eye", "eye", UNMEASURED)]))


def _no_diagnosis(speaker: Speaker) -> str:
    """Say that nobody recorded a diagnosis, and that lesions are there if they are."""
    seen = ""
    if speaker.facts.status_of("abnormality") == "present":
        seen = speaker.say([Statement("finding", "abnormality", "present")])
    return speaker.joined([seen, speaker.tail("nothing_recorded")])


def _probe(speaker: Speaker) -> Topic:
    term = speaker.random.choice(PROBES)
    names = terms.term(term).names(speaker.language)
    return Topic("probe", lambda: _probe_answer(speaker, term), (("name", names[0]),))


def _probe_answer(speaker: Speaker, term: str) -> str:
    """Answer about a condition from what is recorded; what nobody looked for is not assessed."""
    status = speaker.facts.status_of(term)
    exact = [s for s in speaker.of("grade", "finding") if s.term == term]
    normal = [
        s for s in speaker.of("finding") if s.term == "normal_fundus" and s.value == "present"
    ]
    if not exact and normal and status == "absent":
        return speaker.say(normal)
    return speaker.say(exact or [Statement("finding", term, status or "not_assessed")])


def _scope_answer(speaker: Speaker) -> str:
    """Answer whether the eye is healthy: from the record, else that it cannot be concluded."""
    known = [s for s in speaker.of("finding") if s.term in ("normal_fundus", "abnormality")]
    if known or speaker.facts.status_of("abnormality") == "present":
        return speaker.say(known or [Statement("finding", "abnormality", "present")])
    grades = [s for s in speaker.of("grade") if s.scale not in ("dme_risk", "messidor2_dme")]
    if grades:
        scale = terms.scale(grades[0].scale)
        return speaker.tail(
            "scope",
            scale=scale.names(speaker.language)[0],
            term=terms.term(scale.term).names(speaker.language)[0],
        )
    return speaker.tail("scope_listed" if speaker.of("finding") else "scope_nothing")


def _no_figures(speaker: Speaker, names: Sequence[str]) -> str:
    also = speaker.random.sample(names[1:], speaker.random.randint(0, 2))
    refused = [Statement("measurement", name, UNMEASURED) for name in (names[0], *sorted(also))]
    return speaker.joined([speaker.say(refused), speaker.tail("no_figure")])


def _no_lesions(speaker: Speaker) -> str:
    unseen = [kind for kind in _LESION_KINDS if speaker.facts.status_of(kind) is None]
    if not unseen:  # a normal fundus has none of them
        normal = [s for s in speaker.of("finding") if s.term == "normal_fundus"]
        return speaker.say(normal)
    kinds = sorted(
        speaker.random.sample(unseen, speaker.random.randint(min(3, len(unseen)), len(unseen)))
    )
    refused = [Statement("finding", kind, "not_assessed") for kind in kinds]
    return speaker.joined([speaker.say(refused), speaker.tail("no_boxes")])
