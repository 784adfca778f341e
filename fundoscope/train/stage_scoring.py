"""What is held out, scored while a stage trains: loss, answers class by class, labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fundoscope.errors import DialogueError
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.decoding import Sight
from fundoscope.models.prompt_templates import IGNORED, MARK
from fundoscope.train.answer_scores import TaskScore, score_answers
from fundoscope.train.dialogue_data import DialogueData, Told
from fundoscope.train.stage_config import StageConfig

if TYPE_CHECKING:
    from fundoscope.train.stage_trainer import StageTrainer


class DialogueScorer:
    """Scores dialogues by the loss of a learned token, and by the answers that are given.

    Each dialogue is held as a conversation: later questions know the model's own earlier answers.

    Parameters
    ----------
    sight : makes what the answering engine takes of a model
    caches : configurations whose `use_cache` an answering model needs
    """

    def __init__(
        self,
        config: StageConfig,
        held_out: DialogueData,
        sight: Callable[[Any], Sight],
        caches: Callable[[Any], Iterable[Any]],
    ) -> None:
        self.config, self.held_out = config, held_out
        self._sight, self._caches = sight, caches

    def __call__(self, trainer: StageTrainer) -> dict[str, Any]:
        """Return `held_out_loss` and, where one process trains, `scores`."""
        row: dict[str, Any] = {"held_out_loss": self._loss(trainer)}
        if trainer.accelerator.num_processes == 1:
            row["scores"] = self._scores(trainer.accelerator.unwrap_model(trainer.model))
        return row

    def _items(self) -> range:
        return range(min(self.config.evaluate_dialogues, len(self.held_out)))

    def _loss(self, trainer: StageTrainer) -> float | None:
        """Return the mean loss of a learned token; None where nothing could be scored."""
        items, total, n_tokens = self._items(), 0.0, 0
        for begin in range(0, len(items), self.config.batch_each):
            part = items[begin : begin + self.config.batch_each]
            batch = trainer.data_collator([self.held_out[k] for k in part])
            told: Told = batch.pop("told")
            if told.learned_tokens:
                n = (batch["labels"][:, 1:] != IGNORED).sum()
                with trainer.accelerator.autocast():
                    ready = trainer._prepare_inputs(batch)
                    loss = trainer.model(**ready, num_items_in_batch=n).loss
                total += float(loss) * int(n)
                n_tokens += int(n)
        return total / n_tokens if n_tokens else None

    def _scores(self, model: Any) -> dict[str, Any]:
        configs = list(self._caches(model))
        before = [config.use_cache for config in configs]
        for config in configs:  # without, the engine's cache would be left empty
            config.use_cache = True
        wording = self.held_out.wording
        engine = Answering(
            self._sight(model),
            wording.tokenizer,
            wording.template,
            self.held_out.preparation,
            wording.photograph,
            most_tokens=self.config.answer_tokens,
        )
        asked = list(self._asked())
        answered = engine.answer([one for one, _ in asked])
        for config, used in zip(configs, before, strict=True):
            config.use_cache = used
        pairs = [
            pair
            for (_, truth), given in zip(asked, answered, strict=True)
            for pair in zip(truth, given.answers, strict=False)
        ]
        return {task: told(one) for task, one in score_answers(pairs).items()}

    def _asked(self) -> Iterable[tuple[Asked, tuple[str, ...]]]:
        """Yield the dialogues as conversations, with the right answers."""
        for k in self._items():
            place = self.held_out.mix.place(k)
            try:
                dialogue = self.held_out.files[place.source].dialogue(place.row)
            except DialogueError:
                continue  # the loss leaves it out too
            photographs = [p for p in dialogue.photographs if isinstance(p, Path)]
            shown_later = any(MARK in exchange.question for exchange in dialogue.exchanges[1:])
            if shown_later or len(photographs) < len(dialogue.photographs):
                continue  # the engine takes photographs from files, with the first question
            questions = tuple(exchange.question for exchange in dialogue.exchanges)
            yield (
                Asked(questions, tuple(photographs)),
                tuple(exchange.answer for exchange in dialogue.exchanges),
            )


def told(one: TaskScore) -> dict[str, Any]:
    """Return a score as the log and the manifest keep it."""
    return {
        "asked": one.asked,
        "right": one.right,
        "constant_right": one.constant_right,
        "balanced": one.balanced,
        "unread": one.unread,
        "f1": {name: each.f1 for name, each in one.classes.items()},
    }
