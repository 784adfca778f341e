"""Verbs that ask a model about photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fundoscope.cli.app import AsJson, advancing, cli, notes, out
from fundoscope.errors import MissingExtra

if TYPE_CHECKING:
    from fundoscope.models.answering import Answering

Model = Annotated[Path, typer.Option(help="Folder of the model; see `fundoscope convert`.")]
Tokens = Annotated[int, typer.Option(help="Longest answer.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")]
Dtype = Annotated[str | None, typer.Option(help="float32, float16 or bfloat16.")]
Template = Annotated[
    str | None, typer.Option(help="Format of prompts, other than the model's folder says.")
]
Preparation = Annotated[
    str | None,
    typer.Option(help="field (all of the retina is seen) or centre_crop (as LLaVA was trained)."),
]
DISCLAIMER = "Research use; not a medical device. A model can be wrong."


def loaded(folder: Path, **options: Any) -> Answering:
    """Return the model of a folder; MissingExtra where PyTorch is not installed."""
    try:
        from fundoscope.models.answering import Answering
    except ImportError as problem:
        raise MissingExtra(
            "models need PyTorch and transformers", mend="pip install 'fundoscope[train]'"
        ) from problem
    return Answering.load(folder, **options)


@cli.command()
def ask(
    photograph: Annotated[Path, typer.Argument(help="The photograph.")],
    question: Annotated[str, typer.Argument(help="What to ask about it.")],
    model: Model,
    also: Annotated[
        list[Path] | None, typer.Option(help="A further photograph; may be repeated.")
    ] = None,
    tokens: Tokens = 256,
    device: Device = "auto",
    dtype: Dtype = None,
    template: Template = None,
    preparation: Preparation = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model one question about a photograph.

    fundoscope ask 101_left.jpg "Is there diabetic retinopathy?" --model retinalgpt

    The answer is greedy: the same question gets the same answer. How much resolution the model
    loses is told on the error stream. Research use; not a medical device.
    """
    engine = loaded(
        model,
        device=device,
        dtype=dtype,
        template=template,
        preparation=preparation,
        most_tokens=tokens,
    )
    shown = (photograph, *(also or []))
    notes.print(engine.preparation.prepared(photograph).told(), style="dim", markup=False)
    talk = engine.talk(*shown)
    pieces = []
    for piece in talk.ask(question):
        pieces.append(piece)
        if not as_json:
            out.print(piece, end="")
    if as_json:
        row = {"image": [str(path) for path in shown], "question": question}
        out.print_json(json.dumps(row | {"answer": "".join(pieces).strip()}))
    else:
        out.print()
    notes.print(DISCLAIMER, style="dim")


@cli.command()
def answer(
    questions: Annotated[Path, typer.Argument(help="JSONL or JSON: id, image, question(s).")],
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", help="JSONL of answers.")] = Path(
        "answers.jsonl"
    ),
    photographs: Annotated[
        Path | None, typer.Option(help="Folder of the photographs; that of the file by default.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Conversations side by side.")] = 16,
    photograph_first: Annotated[
        bool,
        typer.Option(
            "--photograph-first",
            help="Photograph before question: rows about one photograph share its computing.",
        ),
    ] = False,
    tokens: Tokens = 256,
    device: Device = "auto",
    dtype: Dtype = None,
    template: Template = None,
    preparation: Preparation = None,
    as_json: AsJson = False,
) -> None:
    """Answer a file of questions about photographs.

    fundoscope answer questions.jsonl --model retinalgpt -o answers.jsonl

    A row has `id`, `image` or `images`, and `question`, `questions` (each knows the answers
    before it) or `messages`. OUTPUT has a line for each row, in the same order; a row that cannot
    be answered, such as one whose photograph is none, has an `error`. Names of photographs cannot
    leave their folder.

    Interrupted? Run the same command again: what was answered is kept. Exit code 1 if a row
    failed. Research use; not a medical device.
    """
    engine = loaded(
        model,
        device=device,
        dtype=dtype,
        template=template,
        preparation=preparation,
        photograph_first=photograph_first,
        most_tokens=tokens,
        batch=batch,
    )
    from fundoscope.models.question_files import answer_questions

    with advancing("answering", _lines(questions)) as progress:
        done = answer_questions(questions, output, engine, photographs, progress)
    if as_json:
        counts = {"rows": done.rows, "failed": done.failed, "found": done.found}
        out.print_json(json.dumps(counts))
    else:
        out.print(f"{done.rows:,} rows, {done.failed:,} failed: {output}")
    if done.failed:
        raise typer.Exit(1)


def _lines(file: Path) -> int:
    """Return about how many rows there are, for the progress bar."""
    if not file.is_file():
        return 0
    with file.open("rb") as stream:
        return sum(1 for _ in stream)
