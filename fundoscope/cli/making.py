"""Verbs that make: the demo, a run, a job of one's own."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fundoscope.cli.app import AsJson, cli, counting, out
from fundoscope.errors import ConfigError

jobs_cli = typer.Typer(help="Ready-made jobs: one for every public set and track.")
cli.add_typer(jobs_cli, name="jobs")


@cli.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write.")] = Path("demo"),
    photographs: Annotated[Path | None, typer.Option(help="Your photographs.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Their label file, of any known set.")] = None,
) -> None:
    """Run the main job, offline, on drawn phantoms or on your own photographs and labels."""
    from fundoscope.demo import run_demo

    with counting("composing") as progress:
        made = run_demo(output, photographs, labels, command=_command(), progress=progress)
    tally = made.report.tally
    out.print(
        f"{tally.records:,} photographs, {tally.kept:,} dialogues kept, "
        f"{tally.rejected:,} rejected, {tally.left_out:,} left out"
    )
    out.print(f"dialogues: {made.dialogues}")
    out.print(f"card:      {made.card}")
    out.print(f"picture:   {made.picture}")
    out.print("Research use; not a medical device.")


@cli.command()
def build(
    target: Annotated[
        str | None, typer.Argument(help="A ready-made job (`fundoscope jobs`) or a JOB.yaml.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Which set it is, e.g. odir.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder that holds the set.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path(
        "runs/run"
    ),
    labels: Annotated[
        list[Path] | None, typer.Option(help="A label file; may be repeated.")
    ] = None,
    photographs: Annotated[
        Path | None, typer.Option(help="Folder of the photographs, if not root.")
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="Table of AutoMorph, RBAD or `measure` to join, FILE or SPLIT=FILE; repeatable."
        ),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A user's table: OURS=THEIRS; may be repeated.")
    ] = None,
    track: Annotated[
        list[str] | None, typer.Option(help="instruction, alignment; may be repeated.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="en, zh; may be repeated.")] = None,
    engine: Annotated[str | None, typer.Option(help="composer (offline).")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every choice of wording.")] = None,
    max_boxes: Annotated[int | None, typer.Option(help="Most boxes of a kind of lesion.")] = None,
    labels_only: Annotated[
        bool | None, typer.Option("--labels-only", help="Use labels whose photograph is absent.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a set into verified dialogues, a dataset and a card.

    fundoscope build odir-instruction --root ODIR-5K -o runs/odir

    fundoscope build --source idrid-segmentation --root IDRiD --track instruction -o runs/idrid

    Interrupted? Run the same command again: what was made is kept.
    """
    from fundoscope.converse.build import build as build_run

    changes = {
        "source": source, "root": root, "labels": labels, "photographs": photographs,
        "features": features, "columns": _pairs(column), "tracks": track, "languages": language,
        "engine": engine, "seed": seed, "max_boxes": max_boxes, "labels_only": labels_only,
    }  # fmt: skip
    job = _job(
        target, {name: value for name, value in changes.items() if value not in (None, [], {})}
    )
    with counting("composing") as progress:
        report = build_run(job, output, command=_command(), progress=progress)
    _finish(output, as_json, report.composed, report.seconds)


def _command() -> str:
    return shlex.join(["fundoscope", *sys.argv[1:]])


def _pairs(texts: list[str] | None) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts or ())
    if any(not ours or not theirs for ours, theirs in pairs.items()):
        raise ConfigError("--column wants OURS=THEIRS", mend="for example --column image=filename")
    return pairs


def _job(target: str | None, changes: dict[str, Any]) -> Any:
    from fundoscope.config import make_job, read_job
    from fundoscope.converse.jobs import ready_job

    if target is None:
        if "source" not in changes or "root" not in changes:
            raise ConfigError(
                "what to build is not said",
                mend="name a job (`fundoscope jobs`), a JOB.yaml, or --source and --root",
            )
        return make_job(**changes)
    if target.endswith((".yaml", ".yml")):
        return read_job(Path(target), **changes)
    job = ready_job(target)
    if "root" not in changes:
        raise ConfigError(f"the job {target} lacks its folder", mend="give --root FOLDER")
    return make_job(**{"source": job.source, "tracks": (job.track,), **changes})


def _finish(run: Path, as_json: bool, composed: int, seconds: float) -> None:
    """Write the files and the card of a run, and say where they are."""
    from fundoscope.export.card import write_card
    from fundoscope.export.run_files import write_run_files
    from fundoscope.ledger import Ledger

    with counting("writing files"):
        files = write_run_files(run)
        card, _ = write_card(run)
    with Ledger(run) as ledger:
        tally = ledger.summary()
    if as_json:
        told = tally | {"composed": composed, "seconds": round(seconds, 2), "files": files}
        out.print_json(json.dumps(told))
        return
    out.print(
        f"{tally['records']:,} records, {tally['kept']:,} dialogues kept "
        f"({composed:,} made now, {seconds:.1f} s), {tally['rejected']:,} rejected, "
        f"{tally['left_out']:,} left out"
    )
    for name in files:
        out.print(f"  {run / name}  ({files[name]:,} lines)")
    out.print(f"  {card}")


@jobs_cli.callback(invoke_without_command=True)
def jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the ready-made jobs."""
    from fundoscope.converse.jobs import ready_jobs

    if context.invoked_subcommand:
        return
    if as_json:
        out.print_json(json.dumps([asdict(job) for job in ready_jobs().values()]))
        return
    table = Table("job", "set", "expects", box=None)
    for job in ready_jobs().values():
        table.add_row(job.name, job.title, job.layout)
    out.print(table)


@jobs_cli.command("show")
def jobs_show(name: Annotated[str, typer.Argument(help="A ready-made job.")]) -> None:
    """Print a job as YAML, to start one's own from: `fundoscope jobs show NAME > my.yaml`."""
    from fundoscope.converse.jobs import ready_job

    print(ready_job(name).yaml(), end="")
