"""A fake OpenAI-compatible endpoint: real HTTP on loopback, with every fault a real one has.

To test and measure a client without a network or a bill:

    with FakeServer(FakeServerSettings(faults=Faults(too_many=0.1))) as server:
        run_my_client(base_url=server.url, api_key="any")
        print(server.counts())

From the command line: `python -m fundoscope.testing.fake_server --port 8800 --too-many 0.02`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from types import TracebackType
from typing import Any

from aiohttp import web

from fundoscope.errors import ConfigError
from fundoscope.testing.fake_serving import Serving
from fundoscope.testing.fake_settings import FakeServerSettings, Faults

__all__ = ["FakeServer", "FakeServerSettings", "Faults"]


class FakeServer:
    """A fake endpoint that runs for as long as a `with` block.

    Parameters
    ----------
    settings : how it behaves; by default it answers all, faithfully, after 50 ms.
    in_thread : bool
        Run in a thread of this process, which `settings.answer` needs, rather than in a process
        of its own.

    Raises
    ------
    ConfigError
        If `settings.answer` is given without `in_thread`.
    """

    def __init__(
        self, settings: FakeServerSettings | None = None, *, in_thread: bool = False
    ) -> None:
        self.settings = settings or FakeServerSettings()
        if self.settings.answer is not None and not in_thread:
            raise ConfigError(
                "a function cannot answer in another process",
                mend="FakeServer(..., in_thread=True)",
            )
        self.port = 0
        """The port on loopback, once it runs."""
        self._runner = _InThread if in_thread else _InProcess

    @property
    def url(self) -> str:
        """The base URL for clients, `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FakeServer:
        self._running = self._runner(self.settings)
        self.port = self._running.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.stop()

    def counts(self) -> dict[str, Any]:
        """Return what happened so far.

        `requests`: by path and outcome (`answered`, the name of a fault, `disconnected`, ...).
        `answered`: chat completions written whole, of which `distinct` differ in their
        `Idempotency-Key` (or, without one, body), `repeated` came again, `replayed` were given
        from memory and `paid` were not. `batch_answered`: completions within batches.
        `prompt_tokens` and `completion_tokens`: of those paid. `in_flight`, `most_in_flight`:
        requests for completions, now and at most.
        """
        return dict(self._ask("GET", "/fake/counts"))

    def seen(self) -> list[dict[str, Any]]:
        """Return the last requests for completions: `path`, `headers` (keys hidden), `body`."""
        return list(self._ask("GET", "/fake/seen"))

    def set(self, **changes: Any) -> None:
        """Change settings or faults by name while it runs, such as `set(too_many=0.5)`.

        Raises
        ------
        ConfigError
            If a name is not known, or a value makes no sense.
        """
        self.settings.changed(changes)
        self._ask("POST", "/fake/set", json.dumps(changes))

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        # not urllib: it would heed the proxies of the environment
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ConfigError(said["error"]["message"])
        return said


class _InThread:
    """The server in a thread with a loop of its own."""

    def __init__(self, settings: FakeServerSettings) -> None:
        self._settings = settings
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-server", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._port = 0
        self._problem: BaseException | None = None

    def start(self) -> int:
        self._thread.start()
        self._started.wait()
        if self._problem:
            raise self._problem
        return self._port

    def stop(self) -> None:
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            self._problem = problem
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        def started(port: int) -> None:
            self._port = port
            self._started.set()

        await serve(self._settings, started, self._stop)


class _InProcess:
    """The server in a process of its own, which ends when its standard input is closed."""

    def __init__(self, settings: FakeServerSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> int:
        said = json.dumps(self._settings.as_json())
        command = [sys.executable, "-m", "fundoscope.testing.fake_server", "--settings", said]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise ConfigError(
                f"the fake server did not start on port {self._settings.port}",
                mend="choose another port, or 0 for any",
            )
        return int(line.rsplit(":", 1)[1].split("/")[0])

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.communicate()  # closes its standard input, upon which it ends


async def serve(
    settings: FakeServerSettings, started: Callable[[int], None], stop: asyncio.Event
) -> None:
    """Run the endpoint until `stop` is set; `started` is told the port."""
    serving = Serving(settings)
    server = web.Server(serving.handle, handler_cancellation=True, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    try:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", settings.port, backlog=4096)
        await site.start()
        started(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
        await serving.close()


def main(arguments: list[str] | None = None) -> None:
    """Run the fake endpoint from the command line until interrupted."""
    from fundoscope.testing.fake_command import settings_from

    settings, until_input_ends = settings_from(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(_run_in_front(settings, until_input_ends))


async def _run_in_front(settings: FakeServerSettings, until_input_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows has no such signal
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    if until_input_ends:

        def wait_for_end() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_end, daemon=True).start()

    def tell(port: int) -> None:
        print(f"fake endpoint at http://127.0.0.1:{port}/v1", flush=True)

    await serve(settings, tell, stop)


if __name__ == "__main__":
    main()
