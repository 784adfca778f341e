"""LLaVA-v0 checkpoints, as RetinalGPT's is, to what transformers loads today, and back.

Tensor by tensor: memory stays near the largest file read, whatever the size of the model. The
result is written beside its place and renamed, so that a folder that is there is whole.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from fundoscope.errors import ModelError
from fundoscope.models.legacy_config import (
    END,
    PATCH,
    SIDE_FILE,
    START,
    copy_generation,
    has_tokenizer,
    llava_config,
    read_json,
    text_config,
    tokenizer_with_photographs,
    vision_config,
    write_json,
    write_processor,
)
from fundoscope.models.legacy_sources import Source, language_source
from fundoscope.models.weight_files import (
    SHARD_BYTES,
    Output,
    Shape,
    Weights,
    write_pickled,
    write_safetensors,
)

Progress = Callable[[int], None]
_LANGUAGE = "language_model."
_LINEAR = "multi_modal_projector.linear_"
_OF_VISION = re.compile(r"^(?:vision_model\.)")
_NOT_OF_VISION = re.compile(
    r"^(text_model\.|text_projection|visual_projection|logit_scale)|\.position_ids$"
)
_TEXT_FIELDS_BACK = (
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
)
_TO_DISK = (
    ("model.language_model.", "language_model.model."),
    ("model.vision_tower.vision_model.", "vision_tower."),
    ("model.vision_tower.", "vision_tower."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
    ("vision_tower.vision_model.", "vision_tower."),
    ("lm_head.", "language_model.lm_head."),
)


@dataclass(frozen=True)
class Converted:
    """What was written."""

    folder: Path
    tensors: int
    bytes: int
    image_token_id: int


def convert_checkpoint(
    checkpoint: Path,
    vision_tower: Path,
    output: Path,
    image_token_id: int | None = None,
    *,
    base: Path | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda bytes: None,
) -> Converted:
    """Write a LLaVA-v0 checkpoint as a folder that `LlavaForConditionalGeneration` loads.

    Parameters
    ----------
    checkpoint : Path
        Folder with `config.json` and weights, `.bin` or safetensors, whole or sharded; or stage
        1's `mm_projector.bin` (the file or its folder), which needs a `base`.
    vision_tower : Path
        Folder of the CLIP encoder that the checkpoint refers to but does not hold.
    output : Path
        Folder to write; it must not be there yet.
    image_token_id : int, optional
        Id of `<im_patch>`; needed where no tokenizer lies beside the checkpoint.
    base : Path, optional
        Folder of the LLaMA below: for stage 1, or where the checkpoint holds differences to it.
    shard_bytes : int
        Most bytes of one file written.
    progress
        Told the bytes of each tensor written.

    Returns
    -------
    Converted

    Raises
    ------
    ModelError
        If a tensor is unknown, missing or of another shape than the configuration says, if a file
        is cut short, or if `output` is there.
    """
    source = language_source(checkpoint, base)
    legacy = source.config
    text, vision = text_config(legacy, source.folder), vision_config(vision_tower)
    start_end = bool(legacy.get("mm_use_im_start_end", False))
    tokenizer = None
    if has_tokenizer(source.tokenizer_folder):
        tokenizer = tokenizer_with_photographs(source.tokenizer_folder, start_end, text.vocab_size)
    token = _image_token(image_token_id, tokenizer, source.tokenizer_folder)
    config = llava_config(legacy, text, vision, token)
    config.dtype = source.dtype
    outputs = _outputs(source, Weights(vision_tower), text.hidden_size)
    _check(outputs, expected_tensors(config), source.folder)
    with _whole_folder(output) as part:
        written = write_safetensors(outputs.values(), part, shard_bytes, progress)
        config.save_pretrained(part)
        copy_generation(source.folder, part)
        write_processor(part, vision_tower, vision, tokenizer)
        write_json(
            {
                "prompt_template": "simple",
                "photograph": {
                    "patch": PATCH,
                    "start": START if start_end else "",
                    "end": END if start_end else "",
                },
                "preparation": "centre_crop",
                "legacy_config": legacy,
            },
            part / SIDE_FILE,
        )
    return Converted(output, len(outputs), written, token)


def convert_back(
    folder: Path,
    output: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda bytes: None,
) -> Converted:
    """Write a folder of `convert_checkpoint`, trained further or not, as a LLaVA-v0 checkpoint.

    A second layer of the projector that is no longer the identity is multiplied into the first.
    The vision tower is left out, as in every such checkpoint; one shard is held in memory.

    Raises
    ------
    ModelError
        If the projector is not linear, a tensor is unknown or missing, or `output` is there.
    """
    config = LlavaConfig.from_pretrained(folder)
    if config.projector_hidden_act != "linear":
        raise ModelError(
            f"the projector's {config.projector_hidden_act!r} has no place in LLaVA v0",
            where=str(folder),
            mend="only models with one linear projector go back",
        )
    weights = Weights(folder)
    names = {on_disk(name): name for name in weights.entries}
    shapes = {name: weights.entries[own].shape for name, own in names.items()}
    _check_names(shapes, expected_tensors(config), folder)
    outputs = list(_legacy_outputs(weights, names, config, progress))
    with _whole_folder(output) as part:
        written = write_pickled(outputs, part, shard_bytes)
        write_json(_legacy_config(folder, config), part / "config.json")
        copy_generation(folder, part)
        if has_tokenizer(folder):
            for file in sorted(folder.glob("*token*")):
                shutil.copyfile(file, part / file.name)
    return Converted(output, len(outputs), written, config.image_token_id)


def on_disk(name: str) -> str:
    """Return a tensor's name as transformers 5 writes it, from its name in memory or on disk."""
    for start, instead in _TO_DISK:
        if name.startswith(start):
            return instead + name.removeprefix(start)
    return name


