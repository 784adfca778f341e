"""The verb that serves the API and the chat page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import cli, out


@cli.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="8000 by default; 0 takes a free one.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the token which every request must bear."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for photographs; the number of cores by default.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file of limits, such as `photographs_waiting: 16`.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="https://HOST/v1 of a server whose model words the answers.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="With --endpoint: the model's name.")] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="The chat page too.")] = True,
) -> None:
    """Serve the assistant: an API that OpenAI's clients speak with, and the chat page.

    fundoscope serve

    fundoscope serve --host 0.0.0.0 --token-file token.txt

    fundoscope serve --endpoint http://localhost:8001/v1 --model NAME

    Only this machine is let in. Elsewhere the server needs a token of at least 16 characters, in a
    file or in the variable FUNDOSCOPE_TOKEN, and refuses to start without one. `/docs` explains
    the routes, `/readyz` says when the networks are loaded, `/metrics` is for Prometheus. Ctrl-C
    or SIGTERM ends it when what runs is finished. With --endpoint a language model words what was
    measured, and only what passes the check is shown. Research use; not a medical device.
    """
    from fundoscope.cli.chatting import served_drafter
    from fundoscope.config import read_fields
    from fundoscope.serve.api import serve as serve_api
    from fundoscope.serve.assistant import Assistant
    from fundoscope.serve.settings import serve_settings

    named = (read_fields(settings, "settings") or {}) if settings else {}
    given = {"host": host, "port": port, "workers": workers}
    chosen = serve_settings(**named | {n: v for n, v in given.items() if v is not None})
    serve_api(
        Assistant(drafter=served_drafter(endpoint, model)),
        chosen,
        token_file=token_file,
        chat_page=page,
        told=lambda address: out.print(f"{address} (Ctrl-C ends it; research use)"),
    )
