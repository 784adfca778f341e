"""Write the corpus of answers with known truth from its hand-written frames.

    python benchmarks/answers_corpus.py

`tests/evaluate/frames_{en,zh}.txt`: `@ space as JSON`, `? question | question`, then one frame a
line, `truth :: style :: text`, where «a¦b» is one of a and b. At most four answers are drawn from a
frame, none twice. All answers of a frame fall into the same half, by a hash of the frame's id: what
is set aside was written on its own, not made from a frame that rules were written against. The
frames of `later_{en,zh}.txt` were written after the rules, to break them, and mended against; those
of `last_`, `final_` and `blind_` after that, each read once before anything was mended.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1] / "tests" / "evaluate"
MOST = 4
SLOT = re.compile(r"«([^»]*)»")


def answers(language: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one language."""
    space: dict[str, Any] = {}
    questions: list[str] = []
    seen: set[tuple[str, str]] = set()
    number = 0
    for later, line in _lines(language):
        if line.startswith("@ "):
            space = json.loads(line[2:])
        elif line.startswith("? "):
            questions = [question.strip() for question in line[2:].split(" | ")]
        else:
            number += 1
            truth, style, text = line.split(" :: ", 2)
            frame = f"{language}-{number:04d}"
            for index, answer in enumerate(drawn(text, frame)):
                key = (json.dumps(space), answer)
                if key in seen:
                    continue
                seen.add(key)
                yield {
                    "id": f"{frame}.{index}",
                    "split": later or half(frame),
                    "space": space,
                    "question": questions[(number + index) % len(questions)],
                    "answer": answer,
                    "truth": read_truth(truth),
                    "style": style,
                }


def _lines(language: str) -> Iterator[tuple[str, str]]:
    for name in ("frames", "later", "last", "final", "blind"):
        text = (HOME / f"{name}_{language}.txt").read_text(encoding="utf-8")
        yield from ((name if name != "frames" else "", line) for line in text.splitlines())


def drawn(text: str, frame: str) -> list[str]:
    """Return at most `MOST` answers of a frame."""
    parts = SLOT.split(text)
    choices = [part.split("¦") if i % 2 else [part] for i, part in enumerate(parts)]
    whole = ["".join(pieces).replace("\\n", "\n") for pieces in itertools.product(*choices)]
    if len(whole) > MOST:
        whole = random.Random(frame).sample(whole, MOST)
    return whole


def half(frame: str) -> str:
    """Return `open` or `apart`."""
    return "apart" if hashlib.sha256(frame.encode()).digest()[0] % 2 else "open"


def read_truth(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    """Write both files and print how many answers each holds."""
    for language in ("en", "zh"):
        rows = list(answers(language))
        with (HOME / f"answers_{language}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(language, len(rows), "answers,", sum(r["split"] == "apart" for r in rows), "apart")


if __name__ == "__main__":
    main()
