"""What happens when somebody does something on the chat page."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import gradio as gr

from fundoscope.errors import FundoscopeError
from fundoscope.records import Eye, Language
from fundoscope.serve import chat_views as views
from fundoscope.serve.chat_views import MOST_MEGABYTES, Said, Shown
from fundoscope.serve.chat_words import chat_words
from fundoscope.serve.replies import Answerer, Message, Reply, Seen
from fundoscope.serve.report_forms import FORMS, report_bytes
from fundoscope.serve.report_words import reason_in
from fundoscope.serve.sample_photographs import SAMPLES, sample_files
from fundoscope.serve.shown_photographs import MOST_SHOWN, ShownPhotographs, labelled

log = logging.getLogger("fundoscope.serve")

MOST_MESSAGES = 200
"""Of one conversation; the oldest are let go."""
Talk = list[Said]
Photograph = tuple[bytes, Eye | None, str]


class Refused(Exception):
    """Something that the page does not take; its text is for the person who did it."""


class Acts:
    """Acts of all sessions; each sees only what is its own.

    Parameters
    ----------
    assistant : looks and answers.
    """

    most_characters = 2000
    """Of a question."""

    def __init__(self, assistant: Answerer) -> None:
        self._assistant = assistant
        self._shown = ShownPhotographs()
        self._saved = count(1)

    # photographs

    def show(
        self, language: Language, talk: Talk, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """Look at photographs that were dropped, beside those already shown."""
        words = chat_words(language)
        given = event._data.get("photographs") if isinstance(event._data, dict) else None

        def photographs() -> list[Photograph]:
            if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
                raise Refused(words("no_photograph", what="?"))
            if len(given) + len(self._shown.of(_session(request))) > MOST_SHOWN:
                raise Refused(words("too_many", count=MOST_SHOWN))
            return [(_file(one, language), None, "") for one in given]

        return self._looked(photographs, self._shown.of(_session(request)), language, talk, request)

    def show_sample(
        self, language: Language, talk: Talk, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """Look at drawn photographs, in place of those shown."""
        name = str(event._data.get("sample"))
        return self._looked(
            lambda: list(sample_files(name)) if name in SAMPLES else [], (), language, talk, request
        )

    def _looked(
        self,
        photographs: Callable[[], list[Photograph]],
        before: tuple[Seen, ...],
        language: Language,
        talk: Talk,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        words, said, problem = chat_words(language), "", ""
        try:
            found = tuple(self._assistant.look(*one) for one in photographs())
            self._shown.keep(_session(request), (*before, *found))
            seconds = sum(one.seconds for one in found)
            said = words("seen_now", count=len(found), seconds=f"{seconds:.1f}")
        except Refused as refusal:
            problem = str(refusal)
        except FundoscopeError as refusal:
            problem = words("no_photograph", what=reason_in(refusal.what, language))
        except Exception:
            log.exception("a photograph could not be looked at")
            problem = words("stopped")
        picker = views.picker_html(language, said, problem)
        return self._everything(language, talk, request, picker)

    def label(
        self, language: Language, talk: Talk, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """Note which eye and visit a photograph is of."""
        given = event._data
        seen = list(self._shown.of(_session(request)))
        number = _number(given.get("number"), len(seen))
        if number is not None:
            eye: Eye | None = {"left": "left", "right": "right"}.get(given.get("eye"))  # type: ignore[assignment]
            visit = " ".join(str(given.get("visit", "")).split())[:20]
            seen[number] = labelled(seen[number], eye, visit)
            self._shown.keep(_session(request), tuple(seen))
        return self._everything(language, talk, request, gr.skip())

    def take_away(
        self, language: Language, talk: Talk, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """Let go of one photograph."""
        seen = list(self._shown.of(_session(request)))
        number = _number(event._data.get("number"), len(seen))
        if number is not None:
            del seen[number]
            self._shown.keep(_session(request), tuple(seen))
        return self._everything(language, talk, request, views.picker_html(language))

    def leave(self, request: gr.Request) -> None:
        """Let go of all that a session showed, when its page is closed."""
        self._shown.forget(_session(request))

    def _everything(
        self, language: Language, talk: Talk, request: gr.Request, picker: Any
    ) -> tuple[Any, ...]:
        """Return picker, viewer, measurements, reports and conversation."""
        seen = self._shown.of(_session(request))
        shown = Shown(seen, language)
        return (
            picker,
            views.viewer_html(shown, language),
            views.measurements_html(shown, language),
            views.reports_html(shown, language),
            views.messages_html(talk, len(seen), language),
        )

    # conversation

    def ask(
        self, question: str, language: Language, talk: Talk, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """Answer a question, word by word."""
        question = (question or "").strip()
        if not question:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        seen = self._shown.of(_session(request))
        talk = [*talk, views.said_by_user(question[: self.most_characters], language)]

        def page(messages: Talk) -> str:
            return views.messages_html(messages, len(seen), language)

        yield "", page(talk), talk
        so_far = ""
        try:
            for piece in self._assistant.stream(_messages(talk), seen):
                if isinstance(piece, Reply):
                    talk = [*talk, views.said_by_assistant(piece, seen)][-MOST_MESSAGES:]
                    break
                so_far += piece
                yield gr.skip(), page([*talk, Said("assistant", so_far, language)]), gr.skip()
        except Exception:
            log.exception("a question could not be answered")
            talk = [*talk, Said("assistant", chat_words(language)("stopped"), language)]
        yield gr.skip(), page(talk), talk

    def ask_this(
        self, language: Language, talk: Talk, event: gr.EventData, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """Answer a question that was chosen, not typed."""
        yield from self.ask(str(event._data.get("question", "")), language, talk, request)

    # the rest

    def report(self, language: Language, event: gr.EventData, request: gr.Request) -> Any:
        """Return a report as the browser saves it; nothing where no photograph is shown."""
        form, seen = str(event._data.get("form")), self._shown.of(_session(request))
        if form not in FORMS or not seen:
            return gr.skip()
        content = report_bytes(seen, language, form)
        return json.dumps(
            {
                "name": f"fundoscope-report{FORMS[form].suffix}",
                "type": FORMS[form].media_type,
                "content": base64.b64encode(content).decode("ascii"),
                "nth": next(self._saved),  # the same report twice is two downloads
            }
        )

    def in_language(self, language: Language, talk: Talk, request: gr.Request) -> tuple[Any, ...]:
        """Return the whole page in another language; what was said stays as it was said."""
        words = chat_words(language)
        return (
            views.notice_html(language),
            views.head_html(language),
            *self._everything(language, talk, request, views.picker_html(language)),
            views.tries_html(language),
            gr.update(label=words("question"), placeholder=words("placeholder")),
        )


def _messages(talk: Talk) -> list[Message]:
    return [Message("user" if one.role == "user" else "assistant", one.text) for one in talk]


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def _number(given: object, count: int) -> int | None:
    """Return the index of a photograph's number, None where there is none such."""
    if isinstance(given, int | float) and 1 <= int(given) <= count:
        return int(given) - 1
    return None


def _file(text: str, language: Language) -> bytes:
    words = chat_words(language)
    if len(text) > MOST_MEGABYTES * 2**20 * 4 // 3 + 4:
        raise Refused(words("too_large", megabytes=MOST_MEGABYTES))
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise Refused(words("no_photograph", what="?")) from problem
