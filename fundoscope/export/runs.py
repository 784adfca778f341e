"""A run delivered to a trainer: split by person, written in its format, with a manifest."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fundoscope import __version__
from fundoscope.errors import ConfigError, LedgerError
from fundoscope.export.accepted import Accepted
from fundoscope.export.duplicates import DuplicateReport, duplicate_report
from fundoscope.export.formats import formats
from fundoscope.export.mixing import README, RunCount, check_weights, mixture_page
from fundoscope.export.photograph_files import Placement
from fundoscope.export.placed import Placed
from fundoscope.export.placing import Placing
from fundoscope.export.splits import SplitReport, assign_splits
from fundoscope.export.whole_files import Delivery
from fundoscope.ledger import Ledger
from fundoscope.read.photographs import NEAR_DUPLICATE_BITS
from fundoscope.records import Dialogue, Photograph

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Dialogues by split, track and language."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    out: Path
    format: str
    files: Mapping[str, str]
    """Name in `out` -> SHA-256; photographs and the manifest apart."""
    dialogues: int
    counts: Counts
    photographs: int
    """Photographs that the dialogues are about."""
    text_only: int
    """Dialogues that are about no photograph."""
    runs: tuple[RunCount, ...]
    """What was taken of each run, in their order."""
    splits: SplitReport = field(repr=False)
    duplicates: DuplicateReport = field(repr=False)
    reviewed: tuple[Mapping[str, Any], ...] = ()
    """What the reviewers of each run decided; nothing where all that was kept is exported."""


def export_run(
    run: Path | str | Sequence[Path],
    out: Path | str,
    *,
    format: str,
    weights: Sequence[float] | None = None,
    fractions: tuple[float, float, float] | None = None,
    photographs: Placement = "none",
    languages: Collection[str] | None = None,
    tracks: Collection[str] | None = None,
    prefix: str = "",
    allow_unfinished: bool = False,
    reviewed: bool = False,
    respect_official: bool = True,
    seed: int = 0,
    near_duplicate_bits: int = NEAR_DUPLICATE_BITS,
) -> ExportReport:
    """Write the kept dialogues of a run for a trainer, whole or not at all.

    Dialogues are streamed; memory holds the keys and hashes of the photographs, for the splits.
    The same run gives the same bytes again.

    Parameters
    ----------
    run : Path, or several
        Folders with a run's ledger. Several are split together, so that no patient and no
        near-duplicate is parted across sources; each photograph's path then begins with its
        dataset's name, and a `README.md` tells what was taken of each run.
    out : Path
        Folder for `SPLIT.TRACK.SUFFIX` files; `manifest.json` comes last and means "finished".
    format : a name of `formats`
    weights : one a run, optional
        How often each dialogue of the run stands in what is trained on, in the mean: 0.25 is a
        quarter of them, 2 is each of them twice. It moves nothing from one split to another.
    fractions : (train, val, test), optional
        For photographs without an official split; without them those stay in `all`.
    photographs : `none`, `link` or `copy`
        What stands in `out/photographs`; with `none`, dialogues name the source's own paths.
    languages, tracks : names to keep, all by default; splits do not depend on them
    prefix : str
        Put before each photograph's path, such as the folder that a trainer will see.
    allow_unfinished : bool
        Also export a run that was not built to its end.
    reviewed : bool
        Take what reviewers accepted (`fundoscope review`), in their words where they edited it,
        and nothing else; the manifest counts the others and lists what the verifier objected to.
    respect_official, seed : see `assign_splits`
    near_duplicate_bits : int
        Most bits by which near-duplicates differ; they are never parted.

    Raises
    ------
    LedgerError
        If there is no ledger, or the run is not finished.
    ConfigError
        If an option makes no sense or nothing is left to export.
    PhotographError
        If a photograph that is needed is not there, or its path leads out of the folder.
    DialogueError
        If a dialogue does not keep the format.
    """
    writer = formats.get(format)
    options = {
        "weights": None if weights is None else list(weights),
        "fractions": fractions,
        "photographs": photographs,
        "languages": None if languages is None else sorted(languages),
        "tracks": None if tracks is None else sorted(tracks),
        "prefix": prefix,
        "allow_unfinished": allow_unfinished,
        **({"reviewed": True} if reviewed else {}),
        "respect_official": respect_official,
        "near_duplicate_bits": near_duplicate_bits,
    }
    if photographs not in ("none", "link", "copy"):
        raise ConfigError(f"no way {photographs!r} to place photographs", mend="none, link, copy")
    with ExitStack() as opened:
        folders = [Path(run)] if isinstance(run, Path | str) else list(run)
        check_weights(weights, len(folders))
        ledgers = [opened.enter_context(Ledger(folder)) for folder in folders]
        for ledger in ledgers:
            _refuse_unfinished(ledger, allow_unfinished)
        duplicates = duplicate_report(_photographs(ledgers), near_duplicate_bits)
        splits = assign_splits(
            _photographs(ledgers),
            fractions,
            duplicates.groups,
            respect_official=respect_official,
            seed=seed,
        )
        tally, runs = _Tally(), RunCount.all_of(folders, weights)

        def wanted(dialogue: Dialogue) -> bool:
            return _wanted(dialogue, languages, tracks)

        accepted = [Accepted(ledger, wanted) for ledger in ledgers] if reviewed else []
        with Delivery(Path(out)) as delivery:
            with writer(delivery) as add:
                placing = Placing(delivery, photographs, prefix, splits.split_of, len(ledgers) > 1)
                for number, (ledger, count) in enumerate(zip(ledgers, runs, strict=True)):
                    placing.take_from(ledger)
                    for dialogue in accepted[number] if reviewed else filter(wanted, ledger.kept()):
                        for placed in placing.place_all(dialogue, count, seed):
                            add(placed)
                            tally.count(placed)
            told = tuple(one.told() for one in accepted)
            tally.refuse_nothing(_held(ledgers, told), languages, tracks)
            report = _report(Path(out), format, tally, runs, splits, duplicates, told)
            if len(runs) > 1:
                delivery.open(README).write(mixture_page(runs, report.counts).encode())
            jobs = [ledger.recall("job") for ledger in ledgers]
            job = jobs[0] if len(jobs) == 1 else jobs
            files = delivery.finish(_manifest(report, options, job))
    return replace(report, files=files)


def _photographs(ledgers: Sequence[Ledger]) -> Iterator[Photograph]:
    return (record.photograph for ledger in ledgers for record in ledger.records())


def _refuse_unfinished(ledger: Ledger, allow_unfinished: bool) -> None:
    if not ledger.recall("finished") and not allow_unfinished:
        raise LedgerError(
            f"the run in {ledger.run} is not finished",
            mend="run `fundoscope build` again to finish it, or allow an unfinished run",
        )


def _wanted(
    dialogue: Dialogue, languages: Collection[str] | None, tracks: Collection[str] | None
) -> bool:
    spoken = dialogue.conversation
    return (languages is None or spoken.language in languages) and (
        tracks is None or spoken.track in tracks
    )


class _Tally:
    """Counts of what was written."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._last_key = ""
        self.photographs = self.text_only = 0

    def count(self, placed: Placed) -> None:
        spoken = placed.dialogue.conversation
        self._counts[placed.split, spoken.track, spoken.language] += 1
        self.text_only += not placed.has_photograph
        self.photographs += placed.has_photograph and spoken.key != self._last_key
        self._last_key = spoken.key

    @property
    def dialogues(self) -> int:
        return self._counts.total()

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        nested: dict[str, dict[str, dict[str, int]]] = {}
        for (split, track, language), n in sorted(self._counts.items()):
            nested.setdefault(split, {}).setdefault(track, {})[language] = n
        return nested

    def refuse_nothing(
        self, held: str, languages: Collection[str] | None, tracks: Collection[str] | None
    ) -> None:
        if not self.dialogues:
            asked = [
                f"{k} {sorted(v)}" for k, v in (("languages", languages), ("tracks", tracks)) if v
            ]
            raise ConfigError(
                f"no dialogue to export: {held}"
                + (f", none of {' and '.join(asked)}" if asked else ""),
                mend="build it with those, or ask for others",
            )


