"""Photographs and the labels of their records: what OphGLM's encoder learns first."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from fundoscope import terms
from fundoscope.errors import ConfigError, PhotographError
from fundoscope.models.preparation import Preparation
from fundoscope.records import record_from_json
from fundoscope.train.answer_scores import score
from fundoscope.train.dialogue_data import Refused, Told
from fundoscope.train.mixing import Mix, Portion, counts_of
from fundoscope.train.pairing_indexes import labels_of
from fundoscope.train.stage_config import SourceConfig, StageConfig
from fundoscope.train.stage_scoring import told as score_told

if TYPE_CHECKING:
    from fundoscope.train.stage_trainer import StageTrainer

LIKELY = 0.5


@dataclass(frozen=True, eq=False)
class Labelled:
    """A photograph ready for a batch, with what is known of it."""

    values: NDArray[np.float32]
    """Shape (3, S, S)."""
    labels: NDArray[np.float32]
    """Shape (L,): 1 present, 0 absent, NaN unknown; a suspicion lies between."""
    px_per_input_px: float
    kept: float


class LabelRows:
    """A run's `records.jsonl`: photographs of which at least one label is known.

    Rows are a byte each label and a file name; the records themselves are not kept.
    """

    def __init__(self, source: SourceConfig, names: Sequence[str]) -> None:
        if source.records is None:
            raise ConfigError(
                "an encoder learns from labels", mend="give `records: records.jsonl` of a run"
            )
        if not source.records.is_file():
            raise ConfigError(f"no records {source.records}", mend="check the path")
        for name in names:
            terms.term(name)
        self.folder = source.photographs or source.records.parent
        self.files: list[str] = []
        labels = array("f")
        self.unknown = 0
        """Records without a photograph, or of which no label is known."""
        with source.records.open("rb") as stream:
            for line in stream:
                record = record_from_json(line)
                told = labels_of(record)
                known = dict(told.present) | dict.fromkeys(told.absent, 0.0)
                if record.photograph.file and any(name in known for name in names):
                    self.files.append(record.photograph.file)
                    labels.extend(known.get(name, np.nan) for name in names)
                else:
                    self.unknown += 1
        if not self.files:
            raise ConfigError(
                f"none of {source.records} has a photograph and a label of {', '.join(names)}",
                mend="name labels that the records have",
            )
        self.labels = np.array(labels, np.float32).reshape(-1, len(names))

    def __len__(self) -> int:
        return len(self.files)


class LabelData(torch.utils.data.Dataset):
    """The stream of labelled photographs."""

    def __init__(
        self,
        config: StageConfig,
        sources: Sequence[SourceConfig],
        preparation: Preparation,
        places: int | None = None,
    ) -> None:
        names = (*config.diseases, *config.findings)
        self.rows = [LabelRows(source, names) for source in sources]
        sizes = [len(rows) for rows in self.rows]
        portions = [Portion(source.count, source.share) for source in sources]
        self.mix = Mix(counts_of(portions, sizes, config.epoch_size), sizes, config.seed)
        self.preparation, self._places = preparation, places or len(self.mix)

    def __len__(self) -> int:
        return self._places

    def __getitem__(self, k: int) -> Labelled | Refused:
        place = self.mix.place(k)
        rows = self.rows[place.source]
        file = rows.folder / Path(rows.files[place.row])
        try:
            made = self.preparation.prepared(file)
        except PhotographError as problem:
            return Refused(rows.files[place.row], "bad photograph", problem.what)
        return Labelled(made.values, rows.labels[place.row], made.px_per_input_px, made.kept)


@dataclass(frozen=True)
class CollateLabels:
    """Puts labelled photographs into a batch; one of none holds a dark one of unknown labels."""

    diseases: int
    findings: int
    side_px: int

    def __call__(self, items: Sequence[Labelled | Refused]) -> dict[str, Any]:
        """Return pixel_values, diseases, findings and `told`."""
        ready = [item for item in items if isinstance(item, Labelled)]
        values = [item.values for item in ready]
        labels = [item.labels for item in ready]
        if not ready:
            values = [np.zeros((3, self.side_px, self.side_px), np.float32)]
            labels = [np.full(self.diseases + self.findings, np.nan, np.float32)]
        known = torch.from_numpy(np.stack(labels))
        return {
            "pixel_values": torch.from_numpy(np.stack(values)),
            "diseases": known[:, : self.diseases],
            "findings": known[:, self.diseases :],
            "told": Told(
                dialogues=len(ready),
                photographs=len(ready),
                learned_tokens=int((~torch.isnan(known)).sum()),
                px_per_input_px=[item.px_per_input_px for item in ready],
                kept=[item.kept for item in ready],
                refused=[item for item in items if isinstance(item, Refused)],
            ),
        }


class LabelScorer:
    """Scores held-out photographs label by label."""

    def __init__(self, config: StageConfig, held_out: LabelData) -> None:
        self.config, self.held_out = config, held_out

    def __call__(self, trainer: StageTrainer) -> dict[str, Any]:
        """Return `held_out_loss`, a mean over batches, and `scores`."""
        names = (*self.config.diseases, *self.config.findings)
        n = min(self.config.evaluate_dialogues, len(self.held_out))
        pairs: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
        losses = []
        for begin in range(0, n, self.config.batch_each):
            part = range(begin, min(n, begin + self.config.batch_each))
            batch = trainer.data_collator([self.held_out[k] for k in part])
            told: Told = batch.pop("told")
            if not told.photographs:
                continue
            ready = trainer._prepare_inputs(batch)
            made = trainer.model(**ready)
            losses.append(float(made["loss"]))
            truth = torch.cat([batch["diseases"], batch["findings"]], dim=1)
            likely = made["scores"].float().sigmoid().cpu() > LIKELY
            for right, given in zip(truth, likely, strict=True):
                for name, known, said in zip(names, right, given, strict=True):
                    if float(known) in (0.0, 1.0):  # neither unknown nor suspected
                        words = ("absent", "present")
                        pairs[name].append((words[int(known)], words[int(said)]))
        scores = {name: score(found) for name, found in pairs.items()}
        return {
            "held_out_loss": sum(losses) / len(losses) if losses else None,
            "scores": {name: score_told(one) for name, one in scores.items() if one is not None},
        }
