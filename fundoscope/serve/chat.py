"""The chat page: photographs with their layers, measurements, and a conversation that cites.

Photographs travel inside requests and reports inside answers, so that no file is written; fonts,
scripts and styles come from this machine, and nothing is sent anywhere else.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fundoscope.errors import ConfigError, MissingExtra
from fundoscope.serve import chat_views as views
from fundoscope.serve.chat_words import chat_words
from fundoscope.serve.replies import Answerer
from fundoscope.serve.tokens import is_loopback

if TYPE_CHECKING:
    import gradio
    from fastapi import FastAPI

PORT = 7860
LANGUAGES = {"English": "en", "中文": "zh"}
LOOKING_AT_ONCE = 2
ANSWERING_AT_ONCE = 16
MOST_WAITING = 64
"""Events that wait; more are refused with a message."""
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "sans-serif")


def make_page(assistant: Answerer) -> gradio.Blocks:
    """Return the page, not yet served.

    Raises
    ------
    MissingExtra
        If the extra `serve` is not installed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    try:
        import gradio as gr

        from fundoscope.serve.chat_acts import Acts
    except ImportError as problem:
        raise MissingExtra(
            "the chat page needs gradio", mend="pip install 'fundoscope[serve]'"
        ) from problem

    acts = Acts(assistant)
    nobody = views.Shown((), "en")

    def part(content: str, script: str = "", **more: Any) -> gr.HTML:
        own = views.script(script) if script else None
        return gr.HTML(content, js_on_load=own, apply_default_css=False, **more)

    with gr.Blocks(title="fundoscope", analytics_enabled=False, fill_width=True) as page:
        talk = gr.State([], time_to_live=3600)
        notice = part(views.notice_html("en"), elem_id="notice")
        with gr.Row():
            with gr.Column(scale=5, min_width=300):
                head = part(views.head_html("en"))
            with gr.Column(scale=1, min_width=230):
                language = gr.Radio(
                    list(LANGUAGES.items()), value="en", label=_both("language"), elem_id="language"
                )
        with gr.Row():
            with gr.Column(scale=6, min_width=320):
                picker = part(views.picker_html("en"), "picker.js", elem_id="picker")
                viewer = part(views.viewer_html(nobody, "en"), "viewer.js", elem_id="viewer")
            with gr.Column(scale=5, min_width=320):
                messages = part(views.messages_html((), 0, "en"), "messages.js", elem_id="messages")
                tries = part(views.tries_html("en"), "tries.js", elem_id="tries")
                question = gr.Textbox(
                    label=_word("question"),
                    placeholder=_word("placeholder"),
                    submit_btn=True,
                    max_length=acts.most_characters,
                    lines=1,
                    max_lines=5,
                    elem_id="question",
                )
        measures = part(views.measurements_html(nobody, "en"), elem_id="measures")
        reports = part(views.reports_html(nobody, "en"), "reports.js", elem_id="reports")
        saver = part("", "saver.js", elem_id="saver")

        everything = [picker, viewer, measures, reports, messages]
        looking: dict[str, Any] = {
            "concurrency_limit": LOOKING_AT_ONCE, "concurrency_id": "looking",
            "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip
        answering: dict[str, Any] = {
            "concurrency_limit": ANSWERING_AT_ONCE, "concurrency_id": "answering",
            "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip
        picker.upload(acts.show, [language, talk], everything, **looking)
        picker.select(acts.show_sample, [language, talk], everything, **looking)
        viewer.input(acts.label, [language, talk], everything, **answering)
        viewer.delete(acts.take_away, [language, talk], everything, **answering)
        question.submit(
            acts.ask, [question, language, talk], [question, messages, talk], **answering
        )
        tries.select(acts.ask_this, [language, talk], [question, messages, talk], **answering)
        reports.select(acts.report, [language], [saver], **answering)
        language.change(
            acts.in_language,
            [language, talk],
            [notice, head, *everything, tries, question],
            **answering,
        )
        page.unload(acts.leave)
    page.queue(max_size=MOST_WAITING, api_open=False)
    return page


def mount(app: FastAPI, assistant: Answerer, path: str = "/") -> FastAPI:
    """Add the chat page to an application and return it.

    Parameters
    ----------
    app : of FastAPI, not started yet.
    assistant : looks and answers; shared by all sessions.
    path : where the page lies.
    """
    from fundoscope.serve.chat_limits import Limits

    app.add_middleware(Limits)

    def mounted() -> FastAPI:
        page = make_page(assistant)
        import gradio as gr

        whole: FastAPI = gr.mount_gradio_app(
            app, page, path, theme=_theme(), head=views.style(), footer_links=[], show_error=False,
            ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
            run_history=False,
            app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        )  # fmt: skip
        return whole

    return _within_a_loop(mounted)


def _within_a_loop(make: Callable[[], FastAPI]) -> FastAPI:
    """Make it while an event loop runs: without one Gradio opens several and closes none."""

    async def made() -> FastAPI:
        return make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(made())
    return make()


def launch(
    assistant: Answerer,
    *,
    port: int = PORT,
    host: str = "127.0.0.1",
    told: Callable[[str], None] = print,
) -> None:
    """Serve the chat page until told to stop.

    Parameters
    ----------
    assistant : looks and answers.
    port : 0 takes a free one.
    host : this machine only; `fundoscope serve` lets others in, with a token.
    told : is told the address, once the page is there.

    Raises
    ------
    ConfigError
        If others could reach it, or the address is taken.
    MissingExtra
        If the extra `serve` is not installed.
    """
    if not is_loopback(host):
        raise ConfigError(
            f"the chat page has no token, and others can reach {host!r}",
            where="the chat page",
            mend="leave the host as it is, or use `fundoscope serve --host ... --token-file ...`",
        )
    try:
        import uvicorn
        from fastapi import FastAPI
    except ImportError as problem:
        raise MissingExtra(
            "the chat page needs fastapi and uvicorn", mend="pip install 'fundoscope[serve]'"
        ) from problem
    app = mount(FastAPI(docs_url=None, redoc_url=None, openapi_url=None), assistant)
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", ws="none")
    listening = _listening(config)
    told(f"http://{host}:{listening.getsockname()[1]}/")
    uvicorn.Server(config).run(sockets=[listening])


def _listening(config: Any) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
    except OSError as problem:
        raise ConfigError(
            f"{config.host}:{config.port} cannot be listened on: {problem.strerror}",
            where="the chat page",
            mend="take another port, or 0 for a free one",
        ) from problem
    return listening


def _theme() -> Any:
    """Return Gradio's plain theme with the fonts of the machine: none is fetched."""
    import gradio as gr

    return gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=list(FONTS), font_mono=["monospace"]
    )


def _word(key: str) -> str:
    return chat_words("en")(key)


def _both(key: str) -> str:
    return f"{chat_words('en')(key)} · {chat_words('zh')(key)}"
