"""The command line's frame: where it prints, how it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fundoscope import __version__
from fundoscope.errors import FundoscopeError
from fundoscope.ledger import Tally

cli = typer.Typer(
    name="fundoscope",
    help="From retinal photographs and labels to verified dialogues. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True, markup=False)
notes = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Run the command line; an error of ours is printed bare, a bug keeps its traceback."""
    try:
        cli()
    except FundoscopeError as problem:
        notes.print("error:", style="bold red", end=" ")
        notes.print(str(problem), markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        notes.print("stopped; run the same command again to go on", style="yellow")
        sys.exit(130)


@cli.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(f"fundoscope {__version__}")
        raise typer.Exit


@contextmanager
def counting(what: str) -> Iterator[Callable[[Tally], None]]:
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


@contextmanager
def advancing(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are done on a terminal; stay silent elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)
