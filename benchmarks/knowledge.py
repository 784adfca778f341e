"""What the knowledge instructions are worth: variety, and what their check catches.

Composes every dialogue of the source `knowledge` in both languages and counts answers, questions
and facts by condition and facet; then spoils answers in known ways and tells how many of the
spoilt are refused, and how many hand-written paraphrases of facts are let through.

    python benchmarks/knowledge.py [--per-topic 100] [--seed 0]

OphGLM's released sample (Gao et al. 2023) gives 30 to 40 questions one verbatim answer.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from fundoscope import terms
from fundoscope.converse.composer import compose
from fundoscope.converse.facets import TRACK
from fundoscope.knowledge.graph import LINKS, Fact, knowledge
from fundoscope.read.knowledge_topics import read_topics, topic_record
from fundoscope.read.sources import SourceRequest
from fundoscope.records import LANGUAGES, Conversation, Language, Record, Turn
from fundoscope.verify.knowledge import judge_knowledge, judge_said

ENOUGH_FACTS, ENOUGH_ANSWERS = 4, 20
PARAPHRASES = Path(__file__).parents[1] / "tests" / "verify" / "data" / "paraphrases.yaml"
SPOILT = 400
"""Answers spoilt in each way."""


def main() -> None:
    """Print the measures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--per-topic", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    for language in LANGUAGES:
        said = list(_dialogues(chosen.per_topic, chosen.seed, language))
        print(f"\n== {language}: {len(said)} dialogues")
        _print_variety(said, language)
        _print_spoilt(said, language)
        _print_paraphrases(language)


def _dialogues(
    per_topic: int, seed: int, language: Language
) -> Iterator[tuple[Record, Conversation]]:
    request = SourceRequest(Path(), max_per_topic=per_topic)
    for record in read_topics(request):
        if isinstance(record, Record):
            yield record, compose(record, TRACK, language, seed)


def _print_variety(said: Sequence[tuple[Record, Conversation]], language: Language) -> None:
    answers: dict[tuple[str, str], set[str]] = defaultdict(set)
    orders: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    asked: dict[tuple[str, str], list[str]] = defaultdict(list)
    of_answer: dict[str, set[str]] = defaultdict(set)
    used: Counter[str] = Counter()
    refused = 0
    for record, conversation in said:
        verdict = judge_said(conversation, record)
        refused += not verdict.kept
        if not verdict.kept:
            print("refused:", conversation.id, verdict.reason)
        for turn in conversation.turns:
            cell = record.topic, turn.aspects[0]
            answers[cell].add(turn.answer)
            orders[cell].add(turn.facts)
            asked[cell].append(turn.question)
            of_answer[turn.answer].add(record.topic)
            used.update(turn.facts)
    known = knowledge()
    facts = {(c, f): len(known.facts_of(c, f)) for c in known.conditions for f in LINKS}
    full = [cell for cell, count in facts.items() if count >= ENOUGH_FACTS]
    low = [cell for cell in full if len(orders[cell]) < ENOUGH_ANSWERS]
    questions = [question for many in asked.values() for question in many]
    different = {answer for many in answers.values() for answer in many}
    print(f"refused by the check: {refused} of {len(said)}")
    print(f"(condition, facet) with at least {ENOUGH_FACTS} facts: {len(full)}")
    print(f"  with {ENOUGH_ANSWERS} or more different choices of facts: {len(full) - len(low)}")
    short = [cell for cell in full if len(answers[cell]) < ENOUGH_ANSWERS]
    print(f"  with {ENOUGH_ANSWERS} or more different answers: {len(full) - len(short)}", short)
    print("  below:", ", ".join(f"{c}/{f} {len(orders[c, f])}" for c, f in low) or "none")
    for what, kept in (("choices", orders), ("answers", answers)):
        n = sorted(len(kept[cell]) for cell in full)
        print(f"  {what} in each: least {n[0]}, median {n[len(n) // 2]}, most {n[-1]}")
    few = Counter(count for count in facts.values() if count < ENOUGH_FACTS)
    print(f"  cells with fewer facts: {dict(sorted(few.items()))} (facts: cells)")
    shared = [answer for answer, of in of_answer.items() if len(of) > 1]
    print(f"answers shared by two conditions: {len(shared)}")
    print(f"questions {len(questions)}, different {len(set(questions))}")
    ratio = len(questions) / len(different)
    print(f"different answers {len(different)}; questions to each {ratio:.2f}")
    worst = max((len(asked[cell]) / len(answers[cell]), cell) for cell in full)
    print(f"  largest ratio of a cell with enough facts: {worst[0]:.2f} {worst[1]}")
    seen = {fact.id for fact in known.facts if fact.status == "seen"}
    print(f"facts used: {len(used.keys() & seen)} of {len(seen)}")
    print(f"unverified facts used: {len(used.keys() - seen)}")


# what the check catches


