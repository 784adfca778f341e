"""An assistant that looks at nothing, and whose every answer says whose photograph it is about.

A photograph may say how it wants to be treated: `sleep=0.5;` somewhere in its bytes takes so long,
`die;` ends the process that looks at it, and `broken;` cannot be read.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fundoscope.errors import PhotographError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.perceive.perceiving import Perceived
from fundoscope.perceive.quality import Quality
from fundoscope.perceive.views import View
from fundoscope.records import Eye, Language, Measured, Photograph, Record, Unmeasured
from fundoscope.serve.looked import Looked
from fundoscope.serve.replies import Evidence, Message, Reply, Seen

FAKE_PHOTOGRAPH = b"BM"
"""How a photograph begins that the API lets pass."""


def fake_look(raw: bytes) -> Looked:
    """Return a made-up look: its only quantity is drawn from the hash of the bytes."""
    if b"die;" in raw:
        os._exit(1)
    if b"broken;" in raw:
        raise PhotographError("not a whole image: Jane Doe, 1 January", where="/tmp/secret.jpg")
    if wait := re.search(rb"sleep=([\d.]+);", raw):
        time.sleep(float(wait[1]))
    return Looked(_seen(raw), (("vessels", b"\x89PNG made up"),))


def fake_value(sha256: str) -> float:
    """Return the number by which a made-up record is known."""
    return int(sha256[:8], 16) / 1000


def _seen(raw: bytes) -> Seen:
    sha256 = hashlib.sha256(raw).hexdigest()
    name = sha256[:12]
    quality = Quality("good", {"good": 1.0}, (), {}, "retina", {"retina": 1.0})
    found = Perceived(name, View(np.zeros((1, 1, 3), np.uint8)), quality, "macula_centred")
    values = (
        Measured("fractal_dimension", fake_value(sha256), "1", "made up", of="all", where="whole"),
        Unmeasured("cdr_vertical", "nobody looked", tool="made up"),
    )
    record = Record(
        Photograph("shown", "all", name, width_px=8, height_px=6, sha256=sha256),
        measurements=values,
    )
    return Seen(sha256, found, MaskSet(name), record, seconds=0.0)


class FakeAssistant:
    """Answers with the hash of each photograph and the question; `sleep=0.5` in it takes so long.

    Parameters
    ----------
    let_go : where given, every answer waits until it is set.
    """

    def __init__(self, let_go: threading.Event | None = None) -> None:
        self._let_go = let_go
        self.asked: list[tuple[Message, ...]] = []
        """Every conversation that was answered, or begun to be."""
        self.at_once = 0
        self.most_at_once = 0
        """Answers in hand at one time, at most."""
        self._lock = threading.Lock()

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return a made-up look."""
        raw = photograph if isinstance(photograph, bytes) else photograph.read_bytes()
        return fake_look(raw).seen

    def reply(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Reply:
        """Return the question and the photographs' hashes, with one piece of evidence each."""
        with self._lock:
            self.asked.append(tuple(messages))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self._reply(messages[-1].text, seen, language)
        finally:
            with self._lock:
                self.at_once -= 1

    def _reply(self, question: str, seen: Sequence[Seen], language: Language | None) -> Reply:
        if self._let_go is not None:
            self._let_go.wait(30)
        if wait := re.search(r"sleep=([\d.]+)", question):
            time.sleep(float(wait[1]))
        if "bug" in question:
            raise RuntimeError(f"what a bug says of {question}")
        told = " ".join(f"{each.eye or 'eye'}:{each.visit}:{each.sha256}" for each in seen)
        return Reply(
            f"{question} [{told}]",
            language or "en",
            evidence=tuple(
                Evidence("statement", "s0", f"D is {fake_value(each.sha256)}", photograph=number)
                for number, each in enumerate(seen)
            ),
            urgent="urgent" in question,
            topics=("measurement",),
        )

    def stream(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Iterator[str | Reply]:
        """Yield the answer word by word, then the whole reply."""
        reply = self.reply(messages, seen, language)
        for word in re.findall(r"\S+\s*", reply.text):
            if word.startswith("slowly"):
                time.sleep(0.2)
            yield word
        yield reply
