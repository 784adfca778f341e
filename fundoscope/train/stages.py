"""A stage of training a RetinalGPT: a model's folder in, a model's folder out.

Interrupted at any moment, the same command goes on from the last whole checkpoint; on a CPU the
loss is then the same, bit for bit.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import PartialState
from transformers import AutoTokenizer, LlavaConfig, TrainingArguments
from transformers.trainer_utils import set_seed

from fundoscope.errors import ConfigError, MissingExtra
from fundoscope.export.whole_files import whole_file
from fundoscope.models.legacy_config import SIDE_FILE, read_json, write_json
from fundoscope.models.preparation import Preparation
from fundoscope.models.prompt_templates import PhotographTokens, chat_template, prompt_template
from fundoscope.models.retinalgpt import load_retinal, photograph_features, save_retinal
from fundoscope.train.dialogue_data import Collate, DialogueData
from fundoscope.train.dialogue_files import DialogueFile, open_dialogues
from fundoscope.train.dialogue_tokens import Wording
from fundoscope.train.freezing import freeze, learning, merge_lora
from fundoscope.train.mixing import Mix, Portion, counts_of
from fundoscope.train.run_log import CURVE, LOG, REFUSED, cut_after, draw_loss, rows_of, summed
from fundoscope.train.stage_config import SourceConfig, StageConfig
from fundoscope.train.stage_trainer import WHOLE, StageTrainer, Watching, reset_cache

CONFIG, MANIFEST, MODEL = "stage.yaml", "manifest.json", "model"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class StageRun:
    """A finished stage."""

    folder: Path
    """Of the run; `folder/model` answers questions and begins the next stage."""
    manifest: dict[str, Any]


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
    setup = Setup.of(config)
    checkpoint = _last_checkpoint(out)
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    cut_after(out / LOG, step)
    cut_after(out / REFUSED, step)
    progress(step)
    trainer = _trainer(config, setup, progress)
    trainer.count_earlier()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if setup.held_out and not _is_scored(out / LOG, trainer.state.global_step):
        trainer.evaluate()
    model = _whole_model(config, trainer)
    if not trainer.args.should_save:
        return StageRun(out, {})
    learned = sum(p.numel() for p in learning(setup.model).values())
    _save_model(config, setup, model)
    draw_loss(out / LOG, out / CURVE, f"loss: {out.name}")
    manifest = _manifest(config, setup, learned, time.monotonic() - started)
    with whole_file(out / MANIFEST) as stream:
        stream.write((json.dumps(manifest, ensure_ascii=False) + "\n").encode())
    return StageRun(out, manifest)


@dataclass
class Setup:
    """A model and all that it is trained with."""

    model: Any
    tokenizer: Any
    wording: Wording
    preparation: Preparation
    data: DialogueData
    held_out: DialogueData | None
    steps: int

    @classmethod
    def of(cls, config: StageConfig, model: Any = None) -> Setup:
        """Return the setup of a stage, its model frozen where it must be."""
        wording, preparation = wording_of(config)
        one_step = config.batch_each * config.accumulate * _processes()
        data = dialogue_data(config, config.data, wording, preparation, batch=one_step)
        steps = config.steps or max(1, round(config.epochs * len(data.mix) / one_step))
        data = DialogueData(data.files, data.mix, wording, preparation, steps * one_step)
        held_out = None
        if config.held_out:
            held_out = dialogue_data(config, config.held_out, wording, preparation)
        if model is None:
            model = _load(config)
        block = wording.photograph
        ids = wording.tokenizer.convert_tokens_to_ids([t for t in (block.start, block.end) if t])
        if "new_tokens" in config.learns and _is_sharded():
            raise ConfigError(
                "single embedding rows cannot learn where the weights are sharded",
                mend="train this stage without FSDP: little learns in it",
            )
        freeze(model, config.learns, ids, config.lora)
        return cls(model, wording.tokenizer, wording, preparation, data, held_out, steps)


def wording_of(config: StageConfig) -> tuple[Wording, Preparation]:
    """Return how a stage words dialogues, and how it prepares photographs."""
    folder = config.model
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{folder} holds no model", mend="give a folder that `fundoscope convert` wrote"
        )
    side = read_json(folder / SIDE_FILE) if (folder / SIDE_FILE).is_file() else {}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    held = LlavaConfig.from_pretrained(folder)
    tokens = PhotographTokens(**side.get("photograph", {}))
    if tokenizer.convert_tokens_to_ids(tokens.patch) != held.image_token_id:
        raise ConfigError(
            f"{tokens.patch!r} is not the model's token for photographs",
            where=str(folder),
            mend="convert the checkpoint again, with its tokenizer",
        )
    template = (
        chat_template(tokenizer) if config.template == "chat" else prompt_template(config.template)
    )
    count = int(held.image_seq_length or photograph_features(held.vision_config))
    wording = Wording(tokenizer, template, replace(tokens, count=count), config.most_tokens)
    way = config.preparation or side.get("preparation", "field")
    return wording, Preparation.of_folder(folder, way)


def dialogue_data(
    config: StageConfig,
    sources: Sequence[SourceConfig],
    wording: Wording,
    preparation: Preparation,
    batch: int = 0,
) -> DialogueData:
    """Return the stream of dialogues of a stage's sources; `batch` groups those that are alike."""
    files: list[DialogueFile] = [_opened(source, config.seed) for source in sources]
    sizes = [len(file) for file in files]
    counts = counts_of([Portion(s.count, s.share) for s in sources], sizes, config.epoch_size)
    alike = config.group_alike and batch > 1
    mix = Mix(
        counts,
        sizes,
        config.seed,
        [file.lengths for file in files] if alike else None,
        [file.pictured for file in files] if alike else None,
        max(1, batch),
    )
    return DialogueData(files, mix, wording, preparation)


