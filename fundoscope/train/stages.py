"""A stage of training: a model's folder in, a model's folder out.

Interrupted at any moment, the same command goes on from the last whole checkpoint; on a CPU the
loss is then the same, bit for bit.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import PartialState
from transformers import TrainingArguments
from transformers.trainer_utils import set_seed

from fundoscope.errors import ConfigError
from fundoscope.export.whole_files import whole_file
from fundoscope.models.legacy_config import read_json
from fundoscope.models.ophglm_files import MODEL_TYPE as OPHGLM
from fundoscope.train.dialogue_data import DialogueData
from fundoscope.train.freezing import learned_count
from fundoscope.train.label_data import LabelData, LabelScorer
from fundoscope.train.ophglm_encoder_stage import OphglmEncoderStage
from fundoscope.train.ophglm_stage import OphglmStage
from fundoscope.train.retinal_stage import RetinalStage
from fundoscope.train.run_log import CURVE, LOG, REFUSED, cut_after, draw_loss, rows_of, summed
from fundoscope.train.stage_config import StageConfig
from fundoscope.train.stage_data import dialogue_data
from fundoscope.train.stage_parts import StageModel
from fundoscope.train.stage_scoring import DialogueScorer
from fundoscope.train.stage_trainer import WHOLE, Scorer, StageTrainer, Watching

CONFIG, MANIFEST, MODEL = "stage.yaml", "manifest.json", "model"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class StageRun:
    """A finished stage."""

    folder: Path
    """Of the run; `folder/model` answers questions and begins the next stage."""
    manifest: dict[str, Any]
    """Empty in all processes but the first."""


def train_stage(config: StageConfig, progress: Progress = lambda n: None) -> StageRun:
    """Train a stage, or go on with it; return the finished run.

    Written to `config.out`: `stage.yaml` (the resolved configuration), `log.jsonl` and `loss.png`,
    `refused.jsonl`, checkpoints, `model/` and, last, `manifest.json` of one line. A run that has
    its manifest is finished and returned as it is.

    Raises
    ------
    ConfigError, ModelError, DialogueError, PhotographError
    """
    out = config.out
    _begin_folder(config)
    if (out / MANIFEST).is_file():
        return StageRun(out, json.loads((out / MANIFEST).read_text(encoding="utf-8")))
    started = time.monotonic()
    set_seed(config.seed)
    kind = stage_model(config)
    model = kind.load()
    checkpoint = _last_checkpoint(out)
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    cut_after(out / LOG, step)
    cut_after(out / REFUSED, step)
    progress(step)
    trainer = _trainer(config, kind, model, progress)
    trainer.count_earlier()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if config.held_out and not _is_scored(out / LOG, trainer.state.global_step):
        trainer.evaluate()
    learned = learned_count(model)
    whole = _whole_model(kind, trainer)
    if not trainer.args.should_save:
        return StageRun(out, {})
    total = sum(p.numel() for p in whole.parameters())
    reset_cache(kind, whole, config.gradient_checkpointing)
    kind.save(whole, out / MODEL)
    draw_loss(out / LOG, out / CURVE, f"loss: {out.name}")
    seconds = time.monotonic() - started
    manifest = {
        **_manifest(config, trainer, seconds), "learned_parameters": learned, "parameters": total
    }  # fmt: skip
    with whole_file(out / MANIFEST) as stream:
        stream.write((json.dumps(manifest, ensure_ascii=False) + "\n").encode())
    return StageRun(out, manifest)


def stage_model(config: StageConfig) -> StageModel:
    """Return what is trained, as its folder tells; no weights are read.

    Raises
    ------
    ConfigError
        If the folder holds no model, or one that has not the parts that shall learn.
    """
    file = config.model / "config.json"
    if not file.is_file():
        raise ConfigError(
            f"{config.model} holds no model", mend="give a folder that `fundoscope convert` wrote"
        )
    if read_json(file).get("model_type") != OPHGLM:
        return RetinalStage(config)
    return OphglmEncoderStage(config) if learns_labels(config) else OphglmStage(config)


def learns_labels(config: StageConfig) -> bool:
    """Whether an encoder learns labels, not a language model dialogues."""
    return "encoder" in config.learns and bool(config.diseases or config.findings)


def reset_cache(kind: StageModel, model: Any, checkpointed: bool = False) -> None:
    """Let a model use its cache again: trainers switch it off, and it would then write nonsense."""
    for network in kind.checkpointed(model) if checkpointed else ():
        _checkpointing(network, "disable")()
    for config in kind.caches(model):
        config.use_cache = True


def _checkpointing(model: Any, verb: str) -> Any:
    newer = getattr(model, f"activation_checkpointing_{verb}", None)
    return newer or getattr(model, f"gradient_checkpointing_{verb}")  # transformers < 5.24


def _data(
    config: StageConfig, kind: StageModel
) -> tuple[DialogueData | LabelData, Scorer | None, int]:
    """Return what is trained on, what scores, and the steps."""
    one_step = config.batch_each * config.accumulate * _processes()

    def steps(epoch: int) -> int:
        return config.steps or max(1, round(config.epochs * epoch / one_step))

    if learns_labels(config):
        labelled = LabelData(config, config.data, kind.preparation)
        n = steps(len(labelled.mix))
        labelled = LabelData(config, config.data, kind.preparation, n * one_step)
        if not config.held_out:
            return labelled, None, n
        held = LabelData(config, config.held_out, kind.preparation)
        return labelled, LabelScorer(config, held), n
    data = dialogue_data(config, config.data, kind, batch=one_step)
    n = steps(len(data.mix))
    data = data.of_places(n * one_step)
    if not config.held_out:
        return data, None, n
    held_out = dialogue_data(config, config.held_out, kind)
    return data, DialogueScorer(config, held_out, kind.sight, kind.caches), n


def _trainer(config: StageConfig, kind: StageModel, model: Any, progress: Progress) -> StageTrainer:
    data, scorer, steps = _data(config, kind)
    if config.gradient_checkpointing:
        for network in kind.checkpointed(model):
            _checkpointing(network, "enable")({"use_reentrant": False})
    arguments = TrainingArguments(
        output_dir=str(config.out),
        max_steps=steps,
        per_device_train_batch_size=config.batch_each,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=round(config.warm_up * steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.gradient_most,
        bf16=config.precision == "bf16",
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=config.checkpoints_kept,
        eval_strategy="steps" if config.evaluate_every and scorer else "no",
        eval_steps=config.evaluate_every or None,
        logging_strategy="no",
        seed=config.seed,
        data_seed=config.seed,
        dataloader_num_workers=config.loaders,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    watching = Watching(config.out, progress)
    trainer = StageTrainer(
        config,
        scorer,
        model=model,
        args=arguments,
        train_dataset=data,
        eval_dataset=data if scorer else None,  # read by the scorer; the Trainer wants one
        data_collator=kind.collate(),
        callbacks=[watching],
    )
    watching.trainer = trainer
    return trainer


def _begin_folder(config: StageConfig) -> None:
    """Save the resolved configuration; refuse a folder that holds another run."""
    config.out.mkdir(parents=True, exist_ok=True)
    resolved = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    file = config.out / CONFIG
    if file.is_file() and file.read_text(encoding="utf-8") != resolved:
        raise ConfigError(
            f"{config.out} holds the run of another stage file",
            mend="give another `out`, or remove that folder",
        )
    file.write_text(resolved, encoding="utf-8")


def _last_checkpoint(out: Path) -> Path | None:
    """Return the last whole checkpoint; one that was being written is removed."""
    whole = {}
    for folder in out.glob("checkpoint-*"):
        if (folder / WHOLE).is_file():
            whole[int(folder.name.rpartition("-")[2])] = folder
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return whole[max(whole)] if whole else None


def _is_scored(log: Path, step: int) -> bool:
    return any("held_out_loss" in row and row["step"] == step for row in rows_of(log))


def _whole_model(kind: StageModel, trainer: StageTrainer) -> Any:
    """Return the trained model; sharded weights are put together on the first process."""
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return trainer.accelerator.unwrap_model(trainer.model)
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.args.should_save:
        return None
    model = kind.load()
    model.load_state_dict(state)
    return model


def _manifest(config: StageConfig, trainer: StageTrainer, seconds: float) -> dict[str, Any]:
    scored = [row for row in rows_of(config.out / LOG) if "held_out_loss" in row]
    last = scored[-1] if scored else {}
    sources = [str(source.dialogues or source.records) for source in config.data]
    counts = trainer.train_dataset.mix.counts
    return {
        "stage": config.out.name,
        "learns": list(config.learns),
        **asdict(summed(config.out / LOG)),
        "epoch": [[name, count] for name, count in zip(sources, counts, strict=True)],
        "held_out_loss": last.get("held_out_loss"),
        "scores": last.get("scores"),
        "seconds_since_start_or_resume": round(seconds, 1),
        "processes": _processes(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "precision": config.precision,
        "seed": config.seed,
        "versions": {
            name: version(name) for name in ("torch", "transformers", "accelerate", "fundoscope")
        },
        "use": "research only; not a medical device",
    }


def leave_together() -> None:
    """End what several processes share, once the last is done; call it before a process ends.

    One that ends while the first still writes the model can abort, and takes the others with it.
    """
    state = _shared()
    state.wait_for_everyone()
    state.destroy_process_group()


def _processes() -> int:
    return int(_shared().num_processes)


def _shared() -> PartialState:
    return PartialState(cpu=not torch.cuda.is_available())
