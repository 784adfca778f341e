"""Where an answer ends, and how much of it is certain while it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fundoscope.models.prompt_templates import PromptTemplate

_TAIL_TOKENS = 16
"""A stop is looked for in so many last tokens before the whole answer is looked at."""
_UNFINISHED = "\ufffd"
"""Shown for a character whose bytes are not all there."""


class AnswerEnds:
    """Stops of a prompt format and of a model, as tokens and as text."""

    def __init__(self, tokenizer: Any, template: PromptTemplate, tokens: Iterable[int]) -> None:
        self._tokenizer, self._template = tokenizer, template
        added = tokenizer.get_added_vocab()
        known = {added[stop] for stop in template.stops if stop in added}
        self.tokens = frozenset({*tokens, *known, tokenizer.eos_token_id} - {None})
        padding = tokenizer.pad_token_id
        self.padding = int(padding if padding is not None else min(self.tokens, default=0))

    def reached(self, ids: list[int]) -> bool:
        """Whether these tokens end an answer."""
        if ids[-1] in self.tokens:
            return True
        tail = self._text(ids[-_TAIL_TOKENS:])
        if not any(stop in tail for stop in self._template.stops):
            return False
        return self._template.is_ended(self._text(ids))

    def answer(self, ids: list[int]) -> tuple[str, int, str]:
        """Return the answer, how many tokens belong to it, and its end that shares a token.

        A token may hold the answer's last characters and the stop's first; it does not belong.
        """
        body = self._body(ids)
        text = self._text(body)
        start, end = self._template.answer_span(text)
        kept, before = len(body), text
        while kept and not (len(before) <= end and text.startswith(before)):
            kept -= 1
            before = self._text(body[:kept])
        before = before if kept else ""
        return text[start:end].strip(), kept, text[len(before) : end]

    def certain(self, ids: list[int]) -> str:
        """Return the start of the answer that nothing written later can change."""
        text = self._text(self._body(ids))
        start, end = self._template.answer_span(text)
        said = text[start:end]
        if end < len(text):
            return said.strip()
        if any(echo.startswith(said) for echo in self._template.echoes):
            return ""
        said = said.rstrip(_UNFINISHED)
        for stop in self._template.stops:
            for length in range(len(stop) - 1, 0, -1):
                said = said.removesuffix(stop[:length])
        return said.rstrip()

    def _body(self, ids: list[int]) -> list[int]:
        return ids[:-1] if ids and ids[-1] in self.tokens else ids

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def end_tokens(generation: Any, text: Any) -> tuple[int, ...]:
    """Return the tokens at which a language model ends."""
    found: set[int] = set()
    for said in (generation.eos_token_id, text.eos_token_id):
        found |= set(said if isinstance(said, list | tuple) else [said])
    return tuple(sorted(id for id in found if id is not None))
