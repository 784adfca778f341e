"""Work beside an event loop."""

import asyncio

import pytest

from fundoscope.converse.side_work import SideWork


def halved(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize("processes", [0, 1])
def test_every_piece_gets_its_own_answer_and_one_failure_spoils_no_other(processes: int) -> None:
    async def all_() -> list[int | BaseException]:
        async with SideWork(processes) as side:
            return await asyncio.gather(
                *(side.do(halved, n) for n in range(50)), return_exceptions=True
            )

    answers = asyncio.run(all_())
    assert answers[::2] == list(range(25))
    assert [str(a) for a in answers[1::2]] == [f"{n} is odd" for n in range(1, 50, 2)]
