"""How many spoiled answers the verifier lets through, by the way they were spoiled.

    python benchmarks/verifier.py [--count 2000]

Faithful dialogues about synthetic records are spoiled in one place each: a digit, the eye side,
a unit, a grade's word or scale, a condition's name, a place, a denial taken away, an invented
sentence. A spoiled dialogue that is kept is listed with an example: a miss, or true by chance.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from fundoscope import terms
from fundoscope.converse.composer import compose
from fundoscope.records import LANGUAGES, Conversation, Language, Turn
from fundoscope.testing import synthetic_record
from fundoscope.verify.check import Facts, judge

Spoil = Callable[[str, Language, random.Random], str]
_DIGIT = re.compile(r"\d")


def digit(text: str, language: Language, rng: random.Random) -> str:
    """Change one digit."""
    places = [match.start() for match in _DIGIT.finditer(text)]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + rng.choice([d for d in "0123456789" if d != text[at]]) + text[at + 1 :]


def swap(*pairs: tuple[str, str]) -> Spoil:
    """Return a spoiling that replaces one word of a pair by the other."""

    def spoil(text: str, language: Language, rng: random.Random) -> str:
        here = [(a, b) for a, b in pairs for a, b in ((a, b), (b, a)) if a in text]
        if not here:
            return text
        a, b = rng.choice(here)
        return text.replace(a, b, 1)

    return spoil


def condition(text: str, language: Language, rng: random.Random) -> str:
    """Replace a condition by another."""
    if any(cue in text for cue in ("ssessed", "information on", "评估", "记录")):
        return text  # what nobody looked for may be said of any condition
    names = [term.names(language)[0] for term in terms.conditions().values()]
    here = sorted((name for name in names if name in text), key=len, reverse=True)
    return text.replace(here[0], rng.choice(names), 1) if here else text


def denial(text: str, language: Language, rng: random.Random) -> str:
    """Take a denial away."""
    cues = (
        ("There is no sign of", "There are signs of"),
        ("No evidence of", "Clear evidence of"),
        ("The readers noted no", "The readers noted"),
        ("未见", "可见"),
        ("没有发现", "发现"),
    )
    here = [(a, b) for a, b in cues if a in text]
    return text.replace(*rng.choice(here), 1) if here else text


def invention(text: str, language: Language, rng: random.Random) -> str:
    """Add a sentence that nothing supports."""
    invented = {
        "en": (
            "There is also optic papillitis.",
            "The CRAE is 163.4 µm.",
            "Haemorrhages lie at [0.1001, 0.2002, 0.3003, 0.4004].",
            "Otherwise this is a healthy eye.",
            "37 microaneurysms are outlined.",
            "The Messidor grade is 3 on the Messidor scale.",
        ),
        "zh": (
            "另外可见视盘炎。",
            "CRAE 为 163.4 µm。",
            "出血位于 [0.1001, 0.2002, 0.3003, 0.4004]。",
            "其余为健康眼底。",
            "共有 37 处微动脉瘤。",
            "按 Messidor 分级，糖尿病视网膜病变为 3 级。",
        ),
    }
    return f"{text} {rng.choice(invented[language])}"


SPOILS: dict[str, Spoil] = {
    "a digit": digit,
    "eye side": swap(("left eye", "right eye"), ("左眼", "右眼")),
    "unit": swap((" µm", " mm")),
    "severity word": swap(
        ("mild", "severe"), ("轻度", "重度"), ("moderate", "mild"), ("中度", "重度")
    ),
    "quality word": swap(
        ("good", "reject"), ("良好", "不合格"), ("usable", "good"), ("可用", "良好")
    ),
    "place": swap(("upper left", "lower right"), ("左上", "右下"), ("lower left", "upper right")),
    "scale": swap(("ICDR", "Messidor")),
    "condition": condition,
    "denial": denial,
    "invented sentence": invention,
}


def spoiled(conversation: Conversation, spoil: Spoil, rng: random.Random) -> Conversation | None:
    """Return the conversation with one answer spoiled, or None where nothing could be."""
    order = list(range(len(conversation.turns)))
    rng.shuffle(order)
    for index in order:
        turn = conversation.turns[index]
        answer = spoil(turn.answer, conversation.language, rng)
        if answer != turn.answer:
            turns = list(conversation.turns)
            turns[index] = Turn(turn.question, answer, turn.aspects)
            return replace(conversation, turns=tuple(turns))
    return None


def main(count: int) -> None:
    """Print a Markdown table of spoiled dialogues and how many were refused."""
    rng = random.Random(0)
    tried: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for number in range(count):
        record = synthetic_record(number)
        facts = Facts.of(record)
        for language in LANGUAGES:
            whole = compose(record, "instruction", language, 0, facts)
            for name, spoil in SPOILS.items():
                conversation = spoiled(whole, spoil, rng)
                if conversation is None:
                    continue
                verdict = judge(conversation, record, facts)
                tried[name] += 1
                missed[name] += verdict.kept
                if verdict.kept:
                    spoilt = next(t for t in conversation.turns if t not in whole.turns)
                    examples.setdefault(name, f"{record.key}: {spoilt.answer}")
    print("| spoiled | dialogues | refused | let through |\n|---|---|---|---|")
    for name in SPOILS:
        refused = tried[name] - missed[name]
        share = refused / tried[name] if tried[name] else 0.0
        print(f"| {name} | {tried[name]:,} | {share:.2%} | {missed[name]:,} |")
    for name, text in examples.items():
        print(f"\nlet through ({name}): {text[:400]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    main(parser.parse_args().count)
