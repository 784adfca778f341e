"""What stands beside the weights: configurations, tokenizer, the photographs' constants."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaProcessor,
)

from fundoscope.errors import ModelError

SIDE_FILE = "fundoscope.json"
"""What a folder of a model says to fundoscope beyond what transformers reads."""
PATCH, START, END = "<im_patch>", "<im_start>", "<im_end>"
_TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "vocab.json")
_CONSTANTS = (
    "crop_size",
    "do_center_crop",
    "do_convert_rgb",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
)
_TEXT_FIELDS = (
    "attention_bias",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "pad_token_id",
    "rms_norm_eps",
    "rope_scaling",
    "rope_theta",
    "vocab_size",
)


def read_json(file: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    ModelError
        If the file is missing or holds no object.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise ModelError("a file is missing", where=str(file), mend="fetch it") from problem
    except ValueError as problem:
        raise ModelError(f"not JSON: {problem}", where=str(file), mend="fetch it") from problem
    if not isinstance(held, dict):
        raise ModelError("no JSON object", where=str(file), mend="fetch it again")
    return held


def write_json(held: dict[str, Any], file: Path) -> None:
    """Write a JSON object."""
    file.write_text(json.dumps(held, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def text_config(legacy: dict[str, Any], where: Path) -> LlamaConfig:
    """Return the language model's configuration out of a legacy one."""
    needed = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers")
    lost = [field for field in (*needed, "vocab_size") if field not in legacy]
    if lost:
        raise ModelError(
            f"the configuration does not say {lost[0]!r}",
            where=str(where),
            mend="it must be the config.json of a LLaMA or a LLaVA",
        )
    said = {field: legacy[field] for field in _TEXT_FIELDS if legacy.get(field) is not None}
    padding = said.get("pad_token_id", 0)
    if not 0 <= padding < said["vocab_size"]:  # -1 in the first LLaMA; refused by torch
        del said["pad_token_id"]
    return LlamaConfig(**said, tie_word_embeddings=False)


def vision_config(folder: Path) -> CLIPVisionConfig:
    """Return the configuration of a CLIP vision encoder, alone or inside a whole CLIP."""
    held = read_json(folder / "config.json")
    held = held.get("vision_config") or held if held.get("model_type") == "clip" else held
    if held.get("model_type", "clip_vision_model") != "clip_vision_model":
        raise ModelError(
            f"a vision tower of kind {held['model_type']!r}",
            where=str(folder),
            mend="LLaVA v0 looks through CLIP: openai/clip-vit-large-patch14",
        )
    held = {key: value for key, value in held.items() if key not in ("torch_dtype", "dtype")}
    return CLIPVisionConfig(**held)


def llava_config(
    legacy: dict[str, Any], text: LlamaConfig, vision: CLIPVisionConfig, image_token_id: int
) -> LlavaConfig:
    """Return the configuration in which one linear projector is exact.

    The second layer is the identity and what stands between does nothing.
    """
    if not 0 <= image_token_id < text.vocab_size:
        raise ModelError(
            f"token {image_token_id} of photographs is outside the vocabulary of {text.vocab_size}",
            mend="give --image-token-id the id of <im_patch>",
        )
    kind = legacy.get("mm_projector_type", "linear")
    if kind != "linear":
        raise ModelError(
            f"a projector of kind {kind!r}", mend="only LLaVA v0's linear one is converted"
        )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=image_token_id,
        projector_hidden_act="linear",
        vision_feature_layer=legacy.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        tie_word_embeddings=False,
        architectures=["LlavaForConditionalGeneration"],
    )


def has_tokenizer(folder: Path) -> bool:
    """Whether the files of a tokenizer lie in a folder."""
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def tokenizer_with_photographs(folder: Path, start_end: bool, vocabulary: int) -> Any:
    """Return a checkpoint's tokenizer with the tokens of photographs.

    They are added where they are missing, in the order in which the released scripts add them.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([PATCH], special_tokens=True)
    if start_end:
        tokenizer.add_tokens([START, END], special_tokens=True)
    if len(tokenizer) > vocabulary:
        raise ModelError(
            f"the tokenizer knows {len(tokenizer)} tokens, the weights only {vocabulary}",
            where=str(folder),
            mend="the tokenizer of another checkpoint lies there; fetch its own",
        )
    return tokenizer


def write_processor(output: Path, vision_tower: Path, vision: Any, tokenizer: Any | None) -> None:
    """Write the photographs' constants and, where there is a tokenizer, the processor."""
    constants = vision_tower / "preprocessor_config.json"
    side = vision.image_size
    if constants.is_file():
        said = read_json(constants)
        pictures = CLIPImageProcessorPil(**{key: said[key] for key in _CONSTANTS if key in said})
    else:
        pictures = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
    if tokenizer is None:
        pictures.save_pretrained(output)
        return
    LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        image_token=PATCH,
        num_additional_image_tokens=1,
    ).save_pretrained(output)


def copy_generation(checkpoint: Path, output: Path) -> None:
    """Copy how the checkpoint generates, where it says so."""
    said = checkpoint / "generation_config.json"
    if said.is_file():
        shutil.copyfile(said, output / said.name)
