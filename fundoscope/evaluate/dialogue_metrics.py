"""Whether free answers are true to the photograph's record, and to what is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fundoscope.evaluate.agreement import agreement
from fundoscope.evaluate.bootstrap import RESAMPLES, Resamples, ratio
from fundoscope.evaluate.estimates import Estimate, Floats, estimate
from fundoscope.evaluate.items import Scored
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.records import Conversation, Judged, Judgement, Language, Photograph, Record, Turn
from fundoscope.verify.check import Facts, check_text
from fundoscope.verify.knowledge import TRACK, judge_knowledge
from fundoscope.verify.knowledge_lexicon import content_words
from fundoscope.verify.knowledge_phrases import sentences_of

__all__ = ["agreement", "faithfulness", "knowledge_scores"]
JUDGEMENTS: tuple[Judgement, ...] = ("supported", "contradicted", "unsupported")
LEAST_RECALLED = 0.5
"""Share of a fact's content words that must be in what says it, for the fact to be recalled."""
_NO_PHOTOGRAPH = Record(Photograph("knowledge", "all", "no photograph", modality=""))


def faithfulness(
    scored: Sequence[Scored], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """Return how many claims of answers the records support, contradict, or know nothing of.

    Of each aspect and of all: shares of claims `supported`, `contradicted`, `unsupported`, with
    95 % intervals by patient; and `with_claims`, the share of answers that claim anything that can
    be checked: a bare "yes" does not. Answers without a record are left out and counted.
    """
    answers = [one for one in scored if one.prediction and not one.prediction.error]
    known = [one for one in answers if one.item.record is not None]
    judged = list(_judged(known))
    note = f"{len(answers) - len(known)} answers without a record left out"
    table = _Table(known, resamples, seed, note if len(answers) > len(known) else "")
    with_claims = [[float(bool(found)), 1.0] for found in judged]
    found = [table.share("with_claims", np.asarray(with_claims).reshape(-1, 2), "")]
    aspects = sorted({one.claim.statement.aspect for claims in judged for one in claims})
    for aspect in ("", *aspects):
        for judgement in JUDGEMENTS:
            rows = np.asarray([_counted(claims, judgement, aspect) for claims in judged])
            found.append(table.share(judgement, rows.reshape(-1, 2), aspect))
    return found


def _judged(scored: Sequence[Scored]) -> Iterator[tuple[Judged, ...]]:
    facts: dict[str, tuple[Record, Facts]] = {}
    for one in scored:
        record = one.item.record
        assert record is not None and one.prediction is not None
        laid_out = facts.get(one.item.key)
        if laid_out is None or laid_out[0] is not record:
            laid_out = facts[one.item.key] = record, Facts.of(record)
        yield check_text(one.prediction.answer, laid_out[1], one.item.language)


def _counted(claims: Sequence[Judged], judgement: Judgement, aspect: str) -> tuple[float, float]:
    here = [one for one in claims if not aspect or one.claim.statement.aspect == aspect]
    return float(sum(one.judgement == judgement for one in here)), float(len(here))


class _Table:
    """Counts of answers by patient, made into shares."""

    def __init__(self, scored: Sequence[Scored], resamples: int, seed: int, note: str) -> None:
        number: dict[str, int] = {}
        patients = [number.setdefault(one.item.patient, len(number)) for one in scored]
        self._drawn = Resamples.of(np.asarray(patients, np.int64), resamples, seed)
        self._note = note

    def share(self, name: str, rows: Floats, of: str) -> Estimate:
        """Return the share of rows (N, 2), each (part, whole)."""
        part, whole = rows.sum(axis=0)
        totals = self._drawn.totals(rows)
        return estimate(
            name, float(part / whole) if whole else None, ratio(totals[:, 0], totals[:, 1]),
            n=int(whole), patients=self._drawn.patients_of(rows[:, 1] > 0), of=of,
            note=self._note, undefined="nothing that can be checked",
        )  # fmt: skip


def knowledge_scores(
    scored: Sequence[Scored], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """Return how many facts answers recall, and how many of their sentences no fact carries.

    `facts_recalled`: of the facts that are asked for (the items' truth), those that a sentence
    says without going beyond the fact, or that stay within what the answer says; either way with
    half of the fact's content words. `supported`, `contradicted`, `unsupported`: shares of the
    answers' sentences, held against these facts and all others of the same conditions; a sentence
    may be true and known to none of them. The rules are those of `verify.knowledge`: they read
    words, and a fact in quite other words is missed.
    """
    answers = [
        one
        for one in scored
        if one.prediction and not one.prediction.error and isinstance(one.item.truth, tuple)
    ]
    recalled, sentences = [], []
    for one in answers:
        assert one.prediction is not None and isinstance(one.item.truth, tuple)
        text, language = one.prediction.answer, one.item.language
        asked, others = _facts(one.item.truth)
        recalled.append((float(sum(recalls(text, fact, language) for fact in asked)), len(asked)))
        sentences.append(judge_sentences(text, [*asked, *others], language))
    table = _Table(answers, resamples, seed, "")
    found = [table.share("facts_recalled", np.asarray(recalled, float).reshape(-1, 2), "")]
    for judgement in JUDGEMENTS:
        rows = [(said.count(judgement), len(said)) for said in sentences]
        found.append(table.share(judgement, np.asarray(rows, float).reshape(-1, 2), "knowledge"))
    return found


def _facts(ids: Sequence[str]) -> tuple[list[Fact], list[Fact]]:
    """Return the facts of these ids, and the others of their conditions."""
    graph = knowledge()
    wanted = set(ids)
    asked = [fact for fact in graph.facts if fact.id in wanted]
    conditions = {fact.condition for fact in asked}
    others = [f for f in graph.facts if f.condition in conditions and f.id not in wanted]
    return asked, others


def judge_sentences(text: str, facts: Sequence[Fact], language: Language) -> list[Judgement]:
    """Return what the facts have to say of every sentence that claims something."""
    return [
        one.judgement
        for one in _judge(text, facts, language)
        if one.claim.statement.term != "phrase"
    ]


def recalls(text: str, fact: Fact, language: Language) -> bool:
    """Return whether an answer says a fact."""
    said = sentences_of(text, language)
    wanted = _own_words(fact, fact.text(language), language)
    for sentence in said:
        within = _own_words(fact, sentence, language)
        if _share_of(wanted, within) >= LEAST_RECALLED and _all_supported(
            sentence, [fact], language
        ):
            return True
    if _share_of(wanted, _own_words(fact, text, language)) < LEAST_RECALLED:
        return False
    spoken = [replace(fact, en=sentence, zh=sentence) for sentence in said]
    return _all_supported(fact.text(language), spoken, language)


def _own_words(fact: Fact, text: str, language: Language) -> frozenset[str]:
    return frozenset(content_words(text.lower(), language))


def _share_of(wanted: frozenset[str], said: frozenset[str]) -> float:
    return len(wanted & said) / len(wanted) if wanted else 0.0


def _all_supported(text: str, facts: Sequence[Fact], language: Language) -> bool:
    judged = _judge(text, facts, language)
    return bool(judged) and all(one.judgement == "supported" for one in judged)


def _judge(text: str, facts: Sequence[Fact], language: Language) -> Sequence[Judged]:
    conversation = Conversation(_NO_PHOTOGRAPH.key, TRACK, language, (Turn("", text),), "", "", 0)
    return judge_knowledge(conversation, _NO_PHOTOGRAPH, [facts], "traced").judged
