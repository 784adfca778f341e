"""What watches over the server and what explains it: health, metrics, and a page without script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fundoscope.serve.photograph_shapes import PhotographRequest
from fundoscope.serve.prometheus import CONTENT_TYPE
from fundoscope.serve.service import SAFE_HEADERS, Service, answer
from fundoscope.serve.shapes import ChatRequest

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

_SCHEMAS = "#/components/schemas/"
_STYLE = "body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
_FORM_FILE = {"type": "string", "format": "binary"}


def page_routes(service: Service, app: FastAPI) -> APIRouter:
    """Return the routes that are not for questions."""
    routes = APIRouter(tags=["Watching"])

    async def healthz() -> Response:
        """Say that the server runs."""
        return answer({"status": "ok"})

    async def readyz() -> Response:
        """Say whether photographs can be looked at: 200, or 503 while the networks load."""
        ready = service.looking.ready
        return answer({"status": "ready" if ready else "loading"}, 200 if ready else 503)

    async def metrics() -> Response:
        """Return counts, times and queues for Prometheus."""
        return Response(service.metrics.text(), headers={**SAFE_HEADERS}, media_type=CONTENT_TYPE)

    async def docs() -> Response:
        """Explain the API on one plain page."""
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        headers = {**SAFE_HEADERS, "Content-Security-Policy": policy}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)

    for page in (healthz, readyz, metrics, docs):
        path = f"/{page.__name__}"
        routes.add_api_route(path, page, include_in_schema=page is not docs)
        routes.add_api_route(path, page, methods=["HEAD"], include_in_schema=False)
    return routes


def root_route(app: FastAPI) -> None:
    """Send who asks for the root to the page that explains; only where no chat page is there."""

    async def root() -> Response:
        return RedirectResponse("/docs")

    app.add_api_route("/", root, methods=["GET", "HEAD"], include_in_schema=False)


def with_requests_described(app: FastAPI) -> None:
    """Let `/openapi.json` tell of the bodies too, which the routes read themselves."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            _describe(schema, "/v1/chat/completions", ChatRequest)
            for path in ("/v1/perceive", "/v1/measure", "/v1/describe"):
                _describe(schema, path, PhotographRequest, with_form=True)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]


def _describe(
    schema: dict[str, Any], path: str, model: type[BaseModel], with_form: bool = False
) -> None:
    described = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
    parts = described.pop("$defs", {})
    schema["components"]["schemas"].update({**parts, model.__name__: described})
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": f"{_SCHEMAS}{model.__name__}"}}
    }
    if with_form:
        form = {**described, "properties": {**described["properties"], "photograph": _FORM_FILE}}
        content["multipart/form-data"] = {"schema": form}
    schema["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}


def docs_page(schema: dict[str, Any]) -> str:
    """Return a page of HTML that lists every route; it has no script and loads nothing."""
    routes = "".join(
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(route.get('description', ''))}</p>"
        for path, methods in schema["paths"].items()
        for method, route in methods.items()
    )
    info = schema["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>fundoscope</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>fundoscope {escape(info['version'])}</h1>"
        f"<p>{escape(info['summary'])} <strong>{escape(info['description'])}</strong></p>"
        f'<p>Every field: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>{routes}'
    )
