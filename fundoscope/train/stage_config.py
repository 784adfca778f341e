"""What a stage of training may vary; unknown keys are refused, and the nearest is offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fundoscope.config import read_fields
from fundoscope.errors import ConfigError, nearest
from fundoscope.models.preparation import Way

Part = Literal["vision", "projector", "language", "new_tokens", "encoder", "fusion"]
"""RetinalGPT's: vision, projector, language, and new_tokens, which are only the embedding rows of
the tokens before and after a photograph. OphGLM's: encoder (gate and heads too), fusion, language.
"""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SourceConfig(_Frozen):
    """A file of dialogues and how much of it goes into an epoch."""

    dialogues: Path | None = None
    """JSON list, JSONL, Parquet, a tar shard or a folder of them."""
    photographs: Path | None = None
    """Folder of its photographs; that of the file by default."""
    records: Path | None = None
    """A run's records.jsonl: its photographs are paired anew with `dialogues` in every epoch; or,
    without `dialogues`, an encoder learns their labels."""
    count: int | None = Field(default=None, ge=1)
    """Rows in an epoch; by default all."""
    share: float | None = Field(default=None, gt=0)
    """Share of an epoch, beside the others' shares."""


class LoraConfig(_Frozen):
    """Low-rank additions to the language model, instead of all its weights."""

    rank: int = Field(default=128, ge=1)
    alpha: float = Field(default=256, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    bits: Literal[4, 8] | None = None
    """Bits of the frozen weights below (QLoRA; needs CUDA and bitsandbytes)."""


class StageConfig(_Frozen):
    """One stage: a model in, a model out, and what is learned in between."""

    model: Path
    """Folder of the model, as `fundoscope convert` or an earlier stage wrote it."""
    out: Path
    """Folder of the run; the trained model is `out/model`."""
    learns: tuple[Part, ...]
    """Parts that are trained; all else stays as it is, bit for bit."""
    data: tuple[SourceConfig, ...] = Field(min_length=1)
    held_out: tuple[SourceConfig, ...] = ()
    """Never trained on; scored every `evaluate_every` steps and at the end."""

    diseases: tuple[str, ...] = ()
    """Terms that OphGLM's first head tells, where `encoder` learns."""
    findings: tuple[str, ...] = ()
    """Terms that its second head tells."""

    template: str = "v0"
    """Prompt format; see `fundoscope.models.prompt_templates`."""
    most_tokens: int = Field(default=2048, ge=16)
    """Longest dialogue, photographs included."""
    preparation: Way | None = None
    """`field` or `centre_crop`; by default as the model's folder says, else `field`."""
    bad_photographs_most: int = Field(default=0, ge=0)
    """Unreadable photographs that are left out before the run ends with an error."""
    refused_most: int = Field(default=100, ge=0)
    """Other dialogues that are left out before the run ends with an error."""
    group_alike: bool = True
    """Batch dialogues of like length, those with photographs apart."""

    seed: int = Field(default=0, ge=0)
    epochs: float = Field(default=1, gt=0)
    epoch_size: int | None = Field(default=None, ge=1)
    """Rows of an epoch, where sources have shares."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps, instead of `epochs`."""
    batch_each: int = Field(default=8, ge=1)
    """Dialogues of one process in one pass."""
    accumulate: int = Field(default=1, ge=1)
    """Passes before each optimizer step."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """Peak rate, after the warm-up."""
    projector_learning_rate: float | None = Field(default=None, gt=0)
    """Where the projector's differs."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warm_up: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps over which the rate rises."""
    weight_decay: float = Field(default=0, ge=0)
    gradient_most: float = Field(default=1.0, ge=0)
    """Norm to which gradients are cut; 0 leaves them."""
    lora: LoraConfig | None = None
    precision: Literal["fp32", "bf16"] = "bf16"
    gradient_checkpointing: bool = False
    """Compute activations twice, to hold fewer."""

    save_every: int = Field(default=500, ge=1)
    """Steps between checkpoints, from which a run that was cut goes on."""
    checkpoints_kept: int = Field(default=2, ge=1)
    evaluate_every: int = Field(default=0, ge=0)
    """Steps between scores on `held_out`; 0 scores at the end only."""
    evaluate_dialogues: int = Field(default=64, ge=1)
    """Dialogues of `held_out` that are scored."""
    answer_tokens: int = Field(default=96, ge=1)
    """Longest answer in scoring."""
    photographs_kept: int = Field(default=0, ge=0)
    """Photographs that stay in memory, made ready; for small sets that are seen many times."""
    loaders: int = Field(default=0, ge=0)
    """Processes that read photographs, for each process that trains."""


_INNER: dict[str, type[_Frozen]] = {
    "data": SourceConfig,
    "held_out": SourceConfig,
    "lora": LoraConfig,
}


def make_stage(fields: dict[str, Any]) -> StageConfig:
    """Return a stage's configuration.

    Raises
    ------
    ConfigError
        If a field is unknown (the nearest is offered), missing or of the wrong kind.
    """
    try:
        return StageConfig(**fields)
    except ValidationError as problem:
        first = problem.errors()[0]
        path = [str(part) for part in first["loc"]]
        name = ".".join(path)
        if first["type"] == "extra_forbidden":
            model = _INNER.get(path[0], StageConfig) if len(path) > 1 else StageConfig
            raise ConfigError(
                f"a stage has no field {name!r}", mend=nearest(path[-1], model.model_fields)
            ) from problem
        raise ConfigError(
            f"field {name!r} of the stage: {first['msg'].lower()}",
            mend="see the recipes in fundoscope/train/recipes",
        ) from problem


def read_stage(file: Path, **changes: Any) -> StageConfig:
    """Return the stage of a YAML file; `changes` win over what it says.

    Raises
    ------
    ConfigError
        If the file is missing, no YAML, or describes no stage.
    """
    held = read_fields(file, "stage")
    if held is None:
        raise ConfigError(f"{file} describes no stage", mend="see docs/training.md")
    return make_stage({**held, **changes})