def _print_spoilt(said: Sequence[tuple[Record, Conversation]], language: Language) -> None:
    """Spoil sentences of answers, composed (word for word) and as a marked paraphrase."""
    known = {fact.id: fact for fact in knowledge().facts}
    turns = [(record, turn, [known[id] for id in turn.facts])
             for record, conversation in said for turn in conversation.turns]  # fmt: skip
    for name, spoil in SPOILERS.items():
        rng, tried, caught, exact = random.Random(1), 0, 0, 0
        missed: list[str] = []
        for record, turn, facts in rng.sample(turns, len(turns)):
            if tried == SPOILT:
                break
            fact = rng.choice(facts)
            sentence = spoil(fact, language, rng)
            if not sentence:
                continue
            tried += 1
            exact += not _kept(record, turn.question, sentence, facts, "exact", language)
            marked = f"{sentence[:-1]} [{facts.index(fact) + 1}]{sentence[-1]}"
            got = _kept(record, turn.question, marked, facts, "marked", language)
            caught += not got
            if got:
                missed.append(sentence)
        print(f"spoilt, {name}: of {tried} caught {exact} word for word, {caught} as paraphrases")
        for sentence in missed[:3]:
            print("    missed:", sentence)


def _kept(
    record: Record, question: str, answer: str, facts: Sequence[Fact], how: str, language: Language
) -> bool:
    turn = Turn(question, answer, ("visual",), tuple(fact.id for fact in facts))
    conversation = Conversation(record.key, TRACK, language, (turn,), "benchmark", "", 0)
    return judge_knowledge(conversation, record, [facts], how).kept  # type: ignore[arg-type]


def _other_number(fact: Fact, language: Language, rng: random.Random) -> str:
    text = fact.text(language)
    found = list(re.finditer(r"(?<![A-Za-z\d.-])\d+(?:\.\d+)?(?![A-Za-z\d])", text))
    if not found:
        return ""
    one = rng.choice(found)
    value = float(one[0]) or 1.0
    new = value + rng.choice([1, 2, 5, 10]) if rng.random() < 0.5 else value * 10
    return text[: one.start()] + f"{new:g}" + text[one.end() :]


_FLIPS: Mapping[Language, Sequence[tuple[str, str]]] = {
    "en": (
        (r"\b(is|are|can|may|was|were|has|does) ", r"\1 not "),
        (r"\b(do|is|are|can|does|did|was|were) not ", r"\1 "),
    ),
    "zh": (
        (r"(可|能|会|是|有|应)(?!能|否|不)", r"不\1"),
        (r"不(可|能|会|是|应|宜|常)", r"\1"),
        (r"未见", "可见"),
        (r"无(?!论)", "有"),
    ),
}


def _denial(fact: Fact, language: Language, rng: random.Random) -> str:
    text = fact.text(language)
    flips = [flip for flip in _FLIPS[language] if re.search(flip[0], text)]
    if not flips:
        return ""
    negative = re.search(r"\bnot\b" if language == "en" else r"不|未|无", text)
    pattern, new = flips[-1] if negative and len(flips) > 1 else flips[0]
    spoilt = re.sub(pattern, new, text, count=1)
    return "" if spoilt == text else spoilt


def _other_term(fact: Fact, language: Language, rng: random.Random) -> str:
    text = fact.text(language)
    for name in terms.term(fact.condition).names(language):
        if name.lower() in text.lower():
            at = text.lower().index(name.lower())
            other = rng.choice([c for c in knowledge().conditions if c != fact.condition])
            return text[:at] + terms.term(other).names(language)[0] + text[at + len(name) :]
    return ""


def _other_fact(fact: Fact, language: Language, rng: random.Random) -> str:
    others = [o for o in knowledge().facts if o.condition != fact.condition and o.status == "seen"]
    return rng.choice(others).text(language)


def _other_facet(fact: Fact, language: Language, rng: random.Random) -> str:
    others = [o for o in knowledge().facts_of(fact.condition) if o.facet != fact.facet]
    return rng.choice(others).text(language) if others else ""


def _added_drug(fact: Fact, language: Language, rng: random.Random) -> str:
    drug = {
        "en": ["aflibercept", "aspirin", "laser", "vitrectomy"],
        "zh": ["阿柏西普", "阿司匹林", "激光", "玻璃体切除"],
    }
    one = rng.choice(drug[language])
    text = fact.text(language)
    if one in text or one.replace("切除", "切割") in text:
        return ""
    return f"{text[:-1]}, and {one} helps." if language == "en" else f"{text[:-1]}，{one}也有帮助。"


SPOILERS = {
    "a number changed": _other_number,
    "a denial turned round": _denial,
    "another condition's name": _other_term,
    "a sentence of another condition": _other_fact,
    "a sentence of another facet": _other_facet,
    "a drug or procedure added": _added_drug,
}


def _print_paraphrases(language: Language) -> None:
    known: Mapping[str, Fact] = {fact.id: fact for fact in knowledge().facts}
    if not PARAPHRASES.is_file():
        return
    kept, lost = 0, []
    for entry in yaml.safe_load(PARAPHRASES.read_text(encoding="utf-8"))[language]:
        facts = [replace(known[one["id"]], **{language: one["text"]}) for one in entry["facts"]]
        record = topic_record(facts[0].condition, 1)
        if _kept(record, "?", entry["said"], facts, "marked", language):
            kept += 1
        else:
            lost.append(entry["said"])
    print(f"faithful paraphrases let through: {kept} of {kept + len(lost)}")
    for sentence in lost:
        print("    refused:", sentence)


if __name__ == "__main__":
    main()
