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
from fundoscope.train.dialogue_data import Told
from fundoscope.train.freezing import group_parameters, learning
from fundoscope.train.run_log import LOG, REFUSED, add_row, rows_of
from fundoscope.train.stage_config import StageConfig

LEARNED = "learned.safetensors"
WHOLE = "whole"
"""Empty file of a checkpoint that was written to its end."""


Scorer = Callable[["StageTrainer"], dict[str, Any]]


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
    scorer : what scores held-out data; its row has a `held_out_loss`
    **more : of transformers' Trainer
    """

    optimizer: Any

    def __init__(
        self,
        config: StageConfig,
        scorer: Scorer | None,
        **more: Any,
    ) -> None:
        self._config, self._scorer = config, scorer
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
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

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
            "loss": self._mean_over_processes(step.loss),
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

    def _mean_over_processes(self, value: float) -> float:
        if self.accelerator.num_processes == 1:
            return value
        own = torch.tensor(value, device=self.args.device)
        return float(self.accelerator.reduce(own, "mean"))

    # scores

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, Any]:
        """Return loss and scores of what is held out, and write them to the log."""
        if self._scored_at == self.state.global_step or self._scorer is None:
            return {}  # the Trainer asks again at the end of its epoch
        self._scored_at = self.state.global_step
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            row = {"step": self.state.global_step, **self._scorer(self)}
        self.model.train(was_training)
        if self.args.should_save:
            add_row(Path(self.args.output_dir) / LOG, row)
        return {"eval_loss": row["held_out_loss"]}


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
