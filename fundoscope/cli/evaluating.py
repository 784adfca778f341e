"""Verbs that score a model: the tasks, a run, a comparison, export to other kits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fundoscope.cli.app import AsJson, advancing, cli, notes, out
from fundoscope.cli.perceiving import CORES
from fundoscope.errors import ConfigError

if TYPE_CHECKING:
    from fundoscope.evaluate.evaluation import Evaluation
    from fundoscope.evaluate.item_making import Asked
    from fundoscope.evaluate.items import Predictor
    from fundoscope.records import Language

evaluate_cli = typer.Typer(
    help="Score any model, the same way each time: tasks, runs, comparisons.",
    no_args_is_help=True,
)
cli.add_typer(evaluate_cli, name="evaluate")


class Kit(StrEnum):
    """Other evaluation kits that a task is exported to."""

    vlmevalkit = "vlmevalkit"
    lmms_eval = "lmms-eval"
    hf = "hf"


class Kind(StrEnum):
    """What a file of predictions was written by."""

    any = "any"
    vlmevalkit = "vlmevalkit"
    lmms_eval = "lmms-eval"


LanguageName = Literal["en", "zh", "both"]
PartName = Literal["all", "train", "val", "test"]
TaskName = Annotated[str, typer.Argument(help="A task of `evaluate list`, or the path of a YAML.")]
Root = Annotated[Path | None, typer.Option(help="Folder of your copy of the set.")]
Photographs = Annotated[
    Path | None, typer.Option(help="Folder of the photographs, if not where the task says.")
]
Labels = Annotated[
    list[Path] | None, typer.Option(help="Label file, if the task does not find it; repeatable.")
]
Features = Annotated[
    list[Path] | None, typer.Option(help="A table of measurements to join; repeatable.")
]
Languages = Annotated[LanguageName, typer.Option(help="English, Chinese, or both.")]
Wordings = Annotated[int, typer.Option(help="Wordings of each question; 0 asks all.")]
Most = Annotated[int | None, typer.Option(help="Most photographs, drawn by patient.")]
PartOption = Annotated[
    PartName | None, typer.Option(help="Another part than the task's; `all` asks about all.")
]
Against = Annotated[
    Path | None,
    typer.Option(
        help="What the model was trained on: a run of `build`, a stage of `train`, or a table. "
        "Patients and near-duplicates that it shares are left out."
    ),
]
Jobs = Annotated[int, typer.Option(help="Processes that open photographs and read answers.")]
DISCLAIMER = "Research use; not a medical device."


@evaluate_cli.command("list")
def list_tasks(
    copies: Annotated[
        list[str] | None,
        typer.Option("--copy", help="SOURCE=FOLDER of your copy, to count it; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks: what is asked of which set, and how much of it your copies hold.

    fundoscope evaluate list

    fundoscope evaluate list --copy odir=ODIR-5K --copy idrid=IDRiD
    """
    from fundoscope.evaluate.task_counts import task_table

    rows = task_table(_copies(copies or ()))
    if as_json:
        out.print_json(json.dumps(rows, ensure_ascii=False))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        out.print(f"{row['name']:<{width}}  {row['title']}{_counted(row)}")
    out.print(f"{len(rows)} tasks; more about one: fundoscope evaluate show TASK --root FOLDER")


