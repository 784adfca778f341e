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

    def outlines(
        self, picture: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float32]:
        """Return what an outlining network says of a frame, 0 where the eye is not seen.

        Rows and columns in which nothing of the eye is seen are not looked at: a third of a frame
        whose photograph cuts the field above and below.

        Parameters
        ----------
        picture : uint8 array, shape (N, N, C), N a multiple of 64
        inside : bool array, shape (N, N)

        Returns
        -------
        float32 array, shape (parts, N, N)
        """
        window = _seen_window(inside)
        (said,) = self.run(standardised(np.ascontiguousarray(picture[window])))
        whole = np.zeros((said.shape[1], *inside.shape), np.float32)
        whole[:, *window] = said[0] * inside[window]
        return whole

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


_HALVED_TO = 64
"""Sides of what an outlining network looks at are multiples of it."""


def _seen_window(inside: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns in which anything is seen, widened to what can be halved."""
    spans = []
    for axis in (1, 0):
        seen = np.flatnonzero(inside.any(axis=axis))
        first, last = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, _HALVED_TO)
        first -= first % _HALVED_TO
        spans.append(slice(first, last + -last % _HALVED_TO))
    return spans[0], spans[1]


def standardised(picture: npt.NDArray[np.uint8]) -> Batch:
    """Return a coded picture (H, W, C) as the networks want it, (1, C, H, W)."""
    values = (picture.astype(np.float32) - np.float32(128)) / np.float32(40)
    batch: Batch = np.ascontiguousarray(values.transpose(2, 0, 1))[None]
    return batch
