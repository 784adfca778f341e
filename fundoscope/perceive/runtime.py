"""The shipped networks: loaded once, run on the CPU by ONNX Runtime, each with its manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError, nearest

Batch = npt.NDArray[np.float32]
"""Shape (B, C, H, W)."""

SHIPPED = "fundoscope.perceive.weights"
OWN_WEIGHTS = "FUNDOSCOPE_WEIGHTS"
"""Environment variable: a folder of networks of one's own, NAME.onnx and NAME.json each, as
`fundoscope train segmenter --weights` writes them; what it lacks is taken from what ships."""

NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""Without it ONNX Runtime 1.32 leaves a file in the temporary folder and asks for the address of
its maker's server; seen with strace. It reads the variable when it is loaded."""


class Model:
    """A network with what is known of it: data, licence, scores, how its input is made."""

    def __init__(self, name: str) -> None:
        os.environ[NO_TELEMETRY] = "1"
        import onnxruntime

        folder = _folder_of(name)
        self.name = name
        self.manifest: Mapping[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # photographs, not layers, share the cores
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            (folder / f"{name}.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, picture: Batch) -> list[npt.NDArray[np.float32]]:
        """Return all outputs for a batch of prepared pictures."""
        outputs: list[npt.NDArray[np.float32]] = self._session.run(None, {self._input: picture})
        return outputs

    @property
    def version(self) -> str:
        """Tool and training, as provenance names it: `fundoscope vessels 2026.11.27`."""
        return f"fundoscope {self.name} {self.manifest['version']}"


@cache
def model(name: str) -> Model:
    """Return a shipped network, loaded at the first call.

    Raises
    ------
    ConfigError
        If no network has this name.
    """
    if name not in model_names():
        raise ConfigError(
            f"no shipped network is called {name!r}", mend=nearest(name, model_names())
        )
    return Model(name)


def model_names() -> tuple[str, ...]:
    """Return the names of all shipped networks, sorted."""
    files = (entry.name for entry in resources.files(SHIPPED).iterdir())
    return tuple(sorted(name.removesuffix(".onnx") for name in files if name.endswith(".onnx")))


def _folder_of(name: str) -> Traversable:
    own = os.environ.get(OWN_WEIGHTS)
    if own and Path(own, f"{name}.onnx").is_file():
        return Path(own)
    return resources.files(SHIPPED)


def standardised(picture: npt.NDArray[np.uint8]) -> Batch:
    """Return a coded picture (H, W, C) as the networks want it, (1, C, H, W)."""
    values = (picture.astype(np.float32) - np.float32(128)) / np.float32(40)
    batch: Batch = np.ascontiguousarray(values.transpose(2, 0, 1))[None]
    return batch
