"""Verbs that train."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from fundoscope.cli.app import AsJson, advancing, cli, out
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
    device: Annotated[
        str, typer.Option(help="cpu, or cuda for vessels, lesions, places and disc_cup.")
    ] = "cpu",
    weights: Annotated[
        Path | None, typer.Option(help="Folder to write the network and its manifest to.")
    ] = None,
) -> None:
    """Train one of the small networks that look at photographs, and ship it.

    fundoscope train segmenter --task vessels --data DATA --run runs/vessels --weights weights

    Interrupted? Run the same command again: it goes on from its checkpoint.
    """
    _need("torch")
    from fundoscope.train.small_networks import STEPS, NetworkRun, train_network

    config = NetworkRun(
        task, data, run, steps, leave_out, seed, threads, start_from, device, weights
    )
    with advancing(f"training {task}", steps or STEPS.get(task, 0)) as progress:
        written = train_network(config, progress)
    out.print(str(written))


@train_cli.command()
def stage(
    file: Annotated[Path, typer.Argument(help="The stage: a YAML file, see docs/training.md.")],
    model: Annotated[Path | None, typer.Option(help="Another model to begin with.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Another folder of the run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a vision-language model by one stage.

    fundoscope train stage stage1.yaml

    `out/model` of the stage answers questions (`fundoscope ask`) and begins the next stage.
    Several GPUs: `accelerate launch --config_file FSDP.yaml $(which fundoscope) train stage ...`

    Interrupted? Run the same command again: it goes on from its last whole checkpoint.
    """
    _need("torch", "transformers", "accelerate")
    from transformers.utils import logging

    from fundoscope.train.stage_config import read_stage
    from fundoscope.train.stages import leave_together, train_stage

    logging.disable_progress_bar()
    changes = {"model": model, "out": output}
    config = read_stage(file, **{name: value for name, value in changes.items() if value})
    with advancing(f"training {config.out.name}", config.steps or 0) as progress:
        done = train_stage(config, progress)
    leave_together()
    if as_json:
        out.print_json(data=done.manifest)
        return
    told = done.manifest
    if told:
        out.print(
            f"{done.folder / 'model'}: {told['steps']} steps, {told['learned_parameters']:,} of "
            f"{told['parameters']:,} parameters learned, loss {told['loss_first']:.3f} -> "
            f"{told['loss_last']:.3f}, {told['counts']['refused']} dialogues refused, "
            f"{told['counts']['bad_photographs']} bad photographs"
        )


@train_cli.command()
def preview(
    file: Annotated[Path, typer.Argument(help="The stage: a YAML file.")],
    place: Annotated[int, typer.Option(help="Place in the stream of dialogues, from 0.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show one dialogue as the model will read it; what it learns of it is green.

    fundoscope train preview stage2.yaml --place 3
    """
    _need("torch", "transformers", "accelerate")
    from fundoscope.train.preview import preview as previewed
    from fundoscope.train.stage_config import read_stage

    shown = previewed(read_stage(file), place)
    if as_json:
        out.print_json(
            data={
                "stretches": [[part.text, part.learned] for part in shown.stretches],
                "tokens": shown.tokens,
                "learned_tokens": shown.learned_tokens,
                "photographs": shown.photographs,
                "px_per_input_px": list(shown.px_per_input_px),
            }
        )
        return
    text = Text()
    for part in shown.stretches:
        text.append(part.text, style="bold green" if part.learned else "dim")
    out.print(text)
    px = ", ".join(f"{value:.1f}" for value in shown.px_per_input_px) or "none"
    out.print(
        f"{shown.tokens} tokens, {shown.learned_tokens} learned; {shown.photographs} photographs, "
        f"of whose pixels one the encoder sees holds, along a line: {px}"
    )


def _need(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(f"training needs {package}", mend="pip install 'fundoscope[train]'")
