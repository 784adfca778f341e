"""The verb that measures."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.app import advancing, cli, counting, out
from fundoscope.cli.perceiving import CORES, Jobs
from fundoscope.errors import ConfigError

if TYPE_CHECKING:
    from fundoscope.measure.perceived import ScaleOf


class Definitions(StrEnum):
    """Whose definitions a quantity follows."""

    default = "default"
    automorph = "automorph"


@cli.command()
def measure(
    photographs: Annotated[
        list[Path] | None, typer.Argument(help="Photographs, or folders of them.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Instead: masks in our layout, or AutoMorph's Results.")
    ] = None,
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
    field_deg: Annotated[
        float | None,
        typer.Option(help="Photographs: the camera's field of view in degrees, such as 45."),
    ] = None,
    disc_scale: Annotated[
        bool, typer.Option("--disc-scale", help="Photographs: take every disc as 1.8 mm high.")
    ] = False,
    repeats: Annotated[
        int, typer.Option(help="Turned and shifted copies that give each value its repeatability.")
    ] = 0,
    overlay: Annotated[
        Path | None, typer.Option(help="Folder for pictures of zones, centrelines and widths.")
    ] = None,
    keep_masks: Annotated[
        Path | None, typer.Option(help="Photographs: folder to keep their masks in.")
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(help="A second table: every vessel segment, its length and widths."),
    ] = None,
    jobs: Jobs = CORES,
) -> None:
    """Measure vessels, disc and lesions: calibres, tortuosity, dimension, ratios, counts.

    fundoscope measure PHOTOGRAPHS -o table.csv --field-deg 45 --overlay overlays

    fundoscope measure --masks Results -o table.csv

    fundoscope measure --masks Results --definitions automorph -o tables

    A quantity that could not be measured has a row with the reason; so has every quantity of a
    photograph too poor to be judged. Research use; not a medical device.
    """
    if (masks is None) == (not photographs):
        raise ConfigError(
            "what to measure is not said" if masks is None else "photographs and masks were given",
            mend="name photographs, or --masks FOLDER, one of the two",
        )
    if masks is None:
        assert photographs
        if definitions is Definitions.automorph:
            raise ConfigError(
                "AutoMorph's definitions need masks on its grid",
                mend="`fundoscope perceive` first, then --masks; or leave --definitions out",
            )
        _measure_photographs(
            photographs, output, _scale(mm_per_px, field_deg, disc_scale), repeats, overlay,
            keep_masks, jobs,
        )  # fmt: skip
        if segments is not None:
            _write_segments(keep_masks, segments)
        return
    if field_deg is not None or disc_scale or keep_masks is not None:
        raise ConfigError(
            "--field-deg, --disc-scale and --keep-masks go with photographs",
            mend="give --mm-per-px with masks",
        )
    _measure_masks(masks, output, definitions, mm_per_px, repeats, overlay, jobs)
    if segments is not None:
        _write_segments(masks, segments)


def _measure_photographs(
    paths: list[Path],
    output: Path,
    scale_of: ScaleOf,
    repeats: int,
    overlay: Path | None,
    keep_masks: Path | None,
    jobs: int,
) -> None:
    from fundoscope.measure.perceived import measure_photographs
    from fundoscope.read.photograph_lists import photographs_of

    found = photographs_of(paths)
    with advancing("measuring", len(found)) as progress:
        refused = measure_photographs(
            found,
            output,
            scale_of=scale_of,
            repeats=repeats,
            jobs=jobs,
            overlays=overlay,
            masks=keep_masks,
            progress=progress,
        )
    told = f", {refused:,} of them refused: the table says why" if refused else ""
    out.print(f"{len(found):,} photographs measured{told}: {output}")


def _measure_masks(
    masks: Path,
    output: Path,
    definitions: Definitions,
    mm_per_px: float | None,
    repeats: int,
    overlay: Path | None,
    jobs: int,
) -> None:
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


def _write_segments(masks: Path | None, segments: Path) -> None:
    from fundoscope.measure.mask_folders import read_mask_folder
    from fundoscope.measure.segment_table import write_segments

    if masks is None:
        raise ConfigError(
            "--segments wants masks, and none were kept", mend="add --keep-masks FOLDER"
        )
    with counting("segments"):
        count = write_segments(read_mask_folder(masks), segments)
    out.print(f"{count:,} vessel segments: {segments}")


def _scale(mm_per_px: float | None, field_deg: float | None, disc_scale: bool) -> ScaleOf:
    """Return how photographs get their scale: one way, or none."""
    from fundoscope.measure import perceived
    from fundoscope.measure.scale import scale_from_user

    if (mm_per_px is not None) + (field_deg is not None) + disc_scale > 1:
        raise ConfigError(
            "more than one scale was given",
            mend="give one of --mm-per-px, --field-deg and --disc-scale",
        )
    if mm_per_px is not None:
        return partial(perceived.given_scale, scale=scale_from_user(mm_per_px))
    if field_deg is not None:
        return partial(perceived.scale_by_field, degrees_across=field_deg)
    return perceived.scale_by_disc if disc_scale else perceived.stated_scale
