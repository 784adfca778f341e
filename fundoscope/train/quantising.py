"""Weights of four or eight bits below low-rank layers (QLoRA)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from fundoscope.errors import MissingExtra


def quantised(bits: int, kept: list[str]) -> dict[str, Any]:
    """Return what `from_pretrained` needs to load weights of few bits.

    Parameters
    ----------
    kept : modules that keep theirs

    Raises
    ------
    MissingExtra
        If bitsandbytes or a CUDA device is missing.
    """
    if find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        raise MissingExtra(
            "QLoRA needs bitsandbytes and a CUDA device",
            mend="pip install bitsandbytes, or leave `bits` out",
        )
    few = BitsAndBytesConfig(
        load_in_4bit=bits == 4,
        load_in_8bit=bits == 8,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=kept,
    )
    return {"quantization_config": few, "dtype": torch.bfloat16, "device_map": {"": 0}}
