"""A vision encoder learns to see: photographs in, the chance of each of many labels out.

OphGLM's first stage, and what a small encoder needs before a language model can read from it. A
label that nobody looked for teaches nothing: missing is not absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fundoscope.errors import ConfigError
from fundoscope.train.loop import rate_at

Targets = NDArray[np.float32]
"""Shape (N, L): 1 present, 0 absent, NaN unknown."""


Look = Callable[[Any], Tensor]
"""From what an encoder of transformers returns to what the head takes."""


def pooled(seen: Any) -> Tensor:
    """Return the encoder's own summary of a photograph, shape (B, D)."""
    return seen.pooler_output.flatten(1)


def by_region(seen: Any, a_side: int = 3) -> Tensor:
    """Return the strongest answer of each feature in each of 3 x 3 regions, shape (B, 9 D).

    A mean over the photograph drowns what is small: a microaneurysm fills 1 of 10,000 pixels.
    """
    return functional.adaptive_max_pool2d(seen.last_hidden_state, a_side).flatten(1)


@dataclass(frozen=True)
class EncoderStage:
    """What the training of an encoder may vary."""

    steps: int
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0
    brightness: float = 0.15
    """Largest change of light and contrast, in deviations of the encoder's constants."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ConfigError("a stage has steps, and a batch photographs", mend="give at least 1")


def masked_loss(scores: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Return the mean loss of the labels that are known; 0 where none is.

    Parameters
    ----------
    scores, targets : shape (B, L); targets are NaN where nothing is known
    weight : shape (L,), of a present label beside an absent one
    """
    known = ~torch.isnan(targets)
    each = functional.binary_cross_entropy_with_logits(
        scores, torch.nan_to_num(targets), pos_weight=weight, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def presence_weight(targets: Targets, most: float = 10.0) -> NDArray[np.float32]:
    """Return how much each label's presence weighs: absent per present, at most `most`."""
    present = np.nansum(targets, axis=0)
    absent = np.nansum(1 - targets, axis=0)
    return np.clip(absent / np.maximum(present, 1), 1 / most, most).astype(np.float32)


def train_encoder(
    encoder: nn.Module,
    head: nn.Module,
    values_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    targets: Targets,
    stage: EncoderStage,
    progress: Callable[[int, float], None] = lambda step, loss: None,
    look: Look = pooled,
) -> list[float]:
    """Train an encoder and a linear head; return the loss of each step.

    Parameters
    ----------
    encoder : a vision encoder of transformers
    head : linear, from as many features as `look` returns to L
    values_of : prepared photographs of some rows, shape (B, 3, S, S)
    targets : of all photographs
    look : what of the encoder's answer the head sees: `pooled` or `by_region`
    """
    both = nn.ModuleList([encoder, head]).train()
    grown = [p for p in both.parameters() if p.ndim > 1]
    others = [p for p in both.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": grown, "weight_decay": stage.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=stage.learning_rate,
    )
    weight = torch.from_numpy(presence_weight(targets))
    losses = []
    for step, rows in enumerate(batches(len(targets), stage)):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(
                step, stage.steps, stage.learning_rate, max(1, stage.steps // 20), 0.7
            )
        values = relit(torch.from_numpy(values_of(rows)), stage, step)
        scores = head(look(encoder(values)))
        loss = masked_loss(scores, torch.from_numpy(targets[rows]), weight)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        progress(step + 1, losses[-1])
    both.eval()
    return losses


def batches(n: int, stage: EncoderStage) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step: all shuffled, epoch after epoch."""
    k = 0
    order = np.arange(n)
    for _ in range(stage.steps):
        rows: list[int] = []
        while len(rows) < min(stage.batch, n):
            epoch, at = divmod(k, n)
            if at == 0:
                order = np.random.default_rng([stage.seed, epoch]).permutation(n)
            rows.append(order[at])
            k += 1
        yield np.array(rows, np.int64)


def relit(values: Tensor, stage: EncoderStage, step: int) -> Tensor:
    """Return photographs under a little more or less light, with a little more or less contrast."""
    if not stage.brightness:
        return values
    chance = torch.Generator().manual_seed(stage.seed * 1_000_003 + step)
    change = torch.rand(2, len(values), 1, 1, 1, generator=chance) * 2 - 1
    return values * (1 + stage.brightness * change[0]) + stage.brightness * change[1]


def label_scores(
    encoder: nn.Module,
    head: nn.Module,
    values_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    n: int,
    batch: int = 32,
    look: Look = pooled,
) -> NDArray[np.float32]:
    """Return the chance of each label for each of n photographs, shape (N, L)."""
    found: list[Any] = []
    with torch.inference_mode():
        for begin in range(0, n, batch):
            rows = np.arange(begin, min(n, begin + batch))
            seen = look(encoder(torch.from_numpy(values_of(rows))))
            found.append(torch.sigmoid(head(seen)).numpy())
    return np.concatenate(found)
