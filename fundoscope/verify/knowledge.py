"""General knowledge held against the facts that it was given: each sentence traces to one.

A sentence is a fact, word for word; or one of the closed list that claims nothing; or, in the first
answer about a photograph, what the record says of it; or, where a model worded it, a paraphrase of
the facts that its mark `[1]` cites. A paraphrase may say less than its facts, never more: no other
term, number, unit, drug, procedure, place or people, no denial turned round, nothing stronger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from fundoscope import terms
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.records import (
    Claim,
    Conversation,
    Judged,
    Judgement,
    Language,
    Record,
    Statement,
    Turn,
    Verdict,
)
from fundoscope.verify.check import Facts, check_text, judge
from fundoscope.verify.knowledge_lexicon import (
    Reading,
    concept_name,
    content_words,
    read_sentence,
    side_name,
    strong_name,
)
from fundoscope.verify.knowledge_phrases import (
    URGENT,
    sentences_of,
    use_of,
    without_opening,
)
from fundoscope.verify.style import style_problem

How = Literal["exact", "marked", "traced"]
"""`exact`: facts stand in their own words; `marked`: a paraphrase cites its facts; `traced`: it
did, but its marks were taken away, and any one of the turn's facts may carry it."""

LEAST_SHARED: Mapping[Language, float] = {"en": 0.3, "zh": 0.2}
"""Share of a paraphrase's content words that its facts must hold, else it is about others."""
_MARK = re.compile(
    r"\[\s*(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\s*\]|［\s*(\d{1,2})\s*］|【\s*(\d{1,2})\s*】"
)
_MARKS_BEHIND = re.compile(rf"([.!?。！？])\s*((?:(?:{_MARK.pattern})\s*)+)")
_IT = re.compile(r"^(?:it|they|this condition|the condition|the disease)\b", re.I)
_NO_DENIAL = re.compile(
    r"\b(?:not|no|never|without|rarely|seldom|only|neither|none|may|might)\b|不|未|无|非|仅|只|可能",
    re.I,
)


def judge_knowledge(
    conversation: Conversation,
    record: Record,
    facts_given: Sequence[Sequence[Fact]],
    how: How = "exact",
    facts: Facts | None = None,
) -> Verdict:
    """Return whether a dialogue of general knowledge may be kept.

    Parameters
    ----------
    facts_given : for every turn the facts that its answer may say.
    how : how near a sentence must be to its fact.
    facts : the record laid out, where the caller has it already.
    """
    facts = facts or Facts.of(record)
    judged: list[Judged] = []
    fault: tuple[int, str] | None = None
    for index, turn in enumerate(conversation.turns):
        given = list(facts_given[index]) if index < len(facts_given) else []
        photograph = facts if index == 0 and record.photograph.modality else None
        for one in _turn_claims(turn, given, how, conversation.language, photograph):
            judged.append(one)
            if one.judgement != "supported" and fault is None:
                fault = index, f"{one.judgement}: {one.reason} ({one.claim.words!r})"
    fault = fault or style_problem(conversation) or _names_too_early(conversation, record, facts)
    if fault is None:
        return Verdict(True, judged=tuple(judged))
    return Verdict(False, fault[1], tuple(judged), fault[0])


def facts_of_turns(conversation: Conversation) -> list[list[Fact]]:
    """Return the facts that the turns of a dialogue name; an id that is gone gives none."""
    known = _facts_by_id()
    return [[known[id] for id in turn.facts if id in known] for turn in conversation.turns]


@cache
def _facts_by_id() -> dict[str, Fact]:
    return {fact.id: fact for fact in knowledge().facts}


def without_marks(text: str) -> str:
    """Return a text without the marks that cite facts.

    Examples
    --------
    >>> without_marks("Drusen are yellow [1]. They lie deep. [2, 3]")
    'Drusen are yellow. They lie deep.'
    """
    text = re.sub(rf"[ \t]*(?:{_MARK.pattern})", "", text)
    return re.sub(r"[ \t]+([.,;!?。，；！？])", r"\1", text).strip()


@cache
def denied(fact: Fact, language: Language) -> str:
    """Return a fact's denial, which is false where the fact is true; empty where none is certain.

    Only a plain sentence is denied that begins with its condition: a denial elsewhere in a
    sentence may leave it true.
    """
    text = fact.text(language)
    if _NO_DENIAL.search(text):
        return ""
    for name in terms.term(fact.condition).names(language):
        if language == "zh":
            if text.startswith(f"{name}是") and not text.startswith(f"{name}是否"):
                return f"{name}不是{text[len(name) + 1 :]}"
            continue
        found = re.match(rf"((?:an? |the )?{re.escape(name)} (?:is|are)) ", text, re.I)
        if found:
            return f"{found[1]} not {text[found.end() :]}"
    return ""


