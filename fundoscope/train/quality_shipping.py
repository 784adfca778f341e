"""The judge of quality as it ships: one ONNX file, and a manifest that says what it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fundoscope.perceive.field import Pixels, find_field
from fundoscope.perceive.frames import frame_of_field
from fundoscope.perceive.quality import quality_picture
from fundoscope.perceive.runtime import standardised
from fundoscope.read.photographs import read_pixels
from fundoscope.train.agreement import quadratic_kappa, share_right, with_interval
from fundoscope.train.kind_pictures import KINDS
from fundoscope.train.loop import trained
from fundoscope.train.networks import Judge
from fundoscope.train.onnx_files import write_onnx
from fundoscope.train.quality import (
    ANSWERS,
    CHANNELS,
    WIDTHS,
    QualityConfig,
    logits_of,
    new_judge,
    pools,
)
from fundoscope.train.quality_pictures import GOOD_BELOW, GRADES, REASONS
from fundoscope.train.quality_pool import LICENCES, PICTURE_PX, Pool, Source, by_eye

GOOD_FROM, ULTRA_WIDE_FROM, NO_FUNDUS_FROM = 0.75, 0.12, 0.2
"""Least probabilities, chosen on the frames that the manifest names."""
_WARMTHS = np.exp(np.linspace(-1.2, 1.2, 49))


class Answers(nn.Module):
    """The network with its logits made severities and probabilities."""

    def __init__(self, network: nn.Module, warmth_grades: float, warmth_kinds: float) -> None:
        super().__init__()
        self.network = network
        self.warmths = warmth_grades, warmth_kinds

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        severities, grades, kinds = self.network(picture).split(ANSWERS, dim=1)
        return (
            torch.sigmoid(severities),
            torch.softmax(grades / self.warmths[0], dim=1),
            torch.softmax(kinds / self.warmths[1], dim=1),
        )


@dataclass(frozen=True)
class Warmths:
    """What logits are divided by, so that probabilities are as often right as they say."""

    quality: float
    kind: float


def ship_quality(config: QualityConfig, weights: Path) -> Path:
    """Write quality.onnx and quality.json of a trained judge; return the manifest."""
    network, steps = trained(new_judge, config.run)
    _, apart = pools(config)
    warmths = fitted_warmths(network, apart)
    write_judge(Answers(network, warmths.quality, warmths.kind), weights / "quality.onnx")
    manifest = _manifest(config, steps, network, warmths, apart)
    path = weights / "quality.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_judge(answers: Answers, path: Path) -> None:
    """Write the network with batch left open."""
    names = ["severities", "quality", "kind"]
    axes = {name: {0: "batch"} for name in ("picture", *names)}
    write_onnx(answers, (1, CHANNELS, PICTURE_PX, PICTURE_PX), names, axes, path)


def fitted_warmths(network: Judge, tried: Pool) -> Warmths:
    """Return the temperatures of least cross-entropy over pictures not learned from."""
    _, grades, kinds = logits_of(network, tried)
    true_kinds = functional.one_hot(torch.from_numpy(tried.kinds), len(KINDS)).float()
    true_grades = torch.from_numpy(tried.grades)
    graded = ~true_grades[:, 0].isnan()
    return Warmths(
        _warmth(grades[graded], true_grades[graded]), max(1.0, _warmth(kinds, true_kinds))
    )


def _warmth(logits: Tensor, true: Tensor) -> float:
    losses = [float(functional.cross_entropy(logits / warmth, true)) for warmth in _WARMTHS]
    return round(float(_WARMTHS[int(np.argmin(losses))]), 3)


def _manifest(
    config: QualityConfig, steps: int, network: Judge, warmths: Warmths, apart: Pool
) -> dict[str, Any]:
    sets: Mapping[str, Any] = json.loads((config.run / "sources.json").read_text())
    return {
        "task": "quality",
        "version": f"{date.today():%Y.%m.%d}",
        "architecture": f"Judge{WIDTHS}",
        "parameters": sum(p.numel() for p in network.parameters()),
        "input": {
            "field_px": PICTURE_PX,
            "channels": CHANNELS,
            "picture": "plain colours, then Weber contrast; (value - 128) / 40",
        },
        "outputs": {"severities": list(REASONS), "quality": list(GRADES), "kind": list(KINDS)},
        "reason_from": GOOD_BELOW,
        "good_from": GOOD_FROM,
        "ultra_wide_from": ULTRA_WIDE_FROM,
        "not_a_fundus_photograph_from": NO_FUNDUS_FROM,
        "chosen_on": "UNAM frames, graded by eye, of patients of even number",
        "temperatures": asdict(warmths),
        "trained_on": [
            {"set": name, "photographs": learned, "licence": LICENCES[name]}
            for name, (learned, _) in sorted(sets.items())
        ],
        "scores": {**_scores_apart(network, apart), **_scores_of_frames(network, config.data)},
        "licence": "research-only: ODIR5K states no licence, DRIONS is for research",
        "augmentation": "spoiled by known amounts (quality_pictures.py), made ultra-wide, turned, "
        "mirrored, zoomed, tinted, noise",
        "seed": config.seed,
        "steps": steps,
        "command": "fundoscope train segmenter --task quality --data DATA --run RUN",
    }


def _scores_apart(network: Judge, apart: Pool) -> dict[str, Any]:
    severities, grades, kinds = (part.numpy() for part in logits_of(network, apart))
    drawn = ~np.isnan(apart.grades[:, 0]) & ~apart.real
    said = shipped_grades(torch.softmax(torch.from_numpy(grades), dim=1).numpy())
    true = apart.grades.argmax(axis=1)
    off = np.abs(1 / (1 + np.exp(-severities)) - apart.severities)[drawn]
    return {
        "spoiled_kappa": with_interval(quadratic_kappa, true[drawn], said[drawn]),
        "drawn_kind_right": with_interval(share_right, apart.kinds, kinds.argmax(axis=1)),
        "spoiled_severity_mean_error": {
            reason: round(float(value), 3)
            for reason, value in zip(REASONS, off.mean(axis=0), strict=True)
        },
    }


def _scores_of_frames(network: Judge, data: Path) -> dict[str, Any]:
    odir = [
        (data / "ODIR5K/images" / f"{row['photograph']}.jpg", row["quality"])
        for row in by_eye()
        if Source("ODIR5K", row["photograph"], np.zeros((1, 1, 3), np.uint8)).apart
    ]
    out = {"odir_by_eye_apart_kappa": _kappa(network, odir)}
    listing = data / "labels/unam_quality_by_eye.csv"
    if listing.exists():
        rows = list(csv.DictReader(listing.read_text("utf-8").splitlines()))
        files = {path.stem: path for path in (data / "UNAM_FUNDUS/images").iterdir()}
        for name, left in (("all", (0, 1)), ("not_looked_at", (1,))):
            some = [r for r in rows if int(r["photograph"].split("_")[0]) % 2 in left]
            pairs = [(files[r["photograph"]], r["quality"]) for r in some]
            out[f"unam_{name}_kappa"] = _kappa(network, pairs)
    return out


def _kappa(network: Judge, frames: Iterable[tuple[Path, str]]) -> dict[str, Any]:
    pairs = [(said_grade(network, read_pixels(path)), GRADES.index(g)) for path, g in frames]
    said, true = np.array(pairs).T
    return with_interval(quadratic_kappa, true, said)


@torch.no_grad()
def said_grade(network: Judge, pixels: Pixels) -> int:
    """Return the index of the grade that the network gives a photograph."""
    frame = frame_of_field(find_field(pixels), pixels.shape[:2], PICTURE_PX)
    logits = network(torch.from_numpy(standardised(quality_picture(frame.cut(pixels)))))
    return int(shipped_grades(torch.softmax(logits.split(ANSWERS, dim=1)[1], dim=1).numpy())[0])


def shipped_grades(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the index of the grade, as `perceive.quality` decides it, of rows (n, 3)."""
    good, reject = probabilities[:, 0] >= GOOD_FROM, probabilities[:, 2] >= 0.5
    return np.where(good, 0, np.where(reject, 2, 1))
