"""The review page in a real browser: twenty dialogues, two reviewers, a kill in between."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.export.runs import export_run
from fundoscope.ledger import Ledger
from fundoscope.phantoms import write_phantoms
from fundoscope.records import record_to_json
from fundoscope.reviewed import Acts
from fundoscope.serve.review_agreement import agreements
from fundoscope.verify.check import judge

WAIT_MS = 60_000
MARKUP = " <img src=x onerror=alert(1)><script>alert(2)</script>"
WRONG = " There are 999 haemorrhages."

pytestmark = pytest.mark.slow


_SERVE = """
import sys
from pathlib import Path
from fundoscope.serve.review import review
review(Path(sys.argv[1]), port=int(sys.argv[2]))
"""


class Server:
    """The page's server in a process of its own, to be killed and started again."""

    def __init__(self, run: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.run = run
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        arguments = [str(self.run), str(self.port)]
        self._process = subprocess.Popen([sys.executable, "-c", _SERVE, *arguments])
        while self._process.poll() is None:
            try:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/api/run")
                assert connection.getresponse().status == 200
                connection.close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def end(self, how: int) -> int:
        self._process.send_signal(how)
        return self._process.wait(30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of twenty dialogues about five phantoms; one of them was rejected."""
    folder = tmp_path_factory.mktemp("page")
    root = write_phantoms(folder / "phantoms", 5, size_px=256)
    tracks = ("instruction", "alignment")
    job = Job(source="phantoms", root=root, photographs=root / "photographs", tracks=tracks)
    build(job, folder / "run")
    with Ledger(folder / "run") as ledger:
        first = next(d for d in ledger.kept() if d.conversation.language == "en")
    spoken, turn = first.conversation, first.conversation.turns[-1]
    words = replace(turn, answer=turn.answer + WRONG + MARKUP)
    spoilt = replace(spoken, turns=(*spoken.turns[:-1], words))
    with Ledger(folder / "run", write=True) as ledger:
        ledger.begin()
        rows = {line: row for row, line in ledger.items()}
        row = rows[record_to_json(first.record)]
        ledger.judge(row, spoilt, b"spoilt", judge(spoilt, first.record))
    shutil.copytree(folder / "run", folder / "untouched")
    return folder / "run"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser: install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(run: Path, browser: Browser) -> Iterator[Server]:
    started = Server(run)
    yield started
    started.end(signal.SIGTERM)


@pytest.fixture
def untouched(run: Path, browser: Browser, tmp_path: Path) -> Iterator[Server]:
    """A server of the same run, of which no other test has decided anything."""
    started = Server(shutil.copytree(run.parent / "untouched", tmp_path / "run"))
    yield started
    started.end(signal.SIGTERM)


class Watch:
    """What a browser says that it should not, and whom it asks."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        context.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        context.on("console", lambda said: said.type == "error" and self._note(said.text))
        context.on("weberror", lambda error: self._note(str(error.error)))

    def _note(self, text: str) -> None:
        self.complaints.append(text)

    def assert_nothing_wrong(self, server: Server) -> None:
        assert self.complaints == []
        assert self.hosts == {f"127.0.0.1:{server.port}"}


def come(browser: Browser, width: int = 1280, height: int = 860) -> tuple[BrowserContext, Watch]:
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(WAIT_MS)
    return context, Watch(context)


def open_queue(context: BrowserContext, server: Server, who: str, queue: str = "all") -> Page:
    page = context.new_page()
    page.goto(f"{server.address}?as={who}&queue={queue}")
    page.wait_for_selector("body[aria-busy=false] #main:not([hidden])")
    return page


def wait_done(page: Page, count: int, word: str = "") -> None:
    text = re.compile(rf"^{count} of \d+ {word}")
    expect(page.locator("#progress")).to_have_text(text, timeout=WAIT_MS)
    page.wait_for_selector("body[aria-busy=false]")  # the next one is shown


def decide(page: Page, what: str, count: int) -> None:
    """Decide about the dialogue that is shown, by keys alone; wait until it is kept."""
    if what == "accept":
        page.keyboard.press("a")
        if page.locator("#verdict.contradicted").count():
            page.keyboard.type("the label is wrong")
            page.keyboard.press("Enter")
    elif what == "reject":
        page.keyboard.press("r")
        page.wait_for_selector("#reject-dialog[open]")
        page.keyboard.press("2")
    else:
        edit(page)
    wait_done(page, count)


def edit(page: Page) -> None:
    """Type what the record denies, see it marked, take it back, add a word, and accept that."""
    page.keyboard.press("e")
    page.wait_for_selector(".editor .live.supported, .editor .live.contradicted")
    page.keyboard.press("Control+End")
    page.keyboard.type(WRONG)
    page.wait_for_selector(".editor .preview .part:is(.contradicted, .unsupported)")
    page.keyboard.press("Control+Enter")  # no reason is given: it is not sent
    expect(page.locator("#status")).to_contain_text("The verifier objects")
    page.locator(".editor textarea[aria-label^=Answer]").first.focus()
    page.keyboard.press("Control+End")
    for _ in WRONG:
        page.keyboard.press("Backspace")
    page.keyboard.type(" That is all.")
    page.wait_for_selector(".editor .live.supported")
    page.keyboard.press("Control+Enter")


def test_twenty_dialogues_two_reviewers_and_a_kill_in_between(
    untouched: Server, browser: Browser, tmp_path: Path
) -> None:
    server, run = untouched, untouched.run
    plan = {
        "Ann": [("accept", "accept", "accept", "reject", "edit")[n % 5] for n in range(20)],
        "Ben": [("accept", "accept", "reject", "reject", "accept")[n % 5] for n in range(20)],
    }
    for who, size in (("Ann", (1280, 860)), ("Ben", (390, 844))):
        context, watch = come(browser, *size)
        page = open_queue(context, server, who)
        for number, what in enumerate(plan[who]):
            if who == "Ann" and number == 10:  # an accept
                _decide_while_the_server_is_dead(page, server, watch)
                continue
            decide(page, what, number + 1)
        expect(page.locator("#status")).to_have_text("This queue is done.")
        width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1] == size[0]
        watch.assert_nothing_wrong(server)
        context.close()
    with Acts(run) as acts:
        for who, planned in plan.items():
            kept = acts.by(who)
            assert [one.what for one in kept] == planned
            assert len({one.which for one in kept}) == 20
        assert acts.tally() == {"Ann": 20, "Ben": 20}
        disputes = sum(now.outcome == "disputed" for _, now in acts.standings())
    assert disputes == 8  # places 2 and 4 of each five
    _adjudicate(server, browser)
    _deliver(run, tmp_path)


def _decide_while_the_server_is_dead(page: Page, server: Server, watch: Watch) -> None:
    server.end(signal.SIGKILL)
    page.keyboard.press("a")
    expect(page.locator("#status")).to_contain_text("nothing is lost")
    server.start()
    wait_done(page, 11)
    refused = [text for text in watch.complaints if "net::ERR_" not in text]
    assert refused == []  # that nobody answered is all that the browser may say
    watch.complaints.clear()


def _adjudicate(server: Server, browser: Browser) -> None:
    context, watch = come(browser)
    page = open_queue(context, server, "Cleo", "disputed")
    expect(page.locator("#reviews .decision")).to_have_count(2)
    expect(page.locator("#reviews")).to_contain_text("Ann")
    page.keyboard.press("1")  # the first review is Ann's
    wait_done(page, 1, "decided")
    page.keyboard.press("2")
    wait_done(page, 2, "decided")
    watch.assert_nothing_wrong(server)
    context.close()


def _deliver(run: Path, tmp_path: Path) -> None:
    (agreement,) = agreements(run)
    assert agreement.reviewers == ("Ann", "Ben") and agreement.decisions.n == 20
    assert agreement.decisions.observed == 0.6
    # accepted by Ann 12, edited 4, rejected 4; by Ben 12, 0, 8: by chance .36 + 0 + .08 = .44
    assert agreement.decisions.value == pytest.approx((0.6 - 0.44) / 0.56)
    assert (agreement.disagreements, agreement.adjudicated) == (8, 2)
    (counts,) = export_run(run, tmp_path / "out", format="llava", reviewed=True).reviewed
    assert counts["accepted_by"]["two"] == 8 and counts["accepted_by"]["adjudicated"] >= 1
    assert (counts["rejected"] + counts["accepted"], counts["disputed"]) == (14, 6)
    assert [one["reason"] for one in counts["overrides"]] == ["the label is wrong"]


def test_two_windows_at_once_lose_nothing(run: Path, server: Server, browser: Browser) -> None:
    context, watch = come(browser)
    one, two = (open_queue(context, server, "Dora") for _ in range(2))
    two.keyboard.press("n")
    expect(two.locator("#about")).to_contain_text("2 of 20")
    one.keyboard.press("j")
    expect(one.locator("#about")).to_contain_text("2 of 20")
    decide(one, "accept", 1)
    two.keyboard.press("e")
    two.wait_for_selector(".editor .live.supported")
    two.keyboard.press("Control+End")
    two.keyboard.type(" That is all.")
    two.wait_for_selector(".editor .preview")
    two.keyboard.press("Control+Enter")
    expect(two.locator("#notice")).to_contain_text("Not kept: another window")
    expect(two.locator("#decided")).to_contain_text("Accepted as it is")
    assert two.evaluate("document.activeElement.value").endswith(" That is all.")
    two.keyboard.press("Control+Enter")  # now it has seen what the other did
    wait_done(two, 1)
    with Acts(run) as acts:
        assert [act.what for act in acts.by("Dora")] == ["accept", "edit"]
    conflict = [text for text in watch.complaints if "409" not in text]
    assert conflict == []  # the browser tells of the 409, and of nothing else
    context.close()


def test_an_act_that_was_never_answered_is_sent_when_the_page_is_opened_again(
    run: Path, server: Server, browser: Browser
) -> None:
    context, _ = come(browser)
    page = open_queue(context, server, "Kit")
    page.keyboard.press("j")
    expect(page.locator("#about")).to_contain_text("2 of 20")
    page.wait_for_selector("body[aria-busy=false]")
    server.end(signal.SIGKILL)
    page.keyboard.press("a")
    expect(page.locator("#status")).to_contain_text("nothing is lost")
    page.close()
    server.start()
    with Acts(run) as acts:
        assert acts.by("Kit") == []
    wait_done(open_queue(context, server, "Kit"), 1)
    with Acts(run) as acts:
        assert [act.what for act in acts.by("Kit")] == ["accept"]
    context.close()


def test_words_that_were_not_sent_outlive_a_reload_and_undo_goes_back(
    run: Path, server: Server, browser: Browser
) -> None:
    context, watch = come(browser)
    page = open_queue(context, server, "Edda")
    page.keyboard.press("j")
    expect(page.locator("#about")).to_contain_text("2 of 20")
    page.keyboard.press("e")
    page.wait_for_selector(".editor .live.supported")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Kept?")
    page.reload()
    page.wait_for_selector("#main:not([hidden])")
    expect(page.locator("#about")).to_contain_text("2 of 20")
    page.keyboard.press("e")
    page.wait_for_selector(".editor .live.supported")
    assert page.evaluate("document.activeElement.value").endswith(" Kept?")
    page.keyboard.press("Escape")
    expect(page.locator(".editor")).to_have_count(0)
    decide(page, "reject", 1)
    expect(page.locator("#about")).to_contain_text("3 of 20")
    page.keyboard.press("u")
    wait_done(page, 0)
    expect(page.locator("#about")).to_contain_text("2 of 20")
    with Acts(run) as acts:
        assert [act.what for act in acts.by("Edda")] == ["reject", "undo"]
    watch.assert_nothing_wrong(server)
    context.close()


def test_markup_in_a_dialogue_or_a_name_is_text(server: Server, browser: Browser) -> None:
    context, watch = come(browser)
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_selector("#start[open]")
    page.keyboard.type("<b>Flo</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("#main:not([hidden])")
    assert page.locator("#who").inner_text() == "<b>Flo</b>"
    page.locator("#mode").select_option("rejects")
    expect(page.locator("#turns")).to_contain_text(MARKUP.strip())
    assert page.locator("#turns img, #turns script, #who b").count() == 0
    watch.assert_nothing_wrong(server)
    context.close()


def test_a_sentence_tells_what_it_rests_on_by_keyboard_and_by_finger(
    server: Server, browser: Browser
) -> None:
    context, watch = come(browser, 390, 844)
    page = open_queue(context, server, "Gus", "rejects")
    bad = page.locator("#turns .part.contradicted, #turns .part.unsupported").first
    assert bad.locator(".mark").inner_text() in ("✗ contradicted", "? unsupported")  # not by colour
    style = bad.evaluate("element => getComputedStyle(element).textDecorationStyle")
    assert style in ("wavy", "dashed")
    page.locator("#dialogue").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#card")).to_be_visible()
    expect(page.locator("#card")).to_contain_text("Record:")
    assert page.locator("#statements .lit").count() >= 1
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()
    bad.click()
    expect(page.locator("#card")).to_contain_text("haemorrhage")
    watch.assert_nothing_wrong(server)
    context.close()


def test_boxes_lie_where_the_record_has_them_and_can_be_switched_off(
    run: Path, server: Server, browser: Browser
) -> None:
    context, watch = come(browser)
    page = open_queue(context, server, "Hal")
    with Ledger(run) as ledger:
        record = next(ledger.records())
    boxes = [one.box for one in (*record.lesions, *record.structures)]
    sheet = page.locator("#sheet img").bounding_box()
    drawn = page.locator("#sheet .box .line")
    assert sheet and drawn.count() == len(boxes)
    for number, (left, top, _, _) in enumerate(boxes):
        place = drawn.nth(number).bounding_box()
        assert place
        assert place["x"] == pytest.approx(sheet["x"] + left * sheet["width"], abs=2.5)
        assert place["y"] == pytest.approx(sheet["y"] + top * sheet["height"], abs=2.5)
    page.keyboard.press("b")
    assert page.locator("#sheet .box:not(.off)").count() == 0
    page.keyboard.press("b")
    assert page.locator("#sheet .box:not(.off)").count() == len(boxes)
    watch.assert_nothing_wrong(server)
    context.close()


_CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(":disabled")) continue;
    const style = getComputedStyle(element);
    const over = ground(element);
    const alpha = Number(style.opacity);
    const ink = parse(style.color).slice(0, 3).map((c, n) => c * alpha + over[n] * (1 - alpha));
    const [dark, bright] = [light(ink), light(over)].sort((a, b) => a - b);
    found.push([text.slice(0, 40), (bright + 0.05) / (dark + 0.05)]);
  }
  return found;
}"""


@pytest.mark.parametrize(
    "state", ["dialogue", "editor", "reject-dialog", "help", "override-dialog", "card"]
)
def test_all_text_keeps_the_contrast_of_wcag_aa(
    server: Server, browser: Browser, state: str
) -> None:
    context, _ = come(browser)
    page = open_queue(context, server, "Ida", "rejects")
    keys = {"editor": "e", "reject-dialog": "r", "help": "?", "override-dialog": "a"}
    if state == "card":
        page.locator("#turns .part").last.focus()
    elif state in keys:
        page.keyboard.press(keys[state])
        page.wait_for_selector(f"#{state}" if state != "editor" else ".editor .live.contradicted")
    found = page.evaluate(_CONTRASTS)
    assert len(found) > 20
    assert [text for text, contrast in found if contrast < 4.5] == []
    context.close()


def test_every_control_can_be_reached_and_seen_by_keyboard(
    server: Server, browser: Browser
) -> None:
    context, _ = come(browser)
    page = open_queue(context, server, "Jo")  # its first dialogue has a sentence that does not hold
    page.evaluate("document.activeElement.blur()")
    reached: Counter[str] = Counter()
    for _ in range(120):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => { const at = document.activeElement; return [at.id || at.className,"
            " getComputedStyle(at).outlineStyle]; }"
        )
        if name in reached and name in ("change", "mode"):
            break
        reached[name] += 1
        if name:
            assert outline != "none", name
    wanted = {"change", "mode", "track", "language", "help-button", "zoom", "stage", "accept",
              "edit", "reject", "next"}  # fmt: skip
    assert wanted <= set(reached)
    parts = {name.split()[1] for name in reached if name.startswith("part ")}
    assert "supported" in parts and parts & {"contradicted", "unsupported"}
    context.close()
