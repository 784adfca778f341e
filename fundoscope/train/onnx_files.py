"""Networks as ONNX files: half-precision weights on disk, single precision when they run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_LARGE = 256
"""Values of a tensor from which it is worth halving."""


def write_onnx(
    network: nn.Module,
    shape: tuple[int, ...],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    path: Path,
) -> None:
    """Write a network, its weights inside the one file.

    Parameters
    ----------
    network : gives probabilities
    shape : of an input called `picture`, (1, C, H, W)
    outputs : their names
    axes : name -> the axes that are left open
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_suffix(".onnx.new")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter; the newer needs onnxscript
        torch.onnx.export(
            network.eval(),
            (torch.zeros(*shape),),
            str(begun),
            input_names=["picture"],
            output_names=list(outputs),
            dynamic_axes={name: dict(open_axes) for name, open_axes in axes.items()},
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(str(begun))
    _halve_weights(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(begun))
    begun.replace(path)


def _halve_weights(graph: onnx.GraphProto) -> None:
    """Keep large tensors in 16 bits, cast to 32 when the file is loaded (folded there, once)."""
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _LARGE:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)
