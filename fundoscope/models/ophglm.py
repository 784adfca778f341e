"""OphGLM's architecture: a ConvNeXt that names diseases, fused with the question, before a LM.

photograph -> ConvNeXt -> gate -> two heads (diseases)         stage 1: multi-label
                      \\-> features  \\
question   -> text encoder ---------> fusion -> fused tokens    stage 2: questions and answers
fused tokens + text -> causal language model -> answer          stage 3: dialogues

The release could not run (see docs/models.md): its heads expected another width than its encoder
gives, and its language model was fed the fused vector without any text. Read here as: the fusion
gives `fused_tokens` tokens in the language model's width, which stand in the prompt where a
photograph's tokens stand, and the text follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from fundoscope.errors import ModelError

Stage = Literal["encoder", "fusion", "language"]
STAGES: tuple[Stage, ...] = ("encoder", "fusion", "language")
_TRAINED = {
    "encoder": ("vision.", "gate.", "heads."),
    "fusion": ("fusion.",),
    "language": ("language.",),
}


@dataclass(frozen=True)
class OphGLMShape:
    """What is free in an OphGLM beside its three networks."""

    diseases: int = 5
    """Labels of the first head: in the release DR, AMD, glaucoma, myopia, cataract of ODIR-5K."""
    findings: int = 5
    """Labels of the second head."""
    fused_tokens: int = 32
    fusion_width: int = 512
    fusion_heads: int = 8
    fusion_layers: int = 2
    gate_reduction: int = 16


class SqueezeGate(nn.Module):  # type: ignore[misc, unused-ignore]
    """Weigh channels by what the whole photograph shows (Hu 2018, 10.1109/CVPR.2018.00745).

    Layer normalisation instead of the release's batch normalisation, which fails at batch 1.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        inner = max(1, width // reduction)
        self.squeeze = nn.Linear(width, inner)
        self.norm = nn.LayerNorm(inner)
        self.excite = nn.Linear(inner, width)

    def forward(self, seen: Any) -> Any:
        """Return weighed features, of the same shape (B, D, H, W)."""
        weight = self.excite(torch.relu(self.norm(self.squeeze(seen.mean(dim=(2, 3))))))
        return seen * torch.sigmoid(weight)[:, :, None, None]


class Fusion(nn.Module):  # type: ignore[misc, unused-ignore]
    """Learned queries that look at the photograph's features and at the question's."""

    def __init__(self, seen: int, read: int, written: int, shape: OphGLMShape) -> None:
        super().__init__()
        width = shape.fusion_width
        self.queries = nn.Parameter(torch.randn(shape.fused_tokens, width) * width**-0.5)
        self.from_seen, self.from_read = nn.Linear(seen, width), nn.Linear(read, width)
        self.kinds = nn.Parameter(torch.zeros(2, width))
        layer = nn.TransformerDecoderLayer(
            width, shape.fusion_heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, shape.fusion_layers, nn.LayerNorm(width))
        self.to_language = nn.Linear(width, written)

    def forward(self, seen: Any, read: Any, read_mask: Any) -> Any:
        """Return fused tokens.

        Parameters
        ----------
        seen : (B, N, D_seen)
        read : (B, T, D_read)
        read_mask : bool (B, T), true at real tokens

        Returns
        -------
        (B, fused_tokens, D_language)
        """
        around = torch.cat(
            [self.from_seen(seen) + self.kinds[0], self.from_read(read) + self.kinds[1]], dim=1
        )  # (B, N + T, D)
        hidden = torch.cat([torch.zeros_like(seen[..., 0], dtype=torch.bool), ~read_mask], dim=1)
        queries = self.queries.expand(len(seen), -1, -1)
        fused = self.layers(queries, around, memory_key_padding_mask=hidden)
        return self.to_language(fused)


