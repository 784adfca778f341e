"""Finished evaluations of several systems held against each other, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from fundoscope import __version__
from fundoscope.errors import ConfigError
from fundoscope.evaluate import run_files
from fundoscope.evaluate.bootstrap import RESAMPLES
from fundoscope.evaluate.comparison import Difference, compare
from fundoscope.evaluate.items import Scored
from fundoscope.evaluate.scoring import by_form

COMPARISON = "comparison"
"""Name of the files of a comparison, before `.html`, `.md` and `.json`."""


@dataclass(frozen=True)
class Run:
    """A finished evaluation, as it was read from its folder."""

    name: str
    scores: dict[str, Any]
    forms: dict[str, list[Scored]]


@dataclass(frozen=True)
class Compared:
    """Two systems on one question."""

    form: str
    one: str
    other: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """All systems on all questions that they share, two by two."""

    task: dict[str, Any]
    runs: tuple[Run, ...]
    compared: tuple[Compared, ...]
    resamples: int
    seed: int


def compare_runs(
    folders: Sequence[Path], *, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Return how finished evaluations of one task differ, on the items that they share.

    Raises
    ------
    ConfigError
        If there are fewer than two, two have one name, or they are of different tasks or truths.
    ReadError
        If a folder holds no finished evaluation.
    """
    if len(folders) < 2:
        raise ConfigError("a comparison needs two evaluations", mend="name two folders or more")
    runs = [_run(folder) for folder in folders]
    _check(runs, folders)
    compared = [
        Compared(
            form,
            one.name,
            other.name,
            tuple(compare(one.forms[form], other.forms[form], resamples=resamples, seed=seed)),
        )
        for one, other in combinations(runs, 2)
        for form in one.forms
        if form in other.forms
    ]
    return Comparison(runs[0].scores["task"], tuple(runs), tuple(compared), resamples, seed)


def _run(folder: Path) -> Run:
    scores = run_files.read_scores(folder)
    return Run(scores["predictor"], scores, by_form(list(run_files.read_items(folder))))


def _check(runs: Sequence[Run], folders: Sequence[Path]) -> None:
    tasks = {run.scores["task"]["name"] for run in runs}
    if len(tasks) > 1:
        raise ConfigError(
            f"evaluations of different tasks: {', '.join(sorted(tasks))}",
            mend="compare systems on one task",
        )
    names = [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"two evaluations are both called {twice!r}",
            where=", ".join(map(str, folders)),
            mend="evaluate one of them again with --name",
        )
    truths: dict[str, object] = {}
    for run in runs:
        for scored in (one for form in run.forms.values() for one in form):
            if truths.setdefault(scored.item.id, scored.item.truth) != scored.item.truth:
                raise ConfigError(
                    f"the truth of {scored.item.id!r} is not the same in both",
                    mend="evaluate both on the same labels",
                )


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data."""
    return {
        "task": comparison.task,
        "runs": [run.name for run in comparison.runs],
        "compared": [asdict(one) for one in comparison.compared],
        "resamples": comparison.resamples,
        "seed": comparison.seed,
        "fundoscope": __version__,
    }
