"""RetinalGPT's architecture: a vision encoder, one linear projector, a language model.

Any of the parts can be another: CLIP, SigLIP, DINOv2, a ViT as RETFound's, or ConvNeXt; LLaMA or
Vicuna, Qwen, GLM. What comes out is transformers' LLaVA.
"""

from __future__ import annotations

from pathlib import Path
from types import MethodType
from typing import Any, Literal

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from fundoscope.errors import ModelError
from fundoscope.models.legacy_config import END, PATCH, SIDE_FILE, START, write_json
from fundoscope.models.preparation import Preparation

Projector = Literal["linear", "mlp"]
"""`linear`: one layer, as RetinalGPT's; `mlp`: two with GELU between, as LLaVA-1.5's."""
_FIRST_TOKEN = {
    "clip_vision_model": True,
    "dinov2": True,
    "vit": True,
    "siglip_vision_model": False,
}
"""Whether the encoder's first token stands for the whole photograph."""
_MAPS = ("convnext", "convnextv2", "resnet")
"""Encoders that give a map of features, shape (B, D, H, W), instead of tokens."""
PHOTOGRAPH_TOKENS = (PATCH, START, END)


def clip_vit_l14() -> CLIPVisionConfig:
    """Return the shape of openai/clip-vit-large-patch14's vision encoder."""
    return CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=224,
        patch_size=14,
    )


def llama_7b(vocabulary: int = 32004) -> LlamaConfig:
    """Return the shape of LLaMA 7B, with LLaVA's four tokens beyond its 32,000."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        max_position_embeddings=2048,
        pad_token_id=32000,
        tie_word_embeddings=False,
    )


def retinal_config(
    vision: Any, language: Any, image_token_id: int, projector: Projector = "linear"
) -> LlavaConfig:
    """Return the configuration of a model out of those of its parts.

    Parameters
    ----------
    vision, language : configurations of transformers
        Of a vision encoder and of a causal language model.
    image_token_id : int
        The token that stands for one feature of a photograph.
    projector : {"linear", "mlp"}

    Raises
    ------
    ModelError
        If the encoder is of a kind that is not known here.
    """
    kind = vision.model_type
    if kind not in _FIRST_TOKEN and kind not in _MAPS:
        raise ModelError(
            f"a vision encoder of kind {kind!r}",
            mend=f"known: {', '.join(sorted([*_FIRST_TOKEN, *_MAPS]))}",
        )
    if kind in _MAPS:
        vision.hidden_size = vision.hidden_sizes[-1]
    return LlavaConfig(
        vision_config=vision,
        text_config=language,
        image_token_id=image_token_id,
        projector_hidden_act="linear" if projector == "linear" else "gelu",
        vision_feature_layer=-2 if kind == "clip_vision_model" else -1,
        vision_feature_select_strategy="default" if _FIRST_TOKEN.get(kind) else "full",
        image_seq_length=photograph_features(vision),
        tie_word_embeddings=bool(language.tie_word_embeddings),
        architectures=["LlavaForConditionalGeneration"],
    )


def photograph_features(vision: Any) -> int:
    """Return how many features an encoder gives for one photograph, `image_size` pixels wide.

    A ResNet's configuration of transformers does not know that size: give it one.
    """
    if vision.model_type == "resnet":
        cell = 2 ** (len(vision.hidden_sizes) + 1 + bool(vision.downsample_in_first_stage))
    elif vision.model_type in _MAPS:
        cell = vision.patch_size * 2 ** (len(vision.hidden_sizes) - 1)
    else:
        cell = vision.patch_size
    return int((vision.image_size // cell) ** 2)


def _map_features(model: Any, pixel_values: Any, **more: Any) -> Any:
    """Return features of photographs out of an encoder's maps, one tensor each."""
    seen = model.vision_tower(pixel_values).last_hidden_state  # (B, D, H, W)
    tokens = seen.flatten(2).transpose(1, 2)  # (B, D, H, W) -> (B, H * W, D)
    projected = model.multi_modal_projector(tokens)
    return BaseModelOutputWithPooling(last_hidden_state=seen, pooler_output=list(projected))


