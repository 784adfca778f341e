"""`/v1/perceive`, `/v1/measure` and `/v1/describe`: one photograph in, typed JSON out."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from fundoscope.serve import photograph_shapes as shapes
from fundoscope.serve.bodies import checked, json_of
from fundoscope.serve.looked import Looked
from fundoscope.serve.photograph_shapes import PhotographRequest
from fundoscope.serve.refusals import wrong
from fundoscope.serve.service import Service, answer, is_of_kind, not_taken
from fundoscope.serve.uploads import form_of, from_data_url, photograph

JSON, FORM = "application/json", "multipart/form-data"
_PARAM = "photograph"


def photograph_routes(service: Service, errors: dict[int | str, dict[str, Any]]) -> APIRouter:
    """Return the routes that tell of one photograph."""
    routes = APIRouter(tags=["Photographs"])

    @routes.post("/v1/perceive", response_model=shapes.PerceivedShape, responses=errors)
    async def perceive(request: Request) -> Response:
        """Outline vessels, disc, cup and lesions; find the fovea; judge quality and conditions."""
        looked, asked = await _looked(service, request)
        return answer(await asyncio.to_thread(shapes.perceived_shape, looked, asked.language))

    @routes.post("/v1/measure", response_model=shapes.MeasuredShape, responses=errors)
    async def measure(request: Request) -> Response:
        """Measure a photograph: every quantity with its unit, or the reason why there is none."""
        looked, asked = await _looked(service, request)
        return answer(shapes.measured_shape(looked, asked.language))

    @routes.post("/v1/describe", response_model=shapes.DescribedShape, responses=errors)
    async def describe(request: Request) -> Response:
        """Say what is known of a photograph, statement by statement, in English or Chinese."""
        looked, asked = await _looked(service, request)
        return answer(await asyncio.to_thread(shapes.described_shape, looked, asked.language))

    return routes


async def _looked(service: Service, request: Request) -> tuple[Looked, PhotographRequest]:
    if not is_of_kind(request, JSON) and not is_of_kind(request, FORM):
        raise not_taken(JSON, FORM)
    with await service.bodies.read(request) as body:
        if is_of_kind(request, JSON):
            asked = checked(PhotographRequest, json_of(body))
            raw = from_data_url(asked.photograph, service.settings, _PARAM)
        else:
            fields = dict(await form_of(request, body))
            file = fields.get(_PARAM)
            if not isinstance(file, bytes):
                raise wrong("there is no photograph in the form", "no_photograph", param=_PARAM,
                            mend="send the file in the field 'photograph'")  # fmt: skip
            asked = checked(PhotographRequest, fields | {_PARAM: ""})
            raw = photograph(file, service.settings, _PARAM)
        shown = {hashlib.sha256(raw).hexdigest(): raw}
        [looked] = await service.look_at_all(request, shown, [asked.eye], [asked.visit])
    return looked, asked
