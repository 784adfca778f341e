"""OphGLM: parts of any width fit, stages train what they should, the text reaches the model."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

from torch import nn

from fundoscope.errors import ModelError
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.ophglm import STAGES, OphGLM, OphGLMShape, convnext_tensors
from fundoscope.models.ophglm_files import load_ophglm, release_preparation, save_ophglm
from fundoscope.models.preparation import Preparation
from fundoscope.models.tiny import tiny_text, tiny_tokenizer

SHAPE = OphGLMShape(fused_tokens=4, fusion_width=16, fusion_heads=2, gate_reduction=4)
READERS = {
    "bert": lambda: transformers.BertModel(
        transformers.BertConfig(
            hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    ),
    "xlm-r": lambda: transformers.XLMRobertaModel(
        transformers.XLMRobertaConfig(
            hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    ),
}


def model(reader: str = "bert", widest: int = 24, hidden: int = 32) -> OphGLM:
    torch.manual_seed(0)
    vision = transformers.ConvNextModel(
        transformers.ConvNextConfig(hidden_sizes=[6, 12, 18, widest], depths=[1, 1, 1, 1])
    )
    language = transformers.LlamaForCausalLM(tiny_text(hidden, initializer_range=0.3))
    made = OphGLM(vision, READERS[reader](), language, SHAPE)
    with torch.no_grad():
        for parameter in made.fusion.parameters():
            parameter.mul_(3)  # so that what it says differs from the start
    return made.eval()


def batch(rows: int = 2, side: int = 64) -> dict[str, "torch.Tensor"]:
    chance = torch.Generator().manual_seed(1)
    words = torch.randint(10, 300, (rows, 7), generator=chance)
    return {
        "pixels": torch.randn(rows, 3, side, side, generator=chance),
        "question_ids": torch.randint(10, 300, (rows, 5), generator=chance),
        "question_mask": torch.ones(rows, 5, dtype=torch.long),
        "input_ids": words,
        "attention_mask": torch.ones_like(words),
    }


@pytest.mark.parametrize("reader", list(READERS))
@pytest.mark.parametrize("widest", [24, 40])
def test_heads_and_fusion_follow_the_widths_of_their_networks(reader: str, widest: int) -> None:
    """Released: the encoder ended at 1024, the heads and the fusion expected 768."""
    made = model(reader, widest, hidden=48)
    given = batch()
    diseases, findings = made.judge(given["pixels"])
    assert diseases.shape == findings.shape == (2, 5)
    assert made(**given).logits.shape == (2, 4 + 7, 400)


def test_one_photograph_can_be_trained_on() -> None:
    """Released: batch normalisation in the gate failed at batch 1."""
    made = model().train()
    labels = torch.tensor([[1.0, 0, 0, 1, 0]])
    made.encoder_loss(batch(1)["pixels"], labels, labels).backward()
    assert made.gate.squeeze.weight.grad.abs().sum() > 0


def test_photograph_question_and_text_all_reach_the_answer() -> None:
    """Released: the language model got a fused vector and no text, or text and no picture."""
    made, given = model(), batch(1)
    with torch.inference_mode():
        said = made(**given).logits[:, -1]
        for name in ("pixels", "question_ids", "input_ids"):
            changed = given | {name: given[name].flip(-1)}
            assert not torch.allclose(made(**changed).logits[:, -1], said, atol=1e-4), name


def test_padding_of_the_question_changes_nothing() -> None:
    made, given = model(), batch(1)
    padded = given | {
        "question_ids": nn.functional.pad(given["question_ids"], (0, 3), value=9),
        "question_mask": nn.functional.pad(given["question_mask"], (0, 3)),
    }
    with torch.inference_mode():
        assert torch.allclose(made(**padded).logits, made(**given).logits, atol=1e-5)


def test_a_label_that_was_not_assessed_counts_for_nothing() -> None:
    made, pixels = model(), batch()["pixels"]
    known = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
    nothing = torch.full_like(known, torch.nan)
    with torch.inference_mode():
        diseases, _ = made.judge(pixels)
        by_hand = nn.functional.binary_cross_entropy_with_logits(diseases, known)
        assert torch.allclose(made.encoder_loss(pixels, known, nothing), by_hand)
    with pytest.raises(ModelError, match="no label"):
        made.encoder_loss(pixels, nothing, nothing)


def test_the_loss_is_that_of_the_learned_tokens_only() -> None:
    made, given = model(), batch(1)
    labels = given["input_ids"].clone()
    labels[:, :4] = -100
    with torch.inference_mode():
        loss = made.language_loss(**given, labels=labels)
        scores = made(**given).logits[0, 4 + 3 : 4 + 6]
        by_hand = nn.functional.cross_entropy(scores, given["input_ids"][0, 4:7])
    assert torch.allclose(loss, by_hand, atol=1e-5)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_changes_its_own_weights_and_no_other(stage: str) -> None:
    made, given = model(), batch()
    own = {"encoder": ("vision", "gate", "heads"), "fusion": ("fusion",), "language": ("language",)}
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    trained = made.train_stage(stage)  # type: ignore[arg-type]
    step = torch.optim.SGD([p for p in made.parameters() if p.requires_grad], lr=0.5)
    if stage == "encoder":
        labels = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
        loss = made.encoder_loss(given["pixels"], labels, labels)
    else:
        loss = made.language_loss(**given, labels=given["input_ids"])
    loss.backward()
    step.step()
    changed = {n for n, p in made.named_parameters() if not torch.equal(p, before[n])}
    assert {name.split(".")[0] for name in changed} == set(own[stage])
    assert changed <= set(trained) and len(changed) > 0.8 * len(trained)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ModelError, match="no stage 'sft'"):
        model().train_stage("sft")  # type: ignore[arg-type]


# upstream's ConvNeXt, written down from its paper (Liu 2022, 10.1109/CVPR52688.2022.01167)


class FirstNorm(nn.Module):
    """Layer norm over the channels of a map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width)), nn.Parameter(torch.randn(width))

    def forward(self, seen: "torch.Tensor") -> "torch.Tensor":
        mean = seen.mean(1, keepdim=True)
        deviation = ((seen - mean).square().mean(1, keepdim=True) + 1e-6).sqrt()
        return self.weight[:, None, None] * (seen - mean) / deviation + self.bias[:, None, None]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.randn(width))

    def forward(self, seen: "torch.Tensor") -> "torch.Tensor":
        inner = self.norm(self.dwconv(seen).permute(0, 2, 3, 1))
        inner = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(inner)))
        return seen + inner.permute(0, 3, 1, 2)


