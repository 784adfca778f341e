"""Seconds a photograph: our measurements beside PVBM's, on the same masks in one run.

    python benchmarks/measure.py [MASKS] [--photographs 40] [--pvbm PYTHON]

MASKS is a folder that `fundoscope measure --masks` reads; by default the 40 DRIVE photographs.
PYTHON belongs to an environment of its own with PVBM in it:

    python -m venv pvbm && pvbm/bin/pip install --no-deps pvbm
    pvbm/bin/pip install numpy scipy scikit-image pillow matplotlib

CPU seconds of one thread; the median over the photographs, skeletons included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from fundoscope.measure.automorph_definitions import automorph_features
from fundoscope.measure.mask_folders import MaskSet, read_mask_folder
from fundoscope.measure.measuring import measure_folder
from fundoscope.measure.survey import survey

DEFAULT = Path(__file__).parents[2] / "shared" / "reference" / "automorph_DRIVE" / "masks"

PVBM = """
import json, sys, time, warnings
import numpy as np
from skimage.morphology import skeletonize
warnings.filterwarnings("ignore")
from PVBM.GeometryAnalysis import GeometricalVBMs
from PVBM.FractalAnalysis import MultifractalVBMs
from PVBM.CentralRetinalAnalysis import CREVBMs
sys.setrecursionlimit(100_000)
spent = []
for file in sys.argv[1:]:
    given = np.load(file)
    x, y, radius = (int(v) for v in given["disc"])
    started = time.process_time()
    for kind in ("arteries", "veins"):
        mask = given[kind].astype(float)
        skeleton = skeletonize(mask > 0).astype(float)
        rows, cols = np.indices(mask.shape)
        away = np.hypot(rows - y, cols - x)
        zones, roi = np.zeros((*mask.shape, 3)), np.zeros((*mask.shape, 3))
        zones[away <= radius, 1] = 255
        roi[away <= 600, 1] = 255
        geometry, fractal, calibre = GeometricalVBMs(), MultifractalVBMs(), CREVBMs()
        try:
            inside, thin = geometry.apply_roi(mask, skeleton, zones, roi)
            geometry.compute_geomVBMs(inside, thin, x, y, radius)
            fractal.compute_multifractals(inside)
            inside, thin = calibre.apply_roi(mask, skeleton, zones)
            calibre.compute_central_retinal_equivalents(
                inside, thin, x, y, radius, kind == "arteries"
            )
        except Exception as problem:
            print(file, kind, type(problem).__name__, problem, file=sys.stderr)
    spent.append(time.process_time() - started)
print(json.dumps(spent))
"""


def cpu_s(work: Callable[[MaskSet], object], photographs: Sequence[MaskSet]) -> list[float]:
    """Return the CPU seconds of each photograph."""
    spent = []
    for masks in photographs:
        started = time.process_time()
        work(masks)
        spent.append(time.process_time() - started)
    return spent


def pvbm_cpu_s(python: Path, photographs: Sequence[MaskSet]) -> list[float]:
    """Return PVBM's CPU seconds of each photograph: arteries and veins, its three analyses."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for masks in photographs:
            if masks.disc is None or not masks.disc.any():
                continue
            rows, cols = np.nonzero(masks.disc)
            radius = max(np.ptp(rows), np.ptp(cols)) / 2
            file = Path(folder) / f"{masks.name}.npz"
            disc = np.array([cols.mean(), rows.mean(), radius])
            np.savez(file, arteries=masks.arteries, veins=masks.veins, disc=disc)
            files.append(str(file))
        done = subprocess.run(
            [str(python), "-c", PVBM, *files], capture_output=True, text=True, check=True
        )
    print(done.stderr, end="")
    return list(json.loads(done.stdout.splitlines()[-1]))


def stream(sets: int, masks: Path, jobs: int) -> None:
    """Measure many sets of masks from disk into one table; print time and peak memory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("vessels", "artery_vein", "disc_cup"):
            (folder / part).mkdir()
        drawn = 0
        for drawn, photograph in enumerate(islice(read_mask_folder(masks), sets), start=1):
            write_masks(photograph, folder, f"{drawn - 1:06d}.png")
        for number in range(drawn, sets):
            for part in ("vessels", "artery_vein", "disc_cup"):
                first = folder / part / f"{number % drawn:06d}.png"
                (folder / part / f"{number:06d}.png").symlink_to(first)
        started = time.monotonic()
        count = measure_folder(folder, folder / "table.parquet", jobs=jobs)
        took_s = time.monotonic() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    workers_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(
        f"{count:,} sets of masks, {jobs} processes: {took_s:,.0f} s, "
        f"{count / took_s:.1f} a second, peak RSS {peak_mb:.0f} MB "
        f"(largest worker {workers_mb:.0f} MB)"
    )


def write_masks(masks: MaskSet, folder: Path, name: str) -> None:
    """Write a set of masks in our own layout."""
    assert masks.vessels is not None and masks.arteries is not None and masks.veins is not None
    coded = masks.arteries * np.uint8(1) + masks.veins * np.uint8(2)
    cv2.imwrite(str(folder / "vessels" / name), masks.vessels * np.uint8(255))
    cv2.imwrite(str(folder / "artery_vein" / name), coded)
    disc = np.zeros_like(coded)
    if masks.disc is not None and masks.cup is not None:
        disc = masks.disc * np.uint8(1) + masks.cup * np.uint8(1)
    cv2.imwrite(str(folder / "disc_cup" / name), disc)


def row(name: str, spent: Sequence[float]) -> str:
    """Return a line of the table."""
    return f"| {name} | {len(spent)} | {statistics.median(spent):.3f} | {max(spent):.3f} |"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("masks", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--pvbm", type=Path, help="python of an environment with PVBM")
    parser.add_argument("--stream", type=int, default=0, help="measure this many sets from disk")
    parser.add_argument("--jobs", type=int, default=1, help="processes for --stream")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.stream:
        stream(options.stream, options.masks, options.jobs)
        return
    photographs = list(islice(read_mask_folder(options.masks), options.photographs))
    bare = [replace(masks, automorph_skeletons={}) for masks in photographs]
    survey(bare[0]), automorph_features(bare[0])  # warm caches, as in any second photograph
    print("| definitions | photographs | CPU s, median | CPU s, max |\n|---|---|---|---|")
    print(row("fundoscope, default", cpu_s(survey, bare)))
    print(row("fundoscope, AutoMorph's", cpu_s(automorph_features, bare)))
    if options.pvbm:
        print(row("PVBM (arteries and veins)", pvbm_cpu_s(options.pvbm, photographs)))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"\npeak RSS of ours: {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
