"""The offline assistant on real photographs, beside majority, shortcut and blind, with intervals.

python benchmarks/real_photographs.py [--out FOLDER] [--data FOLDER] [--jobs 2] [NAME ...]

Each set's report is written to FOLDER/NAME/report.html. Photographs that the shipped networks were
trained on are left out where their labels were learned: of ODIR-5K the patients outside of fold 0
(network of conditions), of IDRiD all but every fifth photograph (network of lesions). A photograph
takes one to two seconds; a second run looks at none again.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fundoscope.evaluate.evaluating import baselines_for, evaluate_predictor
from fundoscope.evaluate.item_making import Choice, Copy, items_of
from fundoscope.evaluate.offline_predictor import OfflinePredictor
from fundoscope.evaluate.report import flags, report_lines, warnings
from fundoscope.evaluate.report_view import counted
from fundoscope.evaluate.tasks import task
from fundoscope.evaluate.training_set import COLUMNS, read_training
from fundoscope.records import Language, Photograph
from fundoscope.train.condition_eyes import Eyes

DATA = Path(__file__).parents[2] / "shared" / "data"
BOTH: tuple[Language, ...] = ("en", "zh")
HELD_OUT = 5
"""Of IDRiD's outlined photographs every fifth number was never learned from."""
Trained = Callable[[Photograph], bool]


@dataclass(frozen=True)
class Show:
    """One set, one task, and which of its photographs the networks learned from."""

    name: str
    task: str
    folder: str
    labels: tuple[str, ...] = ()
    trained: Trained | None = None


def of_other_folds(photograph: Photograph) -> bool:
    """Whether the network of conditions learned from this patient of ODIR."""
    patients = np.array([photograph.patient])
    nothing = np.zeros(0)
    eyes = Eyes([], patients, nothing, nothing, nothing)  # type: ignore[arg-type]
    return bool(eyes.folds()[0] != 0)


def outlined(photograph: Photograph) -> bool:
    """Whether the network of lesions learned from this photograph of IDRiD."""
    return int("".join(one for one in photograph.id if one.isdigit())) % HELD_OUT != 0


SHOWS = (
    Show("rfmid-risk", "rfmid-risk", "RFMiD", ("rfmid_train.csv",)),
    Show("rfmid-findings", "rfmid-findings", "RFMiD", ("rfmid_train.csv",)),
    Show("eyepacs-grade", "eyepacs-grade", "EyePACS", ("eyepacs_trainLabels.csv",)),
    Show("eyeq-quality", "eyeq-quality", "EyePACS", ("eyeq_train.csv", "eyeq_test.csv")),
    Show("automorph-quantities", "automorph-quantities", "AutoMorph"),
    Show("idrid-lesions", "idrid-lesions", "IDRiD", trained=outlined),
    Show("idrid-lesion-boxes", "idrid-lesion-boxes", "IDRiD", trained=outlined),
    Show("idrid-lesions-with-trained", "idrid-lesions", "IDRiD"),
    Show("idrid-lesion-boxes-with-trained", "idrid-lesion-boxes", "IDRiD"),
    Show("idrid-dialogue", "idrid-dialogue", "IDRiD", trained=outlined),
    Show("hrf-normal", "hrf-normal", "HRF"),
    Show("hrf-diagnosis", "hrf-diagnosis", "HRF"),
    Show("unam-dme", "unam-dme", "UNAM_FUNDUS"),
    Show("unam-dr", "unam-dr", "UNAM_FUNDUS"),
    Show("odir-normal", "odir-normal", "ODIR5K", trained=of_other_folds),
    Show("odir-findings", "odir-findings", "ODIR5K", trained=of_other_folds),
    Show("odir-eye", "odir-eye", "ODIR5K", trained=of_other_folds),
)


def main() -> None:
    """Score every set that was named, all by default, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all by default")
    parser.add_argument("--out", type=Path, default=Path("real-photographs"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--jobs", type=int, default=2)
    told = parser.parse_args()
    for show in SHOWS:
        if not told.names or show.name in told.names:
            print(f"\n## {show.name}", flush=True)
            for line in scored(show, told.data, told.out, told.jobs):
                print(line, flush=True)


def scored(show: Show, data: Path, out: Path, jobs: int) -> Iterator[str]:
    """Yield the scores of the assistant and the baselines on one set."""
    started = time.monotonic()
    copy = Copy(data / show.folder, labels=tuple(data / "labels" / name for name in show.labels))
    choice = Choice(languages=BOTH, part="all")
    asked = items_of(task(show.task), copy, choice, jobs=jobs)
    if show.trained is not None:
        seen = {item.key: item.record.photograph for item in asked.items if item.record}
        rows = [photograph for photograph in seen.values() if show.trained(photograph)]
        training = read_training(_table(rows, out / "trained" / f"{show.name}.csv"))
        asked = items_of(task(show.task), copy, choice, training=training, jobs=jobs)
    offline = OfflinePredictor(out / "seen", jobs=jobs)
    folder = out / show.name
    beside = baselines_for(asked, offline, blind=True, grey=out / "grey.png", jobs=jobs)
    evaluation = evaluate_predictor(asked, offline, folder, baselines=beside, jobs=jobs)
    yield f"{counted(asked.photographs, 'photograph')} of {counted(asked.patients, 'patient')}"
    yield from report_lines(evaluation)
    for flag in flags(evaluation):
        yield f"{flag['head']} {flag['text']}"
    yield from warnings(evaluation)
    yield f"{time.monotonic() - started:.0f} s; {folder / 'report.html'}"


def _table(photographs: list[Photograph], file: Path) -> Path:
    """Write what was trained on as `--against` reads it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([str(getattr(one, name) or "") for name in COLUMNS] for one in photographs)
    return file


if __name__ == "__main__":
    main()
