"""What the API says when it does not answer: a status, and OpenAI's form of an error."""

from __future__ import annotations

from collections.abc import Mapping

from fundoscope.errors import FundoscopeError, PhotographError
from fundoscope.serve.shapes import ErrorBody, ErrorDetail

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refusal(FundoscopeError):
    """A request that is not answered, and the status that says so.

    Parameters
    ----------
    status : of HTTP, 400 to 599.
    what : what is wrong, for the client's eyes: it never repeats what a photograph's file holds.
    code : one word for programs.
    param : the field of the request that is wrong; empty where none is.
    headers : more headers of the response.
    """

    def __init__(
        self,
        status: int,
        what: str,
        code: str,
        *,
        param: str = "",
        mend: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, where=param, mend=mend)
        self.status, self.code, self.param = status, code, param
        self.headers = dict(headers or {})

    def body(self) -> ErrorBody:
        """Return the error as OpenAI's clients read it."""
        kind = "server_error" if self.status >= 500 else _TYPES.get(self.status)
        message = self.what if not self.mend else f"{self.what}: {self.mend}"
        return ErrorBody(
            error=ErrorDetail(
                message=message,
                type=kind or "invalid_request_error",
                param=self.param or None,
                code=self.code,
            )
        )


def wrong(what: str, code: str, *, param: str = "", mend: str = "") -> Refusal:
    """Return the refusal of a request that its sender has to mend."""
    return Refusal(400, what, code, param=param, mend=mend)


def busy(what: str, after_s: float) -> Refusal:
    """Return the refusal of a request that may be sent again, in `after_s` seconds."""
    wait = str(max(1, min(600, round(after_s))))
    return Refusal(429, what, "busy", mend=f"try again in {wait} s", headers={"Retry-After": wait})


def unreadable(problem: PhotographError) -> Refusal:
    """Return the refusal of a photograph; a decoder's own words stay here.

    They may hold parts of the file, and a file names a person.
    """
    what = problem.what.partition("not a whole image:")[0] or "not a whole photograph"
    return wrong(what, "photograph_unreadable", param="photograph", mend=problem.mend)
