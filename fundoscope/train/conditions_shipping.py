"""The classifier of conditions as it ships: calibrated, with two thresholds for each condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
_BINS = 10


Lines = npt.NDArray[np.float64]
"""Shape (conditions, 3): weights of the network's logit and of the findings', and an offset."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What is said of eyes that were not learned from, and what is known of them."""

    logits: Floats
    """Of the network, shape (n, conditions)."""
    shown: Floats
    """By findings, shape (n, conditions); 0 for conditions that they do not tell."""
    truth: Floats
    known: Floats
    patients: npt.NDArray[Any]

    def of(self, which: npt.NDArray[np.bool_]) -> Judged:
        """Return some of the eyes."""
        parts = (self.logits, self.shown, self.truth, self.known, self.patients)
        return Judged(*(part[which] for part in parts))

    def by_network(self) -> Judged:
        """Return the same eyes, their findings not counted."""
        return replace(self, shown=np.zeros_like(self.shown))


class _Calibrated(nn.Module):
    """The network with its logits made probabilities, each condition by its own line."""

    def __init__(self, network: nn.Module, lines: Lines) -> None:
        super().__init__()
        self.network = network
        self.lines = torch.from_numpy(lines.astype(np.float32))

    def forward(self, picture: Tensor) -> Tensor:
        logits = mirrored_mean(self.network, picture)
        return torch.sigmoid(logits * self.lines[:, 0] + self.lines[:, 2])


def ship_conditions(config: ConditionsConfig, weights: Path) -> Path:
    """Write conditions.onnx and conditions.json of a trained classifier; return the manifest.

    Calibration and thresholds are fitted on the fold that was not learned from; the scores of
    calibration are of half of its patients by lines fitted on the other half.
    """
    network, steps = trained(new_classifier, config.run)
    eyes = prepared_eyes(config.data / "ODIR5K", config.run.parent)
    evidence = evidence_of(eyes, config.data / "ODIR5K", config.run.parent)
    by_findings = findings_lines(eyes, evidence, config.fold)
    apart = np.flatnonzero(eyes.folds() == config.fold)
    shown = shown_by_findings(by_findings, evidence[apart])
    judged = Judged(
        logits_of(network, eyes, apart), shown, eyes.truth[apart], eyes.known[apart],
        eyes.patients[apart],
    )  # fmt: skip
    write_classifier(network, calibration(judged.by_network()), weights / "conditions.onnx")
    manifest = _manifest(config, steps, network, judged, by_findings)
    manifest["trained_on"][0]["photographs"] = len(eyes.names) - len(apart)
    path = weights / "conditions.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_classifier(network: nn.Module, lines: Lines, path: Path) -> None:
    """Write the network with its lines of calibration, batch left open."""
    axes = {"picture": {0: "batch"}, "probabilities": {0: "batch"}}
    shape = (1, CHANNELS, PICTURE_PX, PICTURE_PX)
    write_onnx(_Calibrated(network, lines), shape, ["probabilities"], axes, path)


def calibration(judged: Judged) -> Lines:
    """Return, for each condition, how network and findings count and an offset (Platt 1999).

    Shape (conditions, 3). Where findings tell nothing their weight is 0.
    """
    return np.array([_line(judged, column) for column in range(judged.logits.shape[1])])


def _line(judged: Judged, column: int) -> tuple[float, float, float]:
    sure = judged.known[:, column] > 0
    logits, shown = judged.logits[sure, column], judged.shown[sure, column]
    truth = judged.truth[sure, column]
    positives, negatives = truth.sum(), (1 - truth).sum()
    soft = np.where(truth > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def entropy(line: npt.NDArray[np.float64]) -> float:
        x = logits * line[0] + line[1] + (shown * line[2] if len(line) > 2 else 0)
        return float(np.mean(np.logaddexp(0, x) - soft * x))

    start = [1.0, 0.0, 0.5] if shown.any() else [1.0, 0.0]
    slope, offset, *weight = minimize(entropy, start, method="Nelder-Mead").x
    return max(float(slope), 0.05), max(0.0, float(weight[0])) if weight else 0.0, float(offset)


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


def weighed(judged: Judged, lines: Lines) -> Floats:
    """Return what the lines make of it, as logits, shape (n, conditions)."""
    return np.asarray(
        judged.logits * lines[:, 0] + judged.shown * lines[:, 1] + lines[:, 2], np.float32
    )


def _crossed(judged: Judged) -> Floats:
    """Return the logits of each half of the patients by lines of the other half."""
    patients = np.unique(judged.patients)
    half = np.isin(judged.patients, np.random.default_rng(0).permutation(patients)[::2])
    said = np.zeros_like(judged.logits)
    for tried in (half, ~half):
        said[tried] = weighed(judged.of(tried), calibration(judged.of(~tried)))
    return said


def _probability(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _manifest(
    config: ConditionsConfig,
    steps: int,
    network: nn.Module,
    judged: Judged,
    by_findings: Mapping[str, FindingsLine],
) -> dict[str, Any]:
    said, truth = _probability(weighed(judged, calibration(judged))), judged.truth
    known = judged.known > 0
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
        "by_findings": lines_at_runtime(judged, by_findings),
        "trained_on": [
            {"set": "ODIR5K", "photographs": 0, "licence": "challenge data, none stated"}
        ],
        "scores": {
            "fold": f"{config.fold} of {FOLDS}, {len(truth)} eyes, no patient in two folds",
            "auc": _areas_with_intervals(judged, _crossed(judged)),
            "auc_without_findings": areas(judged.logits, truth, judged.known),
            "calibration_error": _calibration_errors(judged),
        },
        "licence": "research-only: ODIR5K states no licence",
        "augmentation": "zoom, turn, mirror, shift, blur, resolution, JPEG, gain, offset, noise",
        "seed": config.seed,
        "steps": steps,
        "command": "fundoscope train segmenter --task conditions --data DATA --run RUN",
    }


def lines_at_runtime(judged: Judged, by_findings: Mapping[str, FindingsLine]) -> dict[str, Any]:
    """Return how what the network says, once calibrated alone, and the evidence are weighed."""
    alone, both = calibration(judged.by_network()), calibration(judged)
    found = {}
    for term, line in by_findings.items():
        column = list(CONDITIONS).index(term)
        (slope, _, offset), (both_slope, weight, both_offset) = alone[column], both[column]
        share = both_slope / slope
        found[term] = {
            "network": round(share, 5),
            "findings": [round(float(weight * value), 5) for value in line.weights],
            "offset": round(both_offset - share * offset + weight * line.offset, 5),
        }
    return found


def _areas_with_intervals(judged: Judged, said: Floats) -> Any:
    """Return areas with their 95 % intervals over patients drawn again."""

    def of(chosen: npt.NDArray[np.int64]) -> dict[str, float]:
        return areas(said[chosen], judged.truth[chosen], judged.known[chosen])

    return over_groups(of, judged.patients, draws=400)


def _calibration_errors(judged: Judged) -> dict[str, float]:
    """Return the error of each condition, half of the patients by lines of the other half."""
    said, sure = _probability(_crossed(judged)), judged.known > 0
    return {
        term: round(calibration_error(said[sure[:, k], k], judged.truth[sure[:, k], k]), 4)
        for k, term in enumerate(CONDITIONS)
    }