class OphGLM(nn.Module):  # type: ignore[misc, unused-ignore]
    """The whole model.

    Parameters
    ----------
    vision : ConvNextModel
    reader : BertModel or XLMRobertaModel
        Reads the question for the fusion.
    language : a causal language model of transformers
    shape : OphGLMShape
    """

    def __init__(self, vision: Any, reader: Any, language: Any, shape: OphGLMShape) -> None:
        super().__init__()
        self.vision, self.reader, self.language, self.shape = vision, reader, language, shape
        width = vision.config.hidden_sizes[-1]  # 1024 for base, 768 for tiny: never a constant
        self.gate = SqueezeGate(width, shape.gate_reduction)
        self.heads = nn.ModuleList(
            [nn.Linear(width, shape.diseases), nn.Linear(width, shape.findings)]
        )
        self.fusion = Fusion(width, reader.config.hidden_size, language.config.hidden_size, shape)

    def see(self, pixels: Any) -> Any:
        """Return gated features of photographs (B, D, H, W) from values (B, 3, S, S)."""
        return self.gate(self.vision(pixels).last_hidden_state)

    def judge(self, pixels: Any) -> tuple[Any, Any]:
        """Return the scores (B, diseases) and (B, findings); their sigmoid is a probability."""
        seen = self.see(pixels).mean(dim=(2, 3))  # (B, D, H, W) -> (B, D)
        return self.heads[0](seen), self.heads[1](seen)

    def fuse(self, pixels: Any, question_ids: Any, question_mask: Any) -> Any:
        """Return fused tokens (B, fused_tokens, D) of photographs and their questions."""
        seen = self.see(pixels).flatten(2).transpose(1, 2)  # (B, D, H, W) -> (B, H * W, D)
        read = self.reader(input_ids=question_ids, attention_mask=question_mask).last_hidden_state
        return self.fusion(seen, read, question_mask.bool())

    def forward(
        self,
        pixels: Any,
        question_ids: Any,
        question_mask: Any,
        input_ids: Any,
        attention_mask: Any,
        labels: Any = None,
    ) -> Any:
        """Return what the language model gives for fused tokens followed by the text.

        Parameters
        ----------
        pixels : (B, 3, S, S)
        question_ids, question_mask : (B, Q)
            The question, in the text encoder's tokens.
        input_ids, attention_mask : (B, T)
            The dialogue, in the language model's tokens.
        labels : (B, T), optional
            As `input_ids`, -100 where a token is not learned; the result then has a `loss`.
        """
        fused = self.fuse(pixels, question_ids, question_mask)
        words = self.language.get_input_embeddings()(input_ids)
        embedded = torch.cat([fused.to(words.dtype), words], dim=1)  # (B, F + T, D)
        before = attention_mask.new_ones(fused.shape[:2])
        mask = torch.cat([before, attention_mask], dim=1)
        if labels is not None:
            labels = torch.cat([torch.full_like(before, -100), labels], dim=1)
        return self.language(inputs_embeds=embedded, attention_mask=mask, labels=labels)

    def encoder_loss(self, pixels: Any, diseases: Any, findings: Any) -> Any:
        """Return stage 1's loss: binary cross-entropy over the labels of both heads.

        Labels are 1 (present), 0 (absent) or NaN (not assessed), which counts for nothing.
        """
        losses = []
        for scores, labels in zip(self.judge(pixels), (diseases, findings), strict=True):
            known = ~labels.isnan()
            if known.any():
                losses.append(
                    nn.functional.binary_cross_entropy_with_logits(
                        scores[known], labels[known].to(scores.dtype)
                    )
                )
        if not losses:
            raise ModelError("no label of this batch is known", mend="leave such batches out")
        return torch.stack(losses).mean()

    def language_loss(self, **batch: Any) -> Any:
        """Return the loss of stages 2 (fusion) and 3 (language): next tokens of the answers."""
        return self(**batch).loss

    def train_stage(self, stage: Stage) -> list[str]:
        """Freeze all but what a stage trains; return the names of what it trains.

        Stage `encoder` trains ConvNeXt, gate and heads; `fusion` the fusion alone; `language` the
        language model alone.
        """
        if stage not in _TRAINED:
            raise ModelError(f"no stage {stage!r}", mend=f"one of {', '.join(STAGES)}")
        trained = []
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(_TRAINED[stage]))
            if parameter.requires_grad:
                trained.append(name)
        return trained


_STAGE = re.compile(r"^stages\.(\d+)\.(\d+)\.(.+)$")
_DOWN = re.compile(r"^downsample_layers\.(\d+)\.(\d+)\.(.+)$")


def convnext_tensors(released: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors of a released ConvNeXt under ConvNextModel's names; heads are left out.

    The release computes layer norms with eps 1e-6; ConvNextModel wants `layer_norm_eps=1e-6` in
    its configuration to give the same numbers.

    Raises
    ------
    ModelError
        If a name is not one of a ConvNeXt.
    """
    made = {}
    for name, values in released.items():
        if name.startswith(("head.", "head_2.", "se.", "fc.")):
            continue
        made[_convnext_name(name)] = values
    return made


def _convnext_name(name: str) -> str:
    if found := _STAGE.match(name):
        stage, layer, rest = found.groups()
        rest = "layer_scale_parameter" if rest == "gamma" else rest.replace("norm.", "layernorm.")
        return f"encoder.stages.{stage}.layers.{layer}.{rest}"
    if found := _DOWN.match(name):
        stage, part, rest = found.groups()
        if stage == "0":
            return f"embeddings.{('patch_embeddings', 'layernorm')[int(part)]}.{rest}"
        return f"encoder.stages.{stage}.downsampling_layer.{part}.{rest}"
    if name.startswith("norm."):
        return name.replace("norm.", "layernorm.", 1)
    raise ModelError(f"{name!r} is no tensor of a ConvNeXt", mend="is it OphGLM's encoder?")
