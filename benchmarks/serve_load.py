"""How fast the server answers, whose record it answers with, and what load leaves behind.

    python benchmarks/serve_load.py                     # all of it: 32 users, 10,000 requests
    python benchmarks/serve_load.py --requests 500      # a short one

`fundoscope serve` runs as it is, in a process of its own with an empty folder and an empty
temporary folder; this process is 32 users on loopback, on the same cores. Each user has a drawn
photograph of 1500 x 1000 pixels of his own, sends it with every question, as clients of OpenAI do,
and asks the next question when the last is answered.

first s      one new photograph at a time: from the request to the whole answer
follow ms    32 users at once, photographs known: the same
CPU          of the server and its processes, a photograph or an answer
RSS          of the server and its processes together
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from endpoint_watch import family
from PIL import Image

from fundoscope.phantoms import draw_phantom
from fundoscope.processes import mapped

QUESTIONS = (
    "What are the calibres of the vessels?",
    "What is the vertical cup to disc ratio?",
    "Are there microaneurysms?",
    "How sure are you?",
    "动静脉比是多少？",
    "What should happen next?",
)
CHAT = "/v1/chat/completions"
ABORTED = BAD = 0.05
SEEDS_FROM = 1000
AT_ONCE = 3
"""Photographs that are new at one time, so that none waits past the server's time limit."""


def photograph(seed: int) -> bytes:
    """Return a drawn photograph of 1500 x 1000 pixels as a JPEG."""
    lesions = {"microaneurysm": seed % 7, "haemorrhage": seed % 4}
    drawn = draw_phantom(seed, size_px=1000, lesions={k: n for k, n in lesions.items() if n})
    frame = np.zeros((1000, 1500, 3), np.uint8)
    frame[:, 250:1250] = drawn.photograph
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@dataclass
class User:
    """One user: a photograph, its hash, and what was answered when nobody else asked."""

    raw: bytes
    answers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.raw).hexdigest()
        url = f"data:image/jpeg;base64,{base64.b64encode(self.raw).decode()}"
        self._shown = {"type": "image_url", "image_url": {"url": url}}

    def body(self, question: str, stream: bool = False) -> bytes:
        """Return the request that asks a question."""
        content = [{"type": "text", "text": question}, self._shown]
        messages = [{"role": "user", "content": content}]
        asked = {"model": "fundoscope", "messages": messages, "stream": stream}
        return json.dumps(asked, ensure_ascii=False).encode()


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[tuple[str, Server]]:
    """Give address and process of a running server that can write to two empty folders only."""
    (folder / "tmp").mkdir()
    (folder / "cwd").mkdir()
    verb = ["serve", "--port", str(port), "--no-page"]
    with subprocess.Popen(
        [sys.executable, "-c", "from fundoscope.cli import main; main()", *verb],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder / "cwd",
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"},
    ) as running:
        assert running.stdout is not None
        address = running.stdout.readline().split()[0].rstrip("/")
        try:
            yield address, Server(running.pid)
        finally:
            running.terminate()
            running.wait(120)