def _opened(source: SourceConfig, seed: int) -> DialogueFile:
    if source.records is None:
        return open_dialogues(source.dialogues, source.photographs)
    from fundoscope.train.paired_dialogues import PairedRows

    return PairedRows(source.dialogues, source.records, source.photographs, seed)


def _load(config: StageConfig) -> Any:
    more: dict[str, Any] = {"dtype": torch.float32}
    if config.lora is not None and config.lora.bits is not None:
        more = _quantised(config.lora.bits)
    return load_retinal(config.model, **more)


def _quantised(bits: int) -> dict[str, Any]:
    if find_spec("bitsandbytes") is None:
        raise MissingExtra(
            "QLoRA needs bitsandbytes and a CUDA device", mend="pip install bitsandbytes"
        )
    from transformers import BitsAndBytesConfig

    kept = ["multi_modal_projector", "vision_tower", "lm_head"]
    quantised = BitsAndBytesConfig(
        load_in_4bit=bits == 4,
        load_in_8bit=bits == 8,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=kept,
    )
    return {"quantization_config": quantised, "dtype": torch.bfloat16, "device_map": {"": 0}}


def _trainer(config: StageConfig, setup: Setup, progress: Progress) -> StageTrainer:
    if config.gradient_checkpointing:
        _checkpointing(setup.model, "enable")({"use_reentrant": False})
    arguments = TrainingArguments(
        output_dir=str(config.out),
        max_steps=setup.steps,
        per_device_train_batch_size=config.batch_each,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=round(config.warm_up * setup.steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.gradient_most,
        bf16=config.precision == "bf16",
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=config.checkpoints_kept,
        eval_strategy="steps" if config.evaluate_every and setup.held_out else "no",
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
    padding = setup.tokenizer.pad_token_id
    if padding is None:
        padding = setup.tokenizer.eos_token_id
    trainer = StageTrainer(
        config,
        setup.held_out,
        model=setup.model,
        args=arguments,
        train_dataset=setup.data,
        eval_dataset=setup.held_out,
        data_collator=Collate(padding),
        callbacks=[watching],
    )
    watching.trainer = trainer
    return trainer


def _checkpointing(model: Any, verb: str) -> Any:
    newer = getattr(model, f"activation_checkpointing_{verb}", None)
    return newer or getattr(model, f"gradient_checkpointing_{verb}")  # transformers < 5.24


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
            shutil.rmtree(folder)
    return whole[max(whole)] if whole else None


def _is_scored(log: Path, step: int) -> bool:
    return any("held_out_loss" in row and row["step"] == step for row in rows_of(log))


def _whole_model(config: StageConfig, trainer: StageTrainer) -> Any:
    """Return the trained model; sharded weights are put together on the first process."""
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return trainer.accelerator.unwrap_model(trainer.model)
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.args.should_save:
        return None
    model = _load(config)
    freeze(model, config.learns, (), config.lora)
    model.load_state_dict(state)
    return model


def _save_model(config: StageConfig, setup: Setup, model: Any) -> None:
    folder = config.out / MODEL
    if config.lora is not None and config.lora.bits is not None:
        model = _unquantised(config, model)
    if config.lora is not None:
        merge_lora(model)
    if config.gradient_checkpointing:
        _checkpointing(model, "disable")()
    reset_cache(model)
    save_retinal(model, setup.tokenizer, setup.preparation, folder, config.template)
    _keep_photograph_tokens(folder, setup.wording.photograph)


def _unquantised(config: StageConfig, trained: Any) -> Any:
    """Return the model below at full precision, with what was learned in it."""
    model = load_retinal(config.model, dtype=torch.bfloat16)
    freeze(model, config.learns, (), config.lora)
    wanted = learning(model)
    with torch.no_grad():
        for name, parameter in learning(trained).items():
            wanted[name].copy_(parameter.to("cpu"))
    return model


def _keep_photograph_tokens(folder: Path, tokens: PhotographTokens) -> None:
    side = read_json(folder / SIDE_FILE)
    own = {"patch": tokens.patch, "start": tokens.start, "end": tokens.end}
    write_json({**side, "photograph": own}, folder / SIDE_FILE)


def _manifest(config: StageConfig, setup: Setup, learned: int, seconds: float) -> dict[str, Any]:
    told = summed(config.out / LOG)
    scored = [row for row in rows_of(config.out / LOG) if "held_out_loss" in row]
    last = scored[-1] if scored else {}
    return {
        "stage": config.out.name,
        "learns": list(config.learns),
        "learned_parameters": learned,
        "parameters": sum(p.numel() for p in setup.model.parameters()),
        **asdict(told),
        "epoch": {
            str(source.dialogues): count
            for source, count in zip(config.data, setup.data.mix.counts, strict=True)
        },
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


def _processes() -> int:
    return int(PartialState(cpu=not torch.cuda.is_available()).num_processes)


def _is_sharded() -> bool:
    return os.environ.get("ACCELERATE_USE_FSDP", "false") == "true"
