"""Training of the judge of quality and kind: a plain loop that can be cut and goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fundoscope.train.agreement import quadratic_kappa
from fundoscope.train.kind_pictures import KINDS
from fundoscope.train.networks import Judge
from fundoscope.train.orthogonal import Orthogonal
from fundoscope.train.quality_pictures import GRADES, REASONS
from fundoscope.train.quality_pool import Pool, Source, pool, sources

WIDTHS = (16, 32, 48, 72, 104)
CHANNELS = 6
ANSWERS = (len(REASONS), len(GRADES), len(KINDS))


@dataclass(frozen=True)
class QualityConfig:
    """What a run may vary."""

    data: Path
    run: Path
    """Folder for the checkpoint, the log and the pools."""
    steps: int = 1200
    """Optimiser steps in all; a rerun goes on to them."""
    seed: int = 0
    pictures: int = 6000
    """Drawn once, to learn from; each is seen turned and mirrored."""
    pictures_apart: int = 900
    """Drawn once, to score on."""
    batch: int = 32
    learning_rate: float = 0.02
    """Of the kernels; the rest learns at a tenth of it."""
    threads: int = 1
    keep_every_steps: int = 100
    decay: float = 0.4
    """Last share of the steps over which the rate falls to nothing."""


def train_quality(config: QualityConfig) -> Path:
    """Train the judge, or go on with it; return its checkpoint."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    config.run.mkdir(parents=True, exist_ok=True)
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=1))
    learned, apart = pools(config)
    state = _State(config)
    began, losses = time.monotonic(), []
    while state.step < config.steps:
        losses.append(state.learn(_batch(learned, config, state.step), config))
        if state.step % 20 == 0:
            seconds = round(time.monotonic() - began, 1)
            loss = round(float(np.mean(losses)), 4)
            _log(config.run, step=state.step, loss=loss, seconds=seconds)
            losses.clear()
        if state.step % config.keep_every_steps == 0 or state.step == config.steps:
            state.keep(config.run)
            _log(config.run, step=state.step, scores=scores(state.mean_network, apart))
    return config.run / "checkpoint.pt"


def pools(config: QualityConfig) -> tuple[Pool, Pool]:
    """Return the pictures learned from and those apart, drawn the first time."""
    folders = [config.run / name for name in ("learned", "apart")]
    found: list[Source] = []
    if not all((folder / "known.json").exists() for folder in folders):
        found = list(sources(config.data))
        tally = {s.set: [0, 0] for s in found}
        for source in found:
            tally[source.set][source.apart] += 1
        (config.run / "sources.json").write_text(json.dumps(tally, indent=1))
    return (
        pool(folders[0], found, config.pictures, config.seed, apart=False),
        pool(folders[1], found, config.pictures_apart, config.seed, apart=True),
    )


class _State:
    """Network, its running mean, its optimisers and the step: all that a rerun needs."""

    _PARTS = ("network", "mean_network", "kernels", "others")

    def __init__(self, config: QualityConfig) -> None:
        torch.manual_seed(config.seed)
        self.network, self.mean_network = new_judge(), new_judge()
        self.mean_network.load_state_dict(self.network.state_dict())
        self.mean_network.eval()
        kernels = [p for p in self.network.parameters() if p.ndim == 4]
        others = [p for p in self.network.parameters() if p.ndim != 4]
        self.kernels = Orthogonal(kernels, lr=config.learning_rate)
        self.others = torch.optim.AdamW(others, lr=config.learning_rate / 10, weight_decay=0.0)
        self.step = 0
        kept = config.run / "checkpoint.pt"
        if kept.exists():
            saved = torch.load(kept, weights_only=True)
            for name in self._PARTS:
                getattr(self, name).load_state_dict(saved[name])
            self.step = saved["step"]

    def keep(self, run: Path) -> None:
        whole = {name: getattr(self, name).state_dict() for name in self._PARTS}
        torch.save({**whole, "step": self.step}, run / "checkpoint.pt.new")
        (run / "checkpoint.pt.new").replace(run / "checkpoint.pt")

    def learn(self, batch: tuple[Tensor, ...], config: QualityConfig) -> float:
        self.network.train()
        torch.manual_seed(config.seed + self.step)  # of dropout: a cut run goes on alike
        rate = _rate(self.step, config)
        for optimiser, own in ((self.kernels, 1.0), (self.others, 0.1)):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * own
        loss = judge_loss(self.network(batch[0]), *batch[1:])
        loss.backward()  # type: ignore[no-untyped-call]
        self.kernels.step()
        self.others.step()
        self.step += 1
        self._follow(min(0.995, 1 - 1 / (1 + self.step / 3)))
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        now = self.network.state_dict()
        for name, mean in self.mean_network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - keep)
            else:
                mean.copy_(now[name])


