"""How varied the composer's dialogues are, over the 1,300 eyes of ODIR-5K.

    python benchmarks/variety.py [FOLDER WITH labels.csv AND images/]

Prints a Markdown table: distinct questions, the share of the commonest question, distinct-2 and
self-BLEU of questions and answers, and how many dialogues have how many turns.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from pathlib import Path

from fundoscope.converse.composer import compose
from fundoscope.read.all_sources import sources
from fundoscope.read.sources import SourceRequest
from fundoscope.records import LANGUAGES, Conversation, Language, Record

DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "ODIR5K"
BLEU_SAMPLE = 200
"""Texts compared with each other for self-BLEU; all pairs of thousands take hours."""


def tokens(text: str, language: Language) -> list[str]:
    """Return words, or characters in Chinese."""
    return text.lower().split() if language == "en" else list(text)


def distinct_2(texts: Sequence[list[str]]) -> float:
    """Return the share of bigrams that are different (Li et al. 2016, arXiv:1510.03055)."""
    bigrams = [pair for text in texts for pair in pairwise(text)]
    return len(set(bigrams)) / len(bigrams)


def self_bleu(texts: Sequence[list[str]]) -> float:
    """Return the mean BLEU-4 of each text against the others (Zhu 2018, arXiv:1802.01886)."""
    rng = random.Random(0)
    sample = [texts[i] for i in rng.sample(range(len(texts)), min(BLEU_SAMPLE, len(texts)))]
    grams = [[Counter(ngrams(text, n)) for n in range(1, 5)] for text in sample]
    return sum(bleu_4(index, sample, grams) for index in range(len(sample))) / len(sample)


def ngrams(text: list[str], n: int) -> list[tuple[str, ...]]:
    """Return the n-grams of a text."""
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]


def bleu_4(
    index: int, texts: Sequence[list[str]], grams: list[list[Counter[tuple[str, ...]]]]
) -> float:
    """Return BLEU-4 of one text against all others, with add-one smoothing above unigrams."""
    others = [g for other, g in enumerate(grams) if other != index]
    log_sum = 0.0
    for n in range(4):
        mine = grams[index][n]
        hits = sum(min(k, max(g[n][gram] for g in others)) for gram, k in mine.items())
        total = sum(mine.values())
        smooth = int(n > 0)
        log_sum += log(max(hits + smooth, 1e-9) / max(total + smooth, 1))
    length = len(texts[index])
    nearest = min((abs(len(t) - length), len(t)) for j, t in enumerate(texts) if j != index)[1]
    brevity = 1.0 if length >= nearest else exp(1 - nearest / max(length, 1))
    return brevity * exp(log_sum / 4)


def row(language: Language, records: Sequence[Record]) -> str:
    """Return the table's row of a language."""
    made = [compose(record, "instruction", language) for record in records]
    questions = [[t.question for t in c.turns] for c in made]
    answers = [tokens(t.answer, language) for c in made for t in c.turns]
    counts = Counter(text for asked in questions for text in set(asked))
    first = {asked[0] for asked in questions}
    asked = [tokens(text, language) for one in questions for text in one]
    common = counts.most_common(1)[0][1] / len(made)
    return (
        f"| {language} | {len(made):,} | {len(first):,} | {len(counts):,} | {common:.1%} "
        f"| {distinct_2(asked):.3f} | {distinct_2(answers):.3f} | {self_bleu(asked):.3f} "
        f"| {self_bleu(answers):.3f} | {turn_counts(made)} |"
    )


def turn_counts(made: Sequence[Conversation]) -> str:
    """Return how many dialogues have how many turns."""
    counts = Counter(len(conversation.turns) for conversation in made)
    return ", ".join(f"{turns}: {counts[turns]}" for turns in sorted(counts))


def main(folder: Path) -> None:
    """Print the table."""
    found = sources.get("odir")(SourceRequest(folder))
    records = [record for record in found if isinstance(record, Record)]
    print(
        "| language | dialogues | distinct first questions | distinct questions "
        "| commonest question | distinct-2 questions | distinct-2 answers | self-BLEU questions "
        "| self-BLEU answers | dialogues by turns |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for language in LANGUAGES:
        print(row(language, records))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
