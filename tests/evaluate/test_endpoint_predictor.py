"""A server as a predictor: asked once, paid once, within the budget, its doubts kept."""

import base64
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope.config import Endpoint
from fundoscope.errors import EndpointError
from fundoscope.evaluate.answer_spaces import Boxes, YesNo
from fundoscope.evaluate.endpoint_predictor import EndpointPredictor, likely_labels
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.testing import FakeServer, FakeServerSettings, Faults


def photograph(file: Path, seed: int = 0) -> Path:
    """Write a disc on black, 300 x 200 pixels."""
    rows, cols = np.mgrid[:200, :300]
    inside = (rows - 100) ** 2 + (cols - 150) ** 2 < 80**2
    colour = np.random.default_rng(seed).integers(60, 200, 3)
    Image.fromarray((inside[..., None] * colour).astype(np.uint8)).save(file)
    return file


def item(number: int, question: str = "Is there glaucoma?", **more: Any) -> Item:
    fields: dict[str, Any] = {"photographs": (), "space": YesNo("glaucoma")} | more
    return Item(
        id=f"odir/all/{number}/glaucoma/en/0",
        asked=f"odir/all/{number}/glaucoma",
        key=f"odir/all/{number}",
        patient=f"{number}",
        question=question,
        language="en",
        wording=0,
        truth="yes",
        **fields,
    )


def by_id(predictions: list[Prediction]) -> dict[str, Prediction]:
    return {one.item: one for one in predictions}


def echo(messages: list[dict[str, Any]]) -> str:
    """Answer with how many messages there were and the last one's words."""
    content = messages[-1]["content"]
    words = content if isinstance(content, str) else content[0]["text"]
    return f"{len(messages)}: {words}"


def fake(answer: Callable[[list[dict[str, Any]]], str] = echo, **faults: float) -> FakeServer:
    settings = FakeServerSettings(latency_s=0.0, answer=answer, faults=Faults(**faults))
    return FakeServer(settings, in_thread=True)


def predictor(server: FakeServer, run: Path, **more: Any) -> EndpointPredictor:
    fields: dict[str, Any] = {"model": "m", "base_url": server.url, "price": (1.0, 1.0)} | more
    return EndpointPredictor(Endpoint(**fields), run, processes=0)


def test_every_item_is_answered_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    items = [item(n, f"Is there glaucoma in {n}?") for n in range(40)]
    with fake() as server:
        first = by_id(list(predictor(server, tmp_path).answers(items)))
        second = by_id(list(predictor(server, tmp_path).answers(items)))
        # `paid` would not do: a server that knows the key again answers for nothing
        assert server.counts()["answered"] == 40
    assert first == second
    assert first[items[7].id].answer == "1: Is there glaucoma in 7?"


def test_two_items_that_ask_the_very_same_are_asked_once(tmp_path: Path) -> None:
    items = [item(1), item(2)]
    with fake() as server:
        made = by_id(list(predictor(server, tmp_path).answers(items)))
        assert server.counts()["answered"] == 1
    assert made[items[0].id].answer == made[items[1].id].answer == "1: Is there glaucoma?"


def test_a_conversation_is_asked_in_its_order(tmp_path: Path) -> None:
    asked = item(1, before=("Which eye is it?", "Is it sharp?"))
    with fake() as server:
        (made,) = predictor(server, tmp_path).answers([asked])
        last = server.seen()[-1]["body"]["messages"]
    assert made.answer == "5: Is there glaucoma?"
    assert [(turn["role"], turn["content"]) for turn in last] == [
        ("user", "Which eye is it?"),
        ("assistant", "1: Which eye is it?"),
        ("user", "Is it sharp?"),
        ("assistant", "3: Is it sharp?"),
        ("user", "Is there glaucoma?"),
    ]


def sent_size(server: FakeServer) -> tuple[int, int]:
    url = server.seen()[-1]["body"]["messages"][0]["content"][1]["image_url"]["url"]
    head, _, coded = url.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(coded))) as shown:
        return shown.size


def test_a_photograph_is_sent_cropped_but_whole_where_boxes_are_asked_for(tmp_path: Path) -> None:
    """Boxes are shares of the whole photograph; a crop would move them."""
    shown = photograph(tmp_path / "eye.png")
    with fake() as server:
        mine = predictor(server, tmp_path / "run")
        list(mine.answers([item(1, photographs=(shown,))]))
        width, height = sent_size(server)
        assert abs(width - height) <= 2 and width < 200
        list(mine.answers([item(2, "Where?", photographs=(shown,), space=Boxes())]))
        assert sent_size(server) == (300, 200)


