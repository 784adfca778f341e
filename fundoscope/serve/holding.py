"""Whether a text is held: each of its sentences by the record, by a fact, or by saying nothing.

Offline answers are built of parts that are held, and a test proves it. A draft of a language model
is read sentence by sentence, and one sentence that nothing holds is enough to refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.describe.wording import sentences
from fundoscope.knowledge.graph import Fact
from fundoscope.records import (
    UNMEASURED,
    Claim,
    Conversation,
    Language,
    Photograph,
    Record,
    Statement,
    Turn,
)
from fundoscope.serve.spoken import Look, Part
from fundoscope.verify.check import Facts, check_text
from fundoscope.verify.claims import numbers_in
from fundoscope.verify.knowledge import judge_knowledge, without_marks
from fundoscope.verify.knowledge_lexicon import content_words, read_sentence
from fundoscope.verify.knowledge_phrases import sentences_of, use_of
from fundoscope.verify.lexicon import lexicon, normalised

_MARKUP = re.compile(
    r"<\s*[a-z!/?]|&(?:#\w+|[a-z]+);|\bhttps?:|\bwww\.|javascript:|data:|!\[|\]\(|```|\bon\w+\s*=",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[\[［【]\s*\d{1,2}(?:\s*[,，、]\s*\d{1,2})*\s*[\]］】]")
_WORD = re.compile(r"[a-z][a-z'’]*[a-z]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SIDES = {"en": ("left", "right"), "zh": ("左", "右")}
MOST_STRANGE_ZH = 4
"""Characters of a Chinese sentence that neither record, vocabulary nor the list of words knows."""
LONGEST = 4000
"""Characters of a draft; a longer one answers something else."""


@dataclass
class Held:
    """What was found of a text."""

    problems: list[str] = field(default_factory=list)
    """Why it does not pass, each with the words; none where it does."""
    statements: list[tuple[int, Statement]] = field(default_factory=list)
    """What it says of which photograph."""
    facts: list[Fact] = field(default_factory=list)
    """Facts that it says."""


def part_problems(part: Part, look: Look | None, language: Language) -> Iterator[str]:
    """Yield why a part of an offline answer is not held; nothing where it is.

    Parameters
    ----------
    look : the photograph that it is about; None where there is none.
    """
    if part.kind == "fact":
        judged = _judged_facts(part.text, part.facts, language, "exact")
        yield from (f"{one.reason}: {one.claim.words}" for one in judged if one.reason)
    elif part.kind in ("statement", "plain", "figure"):
        record = look.facts if look else Facts.of(_NOBODY)
        for one in check_text(part.text, record, language):
            if one.judgement != "supported":
                yield f"{one.judgement}: {one.reason} ({one.claim.words})"
    if part.kind == "plain" and (numbers := numbers_in(part.text)):
        yield f"a number that nothing holds: {numbers[0]} ({part.text})"
    if part.kind == "figure":
        known = {n.lstrip("-+") for figure in part.figures for n in numbers_in(figure)}
        for number in numbers_in(part.text):
            if number.lstrip("-+") not in known:
                yield f"{number} is none of the figures {sorted(known)} ({part.text})"


_NOBODY = Record(Photograph("-", "-", "-", modality=""))
"""Of no photograph: all that a text claims is unsupported."""


def held(text: str, looks: Sequence[Look], given: Sequence[Fact], language: Language) -> Held:
    """Return whether a draft may be shown, and what it says.

    Parameters
    ----------
    looks : the photographs that it may speak of.
    given : the facts that it may say, as its marks `[1]`, `[2]`, ... count them.
    """
    found = Held()
    if _MARKUP.search(text):
        found.problems.append("markup or an address: write plain sentences")
    if not text.strip() or len(text) > LONGEST:
        found.problems.append(f"an answer has 1 to {LONGEST} characters")
    if found.problems:
        return found
    moved = re.sub(rf"([.!?。！？])\s*((?:{_MARKS.pattern}\s*)+)", r" \2\1 ", text)
    for sentence in sentences_of(moved, language):
        if problem := _problem_of(sentence, looks, given, language, found):
            found.problems.append(f"{problem} ({without_marks(sentence)!r})")
    if not found.problems and not (found.statements or found.facts):
        found.problems.append("it says nothing of the record and no fact")
    return found


def _problem_of(
    sentence: str,
    looks: Sequence[Look],
    given: Sequence[Fact],
    language: Language,
    found: Held,
) -> str:
    """Return why a sentence does not pass; empty where it does."""
    plain = without_marks(sentence)
    if not plain.strip(" .。") or plain in _own_words(language):
        return ""
    if use_of(plain, language) in ("whole", "closing"):
        return ""
    if plain.rstrip().endswith(("?", "？")):
        return "an answer does not ask"
    by_record = _by_record(plain, looks, language)
    if isinstance(by_record, tuple):
        found.statements += by_record
        return ""
    judged = _judged_facts(sentence, given, language, "marked")
    if judged and all(one.judgement == "supported" for one in judged):
        ids = {one.claim.statement.term for one in judged}
        found.facts += [fact for fact in given if fact.id in ids]
        return ""
    if by_record:
        return by_record
    if not read_sentence(plain, language).medical and not _strange(plain, looks, language):
        return ""
    return judged[0].reason if judged and judged[0].reason else "nothing holds it"


def _by_record(
    plain: str, looks: Sequence[Look], language: Language
) -> tuple[tuple[int, Statement], ...] | str:
    """Return what a sentence says of a photograph, or why no record holds it.

    Empty where it claims nothing of a photograph.
    """
    problems = []
    for look in looks:
        judged = check_text(plain, look.facts, language)
        if not judged:
            return ""
        wrong = next((one for one in judged if one.judgement != "supported"), None)
        if wrong:
            problems.append(f"{wrong.judgement}: {wrong.reason}")
        elif len(looks) > 1 and not _names(plain, look, language):
            problems.append("say of which photograph it is")
        elif strange := _strange(plain, looks, language):
            problems.append(f"the record does not speak of {strange!r}")
        else:
            return tuple((look.number, _same(one.claim, look)) for one in judged)
    return problems[0] if problems else ""


def _names(plain: str, look: Look, language: Language) -> bool:
    """Whether a sentence names the photograph that it is about."""
    eye, visit = look.seen.eye, look.seen.visit
    if visit and visit in plain:
        return True
    return bool(eye) and _SIDES[language][eye == "right"] in plain.lower()


def _same(claim: Claim, look: Look) -> Statement:
    """Return the record's own statement of what a claim says, as far as there is one."""
    said = claim.statement
    if said in look.facts.statements:
        return said
    for one in look.facts.said:
        same = one.aspect == said.aspect and one.term == said.term and one.value != UNMEASURED
        if same and said.of in ("", one.of) and said.where in ("", one.where):
            return one
    return said