def _turn_claims(
    turn: Turn, given: Sequence[Fact], how: How, language: Language, photograph: Facts | None
) -> list[Judged]:
    """Return what is to be said of every sentence of an answer."""
    text = _MARKS_BEHIND.sub(r" \2\1 ", turn.answer)
    said: list[Judged] = []
    for sentence in sentences_of(text, language):
        marks = [int(n) for m in _MARK.finditer(sentence) for n in re.findall(r"\d+", m[0])]
        plain = without_marks(sentence)
        said += _sentence_claims(plain, marks, turn, given, how, language, photograph)
        if any(one.reason == "" and one.claim.statement.aspect == "knowledge" for one in said[-1:]):
            photograph = None  # the record comes first
    return said


def _sentence_claims(
    sentence: str,
    marks: Sequence[int],
    turn: Turn,
    given: Sequence[Fact],
    how: How,
    language: Language,
    photograph: Facts | None,
) -> list[Judged]:
    if use := use_of(sentence, language):
        problem = _misused(use, turn, given, language)
        return [_judged(sentence, "phrase", "unsupported" if problem else "supported", problem)]
    core = without_opening(sentence, language)
    if fact := _word_for_word(sentence, given, language) or _word_for_word(core, given, language):
        return [_judged(sentence, fact.id, "supported")]
    if photograph and not marks and (claims := _of_photograph(core, photograph, language)):
        return claims
    if how == "exact":
        return [_judged(sentence, "", "unsupported", "it is none of the facts given")]
    return [_paraphrased(core, sentence, marks, given, how, language)]


def _judged(words: str, of: str, judgement: Judgement, reason: str = "") -> Judged:
    return Judged(
        Claim(Statement("knowledge", of or "nothing given", "said"), words), judgement, reason
    )


def _misused(use: str, turn: Turn, given: Sequence[Fact], language: Language) -> str:
    """Return why a phrase of the closed list may not stand here."""
    if use == "seek_care" and not any(URGENT.search(fact.en) for fact in given):
        return "no fact given calls it urgent"
    if use == "true" and not any(f.text(language) in turn.question for f in given):
        return "the statement asked about is none of the facts given"
    if use == "false" and not any(
        no and no in turn.question for no in (denied(fact, language) for fact in given)
    ):
        return "the statement asked about denies none of the facts given"
    return ""


def _word_for_word(core: str, given: Sequence[Fact], language: Language) -> Fact | None:
    for fact in given:
        if _same(core, fact.text(language)):
            return fact
        if language == "en" and core.startswith("It "):
            for name in terms.term(fact.condition).en:
                for article in ("", "a ", "an ", "the "):
                    if _same(f"{article}{name}{core[2:]}", fact.en):
                        return fact
    return None


def _same(said: str, text: str) -> bool:
    return said[:1].lower() == text[:1].lower() and said[1:] == text[1:]


def _of_photograph(core: str, facts: Facts, language: Language) -> list[Judged]:
    """Return the judged claims of a sentence about the photograph; nothing where it is none."""
    judged = list(check_text(core, facts, language))
    return judged if judged and all(one.judgement == "supported" for one in judged) else []


def _paraphrased(
    core: str,
    sentence: str,
    marks: Sequence[int],
    given: Sequence[Fact],
    how: How,
    language: Language,
) -> Judged:
    if marks:
        unknown = [mark for mark in marks if not 1 <= mark <= len(given)]
        if unknown:
            return _judged(sentence, "", "unsupported", f"there is no fact [{unknown[0]}]")
        cited = [[given[mark - 1] for mark in marks]]
    elif how == "marked":
        return _judged(sentence, "", "unsupported", "no fact is cited: end it with its mark")
    else:
        cited = [[fact] for fact in given] + [list(given)]
    problems: list[tuple[Judgement, str]] = []
    for facts in cited:
        problem = _beyond(core, facts, language)
        if problem is None:
            return _judged(sentence, facts[0].id, "supported")
        problems.append(problem)
    judgement, reason = problems[0] if problems else ("unsupported", "no fact was given")
    return _judged(sentence, "", judgement, reason)


def _beyond(core: str, facts: Sequence[Fact], language: Language) -> tuple[Judgement, str] | None:
    """Return what a sentence says that its facts do not; None where it stays within them."""
    said = read_sentence(core, language)
    read = [read_sentence(fact.text(language), language) for fact in facts]
    for check in (_other_words, _other_numbers, _turned_round, _stronger):
        if problem := check(said, read, facts):
            return problem
    if language == "en" and (word := _strange_name(core, said, facts)):
        return "unsupported", f"it does not name its condition, and no fact knows {word!r}"
    return _elsewhere(said, read, facts, LEAST_SHARED[language])


def _strange_name(core: str, said: Reading, facts: Sequence[Fact]) -> str:
    """Return a long word that no fact uses, where the condition is named by none of its names."""
    if {fact.condition for fact in facts} & set(said.terms):
        return ""
    words = set(content_words(core.lower(), "en")) - _words_of_all()
    return next((word for word in sorted(words) if len(word) >= 6), "")


@cache
def _words_of_all() -> frozenset[str]:
    return frozenset(w for fact in knowledge().facts for w in content_words(fact.en.lower(), "en"))


_Problem = tuple[Judgement, str] | None


