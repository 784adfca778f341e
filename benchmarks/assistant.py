"""How fast the assistant looks and answers, and how many questions it understands.

python benchmarks/assistant.py [PHOTOGRAPH] [--users 32] [--each 30]

Without PHOTOGRAPH the first of HRF in FUNDOSCOPE_DATA is taken that is not refused. It is brought
to 1500 x 1000 pixels; the networks are loaded before the clock starts. Follow-ups are the questions
of `tests/serve/questions_*.jsonl`, asked one after the other, then by USERS threads at once.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from fundoscope.serve.asked_about import understood
from fundoscope.serve.assistant import Assistant
from fundoscope.serve.replies import Message, Seen
from fundoscope.serve.urgency import urgent_symptoms

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("FUNDOSCOPE_DATA", ROOT.parent / "shared" / "data"))
SIZE = (1500, 1000)
LOOKS = 5


def questions(language: str) -> list[dict[str, object]]:
    file = ROOT / "tests" / "serve" / f"questions_{language}.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def coded(path: Path, quality: int) -> bytes:
    """Return the photograph at 1500 x 1000; another quality makes other bytes."""
    with Image.open(path) as image:
        stream = io.BytesIO()
        image.convert("RGB").resize(SIZE).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def told(name: str, seconds: Sequence[tuple[float, float]]) -> None:
    for which, column in (("", 0), (" CPU", 1)):
        taken = np.array(seconds)[:, column] * 1000
        median, p95, worst = np.percentile(taken, [50, 95, 100])
        print(f"{name}: median {median:.1f}, p95 {p95:.1f}, worst {worst:.1f}{which} ms")


def asked_of(assistant: Assistant, seen: Seen, texts: Sequence[str]) -> list[tuple[float, float]]:
    """Return seconds and seconds of this thread's own, for each answer."""
    taken = []
    messages: list[Message] = []
    for text in texts:
        messages = [*messages[-6:], Message("user", text)]
        started, cpu = time.perf_counter(), time.thread_time()
        reply = assistant.reply(messages, [seen])
        taken.append((time.perf_counter() - started, time.thread_time() - cpu))
        messages.append(Message("assistant", reply.text))
    return taken


def understanding() -> None:
    for language in ("en", "zh"):
        for half in ("seen", "held out"):
            rows = [row for row in questions(language) if row["half"] == half]
            right = sum(_right(row) for row in rows)
            print(f"{language}, {half}: {right} of {len(rows)} understood")


def _right(row: dict[str, object]) -> bool:
    if row["asks"] == "urgent":
        return bool(urgent_symptoms(str(row["question"])))
    found = None
    for text in [*row.get("before", []), row["question"]]:  # type: ignore[misc]
        found = understood(str(text), found)
    assert found is not None
    wanted, _, side = str(row["asks"]).partition("@")
    topic, _, term = wanted.partition(":")
    if topic == "refuse":
        return found.refusal == term
    named = (*found.terms, *found.quantities)
    return found.topics[0] == topic and term in ("", *named) and side in ("", found.side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photograph", type=Path, nargs="?")
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--each", type=int, default=30)
    options = parser.parse_args()
    understanding()
    assistant = Assistant()
    paths = [options.photograph] if options.photograph else sorted((DATA / "HRF").rglob("*_g.jpg"))
    path, seen = next(  # loads the networks
        (path, seen)
        for path in paths
        if not (seen := assistant.look(coded(path, 90))).masks.refused
    )
    print(path.name, seen.perceived.kind, seen.perceived.quality.grade)
    assistant.reply([Message("user", "What do you see?")], [seen])
    first = []
    for number in range(LOOKS):
        started, cpu = time.perf_counter(), time.process_time()
        new = assistant.look(coded(path, 80 + number))
        assistant.reply([Message("user", "What do you see?")], [new])
        first.append(time.perf_counter() - started)
        print(
            f"first answer {number + 1}: {first[-1]:.2f} s, {time.process_time() - cpu:.2f} CPU s"
        )
    texts = [str(row["question"]) for language in ("en", "zh") for row in questions(language)]
    told("follow-ups, one user", asked_of(assistant, seen, texts))
    with ThreadPoolExecutor(options.users) as users:
        shares = [
            users.submit(asked_of, assistant, seen, np.roll(texts, 13 * user)[: options.each])
            for user in range(options.users)
        ]
        taken = [one for share in shares for one in share.result()]
    told(f"follow-ups, {options.users} users at once", taken)


if __name__ == "__main__":
    main()
