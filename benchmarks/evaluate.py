"""100,000 answers read into labels and scored with intervals: how long, and how much memory.

    python benchmarks/evaluate.py [--count 100000] [--jobs 2] [--resamples 2000]

Answers are the frames of `tests/evaluate/*_{en,zh}.txt`, written by hand in the styles of models,
in all their variants; most have a sentence of description behind or before, whose words and numbers
vary, so that few texts occur twice. Eight spaces, in the shares of the frames. The truth is what
the frame says, and one time in five another label, so that there are mistakes; where the frame
decides nothing any label is. Three questions a photograph, two photographs a patient. A tenth of
the answers with one label come with probabilities.

Timed, from items and predictions in memory: `read_answers`, then all scores of each question with
95 % intervals (`score_form`). Making the answers is not timed. CPU seconds are those of all
processes. Memory is the sum of the resident sets of all processes, looked at every 50 ms; pages
that they share count more than once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from answers_corpus import HOME, SLOT, read_truth

from fundoscope.evaluate.answer_spaces import (
    Boxes,
    Findings,
    FoundBoxes,
    FoundTerms,
    Label,
    Levels,
    Number,
    Space,
    Value,
    space_from,
)
from fundoscope.evaluate.item_making import labels_of
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.reading_answers import read_answers
from fundoscope.evaluate.scoring import Draws, score_form
from fundoscope.records import Language

MOST_VARIANTS = 200
"""Of one frame; some have thousands."""
AROUND = {
    "en": (
        "The optic disc has a cup-to-disc ratio of 0.{a} and sharp margins.",
        "The {where} vessels have an even calibre and the photograph is {b} pixels wide.",
        "The {where} part of the frame is a little darker than the rest, by about {a} percent.",
        "The {where} arcade runs a regular course through {b} pixels of the frame.",
        "I looked at the {where} part first and spent {a} seconds on it.",
    ),
    "zh": (
        "视盘边界清晰，杯盘比约0.{a}。",
        "{where}血管走行规则，照片宽{b}像素。",
        "{where}部分略暗，约{a}%。",
        "我先看了{where}部分，用了{a}秒。",
    ),
}
WHERE = {
    "en": ("upper", "lower", "nasal", "temporal", "central", "peripheral"),
    "zh": ("上方", "下方", "鼻侧", "颞侧", "中央", "周边"),
}
AROUND_SHARE = 0.8
"""Of answers that have such a sentence."""


@dataclass(frozen=True)
class Frame:
    """One way to answer, and what it says."""

    language: Language
    space: Space
    question: str
    truth: Any
    texts: tuple[str, ...]


def frames() -> list[Frame]:
    """Return the frames of both languages with their variants."""
    found: list[Frame] = []
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        space, question = {}, ""
        for name in ("frames", "later", "last", "final", "blind"):
            text = (HOME / f"{name}_{language}.txt").read_text(encoding="utf-8")
            for line in text.splitlines():
                if line.startswith("@ "):
                    space = json.loads(line[2:])
                elif line.startswith("? "):
                    question = line[2:].split(" | ")[0].strip()
                else:
                    truth, _, answer = line.split(" :: ", 2)
                    texts = tuple(itertools.islice(variants(answer), MOST_VARIANTS))
                    found.append(
                        Frame(language, space_from(space), question, read_truth(truth), texts)
                    )
    return found


def variants(text: str) -> Iterator[str]:
    """Yield every answer of a frame."""
    parts = SLOT.split(text)
    choices = [part.split("¦") if i % 2 else [part] for i, part in enumerate(parts)]
    for pieces in itertools.product(*choices):
        yield "".join(pieces).replace("\\n", "\n")


def one_answer(frame: Frame, rng: random.Random) -> str:
    """Return an answer of a frame, mostly with a sentence about nothing that is asked."""
    text = rng.choice(frame.texts)
    if rng.random() >= AROUND_SHARE or isinstance(frame.space, Boxes | Number):
        return text  # where numbers are asked for, no others are put beside them
    where, language = rng.choice(WHERE[frame.language]), frame.language
    around = rng.choice(AROUND[language]).format(
        where=where, a=rng.randint(20, 80), b=rng.randint(1200, 4900)
    )
    joint = " " if language == "en" else ""
    ends = text.rstrip()[-1:] in ".!?。！？"
    stop = "" if ends else "." if language == "en" else "。"
    if rng.random() < 0.5 or text.startswith("<"):
        return f"{text}{stop}{joint}{around}"
    return f"{around}{joint}{text}"


def labels(space: Space) -> tuple[Label, ...]:
    """Return labels that a space has."""
    match space:
        case Findings():
            return tuple(FoundTerms(((t, s),)) for t in space.terms for s in ("present", "absent"))
        case Boxes():
            return (FoundBoxes(((0.1, 0.1, 0.3, 0.3),), "normalised"), FoundBoxes((), ""))
        case Number():
            return (Value(0.5, 0.5, 0.5), Value(150, 150, 150))
        case _:
            return labels_of(space)


def label_of(truth: Any, space: Space) -> Label | None:
    """Return what a frame says as a label; None where it decides nothing."""
    if truth in ("abstain", "contradictory") or truth is None:
        return None
    if isinstance(space, Findings):
        known = {t: s for t, s in truth.items() if s in ("present", "absent")}
        return FoundTerms(tuple(known.items())) if known else None
    if isinstance(space, Boxes):
        return FoundBoxes(tuple(map(tuple, truth["boxes"])), truth["convention"])
    if isinstance(space, Number):
        return Value(truth["value"], truth["value"], truth["value"])
    return str(truth) if not isinstance(space, Levels) else int(truth)


def made(count: int, seed: int) -> tuple[list[Item], list[Prediction]]:
    """Return items and predictions."""
    rng = random.Random(seed)
    known = frames()
    weights = [len(frame.texts) ** 0.5 for frame in known]
    items, predictions = [], []
    for at, frame in enumerate(rng.choices(known, weights, k=count)):
        photograph = at // 3
        key, form = f"made/test/{photograph}", str(hash_of(frame.space))
        truth = label_of(frame.truth, frame.space)
        if truth is None or rng.random() < 0.2:
            truth = rng.choice(labels(frame.space))
        item = Item(
            f"{key}/{form}/{at}", f"{key}/{form}", key, f"patient {photograph // 2}", (),
            frame.question, frame.language, 0, frame.space, truth,
        )  # fmt: skip
        items.append(item)
        chances = {}
        if rng.random() < 0.1 and not isinstance(frame.space, Findings | Boxes | Number):
            chances = {str(label): rng.random() for label in labels(frame.space)}
        predictions.append(Prediction(item.id, one_answer(frame, rng), chances))
    return items, predictions


_FORMS: dict[Space, int] = {}


def hash_of(space: Space) -> int:
    """Return a number for a space, the same in every run."""
    return _FORMS.setdefault(space, len(_FORMS))


class Memory:
    """Looks at the resident memory of this process and its children until it is stopped."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.peak_mb = max(self.peak_mb, sum(map(resident_mb, family())))

    def stop(self) -> float:
        """Return the peak, in MB of 1,000,000 bytes."""
        self._stop.set()
        self._thread.join()
        return self.peak_mb