def _other_words(said: Reading, read: Sequence[Reading], facts: Sequence[Fact]) -> _Problem:
    of_condition = {fact.condition for fact in facts}
    left = Counter(term for one in read for term in one.terms)
    for term in said.terms:
        left[term] -= term not in of_condition
        if left[term] < 0:
            return "unsupported", f"its fact does not speak of {term.replace('_', ' ')} (so often)"
    named = [read_sentence(name, lang).concepts for c in of_condition
             for lang in ("en", "zh") for name in terms.term(c).names(lang)]  # fmt: skip
    concepts = frozenset().union(*(one.concepts for one in read), *named)
    if others := sorted(said.concepts - concepts):
        return "unsupported", f"its fact does not speak of {concept_name(others[0])!r}"
    endings = frozenset().union(*(one.endings for one in read))
    texts = " ".join(fact.en.lower() + fact.zh for fact in facts)
    names = " ".join(
        n.lower() for c in of_condition for n in (*terms.term(c).en, *terms.term(c).zh)
    )
    if words := sorted(w for w in said.endings - endings if w not in texts and w not in names):
        return "unsupported", f"its fact does not hold {words[0]!r}"
    return None


def _other_numbers(said: Reading, read: Sequence[Reading], facts: Sequence[Fact]) -> _Problem:
    known = [number for one in read for number in one.numbers]
    spelt = frozenset().union(*(one.spelt for one in read))
    left = Counter(value for value, _ in known)
    for value, unit in said.numbers:
        left[value] -= 1
        if left[value] < 0 and value not in spelt:
            return "unsupported", f"no fact cited holds the number {value} (so often)"
        units = {of for number, of in known if number == value}
        if unit and units and unit not in units and (unit == "%" or "" not in units):
            return "contradicted", f"the unit of {value} is not that of its fact"
    if more := sorted(said.spelt - spelt - {value for value, _ in known}):
        return "unsupported", f"no fact cited holds {more[0]!r}"
    return None


def _turned_round(said: Reading, read: Sequence[Reading], facts: Sequence[Fact]) -> _Problem:
    """Refuse what denies its fact, asserts what its fact denies, or says the opposite."""
    if said.denies and not any(one.denies for one in read):
        return "contradicted", "it denies, and its fact does not"
    asserted = frozenset().union(*(one.asserted for one in read))
    denied_ = frozenset().union(*(one.denied for one in read))
    named = frozenset().union(*(_name_words(fact.condition) for fact in facts))
    for words, denies in said.clauses:
        shared = words & (asserted | denied_) - named  # it may be named in any clause
        turned = shared - denied_ if denies else shared - asserted
        if len(turned) * 2 > len(shared):
            return "contradicted", "what its fact asserts and denies is turned round"
    sides = frozenset().union(*(one.sides for one in read))
    for pair, side in sorted(said.sides - sides):
        if (pair, 1 - side) in sides and (pair, 1 - side) not in said.sides:
            return "contradicted", f"{side_name((pair, side))!r} is the opposite of its fact"
    return None


def _stronger(said: Reading, read: Sequence[Reading], facts: Sequence[Fact]) -> _Problem:
    known = frozenset().union(*(one.strong for one in read))
    if more := sorted(said.strong - known):
        return "unsupported", f"{strong_name(more[0])!r} is stronger than its fact"
    if not said.hedged and all(one.hedged for one in read) and not known:
        return "unsupported", "its fact says this with a reserve (can, may, often), and it does not"
    return None


def _elsewhere(
    said: Reading, read: Sequence[Reading], facts: Sequence[Fact], least: float
) -> _Problem:
    words = frozenset().union(*(one.words for one in read))
    own = said.words - _name_words(facts[0].condition)  # these it shares with every other fact
    if own and len(own & words) < least * len(own):
        return "unsupported", "it shares too few words with the fact that it cites"
    return None


@cache
def _name_words(condition: str) -> frozenset[str]:
    term = terms.term(condition)
    words = [w for name in term.en for w in content_words(name.lower(), "en")]
    return frozenset(words + [w for name in term.zh for w in content_words(name, "zh")])


def _names_too_early(
    conversation: Conversation, record: Record, facts: Facts
) -> tuple[int, str] | None:
    """Return a fault where the first question about a photograph tells what is in it."""
    if not record.photograph.modality or not conversation.turns:
        return None
    told = set(read_sentence(conversation.turns[0].question, conversation.language).terms)
    given_away = told & {*terms.conditions(), *terms.lesions()} - {"abnormality", "normal_fundus"}
    return (0, f"the question gives away {sorted(given_away)[0]}") if given_away else None


TRACK = "knowledge"


def judge_said(
    conversation: Conversation, record: Record, facts: Facts | None = None, how: How = "exact"
) -> Verdict:
    """Return whether a dialogue of any track may be kept; one of knowledge names its facts."""
    if conversation.track != TRACK:
        return judge(conversation, record, facts)
    return judge_knowledge(conversation, record, facts_of_turns(conversation), how, facts)
