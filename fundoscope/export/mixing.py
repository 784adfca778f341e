"""Several runs as one set: how often each run's dialogues stand in it, and what came of that."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fundoscope.errors import ConfigError
from fundoscope.export.card import markdown_text, number, share
from fundoscope.export.placed import Placed
from fundoscope.records import Dialogue

README = "README.md"
WEIGHED = ("train", "all")
"""The splits that are trained on. The others hold every dialogue once, whatever its weight."""
_SPLITS = ("train", "val", "test", "all")


def check_weights(weights: Sequence[float] | None, runs: int) -> None:
    """Refuse weights that are not one positive number a run; ConfigError says which."""
    if weights is None:
        return
    if len(weights) != runs:
        raise ConfigError(
            f"{runs} runs and {len(weights)} weights", mend="give one weight for each run, in order"
        )
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ConfigError(
                f"a weight must be a positive number, got {weight!r}",
                mend="leave a run out that is not wanted",
            )


def copies(dialogue: Dialogue, split: str, weight: float, seed: int) -> int:
    """Return how often a dialogue stands in an export.

    The whole part of the weight, and once more for as many dialogues as its fraction says, drawn
    by a hash of the dialogue's id: the order does not matter, and whoever is kept at a weight is
    kept at every higher one. 1 in the splits that are not trained on.
    """
    if split not in WEIGHED:
        return 1
    whole = math.floor(weight)
    drawn = hashlib.blake2b(f"{seed}\0{dialogue.conversation.id}".encode(), digest_size=8).digest()
    return whole + ((int.from_bytes(drawn, "big") >> 11) / 2**53 < weight - whole)


@dataclass
class RunCount:
    """What an export took of one run."""

    run: str
    """The name of its folder."""
    weight: float
    held: Counter[str] = field(default_factory=Counter)
    """Dialogues of the wanted languages and tracks, by split."""
    written: Counter[str] = field(default_factory=Counter)
    """Dialogues in the export, by split; one that stands there twice counts twice."""
    text_only: int = 0
    """How many of the written are about no photograph."""
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Written dialogues by dataset and licence."""

    @classmethod
    def all_of(cls, folders: Sequence[Path], weights: Sequence[float] | None) -> list[RunCount]:
        """Return a count, still empty, for each run."""
        names = [folder.resolve().name for folder in folders]
        return [cls(n, w) for n, w in zip(names, weights or [1.0] * len(names), strict=True)]

    def took(self, placed: Placed) -> None:
        """Count a dialogue that was written."""
        record = placed.dialogue.record
        self.written[placed.split] += 1
        self.text_only += not placed.has_photograph
        self.licences[record.photograph.dataset, record.licence] += 1

    def told(self) -> dict[str, Any]:
        """Return the counts for the manifest."""
        return {
            "run": self.run,
            "weight": self.weight,
            "held": dict(sorted(self.held.items())),
            "written": dict(sorted(self.written.items())),
            "text_only": self.text_only,
        }


def mixture_page(
    runs: Sequence[RunCount], counts: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> str:
    """Return the page in Markdown that lies beside an export of several runs.

    Parameters
    ----------
    counts : dialogues written, by split, track and language
    """
    return "\n".join(_lines(runs, counts)) + "\n"


def _lines(
    runs: Sequence[RunCount], counts: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> Iterator[str]:
    total = sum(run.written.total() for run in runs)
    splits = [split for split in _SPLITS if any(run.written[split] for run in runs)]
    yield f"# {number(total)} dialogues of {len(runs)} runs"
    yield ""
    yield "A weight says how often a dialogue of its run stands in the set, in the mean: 0.25 is a"
    yield "quarter of them, 2 is each of them twice. It is applied after the split by person, to"
    yield f"{' and '.join(WEIGHED)}; val and test hold every dialogue once."
    yield ""
    yield from _table(
        ["run", "weight", "held", *splits, "share of all", "without a photograph"],
        [
            [
                run.run,
                f"{run.weight:g}",
                number(run.held.total()),
                *(number(run.written[split]) for split in splits),
                share(run.written.total(), total),
                number(run.text_only),
            ]
            for run in runs
        ],
    )
    yield ""
    yield from _table(
        ["split", "track", "language", "dialogues"],
        [
            [split, track, language, number(n)]
            for split, tracks in counts.items()
            for track, languages in tracks.items()
            for language, n in languages.items()
        ],
    )
    yield ""
    yield from _table(
        ["dataset", "licence", "dialogues"],
        [[*source, number(n)] for source, n in sorted(_licences(runs).items())],
    )
    yield ""
    yield "Each photograph stays under the terms of its owner. `manifest.json` has all counts, the"
    yield "hashes of all files and the jobs of the runs. For research; not a medical device."


def _licences(runs: Sequence[RunCount]) -> Counter[tuple[str, str]]:
    return sum((run.licences for run in runs), Counter())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(markdown_text(cell)) for cell in row)} |"
