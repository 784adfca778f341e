"""A trained outliner as it ships: one ONNX file, and a manifest that says what it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fundoscope.train.examples import Example, known_of
from fundoscope.train.loop import trained
from fundoscope.train.onnx_files import write_onnx
from fundoscope.train.outliner_tasks import OutlinerTask, outliner_task
from fundoscope.train.segmenters import SegmenterConfig, new_outliner, outlined, parted

_AUGMENTATION = "zoom, turn, stretch, mirror, sharpness, resolution, JPEG, colour, light, noise"
_THRESHOLDS = np.arange(0.1, 0.91, 0.05)
_CUP_DICE_LEAST = 0.8
"""Lower end of the interval of the cup's Dice from which a network may tell cups."""


class _Probabilities(nn.Module):
    """The network with its logits made probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return torch.sigmoid(self.network(picture))


def ship_segmenter(config: SegmenterConfig, weights: Path) -> Path:
    """Write NAME.onnx and NAME.json of a trained outliner; return the manifest.

    Thresholds are the highest whose Dice is as good as the best, over the photographs that were
    held out, of cameras that were learned from.
    """
    task = outliner_task(config.task)
    network, steps = trained(partial(new_outliner, task), config.run)
    write_outliner(network, task.channels, weights / f"{task.name}.onnx")
    manifest = _manifest(task, config, steps, network)
    path = weights / f"{task.name}.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return path


def write_outliner(network: nn.Module, channels: int, path: Path) -> None:
    """Write an outliner whose input is (B, channels, H, W), batch and sides left open."""
    axes = {0: "batch", 2: "height", 3: "width"}
    write_onnx(
        _Probabilities(network),
        (1, channels, 256, 256),
        ["probabilities"],
        {"picture": axes, "probabilities": axes},
        path,
    )


def _manifest(
    task: OutlinerTask,
    config: SegmenterConfig,
    steps: int,
    network: nn.Module,
) -> dict[str, Any]:
    learned, trial = parted(task, config)
    size = "frame_px" if task.name == "disc_cup" else "field_px"
    cameras = sorted({e.camera for e in learned})
    thresholds, scores = _thresholds_and_scores(network, task, trial, cameras)
    return {
        "task": task.name,
        "version": f"{date.today():%Y.%m.%d}",
        "architecture": f"Outliner{task.widths}",
        "parameters": sum(p.numel() for p in network.parameters()),
        "input": {size: task.field_px, "channels": task.channels},
        "outputs": list(task.parts),
        "thresholds": thresholds,
        "least_px": dict(zip(task.parts, task.least_px or (4,) * len(task.parts), strict=True)),
        **({"tells_cup": _tells_cup(scores)} if task.name == "disc_cup" else {}),
        "trained_on": [
            {"set": c, "photographs": sum(e.camera == c for e in learned)} for c in cameras
        ],
        "held_out": scores,
        "licence": task.licence,
        "augmentation": _AUGMENTATION,
        "seed": config.seed,
        "steps": steps,
        "command": f"fundoscope train segmenter --task {task.name} --data DATA --run RUN",
        "code": _revision(),
    }


def _tells_cup(scores: Mapping[str, Any]) -> bool:
    """Return whether cups come out right in whole photographs that were held out."""
    dice = scores.get("placed/cup", {"interval_95": [0.0]})["interval_95"][0]
    return bool(dice >= _CUP_DICE_LEAST)


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _thresholds_and_scores(
    network: nn.Module, task: OutlinerTask, trial: Sequence[Example], cameras: Sequence[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the best threshold of each part, and Dice per photograph at it, by camera."""
    counts: dict[tuple[str, int], list[tuple[Any, Any, float]]] = {}
    for example in trial:
        said, coded = outlined(network, task, example)
        for part in range(len(task.parts)):
            if example.known >> part & 1:
                known = known_of(coded, part)
                there = ((coded >> part) & 1 > 0)[known]
                here = np.sort(said[part][known])
                hits = np.sort(said[part][known][there])
                said_n = len(here) - np.searchsorted(here, _THRESHOLDS)
                hit_n = len(hits) - np.searchsorted(hits, _THRESHOLDS)
                counts.setdefault((example.camera, part), []).append(
                    (said_n, hit_n, float(there.sum()))
                )
    thresholds: dict[str, float] = {}
    scores: dict[str, Any] = {}
    for part, name in enumerate(task.parts):
        rows = [r for (c, p), found in counts.items() if p == part and c in cameras for r in found]
        pooled = [2 * sum(r[1] for r in rows) / (sum(r[0] for r in rows) + sum(r[2] for r in rows))]
        good = np.flatnonzero(pooled[0] >= np.max(pooled[0]) - task.worth) if rows else [8]
        best = int(good[-1])
        thresholds[name] = round(float(_THRESHOLDS[best]), 2)
        for (camera, p), found in sorted(counts.items()):
            dice = [2 * r[1][best] / (r[0][best] + r[2]) for r in found if r[2] > 0]
            if p == part and dice:
                scores[f"{camera}/{name}"] = _with_interval(dice)
    return thresholds, scores


def _with_interval(values: Sequence[float]) -> Mapping[str, Any]:
    chance = np.random.default_rng(0)
    drawn = chance.choice(np.asarray(values), (2000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "dice": round(float(np.mean(values)), 3),
        "interval_95": [round(float(low), 3), round(float(high), 3)],
        "photographs": len(values),
    }
