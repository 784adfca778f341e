"""What the condition network suspects in a photograph, how probable, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fundoscope import terms
from fundoscope.perceive.runtime import model
from fundoscope.records import Statement
from fundoscope.serve.asked_about import Asked
from fundoscope.serve.replies import Evidence
from fundoscope.serve.spoken import Look, Spoken, listed, word

NORMAL = "normal_fundus"
"""The network's answer to it makes no eye normal, and is never told."""


def suspected(look: Look) -> list[str]:
    """Return the conditions that the record suspects or has, the narrowest first named."""
    return [
        s.term
        for s in look.of("finding", "grade")
        if s.term not in terms.lesions()
        and s.term not in (NORMAL, "abnormality")
        and look.facts.status_of(s.term) in ("present", "suspected")
    ]


def say_conditions(said: Spoken, look: Look, asked: Asked) -> None:
    """Say all grades and findings, with the probability behind each suspicion."""
    said.say(look, look.of("grade"))
    found = [s for s in look.of("finding") if s.term not in terms.lesions()]
    said.say(look, found)
    answers = _answers(look)
    doubtful = [t for t, answer in answers.items() if answer == "uncertain"]
    if not asked.plain:
        _say_chances(said, look, [term for term in suspected(look) if term in answers])
    if not found and not look.of("grade"):
        said.plain("nothing_suspected", look)
        said.evidence += [chance(look, term, said) for term in answers]
    if doubtful:
        names = listed([name_of(t, said) for t in doubtful], said.language)
        said.plain("between", look, names=names)
        said.evidence += [chance(look, term, said) for term in doubtful]


def say_named(said: Spoken, look: Look, named: Sequence[str]) -> None:
    """Say of each condition what is known: as found, suspected, undecided, or never looked for."""
    answers = _answers(look)
    for term in named:
        status = look.facts.status_of(term)
        exact = [s for s in look.of("grade", "finding") if s.term == term]
        if status and status != "not_assessed":
            said.say(look, exact or [Statement("finding", term, status)])
            if term in answers and status == "suspected":
                _say_chances(said, look, [term])
        elif answers.get(term) in _KEYS:
            _say_chance(said, look, term, _KEYS[answers[term]])
        else:
            judged = look.seen.perceived.conditions is not None
            said.plain("not_looked_for" if judged else "not_judged", look, name=name_of(term, said))


_KEYS = {"uncertain": "chance_between", "absent": "chance_low"}


def _say_chances(said: Spoken, look: Look, named: Sequence[str]) -> None:
    """Say the probabilities behind suspicions, all in one sentence."""
    if not named:
        return
    figures: list[str] = []
    chances = []
    for term in named:
        p = _probability(chance(look, term, said).value or 0)
        t = _probability(model("conditions").manifest["thresholds"][term]["present"])
        name = name_of(term, said)
        chances.append(word("chance_of", said.language).format(name=name, p=p, t=t))
        figures += [p, t]
    first, *others = [chance(look, term, said) for term in named]
    text = listed(chances, said.language)
    said.figure("chance_suspected", first, figures, chances=text)
    said.evidence += others


def _say_chance(said: Spoken, look: Look, term: str, key: str) -> None:
    evidence = chance(look, term, said)
    bounds = model("conditions").manifest["thresholds"][term]
    p = _probability(evidence.value or 0)
    a, t = _probability(bounds["absent"]), _probability(bounds["present"])
    said.figure(key, evidence, (p, a, t), name=name_of(term, said), p=p, a=a, t=t)


def chance(look: Look, term: str, said: Spoken) -> Evidence:
    """Return the network's probability of a condition as evidence."""
    found = look.seen.perceived.conditions
    assert found is not None
    return Evidence(
        kind="photograph",
        id="photograph",
        words=f"{name_of(term, said)}: {_probability(found.probabilities[term])}",
        photograph=look.number,
        term=term,
        value=found.probabilities[term],
        unit="1",
        tool=model("conditions").version,
    )


def name_of(id: str, said: Spoken) -> str:
    """Return the name of a condition or lesion."""
    return terms.term(id).names(said.language)[0]


def _answers(look: Look) -> dict[str, str]:
    found = look.seen.perceived.conditions
    return {t: a for t, a in found.answers.items() if t != NORMAL} if found else {}


def _probability(value: float) -> str:
    """Return a probability with two decimals; never 0.00 or 1.00, of which nobody is sure."""
    return f"{min(max(value, 0.01), 0.99):.2f}"


def say_skill(said: Spoken, look: Look, topics: Sequence[str], named: Sequence[str]) -> None:
    """Say how well the networks behind some topics did on photographs kept apart."""
    if {"condition", "healthy", "summary", "grade"} & set(topics):
        answers = _answers(look)
        chosen = [t for t in named if t in answers] or [t for t in suspected(look) if t in answers]
        _say_chances(said, look, [t for t in chosen if t in suspected(look)])
        for term in chosen[:2]:
            if term not in suspected(look) and answers[term] in _KEYS:
                _say_chance(said, look, term, _KEYS[answers[term]])
            _say_auc(said, look, term)
    if {"lesions", "where", "spread", "summary"} & set(topics):
        _say_overlap(said, look, [t for t in named if t in terms.lesions()])
    if {"quality", "modality"} & set(topics):
        quality = look.seen.perceived.quality
        p = _probability(quality.probabilities[quality.grade])
        evidence = _skill(look, "quality", "quality", quality.probabilities[quality.grade], p)
        said.figure("skill_quality", evidence, (p,), p=p)


def _say_auc(said: Spoken, look: Look, term: str) -> None:
    score: dict[str, Any] = model("conditions").manifest["scores"]["auc"][term]
    name, n, d = name_of(term, said), str(score["n"]), f"{score['value']:.2f}"
    evidence = _skill(look, "conditions", term, score["value"], f"{name}: {d}")
    said.figure("skill_condition", evidence, (d, n, "0.5"), name=name, n=n, d=d)


def _say_overlap(said: Spoken, look: Look, named: Sequence[str]) -> None:
    """Say the overlap of outlines by kind, over the sets of photographs kept apart."""
    counted = [s.term for s in look.of("lesion_count")]
    for kind in list(named or counted)[:2]:
        scores = [
            score
            for key, score in model("lesions").manifest["held_out"].items()
            if key.endswith(f"/{kind}")
        ]
        if not scores:
            continue
        photographs = sum(score["photographs"] for score in scores)
        mean = sum(score["dice"] * score["photographs"] for score in scores) / photographs
        term = terms.term(kind)
        names = (term.plural or term.en[0]) if said.language == "en" else term.zh[0]
        n, d = str(photographs), f"{mean:.2f}"
        evidence = _skill(look, "lesions", kind, mean, f"{names}: {d}")
        said.figure("skill_lesions", evidence, (n, d, "0", "1"), names=names, n=n, d=d)


def _skill(look: Look, network: str, term: str, value: float, words: str) -> Evidence:
    return Evidence(
        kind="photograph",
        id="photograph",
        words=words,
        photograph=look.number,
        term=term,
        value=value,
        unit="1",
        tool=model(network).version,
    )
