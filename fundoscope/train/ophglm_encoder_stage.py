"""OphGLM's first stage: its encoder, gate and heads learn the labels of photographs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fundoscope.errors import ConfigError
from fundoscope.models.legacy_config import read_json
from fundoscope.models.ophglm import OphGLM, OphGLMShape
from fundoscope.models.ophglm_files import load_ophglm
from fundoscope.train.label_data import CollateLabels
from fundoscope.train.ophglm_stage import FusedDialogues, OphglmStage, freeze_ophglm
from fundoscope.train.stage_config import StageConfig


class Judging(nn.Module):
    """An OphGLM's encoder with its heads."""

    def __init__(self, model: OphGLM) -> None:
        super().__init__()
        self.ophglm = model

    def forward(self, pixel_values: Any, diseases: Any, findings: Any) -> dict[str, Any]:
        """Return the loss of the labels that are known, 0 where none is, and all scores (B, L)."""
        scores = torch.cat(self.ophglm.judge(pixel_values), dim=1)
        labels = torch.cat([diseases, findings], dim=1).to(scores.dtype)
        known = ~labels.isnan()
        if not known.any():
            return {"loss": 0 * scores.sum(), "scores": scores}
        each = nn.functional.binary_cross_entropy_with_logits(scores[known], labels[known])
        return {"loss": each, "scores": scores}


class OphglmEncoderStage(OphglmStage):
    """Stage 1 of an OphGLM."""

    def __init__(self, config: StageConfig) -> None:
        super().__init__(config)
        shape = OphGLMShape(**read_json(config.model / "config.json")["shape"])
        self._labels = (len(config.diseases), len(config.findings))
        if self._labels != (shape.diseases, shape.findings):
            raise ConfigError(
                f"{self._labels[0]} diseases and {self._labels[1]} findings are named, the "
                f"model's heads have {shape.diseases} and {shape.findings}",
                mend="name as many, or make a model with such heads",
            )

    def load(self) -> Any:
        """Return the model, what does not learn frozen."""
        model = load_ophglm(self._config.model)
        freeze_ophglm(model, self._config)
        return Judging(model)

    def collate(self) -> Any:
        """Return what puts items into a batch."""
        return CollateLabels(*self._labels, self.preparation.side_px)

    def caches(self, model: Any) -> Iterable[Any]:
        """Return nothing: no language model runs."""
        return ()

    def checkpointed(self, model: Any) -> Any:
        """Return the encoder."""
        return [model.ophglm.vision]

    def save(self, model: Any, folder: Path) -> None:
        """Write the trained model."""
        super().save(FusedDialogues(model.ophglm, 0), folder)
