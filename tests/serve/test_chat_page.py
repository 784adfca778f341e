"""The chat page in a real browser: photographs, layers, questions, evidence, reports, languages."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

pytest.importorskip("gradio", reason="the chat page needs the extra `serve`")
sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright drives a browser")

import uvicorn  # noqa: E402
from fastapi import FastAPI  # noqa: E402

from fundoscope.errors import ConfigError  # noqa: E402
from fundoscope.serve import chat  # noqa: E402
from fundoscope.serve.chat_limits import MOST_BYTES  # noqa: E402
from fundoscope.serve.sample_photographs import SAMPLES  # noqa: E402
from fundoscope.testing.seen_phantoms import PhantomAssistant  # noqa: E402

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    # raised inside gradio and uvicorn, about each other
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WAIT_MS = 120_000
CONTRASTS = Path(__file__).with_name("contrast.js")
MARK_UP = (
    "<img src=x onerror=alert(1)> <b>bold</b> ${alert(2)} {{value}} {{#each x}} [a](javascript:b)"
)
QUESTIONS = {
    "en": (
        "What do you see?", "Is there diabetic retinopathy?", "How wide are the vessels?",
        "Where are the haemorrhages?", "What is the cup-to-disc ratio?", "How sure are you?",
        "Is the eye healthy?", "What should happen next?", "How good is the photograph?",
        "Which dose of aflibercept should I inject?",
    ),
    "zh": (
        "你看到了什么？", "有糖尿病视网膜病变吗？", "血管有多宽？", "出血在哪里？",
        "杯盘比是多少？", "你有多大把握？", "眼睛健康吗？", "下一步该怎么办？",
        "照片质量如何？", "应该注射多少阿柏西普？",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def gradio_files(tmp_path_factory) -> Path:
    """Where Gradio would write what is uploaded."""
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def address(gradio_files) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(gradio_files))
        app = chat.mount(FastAPI(openapi_url=None), PhantomAssistant())
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(64)
            running = threading.Thread(
                target=server.run, kwargs={"sockets": [listening]}, daemon=True
            )
            running.start()
            while not server.started:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
            server.should_exit = True
            running.join(20)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser, address) -> Iterator[SimpleNamespace]:
    """A page just opened, which at its end must have complained of nothing and asked nobody."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    trouble: list[str] = []
    page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda problem: trouble.append(str(problem)))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))

    def only_here(request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            trouble.append(f"asked {request.url}")

    page.on("request", only_here)
    page.goto(address)
    page.wait_for_selector(".picker")
    yield SimpleNamespace(page=page, trouble=trouble, context=context)
    context.close()
    assert trouble == []


def show(page, sample: str = "one") -> None:
    page.click(f"[data-sample={sample}]")
    page.wait_for_function(
        "n => document.querySelectorAll('.picture').length === n", arg=len(SAMPLES[sample])
    )


def ask(page, question: str) -> str:
    """Ask, wait for the whole answer, and return its text."""
    before = page.locator(".said").count()
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_function("n => document.querySelectorAll('.said').length === n + 2", arg=before)
    last = page.locator(".said .text").last
    text = ""
    while not text or last.inner_text() != text:
        text = last.inner_text()
        page.wait_for_timeout(700)
    return text


def test_photographs_are_dropped_layers_switched_and_nothing_is_written(tab, gradio_files):
    page = tab.page
    photographs = [
        {"name": f"../../{n}\u0000.jpg", "mimeType": "image/jpeg", "buffer": f"photo {n}".encode()}
        for n in (1, 2)
    ]
    page.set_input_files(".file", photographs[:1])
    page.wait_for_selector(".picture")
    page.set_input_files(".file", photographs[1:])
    page.wait_for_function("document.querySelectorAll('.picture').length === 2")
    page.set_input_files(".file", photographs[:1])
    page.wait_for_selector("text=At most 2 photographs")
    shown = page.locator(".picture").first
    vessels = shown.locator(".layer.vessels")
    assert vessels.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    shown.locator(".switch[value=vessels]").check()
    assert vessels.evaluate("e => getComputedStyle(e).visibility") == "visible"
    page.click(".tab >> nth=1")
    second = page.locator(".picture").nth(1)
    assert second.is_visible() and not shown.is_visible()
    assert second.locator(".switch[value=vessels]").is_checked()  # a layer is one for both
    second.locator(".eye").select_option("right")
    page.wait_for_selector(".tab:has-text('right eye')")
    page.click("[data-away='1']", force=True) if shown.is_visible() else page.click(
        "[data-away='2']"
    )
    page.wait_for_function("document.querySelectorAll('.picture').length === 1")
    assert [*gradio_files.rglob("*")] == []


def test_the_picture_zooms_by_keys_and_wheel_and_comes_back(tab):
    page = tab.page
    show(page)
    stage = page.locator(".stage").first
    stage.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert float(stage.get_attribute("data-zoom")) == pytest.approx(1.35**2, abs=0.01)
    stage.hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function("Number(document.querySelector('.stage').dataset.zoom) > 4")
    page.keyboard.press("0")
    assert stage.get_attribute("data-zoom") == "1.00"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_ten_questions_are_answered_with_evidence(tab, language):
    page = tab.page
    if language == "zh":
        page.get_by_text("中文", exact=True).click()
        page.wait_for_selector("text=眼底照片问答")
        assert "Photographs" not in page.locator("#picker").inner_text()
    show(page)
    for question in QUESTIONS[language]:
        answer = ask(page, question)
        assert answer, question
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in answer)
        assert chinese == (language == "zh"), answer
    assert page.locator(".evidence").count() >= 5


