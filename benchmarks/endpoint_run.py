"""One build by the endpoint engine, in a process of its own; `endpoint.py` starts it.

python benchmarks/endpoint_run.py JOB.json RUN

Writes lines of JSON: when the first request left, and at the end what was done and when the last
dialogue was settled, in seconds of the system's monotonic clock.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


class Moments:
    """When the first request left and when the last dialogue was settled.

    The engine tells neither, so two of its steps are wrapped; that costs it under a microsecond a
    request.
    """

    def __init__(self) -> None:
        from fundoscope.asked import Asked
        from fundoscope.ledger import Ledger

        self.first_request = self.last_settled = 0.0
        ask, settle = Asked.ask, Ledger.settle

        def noted_ask(*what: Any, **more: Any) -> Any:
            if not self.first_request:
                self.first_request = time.monotonic()
                tell(first_request=self.first_request)
            return ask(*what, **more)

        def noted_settle(*what: Any, **more: Any) -> Any:
            done = settle(*what, **more)
            self.last_settled = time.monotonic()
            return done

        Asked.ask, Ledger.settle = noted_ask, noted_settle  # type: ignore[method-assign]


def main(job_file: Path, run: Path) -> None:
    # not above: the engine's side processes import this file too, and need none of it
    from fundoscope.config import make_job
    from fundoscope.converse.build import build

    moments = Moments()
    job = make_job(**json.loads(job_file.read_text()))
    report = build(job, run)
    tell(
        settled=report.composed,
        kept=report.tally.kept,
        rejected=report.tally.rejected,
        stopped=report.stopped,
        build_s=report.seconds,
        asking_s=moments.last_settled - moments.first_request,
        last_settled=moments.last_settled,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
