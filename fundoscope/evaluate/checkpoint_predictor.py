"""A checkpoint as a predictor: our engine's words, and how likely it finds each label."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fundoscope.errors import MissingExtra
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.label_words import label_texts

if TYPE_CHECKING:
    from fundoscope.models.answering import Answered, Answering

AT_A_TIME = 64
"""Items in hand; the engine makes batches of them."""


@dataclass(frozen=True, eq=False)
class CheckpointPredictor:
    """Answers items with a model of ours, or one that was converted.

    What an item's conversation asked before is asked first, and the model knows its own answers to
    it. Answers are greedy. Where the labels of a question can be counted, `probabilities` says how
    likely the model finds each: the sum of the log-probabilities of the tokens of its shortest
    text (`label_words.label_texts`) after the prompt, scaled so that the labels sum to 1. A longer
    text is not helped: "Reject" may lose to "Good" for its length alone.
    """

    engine: Answering
    name: str
    likelihoods: bool = True
    """Whether labels are weighed too; it about doubles the time."""

    @classmethod
    def load(
        cls, folder: Path, *, name: str = "", likelihoods: bool = True, **options: Any
    ) -> CheckpointPredictor:
        """Return the predictor of a checkpoint's folder.

        Parameters
        ----------
        options : of `Answering.load`, such as `device`, `batch` and `most_tokens`

        Raises
        ------
        MissingExtra
            If PyTorch is not installed.
        ModelError
            If the folder is no model.
        """
        try:
            from fundoscope.models.answering import Answering
        except ImportError as problem:
            raise MissingExtra(
                "models need PyTorch and transformers", mend="pip install 'fundoscope[train]'"
            ) from problem
        return cls(Answering.load(folder, **options), name or folder.resolve().name, likelihoods)

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield a prediction for every item, in order.

        One that cannot be answered, such as about a photograph that is none, has an `error`.
        """
        rest = iter(items)
        while chunk := list(islice(rest, AT_A_TIME)):
            yield from self._chunk(chunk)

    def _chunk(self, items: Sequence[Item]) -> Iterator[Prediction]:
        from fundoscope.models.answering import Asked

        asked = [Asked((*item.before, item.question), item.photographs) for item in items]
        answered = self.engine.answer(asked)
        found = self._weighed(items, answered) if self.likelihoods else {}
        for item, one in zip(items, answered, strict=True):
            if one.error:
                yield Prediction(item.id, "", error=one.error)
            else:
                yield Prediction(item.id, one.answers[-1], found.get(item.id, {}))

    def _weighed(
        self, items: Sequence[Item], answered: Sequence[Answered]
    ) -> dict[str, Mapping[str, float]]:
        from fundoscope.models.answering import Asked
        from fundoscope.models.prompt_templates import Exchange

        asked, texts, known = [], [], []
        for item, one in zip(items, answered, strict=True):
            labels = label_texts(item.space, item.language)
            if one.error or len(labels) < 2:
                continue
            history = tuple(map(Exchange, item.before, one.answers[:-1]))
            asked.append(Asked((item.question,), item.photographs, history))
            texts.append(list(labels.values()))
            known.append((item.id, tuple(labels)))
        weighed = self.engine.likelihoods(asked, texts)
        return {
            id: label_shares(dict(zip(labels, one.log_probabilities, strict=True)))
            for (id, labels), one in zip(known, weighed, strict=True)
            if not one.error
        }


def label_shares(log_probabilities: Mapping[str, float]) -> dict[str, float]:
    """Return what the labels' probabilities are of their sum.

    Examples
    --------
    >>> label_shares({"no": -1000.0, "yes": -1000.0})
    {'no': 0.5, 'yes': 0.5}
    """
    most = max(log_probabilities.values())
    shares = {label: math.exp(value - most) for label, value in log_probabilities.items()}
    total = sum(shares.values())
    return {label: share / total for label, share in shares.items()}
