"""The verb that talks about photographs: with the assistant, in the terminal or on a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from fundoscope.cli import answering
from fundoscope.cli.answering import Device, Dtype, Preparation, Template, Tokens
from fundoscope.cli.app import AsJson, cli, notes, out
from fundoscope.config import Endpoint
from fundoscope.errors import ConfigError, FundoscopeError, PhotographError, nearest
from fundoscope.records import LANGUAGES, Eye, Language
from fundoscope.serve.assistant import Assistant
from fundoscope.serve.drafts import Drafter, EndpointDrafter, ModelDrafter
from fundoscope.serve.evidence import cited_as
from fundoscope.serve.replies import DISCLAIMER, Evidence, Message, Reply, Seen

MOST_NOTES = 12
"""Footnotes of one answer; --json has all."""
EYES = ("left", "right")


@cli.command()
def chat(
    photographs: Annotated[
        list[Path] | None, typer.Argument(help="One photograph, both eyes, or visits of one eye.")
    ] = None,
    eye: Annotated[
        list[str] | None,
        typer.Option(help="left or right, in the order of the photographs; may be repeated."),
    ] = None,
    visit: Annotated[
        list[str] | None,
        typer.Option(help="Label of a visit, in the order of the photographs; may be repeated."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en or zh; that of each question by default.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a model that words the answers; with --endpoint, its name there."
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="https://HOST/v1 of a server whose model words the answers.")
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="With --model: its own words, held against nothing."),
    ] = False,
    web: Annotated[bool, typer.Option("--web", help="Open the chat page instead.")] = False,
    port: Annotated[int, typer.Option(help="Port of the chat page; 0 takes a free one.")] = 7860,
    tokens: Tokens = 256,
    device: Device = "auto",
    dtype: Dtype = None,
    template: Template = None,
    preparation: Preparation = None,
    as_json: AsJson = False,
) -> None:
    """Talk about photographs, question after question, in English or Chinese.

    fundoscope chat 101_left.jpg --eye left

    Offline, and without a language model, unless one is named: every number is measured in the
    photograph, every medical sentence is a fact with its source, and both stand as footnotes below
    the answer. A model's words are shown only where the measurements and facts hold each of them.

    An empty line ends it. Research use; not a medical device.
    """
    folder = Path(model) if model and not endpoint else None
    if unchecked and folder is None:
        raise ConfigError("--unchecked needs a model's folder", mend="give --model FOLDER")
    said = _one_of("--language", language, LANGUAGES)
    options = {"device": device, "dtype": dtype, "template": template, "most_tokens": tokens}
    engine = answering.loaded(folder, preparation=preparation, **options) if folder else None
    if unchecked and engine:
        notes.print(answering.DISCLAIMER, style="dim")
        talk = engine.talk(*(photographs or []))
        _converse(lambda question: _print_pieces(talk.ask(question)))
        return
    drafter: Drafter | None = ModelDrafter(engine, folder.name) if engine and folder else None
    if endpoint:
        drafter = served_drafter(endpoint, model)
    assistant = Assistant(drafter=drafter)
    if web:
        from fundoscope.serve.chat import launch

        launch(assistant, port=port, told=out.print)
        return
    seen = _looked(assistant, photographs or [], eye or [], visit or [])
    messages: list[Message] = []

    def answer(question: str) -> None:
        messages.append(Message("user", question))
        reply = assistant.reply(messages, seen, cast("Language | None", said))
        messages.append(Message("assistant", reply.text))
        _show(reply, question, as_json)

    _converse(answer)


def served_drafter(endpoint: str | None, model: str | None) -> Drafter | None:
    """Return the model of a server that words answers; None where no server is named.

    Raises
    ------
    ConfigError
        If the model's name is missing.
    """
    if not endpoint:
        return None
    if not model:
        raise ConfigError("--endpoint needs the model's name there", mend="give --model NAME")
    return EndpointDrafter(Endpoint(model=model, base_url=endpoint))


def _looked(
    assistant: Assistant, photographs: Sequence[Path], eyes: Sequence[str], visits: Sequence[str]
) -> list[Seen]:
    if len(eyes) > len(photographs) or len(visits) > len(photographs):
        raise ConfigError(
            f"{len(photographs)} photographs, {len(eyes)} eyes, {len(visits)} visits",
            mend="give --eye and --visit at most once for each photograph, in their order",
        )
    seen = []
    for number, path in enumerate(photographs):
        side = _one_of("--eye", eyes[number] if number < len(eyes) else None, EYES)
        visit = visits[number] if number < len(visits) else ""
        with notes.status(f"looking at photograph {number + 1} of {len(photographs)}"):
            try:
                seen.append(assistant.look(path, cast("Eye | None", side), visit))
            except PhotographError as problem:  # the assistant keeps no name; here it is known
                raise PhotographError(problem.what, where=str(path), mend=problem.mend) from None
    return seen


def _one_of(option: str, word: str | None, known: Sequence[str]) -> str | None:
    if word is not None and word not in known:
        raise ConfigError(f"{option} cannot be {word!r}", mend=nearest(word, known))
    return word


def _converse(answer: Callable[[str], None]) -> None:
    """Answer lines until an empty one; an error of ours ends an answer, not the talk."""
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            return
        if not question:
            return
        try:
            answer(question)
        except FundoscopeError as problem:
            notes.print(str(problem), style="red", markup=False)


def _print_pieces(pieces: Iterable[str]) -> None:
    for piece in pieces:
        out.print(piece, end="")
    out.print()


def _show(reply: Reply, question: str, as_json: bool) -> None:
    if as_json:
        row = {"question": question, **asdict(reply), "disclaimer": DISCLAIMER[reply.language]}
        out.print(json.dumps(row, ensure_ascii=False))
        return
    out.print(reply.text)
    for number, one in enumerate(reply.evidence[:MOST_NOTES], 1):
        out.print(f"  [{number}] {footnote(one)}", style="dim")
    if len(reply.evidence) > MOST_NOTES:
        out.print(f"  ... {len(reply.evidence) - MOST_NOTES} more: see --json", style="dim")
    if reply.notice:
        notes.print(reply.notice, style="yellow", markup=False)
    notes.print(DISCLAIMER[reply.language], style="dim")


def footnote(one: Evidence) -> str:
    """Return a piece of evidence as one line."""
    if one.kind == "fact":
        return f"{one.words} {cited_as(one)}"
    words = f"{one.words} [{one.id}]"
    if one.repeatability is not None:
        unit = "" if one.unit == "1" else f" {one.unit}"
        words += f" ± {one.repeatability:.2g}{unit}"
    return f"{words} ({one.tool})" if one.tool else words
