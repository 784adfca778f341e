"""The HTTP API: one application, its guard and its door, and the server that runs it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fundoscope
from fundoscope.errors import ConfigError, MissingExtra
from fundoscope.serve import looked
from fundoscope.serve.queueing import ClientGone
from fundoscope.serve.refusals import Refusal
from fundoscope.serve.replies import Answerer
from fundoscope.serve.service import Service, refuse
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.shapes import ErrorBody
from fundoscope.serve.tokens import Door, is_loopback, token_for
from fundoscope.serve.workers import Looking, WarmUp

try:
    from fastapi import FastAPI
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError as missing:
    raise MissingExtra(
        "the API is served with FastAPI, which is not installed",
        mend="pip install 'fundoscope[serve]'",
    ) from missing

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("fundoscope.serve")
CHAT_PAGE = "fundoscope.serve.chat"
"""Module whose `mount(app, assistant)` adds the chat page, where it is installed."""
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": said}
    for status, said in (
        (400, "Something in the request is wrong; the message says what."),
        (401, "The token is missing or wrong."),
        (408, "The request came too slowly."),
        (413, "The body or a photograph is too large."),
        (415, "The body is of a kind that is not read."),
        (429, "Too much is waiting; Retry-After says when to come back."),
        (504, "It took too long."),
    )
}


def make_app(
    assistant: Answerer,
    settings: ServeSettings | None = None,
    *,
    token: str = "",
    looking: Looking | None = None,
    warm_up: WarmUp | None = looked.warm_up,
) -> FastAPI:
    """Return the application: routes, guard and door, without the chat page.

    Parameters
    ----------
    assistant : answers; only its `reply` and `stream` are called.
    settings : limits.
    token : empty asks for none.
    looking : looks at photographs; by default in processes, with the shipped networks.
    warm_up : done once in each process before it is used.
    """
    from fundoscope.serve.api_chat import chat_routes
    from fundoscope.serve.api_pages import page_routes, with_requests_described
    from fundoscope.serve.api_photographs import photograph_routes

    settings = settings or ServeSettings()
    looking = looking or Looking(settings)
    service = Service(assistant, settings, looking)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncGenerator[None, None]:
        starting = asyncio.create_task(looking.start(warm_up))
        starting.add_done_callback(_tell_of_failure)
        yield
        starting.cancel()
        await looking.stop()
        service.lane.close()

    app = FastAPI(
        title="fundoscope",
        version=fundoscope.__version__,
        summary="Looks at retinal photographs, measures, cites and admits.",
        description="Research use; not a medical device.",
        docs_url=None,  # FastAPI's own page fetches its scripts from elsewhere
        redoc_url=None,
        lifespan=living,
    )
    app.state.service = service
    app.include_router(chat_routes(service, _ERRORS))
    app.include_router(photograph_routes(service, _ERRORS))
    app.include_router(page_routes(service, app))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _refused_by_router)
    app.add_exception_handler(ClientGone, _gone)
    app.add_middleware(Door, token=token, local_only=is_loopback(settings.host))
    app.add_middleware(Guard, service=service)
    with_requests_described(app)
    return app


async def _refused(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)
    return refuse(problem)


async def _refused_by_router(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    codes = {404: ("there is nothing at this address", "not_found"),
             405: ("the method is not allowed at this address", "method_not_allowed")}  # fmt: skip
    what, code = codes.get(problem.status_code, (str(problem.detail), "refused"))
    return refuse(Refusal(problem.status_code, what, code, headers=problem.headers))


async def _gone(_: Request, problem: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; the metrics count it


def _tell_of_failure(starting: asyncio.Task[None]) -> None:
    if not starting.cancelled() and starting.exception() is not None:
        log.error("no photograph can be looked at: %s", _place_of(starting.exception()))


class Guard:
    """Counts every request, ends what takes too long, and turns a bug into a plain 500.

    A bug's own words stay out of answer and log: they may hold what a file or a question says.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, within limits."""
        if scope["type"] != "http":
            with suppress(Refusal):  # a websocket from elsewhere; left alone it is closed
                await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 499

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # other paths are pages, whose streams may stay open
        limit = self._service.settings.time_limit_s if scope["path"].startswith("/v1/") else None
        try:
            async with asyncio.timeout(limit):
                await self._app(scope, receive, counted)
        except Exception as problem:
            if status == 499 and (refusal := _refusal_of(problem)) is not None:
                await refuse(refusal)(scope, receive, counted)
        finally:
            self._service.metrics.answered(scope["path"], status, time.monotonic() - began)


def _refusal_of(problem: Exception) -> Refusal | None:
    if isinstance(problem, Refusal):
        return problem
    if isinstance(problem, ClientGone):
        return None
    if isinstance(problem, TimeoutError):
        return Refusal(504, "the answer took too long", "too_slow", mend="try again later")
    log.error("a bug: %s", _place_of(problem))
    return Refusal(500, "something went wrong here, not in the request", "internal_error")


def _place_of(problem: BaseException | None) -> str:
    """Return kind and place of an exception, without its words."""
    trace = problem.__traceback__ if problem else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(problem).__name__
    code = trace.tb_frame.f_code
    return f"{type(problem).__name__} in {Path(code.co_filename).name}:{trace.tb_lineno}"


def mount_chat_page(app: FastAPI, assistant: Answerer) -> bool:
    """Add the chat page where it is installed; return whether it is."""
    if importlib.util.find_spec(CHAT_PAGE) is None:
        return False
    importlib.import_module(CHAT_PAGE).mount(app, assistant)
    return True


def make_server(app: FastAPI, settings: ServeSettings) -> uvicorn.Server:
    """Return the server of an application: no log of requests, limits for slow clients."""
    import uvicorn

    from fundoscope.serve.slow_clients import protocol

    config = uvicorn.Config(
        app,
        http=protocol(settings.head_limit_s),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=32_768,
        timeout_graceful_shutdown=int(settings.time_limit_s) + 1,
    )
    return uvicorn.Server(config)


def serve(
    assistant: Answerer,
    settings: ServeSettings,
    *,
    token_file: Path | None = None,
    chat_page: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve until told to stop, then finish what runs.

    Parameters
    ----------
    assistant : answers.
    settings : where to listen, and limits.
    token_file : file of the token; else the variable FUNDOSCOPE_TOKEN.
    chat_page : whether to add the chat page, where it is installed.
    told : is told the address, once the server listens.

    Raises
    ------
    ConfigError
        If a token is needed and there is none, or the address cannot be listened on.
    MissingExtra
        If the extra `serve` is not installed.
    """
    from fundoscope.serve.api_pages import root_route

    token = token_for(settings.host, token_file)
    app = make_app(assistant, settings, token=token)
    if not (chat_page and mount_chat_page(app, assistant)):
        root_route(app)
    listening = _listen(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    told(f"http://{host}:{listening.getsockname()[1]}/")
    make_server(app, settings).run(sockets=[listening])


def _listen(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as problem:
        raise ConfigError(
            f"cannot listen on {settings.host}, port {settings.port}: {problem.strerror}",
            mend="choose another --port, or --port 0 for a free one",
        ) from problem
