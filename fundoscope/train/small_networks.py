"""Every network that ships, trained and shipped by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fundoscope.errors import ConfigError, nearest
from fundoscope.train.conditions import ConditionsConfig, train_conditions
from fundoscope.train.conditions_shipping import ship_conditions
from fundoscope.train.fovea_teacher import TAUGHT_FILE
from fundoscope.train.place_teaching import teach_places
from fundoscope.train.quality import QualityConfig, train_quality
from fundoscope.train.quality_shipping import ship_quality
from fundoscope.train.segmenters import SegmenterConfig, train_segmenter
from fundoscope.train.shipping import ship_segmenter

Progress = Callable[[int], None]


@dataclass(frozen=True)
class NetworkRun:
    """What a run of any of them may vary; all else stands in its task."""

    task: str
    data: Path
    """Folder of the sets, laid out as `docs/perceiving.md` says."""
    run: Path
    """Folder for checkpoint, log and prepared pictures; the same call goes on from it."""
    steps: int = 0
    """Optimiser steps in all; 0 takes as many as the shipped network had."""
    leave_out: str = ""
    """Outliners: a camera that is not learned from at all, to score on it."""
    seed: int = 0
    threads: int = 1
    start_from: Path | None = None
    """First weights, instead of drawn ones: what ships lies in `lab/starts`."""
    device: str = "cpu"
    """Outliners: what learns, "cpu" or "cuda"."""
    weights: Path | None = None
    """Folder to write NAME.onnx and NAME.json to at the end."""


STEPS: Mapping[str, int] = {
    "vessels": 9114,
    "lesions": 6738,
    "places": 2800,
    "disc_cup": 4460,
    "quality": 650,
    "conditions": 1280,
}
"""Of the shipped networks."""


def train_network(config: NetworkRun, progress: Progress | None = None) -> Path:
    """Train a small network, or go on with it; return its manifest, or else its checkpoint.

    Raises
    ------
    ConfigError
        If the task is unknown.
    """
    if config.task not in STEPS:
        raise ConfigError(f"no network learns {config.task!r}", mend=nearest(config.task, STEPS))
    config = replace(config, steps=config.steps or STEPS[config.task])
    train = {"quality": _quality, "conditions": _conditions, "places": _places}
    return train.get(config.task, _outliner)(config, progress)


def _common(config: NetworkRun) -> dict[str, Any]:
    """Return what every kind of training is asked for."""
    names = ("data", "run", "steps", "seed", "threads", "start_from")
    return {name: getattr(config, name) for name in names}


def _outliner(config: NetworkRun, progress: Progress | None) -> Path:
    asked = SegmenterConfig(
        task=config.task, leave_out=config.leave_out, device=config.device, **_common(config)
    )
    checkpoint = train_segmenter(asked, progress)
    return ship_segmenter(asked, config.weights) if config.weights else checkpoint


def _places(config: NetworkRun, progress: Progress | None) -> Path:
    """Train a network of discs, let it teach places, and train on what it taught."""
    work = config.run.parent
    if not (work / TAUGHT_FILE).exists():
        first = replace(
            config, task="disc_places", run=work / "disc_places", start_from=None, weights=None
        )
        _outliner(first, None)
        teach_places(config.data, first.run)
    return _outliner(config, progress)


def _quality(config: NetworkRun, progress: Progress | None) -> Path:
    asked = QualityConfig(**_common(config))
    checkpoint = train_quality(asked, progress)
    return ship_quality(asked, config.weights) if config.weights else checkpoint


def _conditions(config: NetworkRun, progress: Progress | None) -> Path:
    asked = ConditionsConfig(**_common(config))
    checkpoint = train_conditions(asked, progress)
    return ship_conditions(asked, config.weights) if config.weights else checkpoint
