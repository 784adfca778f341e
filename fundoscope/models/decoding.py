"""Greedy writing for many conversations at once, each token's keys and values computed once.

Rows of a batch differ in length. What is fed is padded on its left, so that every row's last
token stands last; padding, and tokens taken back, stay in the cache but are masked, and positions
count real tokens only. So a row's numbers are those that it would have alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers import DynamicCache


class Sight(Protocol):
    """A model that sees: what writing needs of it."""

    language: Any
    """Language model without its head: embeddings in, hidden states out."""
    head: Any
    """Hidden states in, scores of tokens out."""
    features_each: int
    """Features of one photograph."""
    photograph_token: int
    longest: int
    """Most tokens of a conversation."""
    by_question: bool
    """Whether a photograph's features depend on the question."""

    ends: tuple[int, ...]
    """Tokens at which the language model ends."""

    def features(self, values: Any, questions: Sequence[str]) -> list[Any]:
        """Return features of photographs, shape (N, D) each, from values (B, 3, S, S)."""
        ...


@dataclass
class Segment:
    """Tokens to feed to one row, and the features that stand at some of them."""

    ids: list[int]
    features: list[tuple[int, Any, Any]] = field(default_factory=list)
    """Place of the first, name of the photograph, features of shape (N, D)."""

    def elements(self) -> list[tuple[int, Any]]:
        """Return what each place holds, for comparing."""
        named: list[tuple[int, Any]] = [(id, None) for id in self.ids]
        for start, name, values in self.features:
            for place in range(start, start + len(values)):
                named[place] = (self.ids[place], (name, place - start))
        return named

    def cut(self, at: int) -> tuple[Segment, Segment]:
        """Return what lies before and from a place that is not inside a photograph."""
        before = [f for f in self.features if f[0] < at]
        after = [(start - at, name, values) for start, name, values in self.features if start >= at]
        return Segment(self.ids[:at], before), Segment(self.ids[at:], after)


def shared_length(segments: Sequence[Segment]) -> int:
    """Return how many first places all segments share, at least one left to each."""
    first = segments[0].elements()
    length = min(len(segment.ids) for segment in segments) - 1
    for segment in segments[1:]:
        others = segment.elements()
        length = next((i for i in range(length) if first[i] != others[i]), length)
    for start, _, values in segments[0].features:
        if start < length < start + len(values):
            return start
    return length


@dataclass
class Written:
    """What one row is writing."""

    ids: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    """Where in the cache each lies; the last may not be there yet."""
    ended: bool = False


class Rows:
    """Conversations side by side, with the cache of all that was fed.

    Parameters
    ----------
    sight : Sight
    padding : int
        Any token's id.
    """

    def __init__(self, sight: Sight, padding: int) -> None:
        self._sight, self._padding = sight, padding
        self._device = sight.head.weight.device
        self._embed = sight.language.get_input_embeddings()
        wanted = inspect.signature(sight.language.forward).parameters
        self._cache_word = "cache" if "cache" in wanted else "past_key_values"  # by version
        self._cache = DynamicCache()
        self._mask = torch.zeros(0, 0, dtype=torch.long, device=self._device)
        self.counts: list[int] = []
        """Real tokens of each row."""
        self.unfed: list[list[int]] = []
        """Tokens that each row keeps but that were not fed yet."""

    def feed(self, segments: Sequence[Segment]) -> Any:
        """Feed a segment to each row, none of them empty; return scores of what follows (B, V)."""
        if not self.counts:
            self._mask = self._mask.new_zeros(len(segments), 0)
            self.counts, self.unfed = [0] * len(segments), [[] for _ in segments]
        width = max(len(segment.ids) for segment in segments)
        ids = torch.full((len(segments), width), self._padding, device=self._device)
        mask = torch.zeros_like(ids)
        for row, segment in enumerate(segments):
            ids[row, width - len(segment.ids) :] = torch.tensor(segment.ids, device=self._device)
            mask[row, width - len(segment.ids) :] = 1
        seen = [
            (row, slice(at := width - len(segment.ids) + start, at + len(values)), values)
            for row, segment in enumerate(segments)
            for start, _, values in segment.features
        ]
        for row, places, _ in seen:
            ids[row, places] = self._padding  # the photograph's token may have no embedding
        embedded = self._embed(ids)
        for row, places, values in seen:
            embedded[row, places] = values.to(embedded.dtype)
        return self._forward(embedded, mask)

    def write(self, scores: Any, ends: Ends, limit: int) -> Iterator[list[Written]]:
        """Write up to `limit` tokens to each row; yield what is there after each."""
        rows = [Written() for _ in self.counts]
        for step in range(limit):
            chosen = scores.argmax(dim=-1)
            for row, id in zip(rows, chosen.tolist(), strict=True):
                if not row.ended:
                    row.ids.append(id)
                    row.ended = ends.reached(row.ids)
            yield rows
            if step + 1 == limit or all(row.ended for row in rows):
                return
            scores = self._forward_chosen(chosen, rows)

    def _forward_chosen(self, chosen: Any, rows: Sequence[Written]) -> Any:
        column = self._mask.shape[1]
        going = [not row.ended for row in rows]
        for row in rows:
            if not row.ended:
                row.columns.append(column)
        mask = torch.tensor(going, device=self._device).long()[:, None]
        return self._forward(self._embed(chosen[:, None]), mask)

    def settle(self, rows: Sequence[Written], kept: Sequence[int]) -> None:
        """Keep the first `kept` tokens that each row wrote; take the others back."""
        for row, (written, keep) in enumerate(zip(rows, kept, strict=True)):
            back = written.columns[keep:]
            if back:
                self._mask[row, back] = 0
                self.counts[row] -= len(back)
            self.unfed[row] = written.ids[len(written.columns[:keep]) : keep]

    def select(self, rows: Sequence[int]) -> None:
        """Let the rows be these of them, in this order; one may be there several times."""
        chosen = torch.tensor(rows, device=self._device)
        self._cache.batch_select_indices(chosen)
        self._mask = self._mask[chosen]
        self.counts = [self.counts[row] for row in rows]
        self.unfed = [list(self.unfed[row]) for row in rows]

    def _forward(self, embedded: Any, mask: Any) -> Any:
        counts = torch.tensor(self.counts, device=self._device)[:, None]
        positions = (counts + mask.cumsum(dim=1) - 1).clamp(min=0)
        self._mask = torch.cat([self._mask, mask], dim=1)
        done = self._sight.language(
            inputs_embeds=embedded,
            attention_mask=self._mask,
            position_ids=positions,
            use_cache=True,  # said here: configurations left by training say no, and corrupt it
            **{self._cache_word: self._cache},
        )
        added = mask.sum(dim=1).tolist()
        self.counts = [had + new for had, new in zip(self.counts, added, strict=True)]
        return self._sight.head(done.last_hidden_state[:, -1])


class Ends(Protocol):
    """Tells when a row has written enough."""

    def reached(self, ids: list[int]) -> bool:
        """Whether these tokens end an answer."""
        ...
