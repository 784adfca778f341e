"""Photographs as they arrive: in data URLs and in forms. Nothing is fetched, nothing is stored.

A file's name and its declared kind are not looked at: what it is, its bytes tell.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from fundoscope.errors import MissingExtra
from fundoscope.read.dicom import is_dicom
from fundoscope.serve.refusals import Refusal, wrong
from fundoscope.serve.settings import ServeSettings

if TYPE_CHECKING:
    from starlette.requests import Request

_DATA_URL = re.compile(
    r"data:(?P<kind>image/[\w.+-]+|application/dicom|application/octet-stream)"
    r"(?:;(?!base64,)[\w.+-]+=[^;,]{0,200})*;base64,",
    re.IGNORECASE,
)
_HEAD_MOST = 1000
"""Characters of a data URL before its data."""
_READ = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"BM",
    *(b"P%d" % kind for kind in range(1, 7)),
)  # fmt: skip
_NOT_READ: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed file"),
    (b"<", "a page or a drawing of markup"),
    (b"#!", "a script"),
)
KINDS = "JPEG, PNG, TIFF, BMP, PPM or DICOM"


def from_data_url(url: str, settings: ServeSettings, param: str) -> bytes:
    """Return the bytes of a data URL.

    Raises
    ------
    Refusal
        400 if it is any other address, for none is fetched; if its base64 is broken; or if its
        bytes are no photograph. 413 if it is too large, 415 if it says to be no photograph.
    """
    scheme = url[:_HEAD_MOST].partition(":")[0].strip().lower()
    if scheme != "data":
        raise wrong(
            "only photographs inside the request are looked at; no address is fetched",
            "address_not_fetched",
            param=param,
            mend="send data:image/jpeg;base64,...",
        )
    head = _DATA_URL.match(url[:_HEAD_MOST])
    if head is None:
        kind = re.match(r"data:([\w.+-]+/[\w.+-]+)[;,]", url[:_HEAD_MOST], re.IGNORECASE)
        if kind and not kind[1].lower().startswith("image/"):
            raise Refusal(
                415, "the data URL says to be no photograph", "unsupported_media_type",
                param=param, mend="send data:image/jpeg;base64,...",
            )  # fmt: skip
        raise wrong(
            "the data URL is broken", "bad_data_url", param=param,
            mend="send data:image/jpeg;base64,...",
        )  # fmt: skip
    return from_base64(url[head.end() :], settings, param)


def from_base64(text: str, settings: ServeSettings, param: str) -> bytes:
    """Return the bytes that base64 stands for; errors as `from_data_url`."""
    import pybase64  # ten times as fast as binascii, which took a third of an answer

    if len(text) > settings.photograph_bytes * 4 // 3 + 4:
        raise _too_large(settings, param)
    try:
        raw = pybase64.b64decode(text, validate=True)
    except ValueError:
        raise wrong("the base64 is broken", "bad_base64", param=param) from None
    return photograph(raw, settings, param)


def photograph(raw: bytes, settings: ServeSettings, param: str) -> bytes:
    """Return the bytes of a file if they begin as a photograph does; else it is refused."""
    if not raw:
        raise wrong("the photograph is empty: 0 bytes", "photograph_empty", param=param)
    if len(raw) > settings.photograph_bytes:
        raise _too_large(settings, param)
    if raw.startswith(_READ) or is_dicom(raw):
        return raw
    start = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    what = next((name for magic, name in _NOT_READ if start.startswith(magic)), "no photograph")
    if raw[8:12] == b"WEBP":
        what = "a WebP"
    raise wrong(
        f"the file is {what}, whatever its name", "photograph_unreadable", param=param,
        mend=f"send {KINDS}",
    )  # fmt: skip


def _too_large(settings: ServeSettings, param: str) -> Refusal:
    return Refusal(
        413,
        f"a photograph is larger than {settings.photograph_bytes:,} bytes",
        "photograph_too_large",
        param=param,
        mend="send a smaller one",
    )


async def form_of(request: Request, raw: bytes | bytearray) -> Mapping[str, Any]:
    """Return the fields of a form; a file as its bytes, without its name.

    Raises
    ------
    Refusal
        400 if the form is broken, or has more than one file or too many fields.
    """
    try:
        from starlette.formparsers import MultiPartException, MultiPartParser
    except ImportError as problem:  # pragma: no cover - the server would not run
        raise MissingExtra("forms", mend="pip install 'fundoscope[serve]'") from problem

    class InMemory(MultiPartParser):
        spool_max_size = len(raw) + 1  # never a file on the disk

    async def once() -> AsyncGenerator[bytes, None]:
        yield bytes(raw)

    try:
        form = await InMemory(request.headers, once(), max_files=1, max_fields=8).parse()
    except MultiPartException as problem:
        raise wrong(f"the form is broken: {problem.message}", "bad_form") from None
    except (ValueError, LookupError):
        raise wrong("the form is broken", "bad_form") from None
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in fields:
            raise wrong(f"the field {name[:40]!r} is there twice", "duplicate_field")
        fields[name] = value if isinstance(value, str) else await value.read()
    await form.close()
    return fields
