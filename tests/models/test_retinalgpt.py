"""RetinalGPT's architecture out of any parts: tiny ones run, full ones have the right size."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.errors import ModelError
from fundoscope.models.preparation import Preparation
from fundoscope.models.retinalgpt import (
    assemble,
    clip_vit_l14,
    llama_7b,
    load_retinal,
    retinal_config,
    retinal_model,
    save_retinal,
)
from fundoscope.models.tiny import tiny_text, tiny_tokenizer, tiny_vision
from fundoscope.models.weight_files import Weights

HIDDEN = 16


def vision(kind: str) -> "transformers.PretrainedConfig":
    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {
        "clip": lambda: tiny_vision(),
        "siglip": lambda: transformers.SiglipVisionConfig(
            **layers, intermediate_size=64, image_size=56, patch_size=14
        ),
        "dinov2": lambda: transformers.Dinov2Config(**layers, image_size=56, patch_size=14),
        "retfound": lambda: transformers.ViTConfig(
            **layers, intermediate_size=64, image_size=64, patch_size=16
        ),
        "convnext": lambda: transformers.ConvNextConfig(
            hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=128
        ),
        "resnet": lambda: resnet_shape(),
    }[kind]()


def resnet_shape() -> "transformers.ResNetConfig":
    shape = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic"
    )
    shape.image_size = 128
    return shape


def language(kind: str) -> "transformers.PretrainedConfig":
    shape = {
        "vocab_size": 120,
        "hidden_size": HIDDEN,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    return {
        "llama": lambda: transformers.LlamaConfig(**shape),
        "qwen2": lambda: transformers.Qwen2Config(**shape, tie_word_embeddings=True),
        "qwen3": lambda: transformers.Qwen3Config(**shape, head_dim=4),
        "glm": lambda: transformers.GlmConfig(**shape, head_dim=4),
    }[kind]()


PAIRS = [("clip", of) for of in ("llama", "qwen2", "qwen3", "glm")]
PAIRS += [(of, "llama") for of in ("siglip", "dinov2", "retfound", "convnext", "resnet")]


def logits(model: "torch.nn.Module", seed: int = 0) -> "torch.Tensor":
    config = model.config
    ids = torch.tensor([[1, *[4] * config.image_seq_length, 5, 6]])
    side = config.vision_config.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits


@pytest.mark.parametrize(("sees", "talks"), PAIRS)
def test_any_encoder_and_any_language_model_work_and_are_kept(
    sees: str, talks: str, tmp_path: Path
) -> None:
    model = retinal_model(retinal_config(vision(sees), language(talks), image_token_id=4)).eval()
    said = logits(model)
    assert not torch.equal(said, logits(model, seed=1)), "the photograph changes nothing"
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(load_retinal(tmp_path)), said)
    names = set(Weights(tmp_path).entries)
    assert any(name.startswith("language_model.model.layers.0.") for name in names)
    if sees not in ("convnext", "resnet"):
        plain = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path)
        assert torch.equal(logits(plain), said)


@pytest.mark.parametrize(
    ("sees", "tokens"), [("clip", 16), ("siglip", 16), ("dinov2", 16), ("retfound", 16)]
)
def test_only_patches_become_tokens(sees: str, tokens: int) -> None:
    config = retinal_config(vision(sees), language("llama"), image_token_id=4)
    model = retinal_model(config)
    side = config.vision_config.image_size
    features = model.model.get_image_features(torch.zeros(1, 3, side, side)).pooler_output
    assert features[0].shape == (tokens, HIDDEN) and config.image_seq_length == tokens


@pytest.mark.parametrize("sees", ["convnext", "resnet"])
def test_a_map_becomes_tokens_row_after_row(sees: str) -> None:
    model = retinal_model(retinal_config(vision(sees), language("llama"), 4)).eval()
    pixels = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        tokens = model.model.get_image_features(pixels).pooler_output[0]
        seen = model.model.vision_tower(pixels).last_hidden_state
        second_of_third_row = model.model.multi_modal_projector(seen[0, :, 2, 1])
    assert tokens.shape == (16, HIDDEN)
    assert torch.allclose(tokens[2 * 4 + 1], second_of_third_row, atol=1e-6)


def test_one_linear_layer_is_one_layer_and_stays_so(tmp_path: Path) -> None:
    model = retinal_model(retinal_config(vision("clip"), language("llama"), 4))
    projector = model.model.multi_modal_projector
    seen = torch.randn(7, 32)
    assert torch.equal(projector(seen), projector.linear_1(seen))
    assert not projector.linear_2.weight.requires_grad
    model.save_pretrained(tmp_path)
    loaded = load_retinal(tmp_path).model.multi_modal_projector
    assert not loaded.linear_2.weight.requires_grad and loaded.linear_1.weight.requires_grad


def test_a_projector_of_two_layers_can_be_had() -> None:
    model = retinal_model(retinal_config(vision("clip"), language("llama"), 4, projector="mlp"))
    projector = model.model.multi_modal_projector
    seen = torch.randn(7, 32)
    by_hand = projector.linear_2(torch.nn.functional.gelu(projector.linear_1(seen)))
    assert torch.allclose(projector(seen), by_hand)
    assert projector.linear_2.weight.requires_grad


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(ModelError, match="of kind 'llama'"):
        retinal_config(language("llama"), language("llama"), 4)


def test_the_full_model_has_the_published_sizes() -> None:
    """LLaMA 7B: 6,738,415,616 parameters; CLIP ViT-L/14's vision: 303,179,776."""
    with torch.device("meta"):
        model = retinal_model(retinal_config(clip_vit_l14(), llama_7b(), 32001))
    count = sum(p.numel() for p in model.parameters())
    four_tokens = 2 * 4 * 4096
    projector, identity = 1024 * 4096 + 4096, 4096 * 4096 + 4096
    assert count == 6_738_415_616 + four_tokens + 303_179_776 + projector + identity
    assert model.config.image_seq_length == 256


def test_trained_parts_are_taken_over(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sees = transformers.CLIPVisionModel(tiny_vision())
    talks = transformers.LlamaForCausalLM(tiny_text(vocabulary=320))
    tokenizer = tiny_tokenizer(320)
    words = torch.tensor([[1, 50, 60, 70]])
    with torch.inference_mode():
        alone = talks(words).logits
    model = assemble(sees, talks, tokenizer)
    with torch.inference_mode():
        together = model(input_ids=words).logits[..., :320]
    assert torch.equal(together, alone)
    save_retinal(model, tokenizer, Preparation(56), tmp_path)
    loaded = load_retinal(tmp_path)
    assert torch.equal(logits(loaded), logits(model))


def test_a_folder_that_lacks_weights_is_refused_not_filled_at_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    retinal_model(retinal_config(vision("clip"), language("llama"), 4)).save_pretrained(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    del held["language_model.lm_head.weight"]
    save_file(held, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensors are missing, such as 'lm_head\.weight'"):
        load_retinal(tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_retinal(tmp_path / "nowhere")


def test_a_part_of_another_class_is_refused() -> None:
    talks = transformers.LlamaForCausalLM(tiny_text())
    whole_clip = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config=tiny_vision().to_dict(),
            text_config={"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4},
        )
    )
    whole_clip.config = whole_clip.config.vision_config
    with pytest.raises(ModelError, match="load it as CLIPVisionModel"):
        assemble(whole_clip, talks, tiny_tokenizer())