def _held(ledgers: Sequence[Ledger], reviewed: Sequence[Mapping[str, Any]]) -> str:
    if reviewed:
        return f"its reviewers accepted {sum(one['accepted'] for one in reviewed)}"
    return f"the run kept {sum(ledger.tally().kept for ledger in ledgers)}"


def _report(
    out: Path,
    format: str,
    tally: _Tally,
    runs: Sequence[RunCount],
    splits: SplitReport,
    duplicates: DuplicateReport,
    reviewed: tuple[Mapping[str, Any], ...],
) -> ExportReport:
    return ExportReport(
        out=out,
        format=format,
        files={},
        dialogues=tally.dialogues,
        counts=tally.counts(),
        photographs=tally.photographs,
        text_only=tally.text_only,
        runs=tuple(runs),
        splits=splits,
        duplicates=duplicates,
        reviewed=reviewed,
    )


def _manifest(
    report: ExportReport, options: Mapping[str, object], job: object
) -> dict[str, object]:
    splits, duplicates = report.splits, report.duplicates
    return {
        "fundoscope": __version__,
        "format": report.format,
        "dialogues": report.dialogues,
        "photographs": report.photographs,
        "text_only": report.text_only,
        "runs": [run.told() for run in report.runs],
        **({"reviewed": list(report.reviewed)} if report.reviewed else {}),
        "counts": report.counts,
        "options": options,
        "splits": {
            "photographs": splits.counts,
            "groups": splits.groups,
            "largest": splits.largest,
            "largest_size": splits.largest_size,
            "spanning": [asdict(group) for group in splits.spanning],
            "drawn_again": splits.drawn_again,
            "seed": splits.seed,
        },
        "near_duplicates": {
            "photographs": duplicates.photographs,
            "hashed": duplicates.hashed,
            "clusters_by_size": duplicates.sizes,
            "same_bytes": duplicates.same_bytes,
            "across_datasets": duplicates.across_datasets,
            "across_splits": duplicates.across_splits,
        },
        "job": job,
        "python": platform.python_version(),
    }
