"""Models as the answering engine takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fundoscope.errors import ModelError
from fundoscope.models.decoding import Sight
from fundoscope.models.ends import end_tokens
from fundoscope.models.ophglm_files import ophglm_sight
from fundoscope.models.retinalgpt import load_retinal


class LlavaSight:
    """A LLaVA of transformers, RetinalGPT among them."""

    by_question = False

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        self.language, self.head = model.model.language_model, model.lm_head
        config = model.config
        self.features_each = int(config.image_seq_length)
        self.photograph_token = int(config.image_token_id)
        self.longest = int(config.text_config.max_position_embeddings)
        self.ends = end_tokens(model.generation_config, config.text_config)

    def features(self, values: Any, questions: Sequence[str]) -> list[Any]:
        """Return features of photographs, shape (N, D) each, from values (B, 3, S, S)."""
        return list(self.model.model.get_image_features(pixel_values=values).pooler_output)


def load_sight(folder: Path, side: dict[str, Any], device: str, dtype: Any) -> Sight:
    """Return the model of a folder.

    Raises
    ------
    ModelError
        If transformers cannot load it.
    """
    if side.get("architecture") == "ophglm":
        return ophglm_sight(folder, device, dtype)
    return LlavaSight(load_retinal(folder, dtype=dtype).to(device))


def chosen_device(asked: str) -> str:
    """Return where to compute: what was asked, or CUDA where there is one."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError("no CUDA device is there", mend="--device cpu")
    return asked


def chosen_dtype(asked: str | None, device: str) -> Any:
    """Return the type of numbers: what was asked, float32 on a CPU, else as stored."""
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if asked is None:
        return torch.float32 if device == "cpu" else "auto"
    if asked not in known:
        raise ModelError(f"no type {asked!r}", mend=f"one of {', '.join(known)}")
    return known[asked]