def new_judge() -> Judge:
    """Return the network, not yet trained."""
    judge = Judge(CHANNELS, sum(ANSWERS), WIDTHS)
    return judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def judge_loss(logits: Tensor, severities: Tensor, grades: Tensor, kinds: Tensor) -> Tensor:
    """Return the sum of three cross-entropies, each over what is known.

    logits of shape (B, 10); severities (B, 4) and grades (B, 3) are NaN where nothing is known;
    kinds of shape (B,).
    """
    said_severities, said_grades, said_kinds = logits.split(ANSWERS, dim=1)
    known = ~severities.isnan()
    entropy = functional.binary_cross_entropy_with_logits(
        said_severities, severities.nan_to_num(), reduction="none"
    )
    loss = (entropy * known).sum() / known.sum().clamp(min=1)
    graded = ~grades[:, 0].isnan()
    if bool(graded.any()):
        loss = loss + functional.cross_entropy(said_grades[graded], grades[graded])
    return loss + 0.7 * functional.cross_entropy(said_kinds, kinds, label_smoothing=0.02)


def _batch(learned: Pool, config: QualityConfig, step: int) -> tuple[Tensor, ...]:
    chance = np.random.default_rng((config.seed, step))  # of the step: a cut run goes on alike
    chosen = chance.choice(len(learned.kinds), config.batch, replace=False)
    pictures = np.stack([_turned(learned.pictures[i], chance) for i in chosen])
    values = (pictures.astype(np.float32) - 128) / 40
    values *= np.exp(chance.normal(0, 0.03, (len(values), 1, 1, 6))).astype(np.float32)
    values += chance.standard_normal(values.shape, np.float32) * np.float32(chance.uniform(0, 0.06))
    return (
        torch.from_numpy(values).permute(0, 3, 1, 2),
        torch.from_numpy(learned.severities[chosen]),
        torch.from_numpy(learned.grades[chosen]),
        torch.from_numpy(learned.kinds[chosen]),
    )


def _turned(picture: Any, chance: np.random.Generator) -> Any:
    turned = np.rot90(picture, int(chance.integers(4)))
    return turned[:, ::-1] if chance.random() < 0.5 else turned


def _rate(step: int, config: QualityConfig) -> float:
    warm = min(1.0, (step + 1) / 60)
    left = (config.steps - step) / max(1.0, config.decay * config.steps)
    return config.learning_rate * warm * max(min(1.0, left), 0.02)


def _log(run: Path, **row: Any) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


@torch.no_grad()
def logits_of(network: Judge, tried: Pool) -> tuple[Tensor, ...]:
    """Return logits of severities, grades and kinds of all pictures."""
    said = torch.cat([network(pictures) for pictures in _in_batches(tried)])
    return said.split(ANSWERS, dim=1)


def _in_batches(tried: Pool) -> Iterator[Tensor]:
    for start in range(0, len(tried.kinds), 64):
        values = (tried.pictures[start : start + 64].astype(np.float32) - 128) / 40
        yield torch.from_numpy(values).permute(0, 3, 1, 2)


def scores(network: Judge, tried: Pool) -> dict[str, float]:
    """Return quadratic kappa of spoiled and of real frames, accuracy of kind, error of severity."""
    severities, grades, kinds = (part.numpy() for part in logits_of(network, tried))
    said = middle_grades(np.exp(grades))
    graded = ~np.isnan(tried.grades[:, 0])
    true = tried.grades.argmax(axis=1)

    def kappa(where: Any) -> float:
        return _rounded(quadratic_kappa(true[where], said[where]))

    off = np.abs(1 / (1 + np.exp(-severities)) - tried.severities)
    return {
        "kappa_spoiled": kappa(graded & ~tried.real),
        "kappa_by_eye": kappa(graded & tried.real),
        "kind_accuracy": _rounded(float((kinds.argmax(axis=1) == tried.kinds).mean())),
        "severity_error": _rounded(float(np.nanmean(off[~tried.real]))),
    }


def middle_grades(weights: Any) -> Any:
    """Return the index at which the share, from the first grade on, passes one half."""
    shares = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    return (shares >= 0.5).argmax(axis=1)


def _rounded(value: float) -> float:
    return round(value, 4)
