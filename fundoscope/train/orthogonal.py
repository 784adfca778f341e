"""An optimiser whose steps are orthogonal matrices: fewer steps where compute is short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def _orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Return the nearest matrix with singular values about one, by Newton-Schulz rounds."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Orthogonal(torch.optim.Optimizer):
    """Momentum whose step, for each kernel as a matrix, is made orthogonal (Muon, Jordan 2024).

    Kernels of convolutions are read as (channels out, channels in x height x width). Give vectors
    and the last layer to AdamW.
    """

    def __init__(
        self,
        kernels: Iterable[Tensor],
        lr: float = 0.02,
        momentum: float = 0.9,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Take one step."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                state = self.state[kernel]
                if not state:
                    state["momentum"] = torch.zeros_like(kernel)
                mean = state["momentum"]
                mean.lerp_(kernel.grad, 1 - group["momentum"])
                ahead = kernel.grad.lerp(mean, group["momentum"])
                matrix = ahead.reshape(len(ahead), -1)
                turn = _orthogonal(matrix).reshape(kernel.shape)
                size = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(turn, alpha=-group["lr"] * size)
