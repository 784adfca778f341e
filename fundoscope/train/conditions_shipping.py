"""The classifier of conditions as it ships: calibrated, with two thresholds for each condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from fundoscope.train.agreement import over_groups
from fundoscope.train.condition_eyes import (
    CONDITIONS,
    FOLDS,
    PICTURE_PX,
    Eyes,
    Floats,
    prepared_eyes,
)
from fundoscope.train.condition_findings import (
    FindingsLine,
    evidence_of,
    findings_lines,
    shown_by_findings,
)
from fundoscope.train.conditions import (
    CHANNELS,
    WIDTHS,
    ConditionsConfig,
    areas,
    logits_of,
    mirrored_mean,
    new_classifier,
)
from fundoscope.train.loop import trained
from fundoscope.train.onnx_files import write_onnx

SENSITIVITY_TO_DENY = 0.95
"""Below the threshold `absent` lie at most 5 % of the eyes that have the condition."""
SPECIFICITY_TO_CLAIM = 0.95
"""Above the threshold `present` lie at most 5 % of the eyes that do not have it."""
FINDINGS_COUNT = 0.5
"""How much the log-odds by findings count, of those by the network: fitted to none, so that the
scores stay those of eyes not learned from."""
_BINS = 10


class _Calibrated(nn.Module):
    """The network with its logits made probabilities, each condition by its own line."""

    def __init__(self, network: nn.Module, lines: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.network = network
        self.lines = torch.from_numpy(lines.astype(np.float32))  # (conditions, 2): slope, offset

    def forward(self, picture: Tensor) -> Tensor:
        logits = mirrored_mean(self.network, picture)
        return torch.sigmoid(logits * self.lines[:, 0] + self.lines[:, 1])


def ship_conditions(config: ConditionsConfig, weights: Path) -> Path:
    """Write conditions.onnx and conditions.json of a trained classifier; return the manifest.

    Calibration and thresholds are fitted on the fold that was not learned from; the scores of
    calibration are of half of its patients by lines fitted on the other half.
    """
    network, steps = trained(new_classifier, config.run)
    eyes = prepared_eyes(config.data / "ODIR5K", config.run.parent)
    apart = np.flatnonzero(eyes.folds() == config.fold)
    logits = logits_of(network, eyes, apart)
    alone = calibration(logits, eyes.truth[apart], eyes.known[apart])
    write_classifier(network, alone, weights / "conditions.onnx")
    evidence = evidence_of(eyes, config.data / "ODIR5K", config.run.parent)
    findings = findings_lines(eyes, evidence, config.fold)
    both = logits + FINDINGS_COUNT * shown_by_findings(findings, evidence[apart])
    lines = calibration(both, eyes.truth[apart], eyes.known[apart])
    manifest = _manifest(config, steps, network, eyes, apart, both, lines)
    manifest["by_findings"] = lines_at_runtime(alone, lines, findings)
    manifest["scores"]["auc_without_findings"] = areas(logits, eyes, apart)
    path = weights / "conditions.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def lines_at_runtime(
    alone: npt.NDArray[np.float64],
    both: npt.NDArray[np.float64],
    findings: Mapping[str, FindingsLine],
) -> dict[str, Any]:
    """Return how the network's probability and the evidence are weighed where findings count.

    Parameters
    ----------
    alone : line of each condition that made the network's logit a probability, (conditions, 2)
    both : line of each that makes one of logit and findings together
    findings : what speaks for a condition
    """
    found = {}
    for term, line in findings.items():
        column = list(CONDITIONS).index(term)
        (slope, offset), (both_slope, both_offset) = alone[column], both[column]
        share, counts = both_slope / slope, both_slope * FINDINGS_COUNT
        found[term] = {
            "network": round(float(share), 5),
            "findings": [round(float(counts * weight), 5) for weight in line.weights],
            "offset": round(float(both_offset - share * offset + counts * line.offset), 5),
        }
    return found


def write_classifier(network: nn.Module, lines: npt.NDArray[np.float64], path: Path) -> None:
    """Write the network with its lines of calibration, batch left open."""
    axes = {"picture": {0: "batch"}, "probabilities": {0: "batch"}}
    shape = (1, CHANNELS, PICTURE_PX, PICTURE_PX)
    write_onnx(_Calibrated(network, lines), shape, ["probabilities"], axes, path)


def calibration(logits: Floats, truth: Floats, known: Floats) -> npt.NDArray[np.float64]:
    """Return slope and offset for each condition (Platt 1999), shape (conditions, 2)."""
    return np.array(
        [
            _line(logits[known[:, k] > 0, k], truth[known[:, k] > 0, k])
            for k in range(logits.shape[1])
        ]
    )


def _line(logits: Floats, truth: Floats) -> tuple[float, float]:
    positives, negatives = truth.sum(), (1 - truth).sum()
    soft = np.where(truth > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def entropy(line: npt.NDArray[np.float64]) -> float:
        x = logits * line[0] + line[1]
        return float(np.mean(np.logaddexp(0, x) - soft * x))

    slope, offset = minimize(entropy, [1.0, 0.0], method="Nelder-Mead").x
    return max(float(slope), 0.05), float(offset)


def thresholds(said: Floats, truth: Floats) -> dict[str, float]:
    """Return below which probability a condition is denied, and from which it is claimed.

    Parameters
    ----------
    said, truth : shape (n,)
    """
    deny = float(np.quantile(said[truth > 0], 1 - SENSITIVITY_TO_DENY))
    claim = float(np.quantile(said[truth == 0], SPECIFICITY_TO_CLAIM))
    return {"absent": round(min(deny, claim), 4), "present": round(max(deny, claim), 4)}


def calibration_error(said: Floats, truth: Floats) -> float:
    """Return the expected calibration error over ten bins of equal width (Naeini 2015)."""
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    parts = [bins == b for b in range(_BINS)]
    return float(sum(p.mean() * abs(said[p].mean() - truth[p].mean()) for p in parts if p.any()))


def _applied(logits: Floats, lines: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(logits * lines[:, 0] + lines[:, 1]))), np.float32)


def _manifest(
    config: ConditionsConfig,
    steps: int,
    network: nn.Module,
    eyes: Eyes,
    apart: npt.NDArray[np.int64],
    logits: Floats,
    lines: npt.NDArray[np.float64],
) -> dict[str, Any]:
    said, truth, known = _applied(logits, lines), eyes.truth[apart], eyes.known[apart] > 0
    learned = int((eyes.folds() != config.fold).sum())
    return {
        "task": "conditions",
        "version": f"{date.today():%Y.%m.%d}",
        "architecture": f"Judge{WIDTHS}",
        "parameters": sum(p.numel() for p in network.parameters()),
        "input": {"field_px": PICTURE_PX, "channels": CHANNELS},
        "outputs": list(CONDITIONS),
        "thresholds": {
            term: thresholds(said[known[:, k], k], truth[known[:, k], k])
            for k, term in enumerate(CONDITIONS)
        },
        "trained_on": [
            {"set": "ODIR5K", "photographs": learned, "licence": "challenge data, none stated"}
        ],
        "scores": {
            "fold": f"{config.fold} of {FOLDS}, {len(apart)} eyes, no patient in two folds",
            "auc": _areas_with_intervals(logits, eyes, apart),
            "calibration_error": _calibration_errors(logits, eyes, apart),
        },
        "licence": "research-only: ODIR5K states no licence",
        "augmentation": "zoom, turn, mirror, shift, blur, resolution, JPEG, gain, offset, noise",
        "seed": config.seed,
        "steps": steps,
        "command": "fundoscope train segmenter --task conditions --data DATA --run RUN",
    }


def _areas_with_intervals(logits: Floats, eyes: Eyes, apart: npt.NDArray[np.int64]) -> Any:
    """Return areas with their 95 % intervals over patients drawn again."""

    def of(chosen: npt.NDArray[np.int64]) -> dict[str, float]:
        return areas(logits[chosen], eyes, apart[chosen])

    return over_groups(of, eyes.patients[apart], draws=400)


def _calibration_errors(
    logits: Floats, eyes: Eyes, apart: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return the error of each condition, half of the patients by lines of the other half."""
    patients = np.unique(eyes.patients[apart])
    half = np.isin(eyes.patients[apart], np.random.default_rng(0).permutation(patients)[::2])
    truth, known = eyes.truth[apart], eyes.known[apart]
    said = np.zeros_like(logits)
    for tried in (half, ~half):
        said[tried] = _applied(
            logits[tried], calibration(logits[~tried], truth[~tried], known[~tried])
        )
    sure = known > 0
    return {
        term: round(calibration_error(said[sure[:, k], k], truth[sure[:, k], k]), 4)
        for k, term in enumerate(CONDITIONS)
    }
