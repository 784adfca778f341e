"""Training of the classifier of conditions: eyes of ODIR and what their annotators wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from fundoscope.perceive.views import View
from fundoscope.read.odir import read_odir
from fundoscope.read.photographs import read_pixels
from fundoscope.read.sources import SourceRequest
from fundoscope.records import Record
from fundoscope.train.examples import roughened
from fundoscope.train.networks import Judge
from fundoscope.train.orthogonal import Orthogonal

CONDITIONS: Mapping[str, frozenset[str]] = {
    "diabetic_retinopathy": frozenset({"diabetic_retinopathy"}),
    "age_related_macular_degeneration": frozenset(
        {
            "age_related_macular_degeneration",
            "dry_age_related_macular_degeneration",
            "wet_age_related_macular_degeneration",
        }
    ),
    "glaucoma": frozenset({"glaucoma"}),
    "cataract": frozenset({"cataract"}),
    "pathological_myopia": frozenset({"pathological_myopia", "myopic_maculopathy"}),
    "hypertensive_retinopathy": frozenset({"hypertensive_retinopathy"}),
    "normal_fundus": frozenset({"normal_fundus"}),
}
"""Our term -> the findings of an eye that count as it. A suspected one is not learned from."""
PICTURE_PX = 256
_CACHE_PX = 288
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Eyes:
    """Prepared eyes: pictures (N, 288, 288, 6), truth and whether it is known (N, conditions)."""

    names: list[str]
    patients: npt.NDArray[Any]
    pictures: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.float32]
    known: npt.NDArray[np.float32]


def prepared_eyes(odir: Path, work: Path) -> Eyes:
    """Return the eyes of ODIR, prepared once beside the runs."""
    kept = work / "conditions.prepared.npz"
    if not kept.exists():
        _prepare(odir, kept)
    saved = np.load(kept)
    return Eyes(list(saved["names"]), *(saved[k] for k in ("patients", "pictures", "truth", "known")))


def _prepare(odir: Path, kept: Path) -> None:
    rows = []
    for record in read_odir(SourceRequest(odir)):
        if not isinstance(record, Record) or record.photograph.path is None:
            continue
        view = View(read_pixels(odir / record.photograph.path))
        picture = view.lit_and_coloured(view.frame(_CACHE_PX))
        rows.append((record.key, record.patient, picture, *_truth_of(record)))
    names, patients, pictures, truth, known = (np.array(list(c)) for c in zip(*rows, strict=True))
    partial = kept.with_suffix(".new.npz")
    np.savez(partial, names=names, patients=patients, pictures=pictures, truth=truth, known=known)
    partial.replace(kept)


def _truth_of(record: Record) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    status = {finding.term: finding.status for finding in record.findings}
    there = [any(status.get(t) == "present" for t in own) for own in CONDITIONS.values()]
    maybe = [any(status.get(t) == "suspected" for t in own) for own in CONDITIONS.values()]
    known = [not doubtful or sure for sure, doubtful in zip(there, maybe, strict=True)]
    return np.array(there, np.float32), np.array(known, np.float32)


def fold_of(patient: str) -> int:
    """Return the fold of a patient: both eyes and every visit fall into one."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(str(patient).encode(), digest_size=4).digest(), "big") % FOLDS


@dataclass(frozen=True)
class ConditionsConfig:
    """What a run may vary."""

    data: Path
    """Folder of ODIR."""
    run: Path
    steps: int
    fold: int = 0
    """Patients of this fold are never learned from; -1 learns from all."""
    batch: int = 32
    learning_rate: float = 0.01
    seed: int = 0
    threads: int = 1


WIDTHS = (24, 48, 96, 160, 224)


