"""The assistant: it looks, measures, answers from what it saw and from dated facts, and cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fundoscope.records import Eye, Language
from fundoscope.serve.answering_offline import answered
from fundoscope.serve.looking import MOST_KEPT, Looker
from fundoscope.serve.replies import Message, Reply, Seen

_HAN = re.compile(r"[\u4e00-\u9fff]")


class Assistant:
    """Answers about photographs: offline, from statements and facts alone.

    Parameters
    ----------
    most_kept : photographs whose looks are kept.
    repeats : how often the masks of a photograph are measured again for its own repeatability.
    """

    def __init__(self, *, most_kept: int = MOST_KEPT, repeats: int = 0) -> None:
        self._looker = Looker(most_kept, repeats)

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return what is seen in a photograph; see `Looker.look`."""
        return self._looker.look(photograph, eye, visit)

    def reply(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Reply:
        """Return the answer to the last message of the user."""
        return answered(messages, seen, language or language_of(messages))

    def stream(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Iterator[str | Reply]:
        """Yield the answer word by word, then the whole reply.

        Nothing is yielded before all of it has passed: a word that is shown cannot be taken back.
        """
        reply = self.reply(messages, seen, language)
        yield from pieces(reply.text)
        yield reply


def language_of(messages: Sequence[Message]) -> Language:
    """Return the language of the last message that has words of one; English where none has."""
    for message in reversed(messages):
        if message.role == "user" and _HAN.search(message.text):
            return "zh"
        if message.role == "user" and re.search(r"[A-Za-z]{2}", message.text):
            return "en"
    return "en"


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that together are the text."""
    end = 0
    for match in re.finditer(r"\s*\S+", text):
        word = match.group()
        if len(word) > 12 and _HAN.search(word):
            yield from (word[start : start + 4] for start in range(0, len(word), 4))
        else:
            yield word
        end = match.end()
    if end < len(text):
        yield text[end:]
