"""The assistant: it looks, measures, answers from what it saw and from dated facts, and cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fundoscope.records import Eye, Language
from fundoscope.serve.answering_offline import NOT_UNDERSTOOD, reply_of, spoken, summary
from fundoscope.serve.asked_about import language_of as of_text
from fundoscope.serve.drafts import REPAIRS, Drafter, drafted
from fundoscope.serve.looking import MOST_KEPT, Looker
from fundoscope.serve.replies import Message, Reply, Seen

_HAN = re.compile(r"[\u4e00-\u9fff]")


NEVER_DRAFTED = ("help", "hello", "thanks", "privacy", "tool", "sources", "urgent")
"""Topics whose answer no language model has to word."""


class Assistant:
    """Answers about photographs, from statements and facts alone.

    Parameters
    ----------
    drafter : a language model that words the answers (`fundoscope.serve.drafts`). What it writes
        is shown only where record and facts hold every sentence; refusals, urgent advice and
        answers about the talk itself stay offline. None: all answers are worded offline, by rules.
    repairs : how often a draft that does not pass is sent back with what is wrong in it.
    most_kept : photographs whose looks are kept.
    repeats : how often the masks of a photograph are measured again for its own repeatability.
    """

    def __init__(
        self,
        *,
        drafter: Drafter | None = None,
        repairs: int = REPAIRS,
        most_kept: int = MOST_KEPT,
        repeats: int = 0,
    ) -> None:
        self._drafter, self._repairs = drafter, repairs
        self._looker = Looker(most_kept, repeats)

    @property
    def engine(self) -> str:
        """`offline`, or the language model's name."""
        return self._drafter.name if self._drafter else "offline"

    def look(self, photograph: Path | bytes, eye: Eye | None = None, visit: str = "") -> Seen:
        """Return what is seen in a photograph; see `Looker.look`."""
        return self._looker.look(photograph, eye, visit)

    def reply(
        self, messages: Sequence[Message], seen: Sequence[Seen], language: Language | None = None
    ) -> Reply:
        """Return the answer to the last message of the user.

        Parameters
        ----------
        messages : the conversation; the last message is the user's.
        seen : the photographs that it is about; none for questions in general.
        language : of the answer; that of the last message where none is asked for.
        """
        said, question = spoken(messages, seen, language or language_of(messages))
        reply = reply_of(said, question)
        if self._drafter is None or question.topics[0] in NEVER_DRAFTED:
            return reply
        offline = said
        if said.refused == NOT_UNDERSTOOD and seen:
            offline = summary(seen, said.language)
        elif said.refused or not said.evidence:
            return reply
        return drafted(self._drafter, messages, seen, offline, reply, self._repairs)

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
    users = [message for message in messages if message.role == "user"]
    return next((found for m in reversed(users) if (found := of_text(m.text))), "en")


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
