"""The verb that writes a report on photographs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import advancing, cli, out
from fundoscope.errors import ConfigError
from fundoscope.records import Eye


class Tongue(StrEnum):
    """Language of a report."""

    en = "en"
    zh = "zh"


@cli.command()
def report(
    photographs: Annotated[
        list[Path], typer.Argument(help="One photograph or several, all of one person.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="File to write: its name ends in .html, .pdf, .json or .fhir.json.",
        ),
    ] = Path("report.html"),
    eye: Annotated[
        list[str] | None,
        typer.Option(help="left or right, once for each photograph, in their order."),
    ] = None,
    visit: Annotated[
        list[str] | None,
        typer.Option(help="Label of the visit, such as 2024, once for each photograph."),
    ] = None,
    language: Annotated[Tongue, typer.Option(help="en or zh.")] = Tongue.en,
    repeats: Annotated[
        int, typer.Option(help="Placements of the outlines that give the repeatability; 0 is none.")
    ] = 8,
) -> None:
    """Write a report: quality, suspicions, lesions, measurements, sources, and what is not known.

    fundoscope report EYE.jpg -o report.html

    HTML and PDF are to be read, JSON and FHIR (R4, DiagnosticReport) to be taken on. Who the
    person is stands in none of them. Two photographs of both eyes, or of two visits, are also set
    side by side. Research use; not a medical device: nobody read it, and it holds no diagnosis.
    """
    from fundoscope.serve.looking import Looker
    from fundoscope.serve.report_forms import form_of, write_report

    form_of(output)  # refuse a wrong name before looking
    eyes = _for_each(photographs, eye, "--eye")
    visits = _for_each(photographs, visit, "--visit")
    looker, seen = Looker(repeats=repeats), []
    with advancing("looking", len(photographs)) as progress:
        for photograph, side, when in zip(photographs, eyes, visits, strict=True):
            seen.append(looker.look(photograph, _eye(side), when))
            progress(1)
    write_report(seen, language.value, output)
    out.print(f"{output}: {len(seen)} photograph{'s' if len(seen) != 1 else ''}")


def _for_each(photographs: list[Path], given: list[str] | None, option: str) -> list[str]:
    """Return one word a photograph; none at all where the option was not used."""
    if given and len(given) != len(photographs):
        raise ConfigError(
            f"{option} was given {len(given)} times for {len(photographs)} photographs",
            where=option,
            mend="give it once for each photograph, or not at all",
        )
    return given or [""] * len(photographs)


def _eye(word: str) -> Eye | None:
    if word == "left":
        return "left"
    if word == "right":
        return "right"
    if word:
        raise ConfigError(f"there is no eye {word!r}", where="--eye", mend="say left or right")
    return None