class ReleasedConvNext(nn.Module):
    def __init__(self, widths: list[int], depths: list[int]) -> None:
        super().__init__()
        downs = [nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), FirstNorm(widths[0]))]
        downs += [nn.Sequential(FirstNorm(a), nn.Conv2d(a, b, 2, 2)) for a, b in pairwise(widths)]
        self.downsample_layers = nn.ModuleList(downs)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(*(Block(w) for _ in range(d)))
                for w, d in zip(widths, depths, strict=True)
            ]
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.head, self.head_2 = nn.Linear(widths[-1], 5), nn.Linear(widths[-1], 5)

    def forward(self, seen: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            seen = stage(down(seen))
        return seen, self.norm(seen.mean((2, 3)))


def test_the_released_encoders_weights_give_the_same_features() -> None:
    torch.manual_seed(0)
    widths, depths = [4, 8, 12, 16], [1, 2, 1, 1]
    released = ReleasedConvNext(widths, depths).eval()
    ours = transformers.ConvNextModel(
        transformers.ConvNextConfig(hidden_sizes=widths, depths=depths, layer_norm_eps=1e-6)
    ).eval()
    lost, odd = ours.load_state_dict(convnext_tensors(released.state_dict()), strict=True)
    assert not lost and not odd
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        seen, pooled = released(pixels)
        made = ours(pixels)
    assert (made.last_hidden_state - seen).abs().max() < 1e-5 * seen.abs().max()
    assert (made.pooler_output - pooled).abs().max() < 1e-4


def test_tensors_of_something_else_are_refused() -> None:
    with pytest.raises(ModelError, match=r"'layer1\.0\.conv' is no tensor of a ConvNeXt"):
        convnext_tensors({"layer1.0.conv": torch.zeros(1)})


# on disk, asked, and in full


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ophglm") / "model"
    tokenizer = tiny_tokenizer()
    return save_ophglm(model(), tokenizer, tokenizer, Preparation(64), place)


def test_what_was_saved_is_loaded(folder: Path) -> None:
    given = batch()
    with torch.inference_mode():
        assert torch.equal(load_ophglm(folder)(**given).logits, model()(**given).logits)
    with pytest.raises(ModelError, match="it is there already"):
        tokenizer = tiny_tokenizer()
        save_ophglm(model(), tokenizer, tokenizer, Preparation(64), folder)


def test_what_is_no_ophglm_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no OphGLM lies there"):
        load_ophglm(tmp_path)


def test_an_ophglm_answers_about_its_photograph_as_it_would_alone(folder: Path) -> None:
    """Released: the chat called .strip() on the picture, and the model never saw it."""
    engine = Answering.load(folder, device="cpu", most_tokens=6)
    rng = np.random.default_rng(0)
    photographs = [rng.integers(0, 255, (70, 70, 3)).astype(np.uint8) for _ in range(3)]
    asked = [
        Asked(("Is it normal?", "Why?"), (photographs[0],)),
        Asked(("Is it normal?",), (photographs[1],)),
        Asked(("Where is the disc?",), (photographs[1],)),
        Asked(("Hello?",)),
    ]
    together = engine.answer(asked)
    assert [one.tokens for one in together] == [engine.answer([one])[0].tokens for one in asked]
    ids = engine._segment(
        engine._opening(asked[1]),
        asked[1],
        engine._features(
            [asked[1]], {id(photographs[1]): engine.preparation.prepared(photographs[1])}
        ),
    ).ids
    place = ids.index(engine.sight.photograph_token)
    made = engine.sight.model
    read = engine.sight._reader(["Is it normal?"], return_tensors="pt")
    with torch.inference_mode():
        values = torch.from_numpy(engine.preparation.prepared(photographs[1]).values)[None]
        fused = made.fuse(values, read["input_ids"], read["attention_mask"])
        words = made.language.get_input_embeddings()
        text = [words(torch.tensor([part])) for part in (ids[:place], ids[place + 4 :])]
        scores = made.language(inputs_embeds=torch.cat([text[0], fused, text[1]], 1)).logits
    assert together[1].tokens[0][0] == int(scores[0, -1].argmax())
    assert len({one.tokens for one in together}) == 4


def test_the_release_sees_384_px_with_grey_in_the_middle() -> None:
    made = release_preparation()
    assert (made.side_px, made.mean, made.std) == (384, (0.5,) * 3, (0.5,) * 3)


def full(text: Callable[[], object]) -> int:
    with torch.device("meta"):
        base = transformers.ConvNextConfig(
            hidden_sizes=[128, 256, 512, 1024], depths=[3, 3, 27, 3], image_size=384
        )
        made = OphGLM(
            transformers.ConvNextModel(base),
            transformers.BertModel(transformers.BertConfig(vocab_size=21128)),
            text(),
            OphGLMShape(),
        )
    return sum(p.numel() for p in made.vision.parameters())


def test_the_full_encoder_has_its_published_size() -> None:
    """ConvNeXt-B: 88,591,464 parameters, 1,025,000 of them in the head for 1,000 classes."""
    glm = transformers.GlmConfig(
        num_hidden_layers=2, hidden_size=4096, num_attention_heads=32, pad_token_id=0
    )
    count = full(lambda: transformers.GlmForCausalLM(glm))
    assert count == 88_591_464 - 1_025_000
