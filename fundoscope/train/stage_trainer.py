"""transformers' Trainer, held to what a stage promises.

Checkpoints hold only what learns; a batch without anything to learn is no NaN; held-out
dialogues are scored by loss and by answers; every step leaves a line in the run's log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from transformers import PrinterCallback, Trainer, TrainerCallback

from fundoscope.errors import DialogueError, ModelError, PhotographError
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.prompt_templates import MARK
from fundoscope.models.sights import LlavaSight
from fundoscope.train.answer_scores import score_answers
from fundoscope.train.dialogue_data import DialogueData, Told
from fundoscope.train.dialogue_files import Inside, TrainingDialogue
from fundoscope.train.freezing import group_parameters, learning
from fundoscope.train.run_log import LOG, REFUSED, add_row, rows_of
from fundoscope.train.stage_config import StageConfig

LEARNED = "learned.safetensors"
WHOLE = "whole"
"""Empty file of a checkpoint that was written to its end."""


@dataclass
class _Step:
    """What the passes of one optimizer step told so far."""

    loss: float = 0.0
    told: tuple[Told, ...] = ()


class StageTrainer(Trainer):
    """Trainer of one stage.

    Parameters
    ----------
    config : StageConfig
    held_out : DialogueData, optional
        What is scored.
    **more : of transformers' Trainer
    """

    optimizer: Any

    def __init__(self, config: StageConfig, held_out: DialogueData | None, **more: Any) -> None:
        self._config, self._held_out = config, held_out
        self._step = _Step()
        self._gradient = self._rate = 0.0
        self._scored_at: int | None = None
        self._left_out: Counter[str] = Counter()
        super().__init__(**more)
        self.remove_callback(PrinterCallback)

    # what is read

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)  # the mix is the shuffle

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Any:
        """Learn from a batch; note what it told."""
        told: Told = inputs.pop("told")
        self._rate = float(self.optimizer.param_groups[0]["lr"])
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._step.loss += float(loss)
        self._step.told += (told,)
        self._refuse(told)
        return loss

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss; 0 where every dialogue of the step was refused."""
        inputs.pop("told", None)
        if num_items_in_batch is not None:
            num_items_in_batch = torch.as_tensor(num_items_in_batch).clamp(min=1)
        made = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss = made[0] if return_outputs else made
        alone = self.accelerator.num_processes == 1
        if "pixel_values" in inputs or (alone and loss.requires_grad):
            return made
        # of words alone a projector learns nothing, but all processes pass through the same parts
        loss = loss + self._unseen(model)
        return (loss, made[1]) if return_outputs else loss

    def _unseen(self, model: Any) -> Any:
        bare = self.accelerator.unwrap_model(model)
        side = bare.config.vision_config.image_size
        nothing = torch.zeros(1, 3, side, side, device=self.args.device)
        seen = bare.model.get_image_features(pixel_values=nothing).pooler_output
        return 0 * sum(one.sum() for one in seen)

    def _refuse(self, told: Told) -> None:
        for item in told.refused:
            row = {"step": self.state.global_step + 1, **asdict(item)}
            add_row(Path(self.args.output_dir) / REFUSED, row)
            self._left_out[item.trouble] += 1
            most = {
                "bad photograph": self._config.bad_photographs_most,
                "refused": self._config.refused_most,
            }[item.trouble]
            if self._left_out[item.trouble] > most:
                kind = PhotographError if item.trouble == "bad photograph" else DialogueError
                raise kind(
                    f"{self._left_out[item.trouble]} dialogues were left out, at most {most} may "
                    f"be; the last: {item.reason}",
                    where=item.id,
                    mend="mend the data, or raise "
                    + ("bad_photographs_most" if kind is PhotographError else "refused_most"),
                )

    def count_earlier(self) -> None:
        """Count what was left out before the run was cut."""
        rows = rows_of(Path(self.args.output_dir) / REFUSED)
        self._left_out = Counter(row["trouble"] for row in rows)

    # what learns

    def create_optimizer(self, model: Any = None) -> Any:
        """Return AdamW over what learns, the projector at its own rate."""
        if self.optimizer is None:
            groups = group_parameters(
                model or self.model,
                self._config.learning_rate,
                self._config.projector_learning_rate,
                self._config.weight_decay,
            )
            self.optimizer = torch.optim.AdamW(groups, lr=self._config.learning_rate)
        return self.optimizer

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        self._gradient = float(norm) if norm is not None else 0.0
        return norm

    # checkpoints

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write what learns: of a first stage a projector, not the seven billion beside it."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.args.should_save:
            return
        held = state_dict or self.model.state_dict()
        bare = learning(self.accelerator.unwrap_model(self.model))
        state = {name: held[name].detach().cpu().contiguous() for name in bare}
        safetensors.torch.save_file(state, folder / LEARNED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:  # transformers keeps the shards beside the optimizer's
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        model = self.accelerator.unwrap_model(model or self.model)
        state = safetensors.torch.load_file(Path(resume_from_checkpoint) / LEARNED)
        wanted = learning(model)
        if set(state) != set(wanted):
            odd = sorted(set(state) ^ set(wanted))[0]
            raise ModelError(
                f"the checkpoint and the stage do not learn the same: {odd}",
                where=resume_from_checkpoint,
                mend="go on with the stage file that began the run, or give another `out`",
            )
        with torch.no_grad():
            for name, parameter in wanted.items():
                parameter.copy_(state[name])

    # the log

    def step_row(self) -> dict[str, Any]:
        """Return the log's line of the step that was just taken, and begin the next."""
        step, self._step = self._step, _Step()
        told = step.told
        px = [value for one in told for value in one.px_per_input_px]
        kept = [value for one in told for value in one.kept]
        troubles = Counter(item.trouble for one in told for item in one.refused)
        return {
            "step": self.state.global_step,
            "loss": step.loss,
            "rate": self._rate,
            "gradient": self._gradient,
            "dialogues": sum(one.dialogues for one in told),
            "photographs": sum(one.photographs for one in told),
            "tokens": sum(one.tokens for one in told),
            "learned_tokens": sum(one.learned_tokens for one in told),
            "dropped_exchanges": sum(one.dropped_exchanges for one in told),
            "refused": troubles["refused"],
            "bad_photographs": troubles["bad photograph"],
            "px_per_input_px": sum(px) / len(px) if px else None,
            "field_kept": sum(kept) / len(kept) if kept else None,
        }

    # scores

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, Any]:
        """Return loss and scores of the held-out dialogues, and write them to the log."""
        if self._scored_at == self.state.global_step:
            return {}  # the Trainer asks again at the end of its epoch
        self._scored_at = self.state.global_step
        row: dict[str, Any] = {"step": self.state.global_step, "held_out_loss": self._loss()}
        if self.accelerator.num_processes == 1:
            row["scores"] = self._scores()
        if self.args.should_save:
            add_row(Path(self.args.output_dir) / LOG, row)
        return {"eval_loss": row["held_out_loss"]}

    def _items(self) -> range:
        assert self._held_out is not None
        return range(min(self._config.evaluate_dialogues, len(self._held_out)))

    @torch.no_grad()
    def _loss(self) -> float | None:
        """Return the mean loss of a learned token; None where nothing could be scored."""
        assert self._held_out is not None
        model, items = self.model, self._items()
        was_training = model.training
        model.eval()
        total, n_tokens = 0.0, 0
        for begin in range(0, len(items), self._config.batch_each):
            part = items[begin : begin + self._config.batch_each]
            batch = self.data_collator([self._held_out[k] for k in part])
            told: Told = batch.pop("told")
            if told.learned_tokens:
                with self.compute_loss_context_manager(), self.accelerator.autocast():
                    n = (batch["labels"][:, 1:] != -100).sum()
                    loss = model(**self._prepare_inputs(batch), num_items_in_batch=n).loss
                total += float(loss) * int(n)
                n_tokens += int(n)
        model.train(was_training)
        return total / n_tokens if n_tokens else None

    def _scores(self) -> dict[str, Any]:
        assert self._held_out is not None
        model = self.accelerator.unwrap_model(self.model)
        was_training, cached = model.training, _with_cache(model)
        wording, preparation = self._held_out.wording, self._held_out.preparation
        engine = Answering(
            LlavaSight(model),
            wording.tokenizer,
            wording.template,
            preparation,
            wording.photograph,
            most_tokens=self._config.answer_tokens,
        )
        pairs: list[tuple[str, str]] = []
        for asked, truth in self._asked():
            (answered,) = engine.answer([asked])
            pairs += zip(truth, answered.answers, strict=False)
        cached()
        model.train(was_training)
        return {
            task: {
                "asked": one.asked,
                "right": one.right,
                "constant_right": one.constant_right,
                "balanced": one.balanced,
                "unread": one.unread,
                "f1": {name: each.f1 for name, each in one.classes.items()},
            }
            for task, one in score_answers(pairs).items()
        }

    def _asked(self) -> list[tuple[Asked, tuple[str, ...]]]:
        """Return the held-out dialogues as conversations, with the right answers."""
        assert self._held_out is not None
        found = []
        for k in self._items():
            place = self._held_out.mix.place(k)
            try:
                dialogue = self._held_out.files[place.source].dialogue(place.row)
            except DialogueError:
                continue  # told by the loss
            if any(MARK in e.question for e in dialogue.exchanges[1:]) or _in_shards(dialogue):
                continue
            questions = tuple(exchange.question for exchange in dialogue.exchanges)
            photographs = tuple(p for p in dialogue.photographs if isinstance(p, Path))
            truth = tuple(exchange.answer for exchange in dialogue.exchanges)
            found.append((Asked(questions, photographs), truth))
        return found


