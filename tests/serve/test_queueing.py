"""What happens under load: bounds, time limits, clients that go, processes that die, an end."""

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from fundoscope.serve.looked import Looked
from fundoscope.serve.queueing import Lane, Pace
from fundoscope.serve.refusals import Refusal
from fundoscope.serve.workers import Worker
from fundoscope.testing.fake_assistant import FAKE_PHOTOGRAPH, FakeAssistant, fake_look
from fundoscope.testing.served_here import served_here

# nothing is encrypted here, and to load certificates takes longer than to ask
get = partial(httpx.get, verify=False, timeout=120)
post = partial(httpx.post, verify=False, timeout=120)


def data_url(raw: bytes) -> str:
    return "data:image/bmp;base64," + base64.b64encode(FAKE_PHOTOGRAPH + raw).decode()


def measured(address: str, raw: bytes) -> httpx.Response:
    body = {"photograph": data_url(raw)}
    return post(f"{address}/v1/measure", json=body)


def asked(address: str, text: str, **more: Any) -> httpx.Response:
    body = {"model": "fundoscope", "messages": [{"role": "user", "content": text}], **more}
    return post(f"{address}/v1/chat/completions", json=body)


def metric(address: str, name: str) -> float:
    """Return a metric's value; 0 where nothing was counted yet."""
    for line in get(f"{address}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0


def until(address: str, name: str, value: float, within_s: float = 60) -> None:
    """Wait until a metric has a value."""
    end = time.monotonic() + within_s
    while metric(address, name) != value:
        assert time.monotonic() < end, f"{name} is {metric(address, name)}, not {value}"
        time.sleep(0.02)


# the lane, by itself


def test_a_lane_does_so_much_at_once_and_refuses_what_is_beyond_its_queue() -> None:
    let_go = threading.Event()

    async def use() -> list[object]:
        lane = Lane(at_once=2, waiting=3)
        waiting = [asyncio.create_task(lane.run(let_go.wait, 20)) for _ in range(5)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refusal) as told:
            await lane.run(let_go.wait, 20)
        assert told.value.status == 429
        assert int(told.value.headers["Retry-After"]) >= 1
        let_go.set()
        done = await asyncio.gather(*waiting)
        await asyncio.sleep(0.05)
        assert lane.inside == 0
        lane.close()
        return list(done)

    assert asyncio.run(use()) == [True] * 5


def test_work_that_is_cancelled_before_its_turn_is_never_done() -> None:
    let_go, done = threading.Event(), []

    async def use() -> None:
        lane = Lane(at_once=1, waiting=3)
        first = asyncio.create_task(lane.run(let_go.wait, 20))
        second = asyncio.create_task(lane.run(done.append, 2))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.sleep(0.05)
        assert lane.inside == 1, "the second has left its place"
        let_go.set()
        await first
        lane.close()

    asyncio.run(use())
    assert done == []


def test_the_time_to_come_back_grows_with_the_queue() -> None:
    pace = Pace(at_once=2, first_guess_s=4)
    assert pace.wait_s(0) == 2
    assert pace.wait_s(9) == 20


# photographs


class Held:
    """Looks at a photograph when it is let go, and not before."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, raw: bytes) -> Looked:
        assert self.let_go.wait(120)
        return fake_look(raw)


class Line:
    """A client that sends a request to measure a photograph and can go away."""

    def __init__(self, address: str, raw: bytes) -> None:
        body = b'{"photograph": "%s"}' % data_url(raw).encode()
        host, port = address.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.sendall(
            b"POST /v1/measure HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def go_away(self) -> None:
        self._socket.close()


RUNNING, WAITING = "fundoscope_photographs_running", "fundoscope_photographs_waiting"


def fate(address: str, name: str) -> float:
    return metric(address, f'fundoscope_photographs_total{{fate="{name}"}}')


def test_a_photograph_beyond_the_queue_is_told_when_to_come_back() -> None:
    look = Held()
    with (
        served_here(look=look, workers=1, photographs_waiting=2) as address,
        ThreadPoolExecutor(8) as pool,
    ):
        first = pool.submit(measured, address, b"first")
        until(address, RUNNING, 1)
        others = [pool.submit(measured, address, b"%d" % number) for number in range(2)]
        until(address, WAITING, 2)
        response = measured(address, b"one too many")
        assert response.status_code == 429
        assert response.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(response.headers["retry-after"]) <= 600
        look.let_go.set()
        assert [job.result().status_code for job in (first, *others)] == [200] * 3
        assert measured(address, b"one too many").status_code == 200, "and then it is looked at"


def test_openais_client_comes_back_by_itself_when_told_to() -> None:
    look = Held()
    with (
        served_here(look=look, workers=1, photographs_waiting=0) as address,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(measured, address, b"first")
        until(address, RUNNING, 1)

        def let_go_once_refused() -> None:
            until(address, 'fundoscope_photographs_total{fate="refused_busy"}', 1)
            look.let_go.set()

        letting_go = pool.submit(let_go_once_refused)
        with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=5) as client:
            shown: Any = [
                {"type": "text", "text": "How?"},
                {"type": "image_url", "image_url": {"url": data_url(b"x")}},
            ]
            done = client.chat.completions.create(
                model="fundoscope", messages=[{"role": "user", "content": shown}]
            )
        assert done.choices[0].message.content is not None
        letting_go.result()
        assert first.result().status_code == 200


def test_ten_who_send_the_same_photograph_share_one_look() -> None:
    look = Held()
    with served_here(look=look) as address, ThreadPoolExecutor(10) as pool:
        jobs = [pool.submit(measured, address, b"same") for _ in range(10)]
        until(address, 'fundoscope_photographs_total{fate="found_again"}', 9)
        look.let_go.set()
        assert {job.result().status_code for job in jobs} == {200}
        assert len({job.result().text for job in jobs}) == 1
        assert fate(address, "looked_at") == 1


def test_a_client_that_goes_away_gives_its_place_in_the_queue_back() -> None:
    look = Held()
    with served_here(look=look, workers=1) as address, ThreadPoolExecutor(1) as pool:
        first = pool.submit(measured, address, b"first")
        until(address, RUNNING, 1)
        line = Line(address, b"never looked at")
        until(address, WAITING, 1)
        line.go_away()
        until(address, WAITING, 0)
        look.let_go.set()
        assert first.result().status_code == 200
        assert fate(address, "looked_at") == 1
        gone = 'fundoscope_requests_total{route="/v1/measure",status="499"}'
        assert metric(address, gone) == 1


def test_a_client_that_goes_away_does_not_take_it_from_another_who_waits_too() -> None:
    look = Held()
    with served_here(look=look, workers=1) as address, ThreadPoolExecutor(2) as pool:
        first = pool.submit(measured, address, b"first")
        until(address, RUNNING, 1)
        stays = pool.submit(measured, address, b"wanted by two")
        until(address, WAITING, 1)
        line = Line(address, b"wanted by two")
        until(address, 'fundoscope_photographs_total{fate="found_again"}', 1)
        line.go_away()
        until(address, 'fundoscope_requests_total{route="/v1/measure",status="499"}', 1)
        assert metric(address, WAITING) == 1
        look.let_go.set()
        assert stays.result().status_code == 200
        assert first.result().status_code == 200


def test_what_was_begun_for_a_client_that_went_is_kept_for_when_it_comes_again() -> None:
    look = Held()
    with served_here(look=look, workers=1) as address:
        line = Line(address, b"begun")
        until(address, RUNNING, 1)
        line.go_away()
        until(address, 'fundoscope_requests_total{route="/v1/measure",status="499"}', 1)
        look.let_go.set()
        until(address, RUNNING, 0)
        assert measured(address, b"begun").status_code == 200
        assert (fate(address, "looked_at"), fate(address, "found_again")) == (1, 1)


def test_what_is_kept_has_a_bound() -> None:
    with served_here(workers=1, kept_photographs=3) as address:
        for number in (0, 1, 2, 3, 0):  # 3 pushes 0 out
            assert measured(address, b"%d" % number).status_code == 200
        assert 'fate="looked_at"} 5.0' in get(f"{address}/metrics").text
        assert measured(address, b"3").status_code == 200
        assert 'fate="found_again"} 1.0' in get(f"{address}/metrics").text


def test_a_photograph_that_cannot_be_read_is_refused_without_its_decoders_words() -> None:
    with served_here() as address:
        response = measured(address, b"broken;")
        assert response.status_code == 400
        assert "Jane" not in response.text and "secret" not in response.text


# processes


@pytest.fixture(scope="module")
def with_processes() -> Iterator[str]:
    limits = {"workers": 2, "look_limit_s": 5.0, "photographs_waiting": 40}
    with served_here(worker=Worker, warm_up=os.getpid, **limits) as address:
        yield address


def test_a_photograph_that_takes_too_long_is_given_up_and_its_process_ended(
    with_processes: str,
) -> None:
    response = measured(with_processes, b"sleep=600;")
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "too_slow"
    assert metric(with_processes, "fundoscope_workers_ended_total") >= 1
    assert measured(with_processes, b"the next").status_code == 200


def test_a_photograph_that_kills_its_process_is_refused_and_others_are_not_hurt(
    with_processes: str,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        killing = pool.submit(measured, with_processes, b"die;")
        others = [pool.submit(measured, with_processes, b"other %d" % n) for n in range(6)]
        assert killing.result().status_code == 400
        assert [other.result().status_code for other in others] == [200] * 6
    assert measured(with_processes, b"after").status_code == 200


# answers


def test_so_many_answers_are_composed_at_once_and_so_many_wait() -> None:
    let_go = threading.Event()
    assistant = FakeAssistant(let_go)
    limits = {"answers_at_once": 2, "answers_waiting": 2}
    with served_here(assistant, **limits) as address, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(asked, address, "How?") for _ in range(4)]
        until(address, "fundoscope_answers_in_hand", 4)
        for streamed in (False, True):
            response = asked(address, "One too many", stream=streamed)
            assert response.status_code == 429
            assert response.headers["retry-after"]
        let_go.set()
        assert [each.result().status_code for each in waiting] == [200] * 4
        assert assistant.most_at_once == 2


def test_an_answer_that_takes_too_long_is_a_504() -> None:
    let_go = threading.Event()
    with served_here(FakeAssistant(let_go), time_limit_s=1) as address:
        for streamed in (False, True):
            response = asked(address, "How?", stream=streamed)
            assert response.status_code == 504
            assert response.json()["error"]["code"] == "too_slow"
        let_go.set()
        assert asked(address, "How?").status_code == 200


def test_a_stream_that_is_broken_off_ends_the_answer() -> None:
    with served_here() as address:
        body = {"model": "fundoscope", "stream": True, "messages": [
            {"role": "user", "content": "slowly " * 200}]}  # fmt: skip
        with httpx.stream("POST", f"{address}/v1/chat/completions", json=body) as response:
            next(response.iter_lines())
        until(address, "fundoscope_answers_in_hand", 0)


def test_more_bytes_than_fit_in_memory_are_not_taken() -> None:
    limits = {"body_bytes": 3_000_000, "bodies_bytes": 4_000_000}
    with served_here(**limits) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            line.sendall(
                b"POST /v1/measure HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2900000\r\n"
                b"Content-Type: application/json\r\n\r\n" + b" " * 2_500_000
            )
            until(address, "fundoscope_bodies_bytes", 2_500_000)
            response = post(
                f"{address}/v1/measure",
                content=b" " * 2_000_000,
                headers={"content-type": "application/json"},
            )
            assert response.status_code == 429
        until(address, "fundoscope_bodies_bytes", 0)


# the end


SERVER = """
import sys
from fundoscope.serve.api import make_app, make_server
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.workers import Looking
from fundoscope.testing.fake_assistant import FakeAssistant, fake_look
import os, socket

if __name__ == "__main__":
    settings = ServeSettings(workers=1)
    looking = Looking(settings, fake_look)
    app = make_app(FakeAssistant(), settings, looking=looking, warm_up=os.getpid)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    make_server(app, settings).run(sockets=[listening])
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process of its own, in a group of its own, and its address."""
    file = tmp_path / "server.py"
    file.write_text(SERVER)
    with subprocess.Popen(
        [sys.executable, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=tmp_path,
    ) as running:
        assert running.stdout is not None
        address = f"http://127.0.0.1:{int(running.stdout.readline())}"
        end = time.monotonic() + 120
        while True:
            try:
                if get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.ConnectError:
                pass
            assert time.monotonic() < end
            time.sleep(0.05)
        yield running, address
        if running.poll() is None:
            running.kill()


@pytest.mark.parametrize("to_all", [False, True])
def test_a_server_that_is_told_to_end_finishes_what_runs(
    process: tuple[subprocess.Popen[str], str], to_all: bool
) -> None:
    running, address = process
    with ThreadPoolExecutor(3) as pool:
        look = pool.submit(measured, address, b"sleep=1.5;")
        reply = pool.submit(asked, address, "sleep=1.5")
        until(address, "fundoscope_photographs_running", 1)
        until(address, "fundoscope_answers_in_hand", 1)
        if to_all:  # as a service manager or Ctrl-C does
            os.killpg(running.pid, signal.SIGTERM)
        else:
            running.terminate()
        assert look.result().status_code == 200
        assert reply.result().status_code == 200
    running.wait(timeout=60)
    with pytest.raises(httpx.ConnectError):
        get(f"{address}/healthz")
    _wait_until_all_are_gone(running.pid)


def _wait_until_all_are_gone(group: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < end, "a process outlived its server"
        time.sleep(0.1)


def test_a_server_that_is_killed_leaves_no_process_behind(
    process: tuple[subprocess.Popen[str], str],
) -> None:
    running, _ = process
    running.kill()
    running.wait()
    _wait_until_all_are_gone(running.pid)
