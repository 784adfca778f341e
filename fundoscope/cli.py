"""`fundoscope VERB`: parse, call one public function, show."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from fundoscope import __version__
from fundoscope.errors import ConfigError, FundoscopeError
from fundoscope.ledger import Tally

cli = typer.Typer(
    name="fundoscope",
    help="From retinal photographs and labels to verified dialogues. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
jobs_cli = typer.Typer(help="Ready-made jobs: one for every public set and track.")
cli.add_typer(jobs_cli, name="jobs")
out = Console(highlight=False, soft_wrap=True)
notes = Console(stderr=True, highlight=False)

RunFolder = Annotated[Path, typer.Argument(help="Folder that `build -o` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Run the command line; an error of ours is printed bare, a bug keeps its traceback."""
    try:
        cli()
    except FundoscopeError as problem:
        notes.print(f"[bold red]error:[/] {problem}", markup=True)
        sys.exit(2)


@cli.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(f"fundoscope {__version__}")
        raise typer.Exit


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
        typer.Option(help="AutoMorph or RBAD table to join, FILE or SPLIT=FILE; may be repeated."),
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
    command = shlex.join(["fundoscope", *sys.argv[1:]])
    with _counting("composing") as progress:
        report = build_run(job, output, command=command, progress=progress)
    _finish(output, as_json, report.composed, report.seconds)


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


@contextmanager
def _counting(what: str) -> Iterator[Any]:
    """Show a running count on a terminal; stay silent elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(what)

        def show(tally: Tally) -> None:
            bar.update(
                task,
                description=f"{what}: {tally.records:,} records, {tally.kept:,} dialogues kept, "
                f"{tally.rejected:,} rejected, {tally.left_out:,} left out",
            )

        yield show


def _finish(run: Path, as_json: bool, composed: int, seconds: float) -> None:
    """Write the files and the card of a run, and say where they are."""
    from fundoscope.export.card import write_card
    from fundoscope.export.run_files import write_run_files
    from fundoscope.ledger import Ledger

    with _counting("writing files"):
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


@cli.command()
def card(run: RunFolder) -> None:
    """Write the dataset card of a run: card.html to look at, card.md for a hub."""
    from fundoscope.export.card import write_card

    for file in write_card(run):
        out.print(str(file))


@cli.command()
def doctor(as_json: AsJson = False) -> None:
    """Tell what is installed, what each extra would add, and which trap is present."""
    from fundoscope.doctor import examine

    checks = examine()
    if as_json:
        out.print_json(json.dumps([asdict(check) for check in checks]))
    else:
        marks = {"ok": "[green]ok[/]", "missing": "[yellow]--[/]", "trap": "[bold red]!![/]"}
        for check in checks:
            out.print(f"{marks[check.state]}  [bold]{check.name}[/]: {check.detail}")
            if check.mend:
                out.print(f"      mend: {check.mend}")
    if any(check.state == "trap" for check in checks):
        raise typer.Exit(1)