def test_a_photograph_that_is_none_is_an_error_and_the_others_are_answered(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    items = [
        item(1, photographs=(broken,)),
        item(2, photographs=(tmp_path / "none.jpg",)),
        item(3, photographs=(photograph(tmp_path / "eye.png"),)),
    ]
    with fake() as server:
        made = by_id(list(predictor(server, tmp_path / "run").answers(items)))
    assert [bool(made[one.id].error) for one in items] == [True, True, False]
    assert made[items[0].id].answer == ""


def test_the_temperature_is_0_where_nobody_says_one(tmp_path: Path) -> None:
    with fake() as server:
        list(predictor(server, tmp_path / "a").answers([item(1)]))
        assert server.seen()[-1]["body"]["temperature"] == 0
        list(predictor(server, tmp_path / "b", temperature=0.3).answers([item(1)]))
        assert server.seen()[-1]["body"]["temperature"] == 0.3


def test_another_model_is_asked_anew(tmp_path: Path) -> None:
    with fake() as server:
        list(predictor(server, tmp_path).answers([item(1)]))
        list(predictor(server, tmp_path, model="other").answers([item(1)]))
        assert server.counts()["paid"] == 2


def test_the_budget_is_kept_and_more_of_it_goes_on(tmp_path: Path) -> None:
    items = [item(n, f"Is there glaucoma in {n}?") for n in range(30)]
    with fake() as server:
        # the most an answer can cost is $0.2, and about $0.0016 is what one does
        costs: dict[str, Any] = {"price": (0.0, 200.0), "max_tokens": 1000, "at_once": 1}
        asking = predictor(server, tmp_path, budget_usd=0.22, **costs)
        made = []
        with pytest.raises(EndpointError, match="could pass"):
            made += list(asking.answers(items))
        before = server.counts()["paid"]
        assert 0 < before < 30
        made = list(predictor(server, tmp_path, budget_usd=1.0, **costs).answers(items))
        assert server.counts()["answered"] == 30 and len(made) == 30


def test_a_refusal_is_an_error_of_its_item(tmp_path: Path) -> None:
    with fake(content_filter=1.0) as server:
        (made,) = predictor(server, tmp_path).answers([item(1)])
    assert made.answer == "" and made.error.startswith("refused")


def test_faults_on_the_way_are_survived(tmp_path: Path) -> None:
    items = [item(n, f"Is there glaucoma in {n}?") for n in range(60)]
    with fake(server_error=0.2, cut_body=0.1, null_content=0.1) as server:
        made = by_id(list(predictor(server, tmp_path).answers(items)))
    assert all(made[one.id].answer == f"1: {one.question}" for one in items)


_CHILD = """
import sys
from pathlib import Path
from tests_items import items
from fundoscope.config import Endpoint
from fundoscope.evaluate.endpoint_predictor import EndpointPredictor
if __name__ == "__main__":
    endpoint = Endpoint(model="m", base_url=sys.argv[1], price=(1.0, 1.0), at_once=4)
    for made in EndpointPredictor(endpoint, Path(sys.argv[2]), processes=0).answers(items()):
        print(made.item, flush=True)
"""
_ITEMS = """
from fundoscope.evaluate.answer_spaces import YesNo
from fundoscope.evaluate.items import Item
def items():
    return [Item(f"{n}", f"{n}", f"{n}", f"{n}", (), f"Is there glaucoma in {n}?", "en", 0,
                 YesNo("glaucoma"), "yes") for n in range(60)]
"""


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(_CHILD)
    (tmp_path / "tests_items.py").write_text(_ITEMS)
    run = tmp_path / "run"
    with FakeServer(FakeServerSettings(latency_s=0.05)) as server:
        command = [sys.executable, str(tmp_path / "child.py"), server.url, str(run)]
        first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert first.stdout is not None
        for _ in range(10):
            first.stdout.readline()
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        first.stdout.close()
        answered = server.counts()["answered"]
        assert 10 <= answered < 60
        time.sleep(0.2)
        second = subprocess.run(command, capture_output=True, text=True, check=True)
        counts = server.counts()
    assert len(set(second.stdout.split())) == 60
    # what was on its way when the process died is known to the server by its key
    assert counts["distinct"] == counts["paid"] == 60
    assert counts["repeated"] <= 4


def test_the_first_token_tells_how_likely_each_label_is() -> None:
    """By hand: 0.5 + 0.1 begin yes, 0.2 begins no, 0.1 begins neither."""
    first = {"Yes": math.log(0.5), " yes": math.log(0.1), "No": math.log(0.2), "The": math.log(0.1)}
    told = likely_labels(first, {"no": "No", "yes": "Yes"})
    assert told == {"no": pytest.approx(0.25), "yes": pytest.approx(0.75)}
    assert likely_labels({"是的": math.log(0.9)}, {"no": "否", "yes": "是"})["yes"] == 1


def test_an_answer_that_begins_with_no_label_tells_nothing() -> None:
    first = {"The": math.log(0.7), "Yes": math.log(0.2)}
    assert likely_labels(first, {"no": "No", "yes": "Yes"}) == {}
    # a token that begins two labels belongs to neither
    assert likely_labels({"un": 0.0}, {"a": "ungradable", "b": "unusable"}) == {}


class _Doubting(BaseHTTPRequestHandler):
    """Answers as OpenAI's reference shows it, log-probabilities included."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        likely = [{"token": "Yes", "logprob": math.log(0.6)}, {"token": "No", "logprob": -1.2}]
        place = {"token": "Yes", "logprob": math.log(0.6), "top_logprobs": likely}
        choice = {
            "message": {"role": "assistant", "content": "Yes."},
            "finish_reason": "stop",
            "logprobs": {"content": [place, {"token": ".", "logprob": 0.0, "top_logprobs": []}]},
        }
        raw = json.dumps({"model": "m", "choices": [choice], "usage": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_log_probabilities_of_a_server_are_kept_for_the_next_run(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Doubting)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    asking = EndpointPredictor(
        Endpoint(model="m", base_url=url), tmp_path, top_logprobs=5, processes=0
    )
    (made,) = asking.answers([item(1)])
    server.shutdown()
    server.server_close()
    assert made.answer == "Yes."
    yes = 0.6 / (0.6 + math.exp(-1.2))
    assert made.probabilities == {"yes": pytest.approx(yes), "no": pytest.approx(1 - yes)}
    (again,) = asking.answers([item(1)])  # nobody is there to be asked
    assert again == made
