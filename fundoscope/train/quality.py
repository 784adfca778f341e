"""Training of the judge of quality and kind: a plain loop that can be cut and goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fundoscope.train.agreement import quadratic_kappa
from fundoscope.train.kind_pictures import KINDS
from fundoscope.train.loop import CHECKPOINT, Learner, begin_process, log, mean_loss, rate_at
from fundoscope.train.networks import Judge
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
    start_from: Path | None = None
    """First weights, as `fundoscope.train.loop.write_start` writes them."""
    decay: float = 0.4
    """Last share of the steps over which the rate falls to nothing."""


def train_quality(config: QualityConfig, progress: Callable[[int], None] | None = None) -> Path:
    """Train the judge, or go on with it; return its checkpoint.

    Parameters
    ----------
    progress : called with the number of steps just done.
    """
    begin_process(config.threads)
    learner = Learner(new_judge, config.run, config.seed, start_from=config.start_from)
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=1))
    learned, apart = pools(config)
    advance = progress or (lambda number: None)
    advance(learner.step)
    began, losses = time.monotonic(), []
    while learner.step < config.steps:
        pictures, *known = _batch(learned, config, learner.step)
        losses.append(
            learner.learn(
                _rate(learner.step, config),
                lambda network: judge_loss(network(pictures), *known),  # noqa: B023
            )
        )
        advance(1)
        if learner.step % 20 == 0:
            seconds = round(time.monotonic() - began, 1)
            loss = mean_loss(losses)
            log(config.run, step=learner.step, loss=loss, seconds=seconds)
            losses.clear()
        if learner.step % config.keep_every_steps == 0 or learner.step == config.steps:
            learner.keep(config.run)
            log(config.run, step=learner.step, scores=scores(learner.mean_network, apart))
    return config.run / CHECKPOINT


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


def new_judge() -> Judge:
    """Return the network, not yet trained."""
    return Judge(CHANNELS, sum(ANSWERS), WIDTHS)


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
    return rate_at(step, config.steps, config.learning_rate, 60, config.decay)


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