def _judged_facts(text: str, facts: Sequence[Fact], language: Language, how: Any) -> Sequence[Any]:
    """Return the judgement of each sentence that says facts."""
    turn = Turn("-", text, ("knowledge",), tuple(fact.id for fact in facts))
    conversation = Conversation("-/-/-", "knowledge", language, (turn,), "-", "-", 0)
    return judge_knowledge(conversation, _NOBODY, [list(facts)], how).judged


def _strange(plain: str, looks: Sequence[Look], language: Language) -> str:
    """Return a word that neither record, vocabulary nor the list of harmless words knows."""
    text = normalised(plain)
    for mention in reversed(lexicon(language).find(text)):
        text = f"{text[: mention.start]} {text[mention.end :]}"
    known = _harmless(language) | _words_of(looks, language)
    if language == "en":
        return next((w for w in _WORD.findall(text) if w not in known and len(w) > 1), "")
    rest = text
    for word in sorted(known, key=len, reverse=True):
        rest = rest.replace(word, " ")
    left = "".join(_HAN.findall(rest))
    return left if len(left) > MOST_STRANGE_ZH else ""


def _words_of(looks: Sequence[Look], language: Language) -> frozenset[str]:
    """Return the words in which the statements of some records are told."""
    texts = [
        text
        for look in looks
        for text in sentences([s for s in look.facts.said if s.aspect != "measurement"], language)
    ]
    if language == "en":
        return frozenset(_WORD.findall(" ".join(texts).lower()))
    return frozenset(word for text in texts for word in content_words(text, "zh"))


@cache
def _harmless(language: Language) -> frozenset[str]:
    file = files("fundoscope") / "serve" / "words" / "harmless.yaml"
    return frozenset(str(yaml.safe_load(file.read_text(encoding="utf-8"))[language]).split())


@cache
def _own_words(language: Language) -> frozenset[str]:
    """Return the sentences of the assistant's own that hold no place for a name or number."""
    file = files("fundoscope") / "serve" / "words" / f"answers.{language}.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    whole = [text for text in data.values() if isinstance(text, str) and "{" not in text]
    return frozenset(one for text in whole for one in sentences_of(text, language))
