"""The verb that measures."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import cli, counting, out


class Definitions(StrEnum):
    """Whose definitions a quantity follows."""

    default = "default"
    automorph = "automorph"


@cli.command()
def measure(
    masks: Annotated[
        Path, typer.Option(help="Masks in our layout, or AutoMorph's Results folder.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="table.csv or .parquet; a folder with --definitions automorph."
        ),
    ] = Path("measurements.csv"),
    definitions: Annotated[
        Definitions,
        typer.Option(help="Ours, or AutoMorph's to the last digit, errors included."),
    ] = Definitions.default,
    mm_per_px: Annotated[
        float | None, typer.Option(help="Millimetres a pixel, for micrometres instead of pixels.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(help="Turned and shifted copies that give each value its repeatability.")
    ] = 0,
    overlay: Annotated[
        Path | None, typer.Option(help="Folder for pictures of zones, centrelines and widths.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; the number of cores by default.")] = (
        os.cpu_count() or 1
    ),
) -> None:
    """Measure vessels, disc and lesions from masks: calibres, tortuosity, dimension, ratios.

    fundoscope measure --masks Results -o table.csv

    fundoscope measure --masks Results --definitions automorph -o tables
    """
    from fundoscope.measure.measuring import measure_as_automorph, measure_folder
    from fundoscope.measure.scale import scale_from_user

    scale = scale_from_user(mm_per_px) if mm_per_px is not None else None
    with counting("measuring"):
        if definitions is Definitions.automorph:
            count = measure_as_automorph(masks, output, scale=scale, jobs=jobs)
        else:
            count = measure_folder(
                masks, output, scale=scale, repeats=repeats, jobs=jobs, overlays=overlay
            )
    out.print(f"{count:,} photographs measured: {output}")