@dataclass(frozen=True)
class Server:
    """A running server and its processes, as /proc tells of them."""

    pid: int

    def cpu_s(self) -> float:
        """Return the CPU seconds of all of them."""
        ticks = sum(sum(map(int, _stat(pid)[11:13])) for pid in family(self.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss(self) -> str:
        """Return the memory of the server alone, and together with its processes."""
        page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
        sizes = {pid: int(_stat(pid)[21]) * page_mb for pid in family(self.pid)}
        return f"RSS {sizes[self.pid]:.0f} MB, with its processes {sum(sizes.values()):.0f} MB"

    def open_files(self) -> int:
        """Return how many files and sockets the server holds open."""
        return len([*Path(f"/proc/{self.pid}/fd").iterdir()])


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


async def answer(http: aiohttp.ClientSession, user: User, question: str, stream: bool) -> Any:
    """Return text, photographs and values of an answer; 429 is obeyed."""
    while True:
        body = user.body(question, stream)
        headers = {"Content-Type": "application/json"}
        async with http.post(CHAT, data=body, headers=headers) as response:
            raw = await response.read()
            if response.status == 429:
                await asyncio.sleep(float(response.headers["Retry-After"]))
                continue
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {raw[:200]!r}")
        return _streamed(raw) if stream else _told(json.loads(raw))


def _told(done: dict[str, Any]) -> Any:
    ours = done["fundoscope"]
    values = [(each["id"], each["value"]) for each in ours["evidence"]]
    return done["choices"][0]["message"]["content"], ours["photographs"], values


def _streamed(raw: bytes) -> Any:
    lines = raw.split(b"\n\n")
    assert lines[-2] == b"data: [DONE]"
    events = [json.loads(line[6:]) for line in lines[:-2]]
    text = "".join(each["choices"][0]["delta"].get("content", "") for each in events)
    whole = {"choices": [{"message": {"content": text}}], "fundoscope": events[-1]["fundoscope"]}
    return _told(whole)


def bad_bodies(user: User) -> list[tuple[bytes, int]]:
    """Return requests that are wrong, each in its own way, and the status that says so."""
    good = json.loads(user.body("How?"))

    def changed(**fields: Any) -> bytes:
        return json.dumps({**good, **fields}).encode()

    def shown(url: str) -> bytes:
        part = {"type": "image_url", "image_url": {"url": url}}
        return changed(
            messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, part]}]
        )

    cut = base64.b64encode(user.raw[: len(user.raw) // 2]).decode()
    return [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (changed(messages=[]), 400),
        (changed(unknown=1), 400),
        (changed(n=2), 400),
        (changed(model="other"), 404),
        (changed(messages=[{"role": "user", "content": "x" * 10_000}]), 400),
        (shown("http://127.0.0.1:1/a.jpg"), 400),
        (shown("data:image/jpeg;base64,@"), 400),
        (shown("data:image/jpeg;base64," + cut), 400),
        (shown("data:text/html;base64,PGI+"), 415),
    ]


async def break_off(address: str, user: User, chance: random.Random) -> None:
    """Send a question and go away: within the upload, before the answer, or within a stream."""
    host, port = address.removeprefix("http://").split(":")
    how = chance.randrange(3)
    body = user.body(chance.choice(QUESTIONS), stream=how == 2)
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    writer.write(body[: len(body) // 2] if how == 0 else body)
    await writer.drain()
    if how == 2:
        await reader.readline()
    writer.transport.abort()


async def looked_at(http: aiohttp.ClientSession, users: list[User], alone: int) -> list[float]:
    """Have every photograph looked at, the first ones one by one; return their seconds."""
    taken = []
    for user in users[:alone]:
        began = time.perf_counter()
        await answer(http, user, QUESTIONS[0], False)
        taken.append(time.perf_counter() - began)
    in_turn = asyncio.Semaphore(AT_ONCE)

    async def later(user: User) -> None:
        async with in_turn:
            await answer(http, user, QUESTIONS[0], False)

    await asyncio.gather(*(later(user) for user in users[alone:]))
    for user in users:  # nobody else asks: these are the answers that count
        for question in QUESTIONS:
            user.answers[question] = await answer(http, user, question, False)
            assert user.answers[question][1] == [user.sha256]
    return taken


async def followed(http: aiohttp.ClientSession, users: list[User], each: int) -> list[float]:
    """Return the milliseconds of `each` answers to every user, all users at once."""
    taken: list[float] = []

    async def ask(user: User, number: int) -> None:
        for turn in range(each):
            question = QUESTIONS[(number + turn) % len(QUESTIONS)]
            began = time.perf_counter()
            told = await answer(http, user, question, False)
            taken.append(1000 * (time.perf_counter() - began))
            assert told == user.answers[question]

    await asyncio.gather(*(ask(user, number) for number, user in enumerate(users)))
    return taken


async def loaded(
    address: str,
    http: aiohttp.ClientSession,
    users: list[User],
    requests: int,
    server: Server,
) -> Counter[str]:
    """Send many requests, some broken off and some bad; return what became of them."""
    fates: Counter[str] = Counter()
    left = iter(range(requests))

    async def one(user: User, chance: random.Random) -> str:
        kind = chance.random()
        if kind < ABORTED:
            await break_off(address, user, chance)
            return "broken off"
        if kind < ABORTED + BAD:
            body, status = chance.choice(bad_bodies(user))
            headers = {"Content-Type": "application/json"}
            async with http.post(CHAT, data=body, headers=headers) as response:
                error = (await response.json())["error"]
                return "refused" if response.status == status and error["code"] else "WRONG STATUS"
        question = chance.choice(QUESTIONS)
        told = await answer(http, user, question, chance.random() < 0.25)
        return "answered" if told == user.answers[question] else "WRONG RECORD"

    async def use(user: User, number: int) -> None:
        chance = random.Random(number)
        for count in left:
            try:
                fates[await one(user, chance)] += 1
            except (aiohttp.ClientError, RuntimeError, OSError) as problem:
                fates[f"LOST {type(problem).__name__}"] += 1
            if count % 1000 == 999:
                print(f"  {count + 1:,}: {server.rss()}", flush=True)

    await asyncio.gather(*(use(user, number) for number, user in enumerate(users)))
    return fates


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


async def run(options: argparse.Namespace, users: list[User], folder: Path) -> None:
    """Do all of it against one server, and print the figures."""
    with served(folder) as (address, server):
        patience = aiohttp.ClientTimeout(total=1200)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(address, connector=connector, timeout=patience) as http:
            while (await http.get("/readyz")).status != 200:
                await asyncio.sleep(0.2)
            print(f"ready: {server.rss()}; load {os.getloadavg()[0]:.1f}")
            before = server.cpu_s()
            first = await looked_at(http, users, options.alone)
            print(
                f"first s: median {statistics.median(first):.2f}, max {max(first):.2f} "
                f"({len(first)} one by one); CPU {(server.cpu_s() - before) / len(users):.2f} s a "
                f"photograph, its {len(QUESTIONS)} answers included; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            texts = len({json.dumps(user.answers, ensure_ascii=False) for user in users})
            numbers = len({json.dumps([a[0] for a in u.answers.values()]) for u in users})
            print(
                f"records: {texts} different ones of {len(users)}, {numbers} by their words alone"
            )
            before, began = server.cpu_s(), time.perf_counter()
            follow = await followed(http, users, options.each)
            wall = time.perf_counter() - began
            print(
                f"follow ms: median {statistics.median(follow):.0f}, "
                f"p95 {_quantile(follow, 0.95):.0f}, max {max(follow):.0f}; "
                f"{len(follow) / wall:.0f} a second; CPU "
                f"{1000 * (server.cpu_s() - before) / len(follow):.1f} ms an answer; "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            began, files = time.perf_counter(), server.open_files()
            print(f"before the load: {server.rss()}, {files} open files")
            fates = await loaded(address, http, users, options.requests, server)
            print(f"{options.requests:,} requests in {time.perf_counter() - began:.0f} s:", end=" ")
            print(", ".join(f"{count:,} {fate}" for fate, count in fates.most_common()))
        await asyncio.sleep(2)
        print(f"after the load: {server.rss()}, {server.open_files()} open files")
        processes = family(server.pid)
    left = [str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()]
    await asyncio.sleep(2)
    alive = [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    print(f"left behind: {len(left)} files {left}, {len(alive)} processes")


def main() -> None:
    """Draw the photographs, then run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--alone", type=int, default=5, help="photographs timed one by one")
    parser.add_argument("--each", type=int, default=30, help="follow-up answers to each user")
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    seeds = range(SEEDS_FROM, SEEDS_FROM + options.users)
    users = [User(raw) for raw in mapped(photograph, seeds, os.cpu_count() or 1)]
    size = statistics.mean(len(user.raw) for user in users) / 1000
    print(f"{len(users)} users, photographs of {size:.0f} KB")
    with tempfile.TemporaryDirectory(prefix="serve-load-") as folder:
        asyncio.run(run(options, users, Path(folder)))


if __name__ == "__main__":
    main()
