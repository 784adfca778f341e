"""Verbs that check: dialogues against records, files against formats, the installation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import AsJson, cli, out
from fundoscope.cli.delivering import DialogueFile

MOST_SHOWN = 20


@cli.command()
def verify(
    dialogues: DialogueFile,
    against: Annotated[Path, typer.Option(help="A run's folder, or a records.jsonl.")],
    as_json: AsJson = False,
) -> None:
    """Check every number, grade, box and finding of dialogues against the records.

    Exit code 1 if anything is contradicted or unsupported.
    """
    from fundoscope.export.verified_files import verify_dialogues

    report = verify_dialogues(dialogues, against)
    if as_json:
        out.print_json(json.dumps(asdict(report), default=str))
    else:
        out.print(
            f"{report.read:,} dialogues: {report.faithful:,} faithful, "
            f"{len(report.faults):,} not, {report.without_record:,} without a record"
        )
        for aspect, counts in report.by_aspect.items():
            told = ", ".join(f"{n:,} {judgement}" for judgement, n in counts.items())
            out.print(f"  {aspect}: {told}")
        for fault in report.faults[:MOST_SHOWN]:
            out.print(f"  {fault.place} ({fault.id}), turn {fault.turn + 1}: {fault.what}")
        if len(report.faults) > MOST_SHOWN:
            out.print(f"  ... and {len(report.faults) - MOST_SHOWN:,} more (--json lists all)")
    if report.faults or report.without_record:
        raise typer.Exit(1)


@cli.command()
def validate(
    file: DialogueFile,
    photographs: Annotated[
        Path | None, typer.Option(help="Also check that every photograph is in this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of dialogues against its format. Exit code 1 if there are errors."""
    from fundoscope.export.dialogue_files import validate as problems_of

    problems = problems_of(file, photographs)
    if as_json:
        out.print_json(json.dumps([asdict(problem) for problem in problems]))
    else:
        for problem in problems:
            named = f" ({problem.id})" if problem.id else ""
            out.print(f"{problem.severity}: {problem.place}{named}: {problem.what}")
            out.print(f"  mend: {problem.mend}")
        errors = sum(problem.severity == "error" for problem in problems)
        out.print(f"{errors:,} errors, {len(problems) - errors:,} warnings in {file}")
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)


@cli.command()
def doctor(as_json: AsJson = False) -> None:
    """Tell what is installed, what each extra would add, and which trap is present."""
    from fundoscope.doctor import examine

    checks = examine()
    if as_json:
        out.print_json(json.dumps([asdict(check) for check in checks]))
    else:
        marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "trap": ("!!", "bold red")}
        for check in checks:
            mark, style = marks[check.state]
            out.print(mark, style=style, end="  ")
            out.print(f"{check.name}: {check.detail}")
            if check.mend:
                out.print(f"      mend: {check.mend}")
    if any(check.state == "trap" for check in checks):
        raise typer.Exit(1)