@evaluate_cli.command()
def show(
    name: TaskName,
    root: Root = None,
    photographs: Photographs = None,
    labels: Labels = None,
    features: Features = None,
    part: PartOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a task: what is asked, what its labels mean, and with --root what your copy holds.

    fundoscope evaluate show odir-normal --root ODIR-5K
    """
    from fundoscope.evaluate.item_making import Choice, Copy
    from fundoscope.evaluate.task_counts import describe_task
    from fundoscope.evaluate.tasks import task

    copy = Copy(root, photographs, tuple(labels or ()), tuple(features or ())) if root else None
    told = describe_task(task(name), copy, Choice(part=part or ""))
    if as_json:
        out.print_json(json.dumps(told, ensure_ascii=False))
        return
    out.print(told["title"], style="bold")
    for field in ("means", "source", "split", "your_copy", "licence"):
        out.print(f"{field.replace('_', ' ')}: {told[field]}")
    for note in told["notes"]:
        out.print(f"note: {note}")
    for form in told["forms"]:
        wordings = ", ".join(f"{len(said)} in {lang}" for lang, said in form["questions"].items())
        first = next(iter(form["questions"].values()))[0]
        out.print(f"asked as {form['id']}: {first!r} (wordings: {wordings})")
    if "counts" in told:
        _tell_counts(told["counts"])


@evaluate_cli.command()
def run(
    name: TaskName,
    root: Root = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Answers of another system: JSONL, JSON or CSV.", rich_help_panel="Who"),
    ] = None,
    written_by: Annotated[
        Kind, typer.Option(help="Which kit wrote the predictions.", rich_help_panel="Who")
    ] = Kind.any,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a checkpoint; with --endpoint, the model as the server calls it.",
            rich_help_panel="Who",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="https://HOST/v1 of a server that speaks OpenAI's chat completions.",
            rich_help_panel="Who",
        ),
    ] = None,
    assistant: Annotated[
        bool,
        typer.Option("--assistant", help="Our offline assistant.", rich_help_panel="Who"),
    ] = False,
    called: Annotated[
        str | None,
        typer.Option("--name", help="What the report calls it.", rich_help_panel="Who"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; evaluations/TASK/NAME if none.")
    ] = None,
    photographs: Photographs = None,
    labels: Labels = None,
    features: Features = None,
    language: Languages = "en",
    wordings: Wordings = 1,
    most: Most = None,
    part: PartOption = None,
    against: Against = None,
    baselines: Annotated[
        bool, typer.Option(help="Score the majority and the shortcut probe beside it.")
    ] = True,
    blind: Annotated[
        bool, typer.Option("--blind", help="Ask everything again without the photographs.")
    ] = False,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A finished evaluation to compare with, item by item; repeatable."),
    ] = None,
    resamples: Annotated[int, typer.Option(help="Resamples of patients for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the resamples and of --most.")] = 0,
    device: Annotated[
        str, typer.Option(help="Checkpoint: cpu, cuda or auto.", rich_help_panel="Asking")
    ] = "auto",
    batch: Annotated[
        int, typer.Option(help="Checkpoint: conversations side by side.", rich_help_panel="Asking")
    ] = 16,
    tokens: Annotated[int, typer.Option(help="Longest answer.", rich_help_panel="Asking")] = 256,
    budget: Annotated[
        float | None,
        typer.Option(help="Server: US dollars that may be spent.", rich_help_panel="Asking"),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(
            help="Server: IN,OUT: US dollars for a million tokens.", rich_help_panel="Asking"
        ),
    ] = None,
    key_env: Annotated[
        str,
        typer.Option(help="Server: variable that holds the key.", rich_help_panel="Asking"),
    ] = "OPENAI_API_KEY",
    logprobs: Annotated[
        int,
        typer.Option(
            help="Server: likely first tokens to ask for, to score by likelihood too.",
            rich_help_panel="Asking",
        ),
    ] = 0,
    jobs: Jobs = CORES,
    as_json: AsJson = False,
) -> None:
    """Score a model on a task; interrupted, the same command goes on.

    fundoscope evaluate run idrid-grade --root IDRiD --predictions answers.jsonl -o RUN

    fundoscope evaluate run odir-normal --root ODIR-5K --model retinalgpt --against trained.csv

    fundoscope evaluate run hrf-normal --root HRF --endpoint http://localhost:8000/v1 --model NAME

    OUT/report.html is the page, OUT/report.md holds tables for a paper, OUT/scores.json is for
    machines, OUT/items.jsonl has every answer with what was read from it, and OUT/manifest.json
    the hashes of all that decided: the same inputs give the same bytes. Exit code 1 if a question
    has no answer or a prediction no question. Research use; not a medical device.
    """
    from fundoscope.evaluate.evaluating import baselines_for, evaluate_predictor
    from fundoscope.evaluate.scoring import Draws

    asked = _asked(
        name, root, photographs, labels, features, language, wordings, most, part, against, jobs,
        seed,
    )  # fmt: skip
    folder = output or Path("evaluations") / asked.task.name / (called or _short(
        predictions, model, assistant
    ))  # fmt: skip
    who = _predictor(
        asked, folder,
        predictions=predictions, written_by=written_by, model=model, endpoint=endpoint,
        assistant=assistant, called=called, jobs=jobs,
        options={"device": device, "batch": batch, "most_tokens": tokens},
        server={"max_tokens": tokens, "budget_usd": budget, "price": _price(price),
                "key_env": key_env},
        logprobs=logprobs,
    )  # fmt: skip
    beside = []
    if baselines or blind:
        grey = folder / "grey.png" if assistant else None
        beside = baselines_for(asked, who, blind=blind, grey=grey, jobs=jobs)
        beside = beside if baselines else beside[-1:]
    with advancing("answering", len(asked.items)) as progress:
        evaluation = evaluate_predictor(
            asked, who, folder, baselines=beside, draws=Draws(resamples, seed), jobs=jobs,
            progress=progress,
        )  # fmt: skip
    _tell(evaluation, folder, as_json)
    if compare:
        _compare([folder, *compare], folder, resamples, seed, as_json=False)
    if evaluation.system.unmatched or _without_answer(evaluation):
        raise typer.Exit(1)


@evaluate_cli.command("compare")
def compare_folders(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `evaluate run` wrote.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write the comparison.")
    ] = Path("comparison"),
    resamples: Annotated[int, typer.Option(help="Resamples of patients.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare finished evaluations of one task, item by item, with intervals and p.

    fundoscope evaluate compare RUN OTHER -o comparison
    """
    _compare(runs, output, resamples, seed, as_json=as_json)


@evaluate_cli.command("export")
def export_to_kit(
    name: TaskName,
    to: Annotated[Kit, typer.Option(help="The kit.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write into.")],
    root: Root = None,
    photographs: Photographs = None,
    labels: Labels = None,
    features: Features = None,
    language: Languages = "en",
    wordings: Wordings = 1,
    most: Most = None,
    part: PartOption = None,
    jobs: Jobs = CORES,
) -> None:
    """Write a task as another kit asks it; its file of answers is scored with `evaluate run`.

    fundoscope evaluate export idrid-grade --root IDRiD --to vlmevalkit -o kit
    """
    from fundoscope.evaluate.ecosystem import export_task

    asked = _asked(
        name, root, photographs, labels, features, language, wordings, most, part, None, jobs
    )
    kit = "huggingface" if to is Kit.hf else to.value
    written = export_task(asked, kit, output)
    out.print(f"{len(asked.items):,} questions: {written}")


def _asked(
    name: str,
    root: Path | None,
    photographs: Path | None,
    labels: list[Path] | None,
    features: list[Path] | None,
    language: LanguageName,
    wordings: int,
    most: int | None,
    part: PartName | None,
    against: Path | None,
    jobs: int,
    seed: int = 0,
) -> Asked:
    from fundoscope.evaluate.item_making import Choice, Copy, items_of
    from fundoscope.evaluate.tasks import task
    from fundoscope.evaluate.training_set import read_training

    found = task(name)
    if root is None and found.source != "knowledge":
        raise ConfigError(
            f"where the set of the task {found.name} lies is not said",
            mend=f"--root FOLDER: {found.your_copy}",
        )
    chosen: tuple[Language, ...] = ("en", "zh") if language == "both" else (language,)
    return items_of(
        found,
        Copy(root or Path(), photographs, tuple(labels or ()), tuple(features or ())),
        Choice(chosen, wordings, most, seed, part or ""),
        training=read_training(against) if against else None,
        jobs=jobs,
    )


def _short(predictions: Path | None, model: str | None, assistant: bool) -> str:
    """Return the last part of the default folder's name."""
    if predictions:
        return predictions.stem
    return "assistant" if assistant else Path(model or "model").name


def _predictor(
    asked: Asked,
    folder: Path,
    *,
    predictions: Path | None,
    written_by: Kind,
    model: str | None,
    endpoint: str | None,
    assistant: bool,
    called: str | None,
    jobs: int,
    options: dict[str, Any],
    server: dict[str, Any],
    logprobs: int,
) -> Predictor:
    """Return who answers; exactly one is to be named."""
    name = called or ""
    ways: dict[str, Callable[[], Predictor]] = {}
    if predictions is not None:
        ways["--predictions"] = lambda: _from_file(predictions, written_by, asked, name)
    if endpoint is not None:
        ways["--endpoint"] = lambda: _server(endpoint, model, folder, name, server, logprobs)
    elif model is not None:
        ways["--model"] = lambda: _checkpoint(Path(model), name, options)
    if assistant:
        ways["--assistant"] = lambda: _assistant(folder, name, jobs)
    if len(ways) != 1:
        raise ConfigError(
            "who answers is not said" if not ways else f"{' and '.join(ways)} were given",
            mend="one of --predictions FILE, --model FOLDER, --endpoint URL, --assistant",
        )
    return next(iter(ways.values()))()


def _from_file(file: Path, written_by: Kind, asked: Asked, name: str) -> Predictor:
    from fundoscope.evaluate.ecosystem_results import LmmsEvalFile, VlmevalkitFile
    from fundoscope.evaluate.prediction_files import FilePredictor

    if written_by is Kind.any:
        return FilePredictor(file, asked.items, name)
    kit = VlmevalkitFile(file) if written_by is Kind.vlmevalkit else LmmsEvalFile(file)
    kit.name = name or kit.name
    return kit


def _server(
    url: str, model: str | None, folder: Path, name: str, server: dict[str, Any], logprobs: int
) -> Predictor:
    from pydantic import ValidationError

    from fundoscope.config import Endpoint
    from fundoscope.evaluate.endpoint_predictor import EndpointPredictor

    if model is None:
        raise ConfigError("which model the server is to use is not said", mend="--model NAME")
    settings = {key: value for key, value in server.items() if value is not None}
    try:
        endpoint = Endpoint(model=model, base_url=url, **settings)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise ConfigError(
            f"setting {first['loc'][0]!r} of the server: {first['msg'].lower()}",
            mend="see `fundoscope evaluate run --help`",
        ) from problem
    return EndpointPredictor(
        endpoint,
        folder / "asked",
        name=name,
        top_logprobs=logprobs,
    )


def _price(text: str | None) -> tuple[float, float] | None:
    try:
        into, from_ = (float(part) for part in text.split(",")) if text else (0.0, 0.0)
    except ValueError as problem:
        raise ConfigError(
            f"--price wants IN,OUT, got {text!r}", mend="--price 0.15,0.60"
        ) from problem
    return (into, from_) if text else None


def _checkpoint(folder: Path, name: str, options: dict[str, Any]) -> Predictor:
    from fundoscope.evaluate.checkpoint_predictor import CheckpointPredictor

    return CheckpointPredictor.load(folder, name=name, **options)


def _assistant(folder: Path, name: str, jobs: int) -> Predictor:
    from fundoscope.evaluate.offline_predictor import OfflinePredictor

    return OfflinePredictor(folder / "seen", jobs=jobs, name=name or "offline")


def _without_answer(evaluation: Evaluation) -> int:
    return sum(one.reading is None for one in evaluation.system.scored)


def _tell(evaluation: Evaluation, folder: Path, as_json: bool) -> None:
    from fundoscope.evaluate import run_files
    from fundoscope.evaluate.evaluation import scores_json
    from fundoscope.evaluate.report import flags, report_lines, warnings

    if as_json:
        out.print_json(json.dumps(scores_json(evaluation), ensure_ascii=False))
        return
    for line in report_lines(evaluation):
        out.print(line)
    for flag in flags(evaluation):
        notes.print(f"{flag['head']} {flag['text']}", style="bold yellow", markup=False)
    for warning in warnings(evaluation):
        notes.print(warning, style="yellow", markup=False)
    missing = _without_answer(evaluation)
    if missing:
        out.print(f"{missing:,} questions have no answer; the report tells why")
    if evaluation.system.unmatched:
        out.print(f"{len(evaluation.system.unmatched):,} predictions belong to no question")
    out.print(f"report: {folder / run_files.HTML}")
    out.print(DISCLAIMER)


def _compare(
    folders: Sequence[Path], output: Path, resamples: int, seed: int, *, as_json: bool
) -> None:
    from fundoscope.evaluate.comparing import compare_runs, comparison_json
    from fundoscope.evaluate.comparison_report import comparison_lines, write_comparison

    comparison = compare_runs(folders, resamples=resamples, seed=seed)
    page, _, _ = write_comparison(comparison, output)
    if as_json:
        out.print_json(json.dumps(comparison_json(comparison), ensure_ascii=False))
        return
    for line in comparison_lines(comparison):
        out.print(line)
    out.print(f"comparison: {page}")


def _copies(said: Sequence[str]) -> dict[str, Path]:
    found = {}
    for one in said:
        source, equals, folder = one.partition("=")
        if not equals:
            raise ConfigError(f"--copy {one!r} names no set", mend="--copy odir=FOLDER")
        found[source] = Path(folder)
    return found


def _counted(row: dict[str, Any]) -> str:
    """Return how much a copy holds, as it stands behind a title."""
    if row["problem"]:
        return f" (cannot be read: {row['problem']})"
    if row["items"] is None:
        return ""
    about = "conditions" if row["kind"] == "knowledge" else "photographs"
    return f" ({row['items']:,} questions, {row['photographs']:,} {about})"


def _tell_counts(counts: dict[str, Any]) -> None:
    out.print(
        f"your copy holds {counts['questions']:,} questions about {counts['photographs']:,} "
        f"photographs of {counts['patients']:,} patients"
    )
    for form, labels in counts["labels"].items():
        told = ", ".join(f"{label} {n:,}" for label, n in labels.items())
        out.print(f"  {form}: {told}")
    for why, reasons in counts["left_out"].items():
        out.print(f"left out, {why}: {counts['left_out_total'][why]:,}")
        for reason, n in reasons.items():
            out.print(f"  {n:,}: {reason}")
