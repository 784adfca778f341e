"""The verb that carries checkpoints over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import AsJson, advancing, cli, out
from fundoscope.errors import ConfigError, MissingExtra


@cli.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="Folder of the checkpoint, or stage 1's mm_projector.bin.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write; not there yet.")],
    vision_tower: Annotated[
        Path | None, typer.Option(help="Folder of the CLIP encoder that the checkpoint names.")
    ] = None,
    image_token_id: Annotated[
        int | None, typer.Option(help="Id of <im_patch>, where no tokenizer lies there.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="Folder of the model below: for stage 1 and differences.")
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="From today's format to LLaVA v0's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry a RetinalGPT or LLaVA-v0 checkpoint over to what transformers loads today, or back.

    fundoscope convert RetinalGPT --vision-tower clip-vit-large-patch14 -o retinalgpt

    The checkpoint may be whole or sharded, `.bin` or safetensors; with `--base` also stage 1's
    projector or differences to a LLaMA. OUTPUT loads with
    `LlavaForConditionalGeneration.from_pretrained`. Memory stays near the largest file read.

    fundoscope convert retinalgpt --back -o RetinalGPT-legacy

    Interrupted? Run the same command again: a folder that is there is whole.
    """
    try:
        from fundoscope.models.legacy_checkpoint import convert_back, convert_checkpoint
    except ImportError as problem:
        raise MissingExtra(
            "converting needs PyTorch and transformers", mend="pip install 'fundoscope[train]'"
        ) from problem

    if back:
        with advancing("converting", _bytes_of(checkpoint)) as progress:
            made = convert_back(checkpoint, output, progress=progress)
    elif vision_tower is None:
        raise ConfigError(
            "the checkpoint holds no vision tower",
            mend="give --vision-tower FOLDER, such as that of clip-vit-large-patch14",
        )
    else:
        with advancing("converting", _bytes_of(base or checkpoint, vision_tower)) as progress:
            made = convert_checkpoint(
                checkpoint,
                vision_tower,
                output,
                image_token_id,
                base=base,
                progress=progress,
            )
    if as_json:
        out.print_json(
            data={
                "folder": str(made.folder),
                "tensors": made.tensors,
                "bytes": made.bytes,
                "image_token_id": made.image_token_id,
            }
        )
        return
    out.print(f"{made.folder}: {made.tensors:,} tensors, {made.bytes / 1e9:.2f} GB")


def _bytes_of(*places: Path) -> int:
    """Return about how many bytes of weights lie there, for the progress bar."""
    files = [file for place in places for file in ([place] if place.is_file() else place.iterdir())]
    return sum(file.stat().st_size for file in files if file.suffix in (".bin", ".safetensors"))