def test_evidence_that_is_clicked_shows_where_it_lies(tab):
    page = tab.page
    show(page, "pair")
    ask(page, "Where are the haemorrhages in the left eye?")
    boxed = page.locator("button.where:not([data-box=''])").first
    box = [float(part) for part in boxed.get_attribute("data-box").split(",")]
    number = boxed.get_attribute("data-photograph")
    page.locator(".switch[value=lesions] >> visible=true").uncheck()
    boxed.click()
    shown = page.locator(f".picture[data-number='{number}']")
    assert shown.is_visible()
    assert shown.locator(".switch[value=lesions]").is_checked()
    mark, sheet = (shown.locator(what).bounding_box() for what in (".marked", ".sheet"))
    middle = (
        (mark["x"] + mark["width"] / 2 - sheet["x"]) / sheet["width"],
        (mark["y"] + mark["height"] / 2 - sheet["y"]) / sheet["height"],
    )
    assert middle == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=0.01)
    assert page.locator(".shown-where").inner_text()


def test_mark_up_in_a_message_is_shown_as_text(tab):
    page = tab.page
    ask(page, MARK_UP)
    said = page.locator(".said.user .text")
    assert said.inner_text() == MARK_UP
    assert page.locator(".said img, .said b:not(.who b), .said a[href^=javascript]").count() == 0


def test_reports_are_saved_in_four_forms_and_a_reload_begins_anew(tab, gradio_files):
    page = tab.page
    show(page)
    starts = {"html": b"<!doctype html>", "pdf": b"%PDF-", "json": b"{", "fhir": b"{"}
    for form, start in starts.items():
        with page.expect_download() as saved:
            page.click(f"[data-form={form}]")
        content = Path(saved.value.path()).read_bytes()
        assert content.lstrip().startswith(start)
        if form == "fhir":
            assert json.loads(content)["resourceType"] == "DiagnosticReport"
    page.reload()
    page.wait_for_selector(".picker")
    assert page.locator(".picture").count() == 0
    assert page.locator("[data-form=html]").is_disabled()
    assert [*gradio_files.rglob("*")] == []


def test_another_session_sees_nothing_of_it(tab, browser, address):
    show(tab.page)
    ask(tab.page, "What do you see?")
    other = browser.new_context().new_page()
    other.set_default_timeout(WAIT_MS)
    other.goto(address)
    other.wait_for_selector(".picker")
    assert other.locator(".picture").count() == 0
    assert other.locator(".said").count() == 1  # the greeting
    other.context.close()


def test_a_file_that_is_no_photograph_is_refused_in_plain_words(tab):
    page = tab.page
    html = {"name": "eye.jpg", "mimeType": "image/jpeg", "buffer": b"no photograph: <script>"}
    page.set_input_files(".file", [html])
    page.wait_for_selector(".problem:has-text('This cannot be read as a photograph')")
    assert "script" not in page.locator(".problem").inner_text()
    show(page)  # and it goes on


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_keeps_its_warning_in_sight_and_has_contrast(tab, scheme):
    page = tab.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    show(page)
    ask(page, "What do you see?")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.locator(".fs-notice").is_visible()
    assert 0 <= page.locator(".fs-notice").bounding_box()["y"] < 844
    weak = page.evaluate(CONTRASTS.read_text(encoding="utf-8"))
    assert weak == []


def test_everything_is_reached_by_keyboard(tab):
    page = tab.page
    show(page)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "(e => e.dataset?.sample && 'sample' || e.dataset?.form && 'form' || "
            "e.dataset?.question && 'try' || e.dataset?.zoom && 'zoom' || "
            "e.className.split(' ')[0] || e.tagName)(document.activeElement)"
        ))  # fmt: skip
    wanted = {"file", "sample", "eye", "visit", "switch", "stage", "zoom", "try", "form"}
    assert wanted <= reached


def test_no_way_is_open_to_put_a_file_on_the_server(address, gradio_files):
    httpx = pytest.importorskip("httpx")
    with httpx.Client(base_url=address, timeout=60) as client:
        put = client.post("/gradio_api/upload", files={"files": ("x.jpg", b"photo")})
        assert put.status_code == 404
        assert client.get("/gradio_api/file=/etc/passwd").status_code == 404
    with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=60) as line:
        head = (
            f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: {MOST_BYTES + 1}"
        )
        line.sendall(f"{head}\r\n\r\n".encode())
        assert line.recv(64).startswith(b"HTTP/1.1 413")
    assert [*gradio_files.rglob("*")] == []


def test_the_page_and_the_api_stand_side_by_side():
    testclient = pytest.importorskip("fastapi.testclient")
    from fundoscope.serve.api import make_app, mount_chat_page

    app = make_app(PhantomAssistant())
    assert mount_chat_page(app, PhantomAssistant())
    client = testclient.TestClient(app, base_url="http://127.0.0.1")
    assert client.get("/healthz").status_code == 200
    assert client.get("/v1/models").json()["object"] == "list"
    assert "<gradio-app" in client.get("/").text


def test_making_the_page_leaves_no_event_loop_open(monkeypatch):
    made = []
    new = asyncio.new_event_loop
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: made.append(new()) or made[-1])
    monkeypatch.setattr(asyncio.runners.events, "new_event_loop", asyncio.new_event_loop)
    with ThreadPoolExecutor(1) as thread:  # the browser of other tests may run a loop in this one
        app = FastAPI(openapi_url=None)
        assert thread.submit(chat.mount, app, PhantomAssistant()).result().routes
    assert made
    assert all(loop.is_closed() for loop in made)


def test_the_page_is_not_shown_to_others_without_a_token():
    with pytest.raises(ConfigError, match="no token"):
        chat.launch(PhantomAssistant(), host="0.0.0.0", port=0)
