"""Training of the outliners: a plain loop that can be cut at any moment and goes on."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fundoscope.perceive.frames import in_threes
from fundoscope.perceive.runtime import standardised
from fundoscope.train.examples import Crops, Example, examples_of, known_of
from fundoscope.train.networks import Outliner
from fundoscope.train.orthogonal import Orthogonal
from fundoscope.train.outliner_tasks import OUTLINER_TASKS, OutlinerTask


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
    decay: float = 0.3
    """Last share of the steps over which the rate falls to nothing; 0 to be gone on with."""


def train_segmenter(config: SegmenterConfig) -> Path:
    """Train an outliner, or go on with it; return its checkpoint.

    Raises
    ------
    ConfigError
        If the task is unknown.
    """
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)  # gradients near zero made a step backward twice as long
    cv2.setNumThreads(1)
    task = OUTLINER_TASKS[config.task]
    examples = prepared(task, config)
    learned = [e for e in examples if not task.held_out(e) and e.camera != config.leave_out]
    trial = [e for e in examples if task.held_out(e) or e.camera == config.leave_out]
    state = _State.begin(config, task)
    crops = Crops(learned, task.draw)
    began = time.monotonic()
    losses: list[float] = []
    while state.step < config.steps:
        losses.append(
            state.learn(
                _batch(crops, task.batch, (config.seed, state.step)), _rate(state.step, config)
            )
        )
        if state.step % 20 == 0:
            _log(
                config.run,
                step=state.step,
                loss=round(float(np.mean(losses)), 4),
                seconds=round(time.monotonic() - began, 1),
            )
            losses.clear()
        if state.step % config.keep_every_steps == 0 or state.step == config.steps:
            state.keep(config.run)
        if state.step % config.score_every_steps == 0 or state.step == config.steps:
            _log(config.run, step=state.step, scores=scores(state.mean_network, task, trial))
    return config.run / "checkpoint.pt"


def prepared(task: OutlinerTask, config: SegmenterConfig) -> list[Example]:
    """Return the task's photographs, prepared once beside its runs."""
    work = config.run.parent
    return examples_of(work / f"{task.name}.prepared", lambda: task.prepare(config.data, work))


class _State:
    """Network, its running mean, its optimisers and the step: all that a rerun needs."""

    def __init__(self, config: SegmenterConfig, task: OutlinerTask) -> None:
        torch.manual_seed(config.seed)
        self.network = Outliner(task.channels, len(task.parts), task.widths)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.mean_network = Outliner(task.channels, len(task.parts), task.widths)
        self.mean_network.load_state_dict(self.network.state_dict())
        self.mean_network.eval()
        kernels = [p for p in self.network.parameters() if p.ndim == 4 and p.shape[-1] == 3]
        others = [p for p in self.network.parameters() if not (p.ndim == 4 and p.shape[-1] == 3)]
        self.kernels = Orthogonal(kernels, lr=config.learning_rate)
        self.others = torch.optim.AdamW(others, lr=config.learning_rate / 10, weight_decay=0.0)
        self.step = 0

    @classmethod
    def begin(cls, config: SegmenterConfig, task: OutlinerTask) -> _State:
        config.run.mkdir(parents=True, exist_ok=True)
        (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=1))
        state = cls(config, task)
        kept = config.run / "checkpoint.pt"
        if kept.exists():
            saved = torch.load(kept, weights_only=True)
            for name in ("network", "mean_network", "kernels", "others"):
                getattr(state, name).load_state_dict(saved[name])
            state.step = saved["step"]
        return state

    def keep(self, run: Path) -> None:
        whole = {
            name: getattr(self, name).state_dict()
            for name in ("network", "mean_network", "kernels", "others")
        }
        torch.save({**whole, "step": self.step}, run / "checkpoint.pt.new")
        (run / "checkpoint.pt.new").replace(run / "checkpoint.pt")

    def learn(self, batch: tuple[Tensor, Tensor, Tensor], rate: float) -> float:
        self.network.train()
        for optimiser, own in ((self.kernels, 1.0), (self.others, 0.1)):
            for group in optimiser.param_groups:
                group["lr"] = rate * own
        pictures, truth, weight = batch
        loss = outline_loss(self.network(pictures), truth, weight)
        self.kernels.zero_grad()
        self.others.zero_grad()
        loss.backward()
        self.kernels.step()
        self.others.step()
        self.step += 1
        self._follow(min(0.998, 1 - 1 / (1 + self.step / 3)))
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        pairs = zip(
            self.mean_network.state_dict().values(), self.network.state_dict().values(), strict=True
        )
        for mean, now in pairs:
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)


def outline_loss(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Return cross-entropy plus one minus soft Dice over the batch, where weight is not 0.

    All of shape (B, parts, H, W). Parts that are nowhere in the batch have no Dice: it would be
    zero whatever was said.
    """
    known = weight.sum().clamp(min=1)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (entropy * weight).sum() / known
    said = torch.sigmoid(logits) * weight
    there = truth * weight
    both = (said * there).sum(dim=(0, 2, 3))
    either = said.sum(dim=(0, 2, 3)) + there.sum(dim=(0, 2, 3))
    shown = there.sum(dim=(0, 2, 3)) > 0
    dice = 2 * both / either.clamp(min=1)
    missed = (1 - dice)[shown].mean() if bool(shown.any()) else entropy * 0
    return 2 * entropy + 0.5 * missed


def _batch(crops: Crops, size: int, seed: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    chance = np.random.default_rng(seed)  # of the step: a cut run goes on with what was next
    drawn = [crops.one(chance) for _ in range(size)]
    pictures, truth, weight = (
        torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)
    )
    return pictures.contiguous(memory_format=torch.channels_last), truth, weight


def _rate(step: int, config: SegmenterConfig) -> float:
    warm = min(1.0, (step + 1) / 100)
    falling = max(1.0, config.decay * config.steps)
    left = min(1.0, (config.steps - step) / falling) if config.decay else 1.0
    return config.learning_rate * warm * max(left, 0.02)


def _log(run: Path, **row: Any) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


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
    """Return probabilities (parts, H, W) of a whole photograph at the task's detail, and truth."""
    size = round(example.picture.shape[0] * task.draw.detail)
    small = in_threes(
        lambda p: cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA), example.picture
    )
    picture = torch.from_numpy(standardised(small))
    said = torch.sigmoid(network(picture.contiguous(memory_format=torch.channels_last)))[0]
    coded = cv2.resize(example.truth, (size, size), interpolation=cv2.INTER_NEAREST)
    return said.numpy(), coded
