"""An optimiser whose steps are orthogonal matrices: fewer steps where compute is short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def _orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Return the nearest matrices with singular values about one, by Newton-Schulz rounds.

    Parameters
    ----------
    matrices : shape (number, rows, columns)
    """
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = wide / (torch.linalg.matrix_norm(wide)[:, None, None] + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if matrices.shape[1] <= matrices.shape[2] else x.mT


class Orthogonal(torch.optim.Optimizer):
    """Momentum whose step, for each kernel as a matrix, is made orthogonal (Muon, Jordan 2024).

    Kernels of convolutions are read as (channels out, channels in x height x width); those of one
    size take their step together. Give vectors and the last layer to AdamW.
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
            alike: dict[tuple[int, int], list[Tensor]] = {}
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self.state[kernel].setdefault("momentum", torch.zeros_like(kernel))
                    size = (len(kernel), kernel[0].numel())
                    alike.setdefault(size, []).append(kernel)
            for (rows, columns), kernels in alike.items():
                means = [self.state[kernel]["momentum"] for kernel in kernels]
                grads = [kernel.grad for kernel in kernels]
                torch._foreach_lerp_(means, grads, 1 - group["momentum"])
                ahead = torch._foreach_lerp(grads, means, group["momentum"])
                turns = _orthogonal(torch.stack([step.reshape(rows, columns) for step in ahead]))
                scale = max(1.0, rows / columns) ** 0.5
                torch._foreach_mul_(kernels, 1 - group["lr"] * group["weight_decay"])
                steps = [t.reshape(k.shape) for t, k in zip(turns, kernels, strict=True)]
                torch._foreach_add_(kernels, steps, alpha=-group["lr"] * scale)
