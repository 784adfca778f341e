"""Training of the outliners: a plain loop that can be cut at any moment and goes on."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fundoscope.perceive.frames import in_threes
from fundoscope.perceive.runtime import standardised
from fundoscope.train.crops import Batch, Crops
from fundoscope.train.examples import Example, examples_of, known_of
from fundoscope.train.loop import CHECKPOINT, Learner, begin_process, log, mean_loss, rate_at
from fundoscope.train.networks import Outliner
from fundoscope.train.outliner_tasks import OutlinerTask, outliner_task


@dataclass(frozen=True)
class SegmenterConfig:
    """What a run may vary; all else stands in its task."""

    task: str
    data: Path
    run: Path
    """Folder for the checkpoint, the log and the prepared arrays."""
    steps: int
    """Optimiser steps in all; a rerun goes on to them."""
    leave_out: str = ""
    """A camera that is not learned from at all, to score on it."""
    seed: int = 0
    learning_rate: float = 0.02
    """Of the kernels; the rest learns at a tenth of it."""
    threads: int = 1
    keep_every_steps: int = 200
    score_every_steps: int = 1000
    start_from: Path | None = None
    """First weights, as `fundoscope.train.loop.write_start` writes them."""
    device: str = "cpu"
    """What learns: "cpu" or "cuda"."""
    decay: float = 0.5
    """Last share of the steps over which the rate falls to nothing; 0 to be gone on with."""


def train_segmenter(config: SegmenterConfig, progress: Callable[[int], None] | None = None) -> Path:
    """Train an outliner, or go on with it; return its checkpoint.

    Parameters
    ----------
    progress : called with the number of steps just done.

    Raises
    ------
    ConfigError
        If the task is unknown.
    """
    begin_process(config.threads, config.device)
    task = outliner_task(config.task)
    learner = Learner(
        partial(new_outliner, task),
        config.run,
        config.seed,
        mean_over_steps=500,
        start_from=config.start_from,
        device=config.device,
    )
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=1))
    learned, trial = parted(task, config)
    crops = Crops(learned, task.draw, config.device)
    advance = progress or (lambda number: None)
    advance(learner.step)
    began = time.monotonic()
    losses: list[Tensor] = []
    while learner.step < config.steps:
        seed = (config.seed, learner.step)  # of the step: a cut run goes on with what was next
        batch = crops.batch(task.batch, seed)
        rate = rate_at(learner.step, config.steps, config.learning_rate, 100, config.decay)
        losses.append(learner.learn(rate, partial(_loss, batch, task.rarity)))
        advance(1)
        if learner.step % 20 == 0:
            seconds = round(time.monotonic() - began, 1)
            log(config.run, step=learner.step, loss=mean_loss(losses), seconds=seconds)
            losses.clear()
        if learner.step % config.keep_every_steps == 0 or learner.step == config.steps:
            learner.keep(config.run)
        if learner.step % config.score_every_steps == 0 or learner.step == config.steps:
            log(config.run, step=learner.step, scores=scores(learner.mean_network, task, trial))
    return config.run / CHECKPOINT


def _loss(batch: Batch, rarity: Sequence[float], network: nn.Module) -> Tensor:
    return outline_loss(network(batch.pictures), batch.truth, batch.weight, rarity)


def parted(task: OutlinerTask, config: SegmenterConfig) -> tuple[list[Example], list[Example]]:
    """Return the photographs that are learned from, and those that are held out."""
    examples = prepared(task, config)
    apart = [task.held_out(e) or e.camera == config.leave_out for e in examples]
    return (
        [e for e, is_apart in zip(examples, apart, strict=True) if not is_apart],
        [e for e, is_apart in zip(examples, apart, strict=True) if is_apart],
    )


def new_outliner(task: OutlinerTask) -> Outliner:
    """Return the network of a task, not yet trained."""
    return Outliner(task.channels, len(task.parts), task.widths)


def prepared(task: OutlinerTask, config: SegmenterConfig) -> list[Example]:
    """Return the task's photographs, prepared once beside its runs."""
    work = config.run.parent
    return examples_of(work / f"{task.name}.prepared", lambda: task.prepare(config.data, work))


def outline_loss(
    logits: Tensor, truth: Tensor, weight: Tensor, rarity: Sequence[float] = ()
) -> Tensor:
    """Return cross-entropy plus one minus soft Dice over the batch, where weight is not 0.

    All of shape (B, parts, H, W). Parts that are nowhere in the batch have no Dice: it would be
    zero whatever was said.
    """
    logits = logits.float()
    known = weight.sum().clamp(min=1)
    rare = torch.tensor(rarity, device=logits.device)[:, None, None] if rarity else None
    entropy = functional.binary_cross_entropy_with_logits(
        logits, truth, reduction="none", pos_weight=rare
    )
    entropy = (entropy * weight).sum() / known
    said = torch.sigmoid(logits) * weight
    there = truth * weight
    both = (said * there).sum(dim=(0, 2, 3))
    either = said.sum(dim=(0, 2, 3)) + there.sum(dim=(0, 2, 3))
    shown = (there.sum(dim=(0, 2, 3)) > 0).float()
    dice = 2 * both / either.clamp(min=1)
    missed = ((1 - dice) * shown).sum() / shown.sum().clamp(min=1)
    return 2 * entropy + 0.5 * missed


@torch.no_grad()
def scores(network: Outliner, task: OutlinerTask, examples: Sequence[Example]) -> dict[str, Any]:
    """Return per camera and part: mean Dice at one half, and average precision over all pixels."""
    from sklearn.metrics import average_precision_score

    found: dict[str, dict[str, list[Any]]] = {}
    for example in examples:
        said, coded = outlined(network, task, example)
        for part, name in enumerate(task.parts):
            if not example.known >> part & 1:
                continue
            known = known_of(coded, part)
            there, here = ((coded >> part) & 1 > 0)[known], said[part][known]
            row = found.setdefault(f"{example.camera}/{name}", {"dice": [], "p": [], "t": []})
            if there.any():
                both = 2 * float((here >= 0.5)[there].sum())
                row["dice"].append(both / (float((here >= 0.5).sum()) + float(there.sum())))
            row["p"].append((here[::3] * 255).astype(np.uint8))
            row["t"].append(there[::3])
    out: dict[str, Any] = {}
    for name, row in sorted(found.items()):
        truth, said = np.concatenate(row["t"]), np.concatenate(row["p"])
        precision = float(average_precision_score(truth, said)) if truth.any() else math.nan
        dice = float(np.mean(row["dice"])) if row["dice"] else math.nan
        out[name] = {"n": len(row["p"]), "dice": round(dice, 4), "ap": round(precision, 4)}
    return out


@torch.no_grad()
def outlined(network: Outliner, task: OutlinerTask, example: Example) -> tuple[Any, Any]:
    """Return probabilities (parts, H, W) of a whole photograph as it is looked at, and truth."""
    size = (task.field_px, task.field_px)
    small = in_threes(lambda p: cv2.resize(p, size, interpolation=cv2.INTER_AREA), example.picture)
    device = next(network.parameters()).device
    picture = torch.from_numpy(standardised(small)).to(device, memory_format=torch.channels_last)
    said = torch.sigmoid(network(picture))[0].cpu()
    coded = cv2.resize(example.truth, size, interpolation=cv2.INTER_NEAREST)
    return said.numpy(), coded
