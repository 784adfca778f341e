"""Training of the classifier of conditions: a plain loop that can be cut and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fundoscope.perceive.runtime import standardised
from fundoscope.train.condition_eyes import CONDITIONS, Eyes, Floats, prepared_eyes, shrunk, turned
from fundoscope.train.loop import CHECKPOINT, Learner, begin_process, log, mean_loss, rate_at
from fundoscope.train.networks import Judge
from fundoscope.train.roughening import Chances, roughened

WIDTHS = (24, 48, 96, 144, 192)
CHANNELS = 6
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ConditionsConfig:
    """What a run may vary."""

    data: Path
    run: Path
    steps: int = 1200
    fold: int = 0
    """Patients of this fold are never learned from."""
    batch: int = 24
    learning_rate: float = 0.012
    """Of the kernels; the rest learns at a tenth of it."""
    seed: int = 0
    threads: int = 1
    keep_every_steps: int = 100
    start_from: Path | None = None
    """First weights, as `fundoscope.train.loop.write_start` writes them."""


def train_conditions(
    config: ConditionsConfig, progress: Callable[[int], None] | None = None
) -> Path:
    """Train the classifier, or go on with it; return its checkpoint.

    Parameters
    ----------
    progress : called with the number of steps just done.
    """
    begin_process(config.threads)
    learner = Learner(
        new_classifier, config.run, config.seed, weight_decay=0.05, start_from=config.start_from
    )
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=1))
    eyes = prepared_eyes(config.data / "ODIR5K", config.run.parent)
    learned = np.flatnonzero(eyes.folds() != config.fold)
    apart = np.flatnonzero(eyes.folds() == config.fold)
    advance = progress or (lambda number: None)
    advance(learner.step)
    losses: list[Tensor] = []
    while learner.step < config.steps:
        pictures, truth, known = _batch(eyes, learned, config, learner.step)
        rate = rate_at(learner.step, config.steps, config.learning_rate, 60, decay=0.7)
        losses.append(
            learner.learn(rate, lambda network: _loss(network(pictures), truth, known))  # noqa: B023
        )
        advance(1)
        if learner.step % 20 == 0:
            log(config.run, step=learner.step, loss=mean_loss(losses))
            losses.clear()
        if learner.step % config.keep_every_steps == 0 or learner.step == config.steps:
            learner.keep(config.run)
            said = probabilities(learner.mean_network, eyes, apart)
            log(config.run, step=learner.step, areas=areas(said, eyes, apart))
    return config.run / CHECKPOINT


def new_classifier() -> Judge:
    """Return the network, not yet trained."""
    return Judge(CHANNELS, len(CONDITIONS), WIDTHS, dropout=0.3)


def _loss(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    soft = truth * 0.94 + 0.03  # annotators err
    return functional.binary_cross_entropy_with_logits(logits, soft, weight=known)


def _batch(
    eyes: Eyes, learned: Indices, config: ConditionsConfig, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    chance = np.random.default_rng((config.seed, step))  # of the step: a cut run goes on alike
    share = np.maximum(eyes.truth[learned].mean(axis=0), 0.01)
    rarity = (eyes.truth[learned] @ (1 / share) + 1) ** 0.5
    drawn = chance.choice(learned, config.batch, p=rarity / rarity.sum())
    pictures = torch.from_numpy(np.stack([turned(eyes.pictures[i], chance) for i in drawn]))
    chances = Chances(chance, len(drawn), pictures.device)
    return (
        roughened(pictures, chances).contiguous(memory_format=torch.channels_last),
        torch.from_numpy(eyes.truth[drawn]),
        torch.from_numpy(eyes.known[drawn]),
    )


def probabilities(network: nn.Module, eyes: Eyes, which: Indices) -> Floats:
    """Return probabilities (len(which), conditions), not yet calibrated."""
    return 1 / (1 + np.exp(-logits_of(network, eyes, which)))


@torch.no_grad()
def logits_of(network: nn.Module, eyes: Eyes, which: Indices) -> Floats:
    """Return logits (len(which), conditions), each the mean of a picture's and its mirror's."""
    said = [
        mirrored_mean(network, torch.from_numpy(standardised(shrunk(eyes.pictures[i])))).numpy()[0]
        for i in which
    ]
    return np.array(said)


def mirrored_mean(network: nn.Module, picture: Tensor) -> Tensor:
    """Return the mean of what a network says of pictures (B, C, H, W) and of their mirrors."""
    said: Tensor = (network(picture) + network(picture.flip(3))) / 2
    return said


def areas(said: Floats, eyes: Eyes, which: Indices) -> dict[str, Any]:
    """Return the area under the ROC curve of each condition, and their mean."""
    from sklearn.metrics import roc_auc_score

    found: dict[str, float] = {}
    for column, term in enumerate(CONDITIONS):
        sure = eyes.known[which, column] > 0
        truth = eyes.truth[which, column][sure]
        found[term] = round(float(roc_auc_score(truth, said[sure, column])), 4)
    return found | {"mean": round(float(np.mean(list(found.values()))), 4)}
