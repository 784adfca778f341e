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

from fundoscope.cli.app import AsJson, cli, counting, notes, out
from fundoscope.config import with_endpoint
from fundoscope.errors import ConfigError

jobs_cli = typer.Typer(help="Ready-made jobs: one for every public set and track.")
cli.add_typer(jobs_cli, name="jobs")


def _asking(help_: str, *names: str) -> Any:
    """Return an option of those about a server."""
    return typer.Option(*names, help=help_, rich_help_panel="Asking a server")


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
        list[str] | None, typer.Option(help="instruction, alignment, knowledge; may be repeated.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="en, zh; may be repeated.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="composer (offline), endpoint (asks a server), batches (Batch files)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every choice of wording.")] = None,
    max_boxes: Annotated[int | None, typer.Option(help="Most boxes of a kind of lesion.")] = None,
    max_per_topic: Annotated[
        int | None, typer.Option(help="Most dialogues about one condition, of source knowledge.")
    ] = None,
    labels_only: Annotated[
        bool | None, typer.Option("--labels-only", help="Use labels whose photograph is absent.")
    ] = None,
    model: Annotated[str | None, _asking("Model of the server; means --engine endpoint.")] = None,
    base_url: Annotated[
        str | None, _asking("http://HOST:8000/v1; else OPENAI_BASE_URL, else OpenAI's.")
    ] = None,
    key_env: Annotated[str | None, _asking("Variable that holds the key: OPENAI_API_KEY.")] = None,
    key_file: Annotated[Path | None, _asking("File that holds the key.")] = None,
    photograph: Annotated[
        bool | None, _asking("Send the photograph too.", "--with-photograph")
    ] = None,
    at_once: Annotated[int | None, _asking("Requests in flight; 0: found out.")] = None,
    requests_per_minute: Annotated[int | None, _asking("Limit of the server's.")] = None,
    tokens_per_minute: Annotated[int | None, _asking("Limit of the server's.")] = None,
    repairs: Annotated[int | None, _asking("How often a wrong answer is sent back.")] = None,
    structured: Annotated[bool | None, _asking("Ask for JSON by a schema.", "--structured")] = None,
    budget_usd: Annotated[
        float | None, _asking("US dollars that the run may cost.", "--budget")
    ] = None,
    price: Annotated[
        str | None, _asking("US dollars for a million tokens: IN,OUT, such as 0.15,0.60.")
    ] = None,
    dry_run: Annotated[
        bool, _asking("Estimate requests, tokens and cost; ask nothing.", "--dry-run")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a set into verified dialogues, a dataset and a card.

    fundoscope build odir-instruction --root ODIR-5K -o runs/odir

    fundoscope build --source idrid-segmentation --root IDRiD --track instruction -o runs/idrid

    fundoscope build odir-instruction --root ODIR-5K --model gpt-4o-mini --budget 5 -o runs/llm

    Interrupted? Run the same command again: what was made is kept.
    """
    from fundoscope.converse.build import build as build_run

    changes = {
        "source": source, "root": root, "labels": labels, "photographs": photographs,
        "features": features, "columns": _pairs(column), "tracks": track, "languages": language,
        "engine": engine, "seed": seed, "max_boxes": max_boxes, "labels_only": labels_only,
        "max_per_topic": max_per_topic,
    }  # fmt: skip
    asked = {
        "model": model, "base_url": base_url, "key_env": key_env, "key_file": key_file,
        "photograph": photograph, "at_once": at_once, "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute, "repairs": repairs, "structured": structured,
        "budget_usd": budget_usd, "price": _price(price),
    }  # fmt: skip
    job = with_endpoint(_job(target, _said(changes)), _said(asked))
    if dry_run:
        _show_estimate(job, as_json)
        return
    with counting("composing" if job.endpoint is None else "asking") as progress:
        report = build_run(job, output, command=_command(), progress=progress)
    _finish(output, as_json, report)


def _said(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, [], {})}


def _price(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        tokens_in, tokens_out = map(float, text.split(","))
    except ValueError as problem:
        raise ConfigError(
            f"--price wants IN,OUT, got {text!r}", mend="--price 0.15,0.60"
        ) from problem
    return tokens_in, tokens_out


def _show_estimate(job: Any, as_json: bool) -> None:
    from fundoscope.converse.estimate import estimate

    told = estimate(job)
    if as_json:
        out.print_json(json.dumps(asdict(told)))
        return
    out.print(f"{told.requests:,} requests, if none has to be sent back")
    out.print(f"about {told.tokens_in:,} tokens in, {told.tokens_out:,} tokens out")
    if told.cost_usd is None:
        out.print(f"no price is known for {told.model}: give --price IN,OUT")
    else:
        out.print(f"about ${told.cost_usd:,.2f} with {told.model} ({told.price_from})")
    out.print(f"from {told.sampled:,} of {told.records:,} records; nothing was asked")


def _command() -> str:
    return shlex.join(["fundoscope", *sys.argv[1:]])


def _pairs(texts: list[str] | None) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts or ())
    if any(not ours or not theirs for ours, theirs in pairs.items()):
        raise ConfigError("--column wants OURS=THEIRS", mend="for example --column image=filename")
    return pairs


def _job(target: str | None, changes: dict[str, Any]) -> Any:
    from fundoscope.config import WITHOUT_ROOT, make_job, read_job
    from fundoscope.converse.jobs import ready_job

    if target is None:
        rootless = changes.get("source") in WITHOUT_ROOT
        if "source" not in changes or ("root" not in changes and not rootless):
            raise ConfigError(
                "what to build is not said",
                mend="name a job (`fundoscope jobs`), a JOB.yaml, or --source and --root",
            )
        return make_job(**changes)
    if target.endswith((".yaml", ".yml")):
        return read_job(Path(target), **changes)
    job = ready_job(target)
    if "root" not in changes and job.source not in WITHOUT_ROOT:
        raise ConfigError(f"the job {target} lacks its folder", mend="give --root FOLDER")
    return make_job(**{"source": job.source, "tracks": (job.track,), **changes})


def write_files(run: Path) -> tuple[dict[str, int], Path]:
    """Write the files and the card of a run; return lines by file, and the card."""
    from fundoscope.export.card import write_card
    from fundoscope.export.run_files import write_run_files

    with counting("writing files"):
        return write_run_files(run), write_card(run)[0]


def _finish(run: Path, as_json: bool, report: Any) -> None:
    """Write the files and the card of a run, and say where they are."""
    from fundoscope.ledger import Ledger

    files, card = write_files(run)
    with Ledger(run) as ledger:
        tally = ledger.summary()
    if as_json:
        told = tally | {"composed": report.composed, "seconds": round(report.seconds, 2)}
        out.print_json(json.dumps(told | {"stopped": report.stopped, "files": files}))
        raise typer.Exit(1 if report.stopped else 0)
    out.print(
        f"{tally['records']:,} records, {tally['kept']:,} dialogues kept "
        f"({report.composed:,} made now, {report.seconds:.1f} s), {tally['rejected']:,} rejected, "
        f"{tally['left_out']:,} left out"
        + (f", ${tally['spent_usd']:,.4f} spent" if tally["spent_usd"] else "")
    )
    for name in files:
        out.print(f"  {run / name}  ({files[name]:,} lines)")
    out.print(f"  {card}")
    if report.waiting:
        out.print(f"{report.waiting:,} requests wait in {run / 'batches'}")
        out.print(f"send them: fundoscope batch submit {run}")
    if report.stopped:
        notes.print(f"stopped: {report.stopped}; the same command goes on", style="yellow")
        raise typer.Exit(1)


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
