"""The verb for doctor-patient dialogues."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fundoscope.cli.app import AsJson, cli, out
from fundoscope.cli.making import write_files


@cli.command("consultations")
def consultations_(
    files: Annotated[list[Path], typer.Argument(help="Text blocks or JSONL of dialogues.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path(
        "runs/consultations"
    ),
    language: Annotated[list[str] | None, typer.Option(help="en, zh; may be repeated.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least score of being about the fundus.")
    ] = None,
    add_safety: Annotated[
        bool,
        typer.Option(
            "--add-safety", help="Add a sourced sentence where an urgent symptom met no advice."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn doctor-patient dialogues into clean, de-identified ones about the fundus.

    fundoscope consultations corpus.txt -o runs/talks

    fundoscope export runs/eyes runs/talks --weight 1 --weight 0.25 --format history -o sft

    Read a sample before you use it: no rule hides every name.
    """
    from fundoscope.converse.consultations import ConsultationConfig
    from fundoscope.converse.consulting import build_consultations

    said: dict[str, Any] = {"languages": language, "threshold": threshold}
    said["urgent_without_advice"] = "append" if add_safety else "reject"
    config = ConsultationConfig(**{n: value for n, value in said.items() if value is not None})
    command = shlex.join(["fundoscope", *sys.argv[1:]])
    tally = build_consultations(files, output, config, command=command)
    written, card = write_files(output)
    if as_json:
        out.print_json(json.dumps(asdict(tally) | {"files": written}))
        return
    out.print(f"{tally.kept:,} dialogues kept, {tally.left_out:,} left out")
    for name in written:
        out.print(f"  {output / name}  ({written[name]:,} lines)")
    out.print(f"  {card}")
