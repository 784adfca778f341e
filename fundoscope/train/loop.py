"""What every small network's training shares: a learner that can be cut at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from fundoscope.train.orthogonal import Orthogonal

CHECKPOINT = "checkpoint.pt"


def begin_process(threads: int, device: str = "cpu") -> None:
    """Set this process up to train; called once before a network is made."""
    torch.set_num_threads(threads)
    if device != "cpu":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    torch.set_flush_denormal(True)  # gradients near zero made a step backward twice as long
    cv2.setNumThreads(1)


def rate_at(step: int, steps: int, highest: float, warm: int, decay: float) -> float:
    """Return the learning rate of a step: risen over `warm` steps, falling over the last `decay`.

    Parameters
    ----------
    decay : share of all steps over which the rate falls to a fiftieth; 0 to be gone on with.
    """
    risen = min(1.0, (step + 1) / warm)
    left = min(1.0, (steps - step) / max(1.0, decay * steps)) if decay else 1.0
    return highest * risen * max(left, 0.02)


class Learner:
    """A network, its running mean, its optimisers and the step: all that a rerun needs.

    Kernels of three by three learn by orthogonal steps, all else by AdamW at a tenth of the rate.

    Parameters
    ----------
    new : makes the network, not yet trained
    run : folder of the checkpoint, which is taken up where it is there
    seed : of the first weights
    weight_decay : of the kernels
    mean_over_steps : the running mean's memory, once training is long enough
    start_from : first weights, as `write_start` writes them, where there is no checkpoint yet
    device : what learns; on "cuda" the network runs in bfloat16, its weights stay in float32
    """

    _PARTS = ("network", "mean_network", "kernels", "others")

    def __init__(
        self,
        new: Callable[[], nn.Module],
        run: Path,
        seed: int,
        weight_decay: float = 0.01,
        mean_over_steps: int = 200,
        start_from: Path | None = None,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(seed)
        self.network = new()
        if start_from is not None:
            self.network.load_state_dict(torch.load(start_from, weights_only=True))
        self.device = device
        self.network.to(device, memory_format=torch.channels_last)
        self.mean_network = new().to(device, memory_format=torch.channels_last)
        self.mean_network.load_state_dict(self.network.state_dict())
        self.mean_network.eval()
        self.seed, self.mean_over_steps, self.step = seed, mean_over_steps, 0
        kernels = [p for p in self.network.parameters() if _is_kernel(p)]
        others = [p for p in self.network.parameters() if not _is_kernel(p)]
        self.kernels = Orthogonal(kernels, lr=0.0, weight_decay=weight_decay)
        self.others = torch.optim.AdamW(others, lr=0.0, weight_decay=0.0)
        run.mkdir(parents=True, exist_ok=True)
        if (run / CHECKPOINT).exists():
            saved = torch.load(run / CHECKPOINT, weights_only=True, map_location=device)
            for part in self._PARTS:
                getattr(self, part).load_state_dict(saved[part])
            self.step = saved["step"]
        self._followed = _followed(self.mean_network, self.network)

    def keep(self, run: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        whole = {part: getattr(self, part).state_dict() for part in self._PARTS}
        torch.save({**whole, "step": self.step}, run / f"{CHECKPOINT}.new")
        (run / f"{CHECKPOINT}.new").replace(run / CHECKPOINT)

    def learn(self, rate: float, loss_of: Callable[[nn.Module], Tensor]) -> Tensor:
        """Take one step at a rate; return the loss before it, a single number."""
        self.network.train()
        torch.manual_seed(self.seed + self.step)  # of dropout: a cut run goes on alike
        for optimiser, own in ((self.kernels, 1.0), (self.others, 0.1)):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * own
        with self.mixed():
            loss = loss_of(self.network)
        loss.backward()
        self.kernels.step()
        self.others.step()
        self.step += 1
        self._follow(min(1 - 1 / self.mean_over_steps, 1 - 1 / (1 + self.step / 3)))
        return loss.detach()  # not a float: reading it would wait for the device at every step

    def mixed(self) -> torch.autocast:
        """Return the context in which networks run."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu")

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        means, values = self._followed
        torch._foreach_lerp_(means, values, 1 - keep)


def _followed(mean: nn.Module, network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return the tensors of the mean and of the network that it follows; counts of batches stay."""
    now = network.state_dict()
    pairs = [(m, now[name]) for name, m in mean.state_dict().items() if m.is_floating_point()]
    return [m for m, _ in pairs], [value for _, value in pairs]


def trained(new: Callable[[], nn.Module], run: Path) -> tuple[nn.Module, int]:
    """Return the running mean of a finished run, ready to answer, and its steps."""
    saved = torch.load(run / CHECKPOINT, weights_only=True, map_location="cpu")
    network = new()
    network.load_state_dict(saved["mean_network"])
    return network.eval(), saved["step"]


def write_start(new: Callable[[], nn.Module], run: Path, file: Path) -> None:
    """Write the weights of a run, in half precision, for others to start from."""
    network, _ = trained(new, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(halves, file)


def mean_loss(losses: Sequence[Tensor]) -> float:
    """Return the mean of losses, rounded for the log."""
    return round(float(torch.stack(list(losses)).mean()), 4)


def log(run: Path, **row: Any) -> None:
    """Add a row to the run's log."""
    with (run / "log.jsonl").open("a") as stream:
        stream.write(json.dumps(row) + "\n")


def _is_kernel(parameter: Tensor) -> bool:
    return parameter.ndim == 4 and parameter.shape[-1] == 3 and parameter.shape[1] > 1