def retinal_model(config: LlavaConfig) -> Any:
    """Return a RetinalGPT with random weights, a `LlavaForConditionalGeneration`.

    It is no class of its own: by the class' name transformers knows how to name weights on disk.
    """
    model = LlavaForConditionalGeneration(config)
    _see_maps(model)
    single_layer(model)
    return model


def load_retinal(folder: Path, **more: Any) -> Any:
    """Return the RetinalGPT of a folder; `more` goes to `from_pretrained`.

    A projector's second layer that is not used is frozen.

    Raises
    ------
    ModelError
        If transformers cannot load it, or would make up what is missing.
    """
    try:
        model, told = LlavaForConditionalGeneration.from_pretrained(
            folder, output_loading_info=True, **more
        )
    except (OSError, ValueError, KeyError, RuntimeError) as problem:
        raise ModelError(
            f"it cannot be loaded: {(str(problem).splitlines() or [repr(problem)])[0]}",
            where=str(folder),
            mend="convert or train it again",
        ) from problem
    lost = sorted(told["missing_keys"])
    if lost:
        raise ModelError(
            f"{len(lost)} tensors are missing, such as {lost[0]!r}",
            where=str(folder),
            mend="convert or train it again",
        )
    _see_maps(model)
    if model.config.projector_hidden_act == "linear":
        model.model.multi_modal_projector.linear_2.requires_grad_(False)
    return model


def _see_maps(model: Any) -> None:
    if model.config.vision_config.model_type in _MAPS:
        model.model.get_image_features = MethodType(_map_features, model.model)


def single_layer(model: Any) -> None:
    """Make a linear projector one layer: its second the identity, and frozen.

    `linear_2(y) == y` bit for bit in float32, float16 and bfloat16.
    """
    projector = model.model.multi_modal_projector
    if model.config.projector_hidden_act != "linear":
        return
    second = projector.linear_2
    second.requires_grad_(False)
    if second.weight.device.type != "meta":
        with torch.no_grad():
            torch.nn.init.eye_(second.weight)
            if second.bias is not None:
                second.bias.zero_()


def assemble(
    vision: Any, language: Any, tokenizer: Any, projector: Projector = "linear", seed: int = 0
) -> Any:
    """Return a RetinalGPT made of a trained encoder and a trained language model.

    The parts are taken over, not copied. Tokens for photographs are added to the tokenizer, and
    rows for them where the language model has none; the projector starts at random.

    Parameters
    ----------
    vision, language : models of transformers
        Such as CLIPVisionModel and LlamaForCausalLM.
    tokenizer : the language model's tokenizer; it is changed
    """
    tokenizer.add_tokens(list(PHOTOGRAPH_TOKENS), special_tokens=True)
    if len(tokenizer) > language.get_input_embeddings().weight.shape[0]:
        language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    token = tokenizer.convert_tokens_to_ids(PATCH)
    config = retinal_config(vision.config, language.config, token, projector)
    with torch.device("meta"):
        model = retinal_model(config)
    wanted = type(model.model.vision_tower).__name__
    if type(vision).__name__ != wanted:
        raise ModelError(
            f"a vision encoder of class {type(vision).__name__}", mend=f"load it as {wanted}"
        )
    model.model.vision_tower, model.model.language_model = vision, language.model
    model.lm_head = language.lm_head
    torch.manual_seed(seed)
    made = LlavaMultiModalProjector(config).to(language.lm_head.weight.dtype)
    torch.nn.init.normal_(made.linear_1.weight, std=config.vision_config.hidden_size**-0.5)
    model.model.multi_modal_projector = made
    single_layer(model)
    model.generation_config = language.generation_config
    return model.eval()


def save_retinal(
    model: Any,
    tokenizer: Any,
    preparation: Preparation,
    folder: Path,
    prompt_template: str = "simple",
) -> Path:
    """Write all that `Answering` needs to a folder; return it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    preparation.constants().save_pretrained(folder)
    write_json(
        {
            "prompt_template": prompt_template,
            "photograph": {"patch": PATCH, "start": START, "end": END},
            "preparation": preparation.way,
        },
        folder / SIDE_FILE,
    )
    return folder
