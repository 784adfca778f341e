"""Tiny models with random weights: for tests, benchmarks and trying things out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<unk>", "<s>", "</s>", "[PAD]", "<im_patch>", "<im_start>", "<im_end>")
"""Ids 0 to 6 of the tiny tokenizer."""
_CORPUS = (
    "A chat between a curious human and an artificial intelligence assistant. ###Human: "
    "###Assistant: USER: ASSISTANT: Is there diabetic retinopathy in the photograph? "
    "Where are the haemorrhages, hard exudates and the optic disc? Yes. No."
)


def tiny_tokenizer(vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that knows every text, with the tokens of LLaVA v0."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([_CORPUS] * 4, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="[PAD]",
        unk_token="<unk>",
        additional_special_tokens=list(SPECIAL[4:]),
        clean_up_tokenization_spaces=False,
    )


def tiny_vision(hidden: int = 32, side_px: int = 56) -> CLIPVisionConfig:
    """Return the shape of a tiny CLIP encoder with patches of 14 px."""
    return CLIPVisionConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=side_px,
        patch_size=14,
    )


def tiny_text(hidden: int = 32, vocabulary: int = 400, **more: Any) -> LlamaConfig:
    """Return the shape of a tiny LLaMA."""
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 2048,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
        "tie_word_embeddings": False,
    }
    return LlamaConfig(**(shape | more))


def write_tiny_llava(
    folder: Path, seed: int = 0, vision: Any = None, text: Any = None, spread: float = 0.2
) -> Path:
    """Write a random LLaVA, its tokenizer and processor's constants to `folder`; return it.

    `spread` is the standard deviation of its weights: at the usual 0.02 a random model says the
    same token again and again.
    """
    torch.manual_seed(seed)
    vision, text = vision or tiny_vision(), text or tiny_text()
    text.initializer_range = spread
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=4,
        projector_hidden_act="linear",
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        tie_word_embeddings=False,
    )
    config.initializer_range = spread
    model = LlavaForConditionalGeneration(config)
    model.generation_config.pad_token_id = text.pad_token_id
    model.save_pretrained(folder)
    tiny_tokenizer(min(text.vocab_size, 400)).save_pretrained(folder)
    side = vision.image_size
    CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    ).save_pretrained(folder)
    return folder