def family() -> list[int]:
    """Return this process and its children."""
    me = os.getpid()
    children: list[int] = []
    for task in Path(f"/proc/{me}/task").iterdir():
        try:
            children += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return [me, *children]


def resident_mb(process: int) -> float:
    """Return the resident set of a process; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1e6


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Print what was read and scored, the seconds and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=2000)
    chosen = parser.parse_args()
    items, predictions = made(chosen.count, seed=0)
    texts = [prediction.answer for prediction in predictions]
    asked = {
        (p.answer, item.space, item.question) for item, p in zip(items, predictions, strict=True)
    }
    print(f"{len(texts):,} answers, {len(set(texts)):,} different texts,", end=" ")
    print(f"{len(asked):,} read (text, space and question), mean {mean(texts):.0f} characters")
    del asked, texts
    memory, began, spent = Memory(), time.perf_counter(), cpu_seconds()
    scored = read_answers(items, predictions, chosen.jobs)
    read, read_spent = time.perf_counter(), cpu_seconds()
    by_form = defaultdict(list)
    for one in scored:
        by_form[one.item.asked.removeprefix(one.item.key)].append(one)
    draws, estimates = Draws(chosen.resamples), 0
    for form in by_form.values():
        found = score_form(form, ["quadratic_kappa"], draws)
        estimates += len(found.estimates) + len(found.by_likelihood)
    ended, end_spent = time.perf_counter(), cpu_seconds()
    peak = memory.stop()
    outcomes = Counter(one.reading.outcome for one in scored if one.reading)
    print(", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())))
    print(f"{len(by_form)} questions, {estimates} estimates of {chosen.resamples:,} resamples")
    for what, wall, cpu in (
        ("read", read - began, read_spent - spent),
        ("scored", ended - read, end_spent - read_spent),
        ("together", ended - began, end_spent - spent),
    ):
        print(f"{what}: {wall:.1f} s, {cpu:.1f} CPU s")
    print(f"peak memory of all processes: {peak:.0f} MB")


def mean(texts: list[str]) -> float:
    """Return the mean length."""
    return sum(map(len, texts)) / max(1, len(texts))


if __name__ == "__main__":
    main()
