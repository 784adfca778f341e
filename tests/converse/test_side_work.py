"""Work beside an event loop."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

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


def test_processes_end_with_the_one_they_work_for_even_when_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from fundoscope.processes import process_pool\n"
        "if __name__ == '__main__':\n"
        "    pool = process_pool(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    for _ in range(200):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the process lives on")