def expected_tensors(config: LlavaConfig) -> dict[str, Shape]:
    """Return name and shape of every tensor of a LLaVA, without making one."""
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    return {on_disk(name): tuple(t.shape) for name, t in model.state_dict().items()}


def _image_token(asked: int | None, tokenizer: Any | None, folder: Path) -> int:
    if tokenizer is None:
        if asked is None:
            raise ModelError(
                "no tokenizer lies there, so nothing says which token <im_patch> is",
                where=str(folder),
                mend="give --image-token-id N, or put the tokenizer's files there",
            )
        return asked
    known = int(tokenizer.convert_tokens_to_ids(PATCH))
    if asked not in (None, known):
        raise ModelError(
            f"the tokenizer says that <im_patch> is token {known}, not {asked}",
            where=str(folder),
            mend="leave --image-token-id out",
        )
    return known


def _outputs(source: Source, vision: Weights, hidden: int) -> dict[str, Output]:
    """Return what is to be written, in the order in which it is read."""
    outputs: dict[str, Output] = {}
    for output in source.outputs():
        name = output.name.replace("model.mm_projector.", f"{_LINEAR}1.")
        name = name if name.startswith(_LINEAR) else _LANGUAGE + name
        outputs[name] = Output(name, output.shape, output.dtype, output.make)
    dtype = source.dtype
    outputs[f"{_LINEAR}2.weight"] = Output(
        f"{_LINEAR}2.weight", (hidden, hidden), dtype, lambda: torch.eye(hidden, dtype=dtype)
    )
    outputs[f"{_LINEAR}2.bias"] = _ready(f"{_LINEAR}2.bias", torch.zeros(hidden, dtype=dtype))
    for own, entry in vision.entries.items():
        if not _NOT_OF_VISION.search(own):
            name = "vision_tower." + _OF_VISION.sub("", own)
            outputs[name] = Output(name, entry.shape, entry.dtype, partial(vision.tensor, own))
    return outputs


