"""Verbs of the Batch API: cheaper answers, within a day."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.app import AsJson, cli, notes, out
from fundoscope.cli.making import write_files
from fundoscope.errors import ConfigError

if TYPE_CHECKING:
    from fundoscope.config import Job
    from fundoscope.ledger import Ledger

batch_cli = typer.Typer(
    help="Batch files: pack, submit, fetch, unpack; after `build --engine batches`.",
    no_args_is_help=True,
)
cli.add_typer(batch_cli, name="batch")

Run = Annotated[Path, typer.Argument(help="The run's folder, as `build --engine batches` made it.")]


@batch_cli.command()
def pack(run: Run) -> None:
    """Pack again what failed, expired, or was wrong and is sent back.

    fundoscope build odir-instruction --root ODIR-5K --engine batches --model gpt-4o-mini -o RUN

    packs the first files; after `batch fetch RUN` this packs what is left.
    """
    from fundoscope.converse.batch_files import job_of
    from fundoscope.converse.batch_files import pack as pack_files
    from fundoscope.converse.build import items_of
    from fundoscope.ledger import Ledger

    with Ledger(run, write=True) as ledger:
        ledger.begin()
        job = job_of(ledger)
        made = pack_files(ledger, job, items_of(ledger, job))
    out.print(f"{made.waiting:,} requests wait in {run / 'batches'}")
    if made.stopped:
        notes.print(f"stopped: {made.stopped}", style="yellow")
        raise typer.Exit(1)


@batch_cli.command()
def submit(run: Run) -> None:
    """Send the packed files to the server; none is sent twice."""
    from fundoscope.converse.batch_files import job_of
    from fundoscope.converse.batches import submit as submit_files
    from fundoscope.ledger import Ledger

    with Ledger(run, write=True) as ledger:
        ledger.begin()
        sent = submit_files(ledger, job_of(ledger), _told)
    out.print(f"{sent} files submitted; then: fundoscope batch fetch {run}")


@batch_cli.command()
def fetch(
    run: Run,
    wait: Annotated[bool, typer.Option("--wait", help="Until nothing is in work.")] = False,
    poll_s: Annotated[float, typer.Option("--poll", help="Seconds between two looks.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Fetch and unpack what is finished; then pack again what failed or was wrong."""
    from fundoscope.converse.batch_files import job_of
    from fundoscope.converse.batches import fetch as fetch_files
    from fundoscope.ledger import Ledger

    with Ledger(run, write=True) as ledger:
        ledger.begin()
        job = job_of(ledger)
        told = fetch_files(ledger, job, wait=wait, poll_s=poll_s, told=_told)
        _note_the_end(ledger, job)
    _show(run, told, as_json)


@batch_cli.command()
def unpack(
    run: Run,
    files: Annotated[list[Path], typer.Argument(help="Output and error files of the server.")],
    as_json: AsJson = False,
) -> None:
    """Take in answers that were fetched by other means; twice is as good as once."""
    from fundoscope.converse.batch_files import Unpacked, job_of
    from fundoscope.converse.batch_files import unpack as unpack_file
    from fundoscope.ledger import Ledger

    if missing := [file for file in files if not file.is_file()]:
        raise ConfigError(f"no file {missing[0]}", mend="check the path")
    told = Unpacked()
    with Ledger(run, write=True) as ledger:
        ledger.begin()
        job = job_of(ledger)
        for file in files:
            told += unpack_file(ledger, job, file)
        _note_the_end(ledger, job)
    _show(run, told, as_json)


def _told(name: str, what: str) -> None:
    notes.print(f"{name}: {what}")


def _show(run: Path, told: object, as_json: bool) -> None:
    from dataclasses import asdict

    from fundoscope.converse.batch_files import Unpacked

    assert isinstance(told, Unpacked)
    if as_json:
        out.print_json(json.dumps(asdict(told)))
    else:
        out.print(
            f"{told.kept:,} kept, {told.rejected:,} rejected, {told.to_repair:,} to be sent back, "
            f"{told.failed:,} failed, {told.known:,} known already, {told.strange:,} strange"
        )
        if told.to_repair or told.failed:
            out.print(f"to ask again: fundoscope batch pack {run}; fundoscope batch submit {run}")
    write_files(run)


def _note_the_end(ledger: Ledger, job: Job) -> None:
    """Note whether every dialogue of the run is settled."""
    from fundoscope.converse.build import items_of

    ledger.remember("finished", next(items_of(ledger, job), None) is None)
