"""Verbs that train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import advancing, cli, out
from fundoscope.errors import MissingExtra

train_cli = typer.Typer(help="Train networks (extra `train`).", no_args_is_help=True)
cli.add_typer(train_cli, name="train")


@train_cli.command()
def segmenter(
    task: Annotated[
        str, typer.Option(help="vessels, lesions, places, disc_cup, quality or conditions.")
    ],
    data: Annotated[Path, typer.Option(help="Folder of the sets, one folder each.")],
    run: Annotated[
        Path, typer.Option(help="Folder of the run; prepared pictures are kept beside it.")
    ],
    steps: Annotated[int, typer.Option(help="In all; 0: as many as what ships had.")] = 0,
    leave_out: Annotated[
        str, typer.Option(help="A camera to learn nothing from, and to score on.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Decides first weights and every draw.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of one step.")] = 1,
    start_from: Annotated[
        Path | None, typer.Option(help="First weights, such as lab/starts/vessels.pt.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder to write the network and its manifest to.")
    ] = None,
) -> None:
    """Train one of the small networks that look at photographs, and ship it.

    fundoscope train segmenter --task vessels --data DATA --run runs/vessels --weights weights

    Interrupted? Run the same command again: it goes on from its checkpoint.
    """
    try:
        import torch  # noqa: F401
    except ImportError as problem:
        raise MissingExtra(
            "training needs PyTorch", mend="pip install 'fundoscope[train]'"
        ) from problem
    from fundoscope.train.small_networks import STEPS, NetworkRun, train_network

    config = NetworkRun(task, data, run, steps, leave_out, seed, threads, start_from, weights)
    with advancing(f"training {task}", steps or STEPS.get(task, 0)) as progress:
        written = train_network(config, progress)
    out.print(str(written))