def train_conditions(config: ConditionsConfig) -> Path:
    """Train the classifier, or go on with it; return its checkpoint."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    config.run.mkdir(parents=True, exist_ok=True)
    eyes = prepared_eyes(config.data, config.run.parent)
    folds = np.array([fold_of(patient) for patient in eyes.patients])
    learned = np.flatnonzero(folds != config.fold)
    trial = np.flatnonzero(folds == config.fold)
    torch.manual_seed(config.seed)
    network = Judge(6, len(CONDITIONS), WIDTHS).to(memory_format=torch.channels_last)
    kernels = [p for p in network.parameters() if p.ndim == 4]
    others = [p for p in network.parameters() if p.ndim != 4]
    optimisers = (
        Orthogonal(kernels, lr=config.learning_rate, weight_decay=0.05),
        torch.optim.AdamW(others, lr=config.learning_rate / 10, weight_decay=0.01),
    )
    mean = Judge(6, len(CONDITIONS), WIDTHS)
    mean.load_state_dict(network.state_dict())
    step = 0
    kept = config.run / "checkpoint.pt"
    if kept.exists():
        saved = torch.load(kept, weights_only=True)
        network.load_state_dict(saved["network"])
        mean.load_state_dict(saved["mean_network"])
        for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        step = saved["step"]
    losses: list[float] = []
    while step < config.steps:
        share = min(1.0, (step + 1) / 60) * max(0.02, 1 - step / config.steps)
        for optimiser, own in zip(optimisers, (1.0, 0.1), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * own * share
            optimiser.zero_grad()
        network.train()
        pictures, truth, known = _batch(eyes, learned, config, step)
        loss = functional.binary_cross_entropy_with_logits(
            network(pictures), truth * 0.96 + 0.02, weight=known
        )
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        _follow(mean, network, min(0.995, 1 - 1 / (1 + step / 3)))
        losses.append(float(loss.detach()))
        if step % 20 == 0:
            _log(config.run, step=step, loss=round(float(np.mean(losses)), 4))
            losses.clear()
        if step % 100 == 0 or step == config.steps:
            whole = {
                "network": network.state_dict(),
                "mean_network": mean.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                "step": step,
            }
            torch.save(whole, config.run / "checkpoint.pt.new")
            (config.run / "checkpoint.pt.new").replace(kept)
        if step % 200 == 0 or step == config.steps:
            _log(config.run, step=step, areas=areas(probabilities(mean, eyes, trial), eyes, trial))
    return kept


def _batch(
    eyes: Eyes, learned: npt.NDArray[np.int64], config: ConditionsConfig, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    chance = np.random.default_rng((config.seed, step))
    rarity = eyes.truth[learned] @ (1 / np.maximum(eyes.truth[learned].mean(axis=0), 0.01)) + 1
    drawn = chance.choice(learned, config.batch, p=rarity**0.5 / (rarity**0.5).sum())
    pictures = np.stack([_turned(eyes.pictures[i], chance) for i in drawn])
    batch = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
    return batch, torch.from_numpy(eyes.truth[drawn]), torch.from_numpy(eyes.known[drawn])


def _turned(picture: npt.NDArray[np.uint8], chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a picture turned a little, shifted, mirrored and roughened."""
    zoom = np.exp(chance.uniform(-0.12, 0.12)) * PICTURE_PX / picture.shape[0]
    turn = cv2.getRotationMatrix2D((0, 0), chance.uniform(-25, 25), zoom)
    if chance.random() < 0.5:
        turn[:, 0] *= -1
    middle = (picture.shape[0] - 1) / 2
    shift = chance.uniform(-8, 8, 2)
    turn[:, 2] = (PICTURE_PX - 1) / 2 - turn[:, :2] @ [middle, middle] + shift
    size = (PICTURE_PX, PICTURE_PX)
    parts = [
        cv2.warpAffine(
            np.ascontiguousarray(picture[..., i : i + 3]), turn, size,
            borderValue=tuple(int(v) for v in picture[0, 0, i : i + 3]),
        )
        for i in (0, 3)
    ]
    return roughened(np.dstack(parts), chance)


@torch.no_grad()
def probabilities(network: Judge, eyes: Eyes, which: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return probabilities (len(which), conditions), the mean over a picture and its mirror."""
    network.eval()
    said = []
    for i in which:
        parts = [
            cv2.resize(np.ascontiguousarray(eyes.pictures[i][..., c : c + 3]),
                       (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
            for c in (0, 3)
        ]
        values = (np.dstack(parts).astype(np.float32) - 128) / 40
        both = np.stack([values, values[:, ::-1]]).transpose(0, 3, 1, 2)
        logits = network(torch.from_numpy(np.ascontiguousarray(both)))
        said.append(torch.sigmoid(logits).mean(dim=0).numpy())
    return np.array(said)


def areas(said: npt.NDArray[np.float32], eyes: Eyes, which: Sequence[int]) -> dict[str, float]:
    """Return the area under the ROC curve of each condition, and their mean."""
    from sklearn.metrics import roc_auc_score

    out = {}
    for column, term in enumerate(CONDITIONS):
        sure = eyes.known[which, column] > 0
        truth = eyes.truth[which, column][sure]
        out[term] = round(float(roc_auc_score(truth, said[sure, column])), 4)
    return out | {"mean": round(float(np.mean(list(out.values()))), 4)}


@torch.no_grad()
def _follow(mean: Judge, network: Judge, keep: float) -> None:
    pairs = zip(mean.state_dict().values(), network.state_dict().values(), strict=True)
    for slow, now in pairs:
        if slow.is_floating_point():
            slow.lerp_(now, 1 - keep)
        else:
            slow.copy_(now)


def _log(run: Path, **row: Any) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
