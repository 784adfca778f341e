"""The API on a free port of this machine, for as long as a test lasts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from fundoscope.errors import ConfigError
from fundoscope.serve.api import make_app, make_server
from fundoscope.serve.replies import Answerer
from fundoscope.serve.settings import ServeSettings
from fundoscope.serve.workers import Look, Looking, WarmUp, Worker
from fundoscope.testing.fake_assistant import FakeAssistant, fake_look


class ThreadWorker(Worker):
    """A thread where the API has a process: it starts at once, and cannot be ended."""

    def _start(self) -> None:
        self.executor: Executor = ThreadPoolExecutor(1)

    def replace(self) -> None:
        """Leave the thread to itself and take another."""
        self.executor.shutdown(wait=False)
        self._start()


@contextmanager
def served_here(
    assistant: Answerer | None = None,
    *,
    token: str = "",
    look: Look = fake_look,
    worker: Callable[[int], Worker] = ThreadWorker,
    warm_up: WarmUp | None = None,
    ready_within_s: float = 120,
    **settings: Any,
) -> Iterator[str]:
    """Give the address of a running server, such as `http://127.0.0.1:43211`.

    Parameters
    ----------
    assistant : made up by default.
    token : empty asks for none.
    look, worker, warm_up : as `Looking` has them; by default nothing is looked at, in threads.
    ready_within_s : how long its workers may take to start.
    settings : of `ServeSettings`.
    """
    chosen = ServeSettings(**{"workers": 2, **settings})
    looking = Looking(chosen, look, worker)
    app = make_app(
        assistant or FakeAssistant(), chosen, token=token, looking=looking, warm_up=warm_up
    )
    server = make_server(app, chosen)
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        _wait_until(lambda: looking.ready, ready_within_s)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()


def _wait_until(done: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not done():
        if time.monotonic() > end:
            raise ConfigError("the server did not become ready", mend="read its log")
        time.sleep(0.01)
