"""The verb that looks at photographs, and the arguments that it shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import advancing, cli, out

Jobs = Annotated[int, typer.Option(help="Processes; the number of cores by default.")]
CORES = os.cpu_count() or 1


@cli.command()
def perceive(
    photographs: Annotated[
        list[Path], typer.Argument(help="Photographs, or folders with photographs below them.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for masks and the table.")
    ] = Path("perceived"),
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write probabilities, 0 to 255.")
    ] = False,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Look at vessels twice, once mirrored: slower.")
    ] = False,
    jobs: Jobs = CORES,
) -> None:
    """Outline vessels, disc and lesions, find the fovea, judge quality and conditions.

    fundoscope perceive PHOTOGRAPHS -o perceived

    Masks are PNG files in the photograph's own pixels: `vessels/` (0, 255), `artery_vein/`
    (1 artery, 2 vein, 3 crossing), `disc_cup/` (1 rim, 2 cup), `lesions/` (1 microaneurysm,
    2 haemorrhage, 3 hard exudate, 4 soft exudate), `field_of_view/`; `photographs.csv` holds
    quality, disc, fovea and the probabilities of conditions. A photograph that may not be
    measured has the reason in its row, under `refused`.

    Interrupted? Run the same command again: what was seen is kept. Exit code 1 if a photograph
    could not be read. Research use; not a medical device.
    """
    from fundoscope.perceive.mask_files import TABLE, perceive_photographs
    from fundoscope.read.photograph_lists import photographs_of

    found = photographs_of(photographs)
    with advancing("perceiving", len(found)) as progress:
        unreadable = perceive_photographs(
            found,
            output,
            probabilities=probabilities,
            mirrored=mirrored,
            jobs=jobs,
            progress=progress,
        )
    out.print(f"{len(found):,} photographs: {output / TABLE}")
    if unreadable:
        out.print(f"{unreadable:,} of them could not be read; the table says why")
        raise typer.Exit(1)
