"""How the fake endpoint says no: status, headers and body as OpenAI's endpoint writes them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from math import ceil

from aiohttp import web

from fundoscope.testing.fake_answers import Prompt
from fundoscope.testing.fake_settings import FakeServerSettings, Faults, draw


@dataclass(eq=False)
class Refusal(Exception):
    """An answer that is an error, returned or raised."""

    status: int
    message: str
    code: str | None = None
    type: str = "invalid_request_error"
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str = ""
    """The word under which it is counted."""

    def error(self) -> dict[str, str | None]:
        """Return the error as a body holds it."""
        return {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }

    def response(self) -> web.Response:
        """Return the response that says it."""
        body = json.dumps({"error": self.error()}).encode()
        return web.Response(
            status=self.status, body=body, headers=self.headers, content_type="application/json"
        )


def bad_request(message: str) -> Refusal:
    """Return the refusal of a request that makes no sense."""
    return Refusal(400, message, outcome="bad_request")


def not_found(message: str) -> Refusal:
    """Return the refusal of what is not there."""
    return Refusal(404, message, outcome="not_found")


def overloaded(drawn: float) -> Refusal:
    """Return the refusal that a request of a batch meets, one of two as a number below 1 says."""
    if drawn < 0.5:
        what = "Rate limit reached on requests per min."
        return Refusal(429, what, "rate_limit_exceeded", "requests")
    return Refusal(500, "The server had an error.", None, "server_error")


def refusal_of(request: web.BaseRequest, settings: FakeServerSettings) -> Refusal | None:
    """Return why a request is refused before it is read, or None."""
    faults = settings.faults
    given = request.headers.get("Authorization", "")
    if faults.wrong_key or (settings.key and given != f"Bearer {settings.key}"):
        return Refusal(401, "Incorrect API key provided.", "invalid_api_key", outcome="wrong_key")
    if faults.quota_spent:
        return Refusal(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
            outcome="quota_spent",
        )
    return None


def unfit(prompt: Prompt, settings: FakeServerSettings) -> Refusal | None:
    """Return why a request is refused once it is read, or None."""
    unknown = settings.models and prompt.model not in settings.models
    if settings.faults.unknown_model or unknown:
        return Refusal(
            404,
            f"The model `{prompt.model}` does not exist or you do not have access to it.",
            "model_not_found",
            outcome="unknown_model",
        )
    if settings.faults.refuse_images and prompt.photographs:
        return Refusal(
            400,
            "Invalid content type. image_url is only supported by certain models.",
            param="messages",
            outcome="image_refused",
        )
    return None


def content_filtered() -> Refusal:
    """Return the refusal of a prompt that a filter does not like."""
    return Refusal(
        400,
        "The prompt was refused by the content management policy.",
        "content_filter",
        param="prompt",
        outcome="content_filter",
    )


def server_error(seed: int, key: str, attempt: int) -> Refusal:
    """Return the refusal of a server that fails: 500, 502 or 503."""
    status = (500, 502, 503)[int(3 * draw(seed, "status", key, attempt))]
    return Refusal(status, "The server had an error.", None, "server_error", outcome="server_error")


def too_many(faults: Faults, of: str, wait_s: float) -> Refusal:
    """Return the 429 that tells to wait, in the way the faults say."""
    said = {
        "seconds": str(ceil(wait_s)),
        "fraction": f"{wait_s:.3f}",
        "date": formatdate(time.time() + wait_s + 0.999, usegmt=True),
    }
    style = faults.retry_after_style
    headers = {} if style == "none" else {"Retry-After": said[style]}
    return Refusal(
        429,
        f"Rate limit reached on {of} per min.",
        "rate_limit_exceeded",
        of,
        headers=headers,
        outcome="too_many",
    )