def _in_shards(dialogue: TrainingDialogue) -> bool:
    return any(isinstance(photograph, Inside) for photograph in dialogue.photographs)


def _with_cache(model: Any) -> Callable[[], None]:
    """Let a model use its cache; return what sets it back."""
    before = model.config.text_config.use_cache
    reset_cache(model)

    def back() -> None:
        model.config.text_config.use_cache = before

    return back


def reset_cache(model: Any) -> None:
    """Let a model use its cache again: trainers switch it off, and it would then write nonsense."""
    for config in (model.config, model.config.get_text_config(), model.generation_config):
        config.use_cache = True


class Watching(TrainerCallback):
    """Writes the log, marks checkpoints that are whole, and moves the progress bar."""

    def __init__(self, run: Path, progress: Callable[[int], None]) -> None:
        self.run, self.progress = run, progress
        self.trainer: StageTrainer | None = None
        self.board = _board(run)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Write the step's line."""
        assert self.trainer is not None
        row = self.trainer.step_row()
        if state.is_world_process_zero:
            add_row(self.run / LOG, row)
            if self.board is not None:
                for name in ("loss", "rate", "gradient"):
                    self.board.add_scalar(name, row[name], row["step"])
            self.progress(1)

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Mark the checkpoint: only a whole one is gone on from."""
        if state.is_world_process_zero:
            (self.run / f"checkpoint-{state.global_step}" / WHOLE).touch()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Close the board."""
        if self.board is not None:
            self.board.close()


def _board(run: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None  # TensorBoard is not installed; the log holds the same
    return SummaryWriter(str(run / "tensorboard"))