def _check(outputs: Mapping[str, Output], expected: Mapping[str, Shape], where: Path) -> None:
    _check_names({name: output.shape for name, output in outputs.items()}, expected, where)


def _check_names(found: Mapping[str, Shape], expected: Mapping[str, Shape], where: Path) -> None:
    unknown, lost = sorted(found.keys() - expected), sorted(expected.keys() - found)
    wrong = sorted(n for n in found.keys() & expected if found[n] != expected[n])
    if unknown:
        told = f"{len(unknown)} unknown tensors, such as {unknown[0]!r}"
    elif lost:
        told = f"{len(lost)} tensors are missing, such as {lost[0]!r}"
    elif wrong:
        name = wrong[0]
        told = f"{name!r} has the shape {found[name]}, its configuration says {expected[name]}"
    else:
        return
    raise ModelError(
        told,
        where=str(where),
        mend="check that weights, config.json and vision tower belong together (differences and "
        "stage 1 need --base)",
    )


def _legacy_outputs(
    weights: Weights, names: Mapping[str, str], config: LlavaConfig, progress: Progress
) -> Iterator[Output]:
    text = config.text_config

    def told(name: str, own: str) -> Output:
        entry = weights.entries[own]

        def make() -> Any:
            progress(entry.bytes)
            return weights.tensor(own)

        return Output(name, entry.shape, entry.dtype, make)

    for name, own in names.items():
        if name.startswith(_LANGUAGE):
            yield told(name.removeprefix(_LANGUAGE), own)
    frequencies = _inverse_frequencies(text)
    for layer in range(text.num_hidden_layers):
        place = f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"
        yield _ready(place, frequencies)
    projector = _folded({n: weights.tensor(own) for n, own in names.items() if _LINEAR in n})
    for part, values in projector.items():
        yield _ready(f"model.mm_projector.{part}", values)


def _ready(name: str, values: Any) -> Output:
    return Output(name, tuple(values.shape), values.dtype, lambda: values)


def _inverse_frequencies(text: Any) -> Any:
    """Return LLaMA's rotary frequencies, which its old class keeps among the weights."""
    width = text.hidden_size // text.num_attention_heads
    theta = float(text.rope_parameters["rope_theta"])
    return 1.0 / theta ** (torch.arange(0, width, 2).float() / width)


def _folded(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return one linear layer that does what the two do; the first's own bits where it can."""
    w1, b1 = held[f"{_LINEAR}1.weight"], held[f"{_LINEAR}1.bias"]
    w2, b2 = held[f"{_LINEAR}2.weight"], held[f"{_LINEAR}2.bias"]
    if torch.equal(w2, torch.eye(len(w2), dtype=w2.dtype)) and not b2.any():
        return {"weight": w1, "bias": b1}
    weight = (w2.double() @ w1.double()).to(w1.dtype)
    bias = (w2.double() @ b1.double() + b2.double()).to(b1.dtype)
    return {"weight": weight, "bias": bias}


def _legacy_config(folder: Path, config: LlavaConfig) -> dict[str, Any]:
    side = folder / SIDE_FILE
    said = read_json(side).get("legacy_config") if side.is_file() else None
    text = config.text_config
    if said:
        return dict(said) | {"vocab_size": text.vocab_size}
    made = {
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava",
        "mm_hidden_size": config.vision_config.hidden_size,
        "mm_use_im_start_end": False,
        "mm_vision_select_layer": config.vision_feature_layer,
        "mm_vision_tower": "openai/clip-vit-large-patch14",
        "use_mm_proj": True,
        "torch_dtype": str(config.dtype or torch.float32).removeprefix("torch."),
    }
    return made | {name: getattr(text, name) for name in _TEXT_FIELDS_BACK}


@contextmanager
def _whole_folder(output: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes the name `output` once all is written."""
    if output.exists():
        raise ModelError("it is there already", where=str(output), mend="name another folder")
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # left by a run that was killed
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
