"""The review page's server: a run's dialogues before the eyes of those who answer for them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fundoscope.errors import (
    ConfigError,
    FundoscopeError,
    LedgerError,
    MissingExtra,
    PhotographError,
)
from fundoscope.records import Record
from fundoscope.reviewed import Acts, RefusedAct, StaleAct, UnknownDialogue, Which
from fundoscope.serve.review_acts import keep_act, now_json, refuse_reviewer, verdict_on
from fundoscope.serve.review_agreement import agreements
from fundoscope.serve.review_done import Decided
from fundoscope.serve.review_guard import COOKIE, Guard, cookie_for, is_loopback, read_token
from fundoscope.serve.review_items import (
    act_json,
    item_json,
    item_of,
    photograph_jpeg,
    verdict_json,
)
from fundoscope.serve.review_queue import MODES, Filters, Mode, Queue, Queued
from fundoscope.serve.review_words import REASONS, ActSaid, Draft, Entry, Id, Name

try:
    import uvicorn
    from fastapi import FastAPI, Query, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse, JSONResponse, Response
    from fastapi.staticfiles import StaticFiles
except ImportError as problem:
    raise MissingExtra(
        f"the review page needs a web server: {problem}", mend="pip install 'fundoscope[serve]'"
    ) from problem

PAGE = Path(__file__).parent / "review_page"
PHOTOGRAPHS_KEPT = 32
MOST_AT_ONCE = 200
"""Most dialogues of a queue in one answer."""
WRONG_TOKEN_WAIT_S = 0.5

_STATUS: Mapping[type[FundoscopeError], int] = {
    UnknownDialogue: 404,
    StaleAct: 409,
    RefusedAct: 422,
    LedgerError: 503,
    PhotographError: 404,
    ConfigError: 404,
    FundoscopeError: 500,
}

Reviewer = Annotated[Name, Query(alias="as")]


def review_app(run: Path, token: str = "", seed: int = 0) -> FastAPI:
    """Return the review page of a run as an application.

    Parameters
    ----------
    token : what a visitor must know; empty where none is needed, which is on loopback alone.
    seed : decides the order of the random sample.

    Raises
    ------
    LedgerError
        If the folder holds no ledger.
    """
    with Acts(run):
        pass  # says so where there is none
    app = FastAPI(title="fundoscope review", docs_url=None, redoc_url=None, openapi_url=None)
    queue, decided = Queue(run, seed), Decided()
    picture = lru_cache(maxsize=PHOTOGRAPHS_KEPT)(lambda record: photograph_jpeg(run, record))
    _add_page(app, token)
    _add_queues(app, run, queue, decided)
    _add_dialogue(app, run, picture)
    _add_adjudicating(app, run)
    _add_acting(app, run)
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _told(status))
    app.add_exception_handler(RequestValidationError, _told_invalid)
    app.add_middleware(Guard, token=token)
    return app


def _add_page(app: FastAPI, token: str) -> None:
    app.mount("/static", StaticFiles(directory=PAGE), name="static")

    @app.get("/")
    def page() -> Response:
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})

    @app.post("/api/enter")
    def enter(entry: Entry) -> Response:
        value = cookie_for(entry.token, token) if token else None
        if token and value is None:
            time.sleep(WRONG_TOKEN_WAIT_S)  # guessing is slow
            return JSONResponse({"what": "the token is wrong"}, 401)
        answer = JSONResponse({"entered": True})
        if value:
            answer.set_cookie(COOKIE, value, httponly=True, samesite="strict")
        return answer


def _add_queues(app: FastAPI, run: Path, queue: Queue, decided: Decided) -> None:
    @app.get("/api/run")
    def about_run() -> dict[str, Any]:
        return {
            "run": run.resolve().name,
            "choices": queue.choices(),
            "modes": {mode: queue.count(mode) for mode in MODES},
            "reasons": REASONS,
        }

    @app.get("/api/queue")
    def page_of_queue(
        who: Reviewer,
        mode: Mode = "doubtful",
        track: str = "",
        language: str = "",
        dataset: str = "",
        start: Annotated[int, Query(ge=0, lt=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 50,
    ) -> dict[str, Any]:
        filters = Filters(track, language, dataset)
        with Acts(run) as acts:
            done = decided.by(acts, who)
            reviewers = acts.tally()
        return {
            "total": queue.count(mode, filters),
            "done": queue.count_of(done, mode, filters),
            "reviewers": reviewers,
            "items": [
                _queued(queued, done.get(queued.which))
                for queued in queue.page(mode, filters, start, limit)
            ],
        }

    @app.get("/api/next")
    def next_undone(
        who: Reviewer,
        mode: Mode = "doubtful",
        track: str = "",
        language: str = "",
        dataset: str = "",
        after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
    ) -> dict[str, Any]:
        with Acts(run) as acts:
            done = decided.by(acts, who)
        found = queue.next_undone(done, mode, Filters(track, language, dataset), after)
        return {"next": _queued(found, None) if found else None}


def _add_dialogue(app: FastAPI, run: Path, picture: Callable[[Record], bytes]) -> None:
    @app.get("/api/item")
    def one_item(id: Id, who: Reviewer) -> dict[str, Any]:
        item = item_of(run, Which.of(id))
        return item_json(item) | now_json(run, item.which, who, "review")

    @app.get("/api/photograph")
    def photograph(id: Id) -> Response:
        jpeg = picture(item_of(run, Which.of(id)).record)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private"})

    @app.post("/api/verify")
    def verify(draft: Draft) -> dict[str, Any]:
        return verdict_json(verdict_on(run, draft))


def _add_acting(app: FastAPI, run: Path) -> None:
    @app.post("/api/act")
    def act(said: ActSaid) -> Response:
        try:
            kept = keep_act(run, said)
        except StaleAct as problem:
            now = now_json(run, Which.of(said.id), said.who, said.role)
            return JSONResponse({"what": problem.what, "mend": problem.mend, "now": now}, 409)
        now = now_json(run, kept.which, said.who, said.role)
        return JSONResponse({"act": act_json(kept), "now": now})


def _add_adjudicating(app: FastAPI, run: Path) -> None:
    @app.get("/api/disputed")
    def disputed(who: Reviewer) -> dict[str, Any]:
        with Acts(run) as acts:
            found = [
                {"id": which.id, "decided": standing.adjudication is not None}
                for which, standing in acts.standings()
                if standing.disagreed and who not in standing.reviews
            ]
        return {"items": found, "agreement": [asdict(one) for one in agreements(run)]}

    @app.get("/api/dispute")
    def dispute(id: Id, who: Reviewer) -> dict[str, Any]:
        item = item_of(run, Which.of(id))
        with Acts(run) as acts:
            refuse_reviewer(who, item.which, acts.standing(item.which))
        return item_json(item) | now_json(run, item.which, who, "adjudicate")


def _queued(queued: Queued, mine: str | None) -> dict[str, Any]:
    return {
        "place": queued.place,
        "id": queued.which.id,
        "track": queued.which.track,
        "language": queued.which.language,
        "state": queued.state,
        "why": queued.why,
        "mine": mine,
    }


def _told(status: int) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, problem: Exception) -> Response:
        assert isinstance(problem, FundoscopeError)
        what = problem.what  # not where: that may be a path of this machine
        if status == 503:
            what = "the run is being written by another process, or cannot be read"
        return JSONResponse({"what": what, "mend": problem.mend}, status)

    return answer


def _told_invalid(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    first = problem.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"what": f"{where or 'the request'}: {first['msg']}"}, 422)


def review(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    token_file: Path | None = None,
    seed: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the review page of a run until it is stopped.

    Parameters
    ----------
    port : 0 for any that is free
    ready : told the page's address once it can be opened

    Raises
    ------
    LedgerError
        If the folder holds no ledger.
    ConfigError
        If `host` is not loopback and no token is given, or the port is taken.
    """
    app = review_app(run, read_token(token_file, host), seed)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host.strip("[]"), port), family=family)
    except (OSError, OverflowError) as problem:
        raise ConfigError(
            f"{host}:{port} cannot be served: {problem}", mend="give another --port"
        ) from problem
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    if ready:
        shown = f"[{host.strip('[]')}]" if ":" in host else host
        ready(f"http://{shown}:{listening.getsockname()[1]}/")
    threading.Thread(target=_warm, daemon=True).start()
    with listening:
        server.run(sockets=[listening])


def _warm() -> None:
    """Load the vocabulary and the facts while the page is being opened."""
    from fundoscope.knowledge.graph import knowledge

    knowledge()


__all__ = ["is_loopback", "review", "review_app"]
