"""A dialogue as tokens and labels: nothing is cut in the middle, nothing is learned by accident."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fundoscope.errors import DialogueError, ModelError
from fundoscope.models.prompt_templates import (
    IGNORED,
    MARK,
    PhotographTokens,
    Piece,
    PromptTemplate,
    TrainingText,
)
from fundoscope.train.dialogue_files import TrainingDialogue


@dataclass(frozen=True)
class Tokens:
    """What a model reads of one dialogue, and what it learns of it."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The id where it is learned, else `IGNORED`; as many as `ids`."""
    photographs: int
    dropped_exchanges: int = 0
    """Exchanges at the end that did not fit."""


@dataclass(frozen=True)
class Wording:
    """All that decides how a dialogue becomes tokens."""

    tokenizer: Any
    """A fast tokenizer of transformers."""
    template: PromptTemplate
    photograph: PhotographTokens
    """`count` is the number of features of one photograph."""
    most_tokens: int

    def __post_init__(self) -> None:
        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError(
                "the tokenizer does not tell where its tokens lie in the text",
                mend="use a fast tokenizer (tokenizer.json)",
            )

    def tokens(self, dialogue: TrainingDialogue) -> Tokens:
        """Return a dialogue's tokens.

        A dialogue that is too long loses whole exchanges at its end, which is counted; an answer
        is never cut, for the model would not learn where it ends.

        Raises
        ------
        DialogueError
            If a photograph or the first exchange does not fit, a text holds what separates turns
            or stands for photographs, or nothing would be learned.
        """
        self._check(dialogue)
        for kept in range(len(dialogue.exchanges), 0, -1):
            told = self._all_tokens(replace_exchanges(dialogue, kept))
            if len(told.ids) <= self.most_tokens:
                if told.photographs != len(dialogue.photographs):
                    break
                return replace(told, dropped_exchanges=len(dialogue.exchanges) - kept)
        raise DialogueError(
            f"its photographs and first answer need more than {self.most_tokens} tokens",
            where=dialogue.id,
            mend="raise most_tokens, or shorten the dialogue",
        )

    def _check(self, dialogue: TrainingDialogue) -> None:
        reserved = [
            t for t in (self.photograph.patch, self.photograph.start, self.photograph.end) if t
        ]
        for exchange in dialogue.exchanges:
            for text in exchange:
                held = next((token for token in reserved if token in text), None)
                if held is not None:
                    raise DialogueError(
                        f"a text holds {held!r}, which stands for a photograph",
                        where=dialogue.id,
                        mend="take it out",
                    )

    def _all_tokens(self, dialogue: TrainingDialogue) -> Tokens:
        text = self.training_text(dialogue)
        coded = self.tokenizer(text.text, return_offsets_mapping=True)
        labels = text.labels(coded["input_ids"], coded["offset_mapping"])
        patch = self.tokenizer.convert_tokens_to_ids(self.photograph.patch)
        ids_out: list[int] = []
        labels_out: list[int] = []
        n_photographs = 0
        for id, label in zip(coded["input_ids"], labels, strict=True):
            times = 1
            if id == patch:
                n_photographs += 1
                times, label = self.photograph.count, IGNORED
            ids_out += [id] * times
            labels_out += [label] * times
        if n_photographs != len(dialogue.photographs):
            raise DialogueError(
                f"{len(dialogue.photographs)} photographs became {n_photographs} of the tokens "
                f"{self.photograph.patch!r}",
                where=dialogue.id,
                mend="the tokenizer must know that token as one",
            )
        if all(label == IGNORED for label in labels_out):
            raise DialogueError("nothing of it is learned", where=dialogue.id, mend="drop it")
        return Tokens(tuple(ids_out), tuple(labels_out), n_photographs)

    def training_text(self, dialogue: TrainingDialogue) -> TrainingText:
        """Return the text, one token a photograph, with what is learned of it."""
        block = replace(self.photograph, count=1).block()
        try:
            text = self.template.training_text(dialogue.exchanges)
        except ModelError as problem:
            raise DialogueError(problem.what, where=dialogue.id, mend=problem.mend) from problem
        return TrainingText(
            tuple(Piece(piece.text.replace(MARK, block), piece.learned) for piece in text.pieces)
        )


def replace_exchanges(dialogue: TrainingDialogue, kept: int) -> TrainingDialogue:
    """Return a dialogue's first exchanges, with the photographs that they show."""
    exchanges = dialogue.exchanges[:kept]
    shown = sum(exchange.question.count(MARK) for exchange in exchanges)
    return TrainingDialogue(dialogue.id, exchanges, dialogue.photographs[:shown])
