"""OphGLM on disk, and as the answering engine takes it.

A folder holds `vision/`, `reader/` and `language/` as transformers writes them (each can be
swapped), `parts.safetensors` (gate, heads, fusion) and `config.json`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from fundoscope.errors import ModelError
from fundoscope.models.ends import end_tokens
from fundoscope.models.legacy_config import PATCH, SIDE_FILE, read_json, write_json
from fundoscope.models.ophglm import OphGLM, OphGLMShape
from fundoscope.models.preparation import Preparation

MODEL_TYPE = "fundoscope_ophglm"
_NETWORKS = ("vision", "reader", "language")
_PARTS = ("gate.", "heads.", "fusion.")
_MEAN = (0.5, 0.5, 0.5)
"""Mean and deviation of each colour in the release."""


def release_preparation() -> Preparation:
    """Return the release's size and constants; but the whole field of view, not its middle."""
    return Preparation(384, "field", _MEAN, _MEAN)


def save_ophglm(
    model: OphGLM,
    tokenizer: Any,
    reader_tokenizer: Any,
    preparation: Preparation,
    folder: Path,
    prompt_template: str = "simple",
) -> Path:
    """Write an OphGLM with all that asking it needs; return the folder.

    The tokenizer of the language model is given a token for fused features where it has none; no
    row of embeddings is needed for it.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in _NETWORKS:
        getattr(model, name).save_pretrained(part / name)
    own = {n: t.contiguous() for n, t in model.state_dict().items() if n.startswith(_PARTS)}
    save_file(own, part / "parts.safetensors", metadata={"format": "pt"})
    tokenizer.add_tokens([PATCH], special_tokens=True)
    tokenizer.save_pretrained(part)
    reader_tokenizer.save_pretrained(part / "reader")
    preparation.constants().save_pretrained(part)
    write_json({"model_type": MODEL_TYPE, "shape": asdict(model.shape)}, part / "config.json")
    side = {
        "architecture": "ophglm",
        "prompt_template": prompt_template,
        "photograph": {"patch": PATCH, "start": "", "end": ""},
        "preparation": preparation.way,
    }
    write_json(side, part / SIDE_FILE)
    if folder.exists():
        shutil.rmtree(part)
        raise ModelError("it is there already", where=str(folder), mend="name another folder")
    part.rename(folder)
    return folder


def load_ophglm(folder: Path, dtype: Any = torch.float32) -> OphGLM:
    """Return the OphGLM of a folder.

    Raises
    ------
    ModelError
        If the folder is none, or its parts do not fit each other.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") != MODEL_TYPE:
        raise ModelError(
            "no OphGLM lies there", where=str(folder), mend="write it with save_ophglm"
        )
    try:
        vision = AutoModel.from_pretrained(folder / "vision", dtype=dtype)
        reader = AutoModel.from_pretrained(folder / "reader", dtype=dtype)
        language = AutoModelForCausalLM.from_pretrained(folder / "language", dtype=dtype)
        model = OphGLM(vision, reader, language, OphGLMShape(**config["shape"]))
        held = load_file(folder / "parts.safetensors")
        lost, odd = model.load_state_dict(held, strict=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise ModelError(
            f"it cannot be loaded: {(str(problem).splitlines() or [repr(problem)])[0]}",
            where=str(folder),
            mend="write it again",
        ) from problem
    lost = [name for name in lost if name.startswith(_PARTS)]
    if lost or odd:
        raise ModelError(f"tensors do not fit: {[*lost, *odd][0]!r}", where=str(folder))
    return model.to(language.dtype).eval()


class OphGLMSight:
    """An OphGLM for the answering engine; fused tokens depend on the first question."""

    by_question = True

    def __init__(self, model: OphGLM, tokenizer: Any, reader_tokenizer: Any) -> None:
        self.model = model.eval()
        self._reader = reader_tokenizer
        causal = model.language
        self.language, self.head = causal.get_decoder(), causal.get_output_embeddings()
        self.features_each = model.shape.fused_tokens
        self.photograph_token = int(tokenizer.convert_tokens_to_ids(PATCH))
        self.longest = int(causal.config.max_position_embeddings)
        self.ends = end_tokens(causal.generation_config, causal.config)

    def features(self, values: Any, questions: Sequence[str]) -> list[Any]:
        """Return fused tokens of photographs and questions, shape (F, D) each.

        The fusion reads a question's first 512 tokens; the language model reads all of it.
        """
        read = self._reader(
            list(questions), return_tensors="pt", padding=True, truncation=True, max_length=512
        ).to(values.device)
        return list(self.model.fuse(values, read["input_ids"], read["attention_mask"]))


def ophglm_sight(folder: Path, device: str, dtype: Any) -> OphGLMSight:
    """Return the OphGLM of a folder for the answering engine."""
    model = load_ophglm(folder, dtype).to(device)
    return OphGLMSight(
        model,
        AutoTokenizer.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder / "reader"),
    )
