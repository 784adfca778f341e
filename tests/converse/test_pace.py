"""How fast a server is asked."""

import asyncio
import random

import pytest

from fundoscope.converse.pace import Pace, Window, wait_s


class Clock:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr("fundoscope.converse.pace.asyncio.sleep", sleep)
    return clock


def went_out(pace: Pace, clock: Clock, requests: int, tokens: int = 0) -> list[float]:
    async def go() -> list[float]:
        times = []
        for _ in range(requests):
            await pace.turn(tokens)
            times.append(clock.now)
        return times

    return asyncio.run(go())


def most_within(times: list[float], seconds: float) -> int:
    return max(sum(start <= t < start + seconds for t in times) for start in times)


def test_no_minute_holds_more_requests_than_allowed(clock: Clock) -> None:
    times = went_out(Pace(requests_per_minute=200, clock=clock), clock, 700)
    assert most_within(times, 60) <= 200
    assert times[-1] < 60 * 700 / 200 * 1.05  # and hardly slower than it may be


def test_no_minute_holds_more_tokens_than_allowed(clock: Clock) -> None:
    times = went_out(Pace(tokens_per_minute=10_000, clock=clock), clock, 50, tokens=1000)
    assert most_within(times, 60) <= 10


def test_without_limits_nobody_waits(clock: Clock) -> None:
    assert went_out(Pace(clock=clock), clock, 100, tokens=5000)[-1] == 0


def test_after_a_pause_everybody_waits(clock: Clock) -> None:
    pace = Pace(clock=clock)
    pace.pause(7)
    assert went_out(pace, clock, 2) == [7, 7]


def test_a_wait_asked_for_is_kept_and_little_longer() -> None:
    waits = [wait_s(3, 10, random.Random(seed)) for seed in range(200)]
    assert min(waits) >= 10
    assert max(waits) <= 11.1


def test_waits_grow_up_to_a_minute_and_differ() -> None:
    rng = random.Random(0)
    waits = [[wait_s(attempt, None, rng) for _ in range(300)] for attempt in range(10)]
    assert max(waits[0]) <= 0.5
    assert 3 < max(waits[3]) <= 4
    assert max(waits[9]) <= 60
    assert len(set(waits[5])) == 300


def in_flight_at_most(window: Window, work: int) -> int:
    most = 0

    async def one() -> None:
        nonlocal most
        async with window.place():
            most = max(most, window.in_flight)
            await asyncio.sleep(0)
            window.went_well(0.1)

    async def all_() -> None:
        await asyncio.gather(*(one() for _ in range(work)))

    asyncio.run(all_())
    assert window.in_flight == 0
    return most


def test_a_given_number_is_never_exceeded() -> None:
    assert in_flight_at_most(Window(5), 100) == 5


def test_a_window_left_to_itself_grows_while_the_server_bears_it() -> None:
    window = Window()
    assert in_flight_at_most(window, 2000) > 200
    assert window.size <= window.most


def test_it_halves_when_the_server_refuses_and_once_for_a_whole_round() -> None:
    clock = Clock()
    window = Window(clock=clock)
    in_flight_at_most(window, 200)
    before = window.size
    for _ in range(30):  # refused together
        window.was_too_much()
    assert window.size == before / 2
    clock.now += 5
    window.was_too_much()
    assert window.size == before / 4


def test_it_stops_growing_when_answers_get_slow() -> None:
    window = Window()
    for _ in range(20):
        window.went_well(0.1)
    grown = window.size
    for _ in range(200):
        window.went_well(1.0)
    assert window.size < grown + 5
