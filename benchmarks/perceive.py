"""How right the shipped networks are, on photographs that they never learned from, and how fast.

python benchmarks/perceive.py [vessels|narrow|disc|place|cup|fovea|lesions|conditions|speed|
                               failures ...]

DATA is FUNDOSCOPE_DATA, or shared/data beside the repository. Scores are taken in the
photograph's own pixels, through the same calls that `fundoscope perceive` makes; intervals are of
2,000 draws of photographs. FUNDOSCOPE_WEIGHTS scores networks of one's own, such as vessels that
learned nothing from one camera: `--all-of HRF` then scores every photograph of that camera.
`failures`, only where it is asked for, draws the worst photograph of each set into a picture;
`--out` names its folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fundoscope.perceive.disc import field_degrees, find_places, outline_disc
from fundoscope.perceive.lesions import LESION_KINDS, find_lesions
from fundoscope.perceive.runtime import model
from fundoscope.perceive.vessels import Vessels, find_vessels
from fundoscope.perceive.views import View
from fundoscope.read.masks import read_coded_mask, read_mask
from fundoscope.read.photographs import read_pixels

DATA = Path(os.environ.get("FUNDOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
HELD_OUT_EVERY = {"AVRDB": 7}
"""One photograph in so many, by the number in its name, was never learned from; else in five."""


def held_out(folder: str, every: bool = False) -> Iterator[Path]:
    for path in sorted((DATA / folder / "images").iterdir()):
        number = int("".join(c for c in path.stem if c.isdigit()) or 0)
        if every or number % HELD_OUT_EVERY.get(folder, 5) == 0:
            yield path


def mask_of(photograph: Path, folder: str) -> Path:
    return photograph.parent.parent / folder / f"{photograph.stem}.png"


def true_vessels(photograph: Path, folder: str) -> np.ndarray:
    if folder == "FIVES":
        return read_mask(mask_of(photograph, "vessels"))
    return read_coded_mask(mask_of(photograph, "av")) > 0


def interval(values: Iterable[float]) -> str:
    found = np.array([value for value in values if np.isfinite(value)])
    if not len(found):
        return "none"
    drawn = np.random.default_rng(0).choice(found, (2000, len(found))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{found.mean():.3f} [{low:.3f}, {high:.3f}] n={len(found)}"


def dice(said: np.ndarray, true: np.ndarray) -> float:
    together = said.sum() + true.sum()
    return float(2 * (said & true).sum() / together) if together else float("nan")


def area_under_roc(probability: np.ndarray, true: np.ndarray) -> float:
    """Return the area by ranks over 256 levels, ties shared."""
    levels = np.round(np.clip(probability, 0, 1) * 255).astype(int)
    hits = np.bincount(levels[true], minlength=256).astype(float)
    others = np.bincount(levels[~true], minlength=256).astype(float)
    below = np.concatenate([[0], np.cumsum(others)[:-1]])
    return float((hits * (below + others / 2)).sum() / (hits.sum() * others.sum()))


def average_precision(probability: np.ndarray, true: np.ndarray) -> float:
    levels = np.round(np.clip(probability, 0, 1) * 4095).astype(int)
    hits = np.bincount(levels[true], minlength=4096)[::-1].cumsum()
    named = np.bincount(levels, minlength=4096)[::-1].cumsum()
    precision = hits / np.maximum(named, 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / max(hits[-1], 1))


def score_vessels(all_of: str) -> None:
    print("vessels: Dice, artery Dice, vein Dice, area under ROC inside the field")
    for folder in ("AVRDB", "HRF", "FIVES"):
        rows = [_vessel_row(path, folder) for path in held_out(folder, folder == all_of)]
        for name, column in zip(
            ("vessel", "artery", "vein", "AUC"), zip(*rows, strict=True), strict=True
        ):
            print(f"  {folder} {name}: {interval(column)}")


def _vessels(view: View) -> Vessels:
    places = find_places(view)
    return find_vessels(view, field_degrees(view, places, outline_disc(view, places)))


NARROW_DEGREES = 30.0


def score_narrow(all_of: str) -> None:
    print("vessels, Dice, of photographs cut down to 30 degrees with the disc inside: looked at as")
    for folder in ("AVRDB", "HRF", "FIVES"):
        rows = [row for p in held_out(folder, folder == all_of) if (row := _narrow_row(p, folder))]
        told, ordinary = zip(*rows, strict=True)
        print(f"  {folder}: wide as it is told {interval(told)}; as ordinary {interval(ordinary)}")


def _narrow_row(path: Path, folder: str) -> tuple[float, float] | None:
    whole = View(read_pixels(path))
    places = find_places(whole)
    degrees = field_degrees(whole, places, outline_disc(whole, places))
    if places.disc is None or degrees is None:
        return None
    field = whole.field
    radius = field.radius_px * NARROW_DEGREES / degrees
    row, col = np.add(places.disc, (field.row, field.col)) / 2
    rows, cols = np.ogrid[: whole.shape[0], : whole.shape[1]]
    round_it = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    box = tuple(
        slice(max(0, int(middle - radius - 12)), int(middle + radius + 12)) for middle in (row, col)
    )
    view = View(np.ascontiguousarray((whole.pixels * round_it[..., None])[box]))
    true = (true_vessels(path, folder) & round_it)[box]
    return dice(_vessels(view).vessels, true), dice(find_vessels(view).vessels, true)


def _vessel_row(path: Path, folder: str) -> tuple[float, float, float, float]:
    view = View(read_pixels(path))
    found, inside = _vessels(view), view.inside
    true = true_vessels(path, folder)
    if folder == "FIVES":
        arteries = veins = float("nan")
    else:
        codes = read_coded_mask(mask_of(path, "av"))
        sure = codes < 3 if folder == "HRF" else codes < 4
        arteries = dice(found.arteries & sure, ((codes == 1) | (codes == 3)) & sure)
        veins = dice(found.veins & sure, ((codes == 2) | (codes == 3)) & sure)
    area = area_under_roc(found.vessel_probability[inside], true[inside])
    return dice(found.vessels, true), arteries, veins, area


def score_disc() -> None:
    print("disc: Dice on full frames; not found counts as 0")
    for folder in ("IDRiD", "IDRiD_1024", "DRIONS"):
        values = []
        for path in held_out(folder):
            view = View(read_pixels(path))
            outlined = outline_disc(view, find_places(view))
            if folder == "DRIONS":
                true = read_mask(mask_of(path, "disc"))
            else:
                true = read_coded_mask(mask_of(path, "lesions")) == 5
            values.append(dice(outlined.disc, true) if outlined else 0.0)
        print(f"  {folder} disc: {interval(values)}")


def score_place() -> None:
    print("where the disc is: within half a usual disc (1/14 of the field) of where an eye saw it")
    rows = list(csv.DictReader(Path(__file__).with_name("discs_by_eye.csv").open()))
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        off = []
        for row in (row for row in rows if row["dataset"] == dataset):
            path = next((DATA / dataset / "images").glob(f"{row['photograph']}.*"))
            view = View(read_pixels(path))
            height, width = view.shape
            true = float(row["y_fraction"]) * height, float(row["x_fraction"]) * width
            found = find_places(view).disc or (1e9, 1e9)
            if np.hypot(*np.subtract(found, true)) > view.field.radius_px / 7:
                off.append(
                    f"{row['photograph']} ({'not found' if found[0] > 1e8 else 'elsewhere'})"
                )
        of = sum(row["dataset"] == dataset for row in rows)
        print(f"  {dataset}: {of - len(off)}/{of}; missed {', '.join(off) or 'none'}")


def score_cup() -> None:
    print("cup: Dice on held-out crops, and on those placed in held-out photographs, as shipped")
    for name, found in model("disc_cup").manifest["held_out"].items():
        if name.endswith("/cup"):
            low, high = found["interval_95"]
            print(f"  {name}: {found['dice']} [{low}, {high}] n={found['photographs']}")
    rows = list(csv.DictReader((DATA / "ODIR5K/labels.csv").read_text().splitlines()))
    levels: list[float] = []
    ill: list[bool] = []
    for word in ("normal fundus", "glaucoma"):
        eyes = [row["image"] for row in rows if word in row["keywords"]]
        told = [ratio for name in eyes if (ratio := _vertical_ratio(name)) is not None]
        levels, ill = [*levels, *told], [*ill, *[word == "glaucoma"] * len(told)]
        print(f"  ODIR {word}: vertical ratio {interval(told)}, told in {len(told)} of {len(eyes)}")
    print(f"  told apart, area under ROC: {area_under_roc(np.array(levels), np.array(ill)):.3f}")


def _vertical_ratio(name: str) -> float | None:
    view = View(read_pixels(DATA / "ODIR5K/images" / name))
    found = outline_disc(view, find_places(view))
    return found.vertical_ratio if found else None


def score_fovea() -> None:
    print("fovea: distance to where an eye saw it, in disc diameters; not found counts as far")
    rows = list(csv.DictReader((DATA / "labels/fovea_by_eye.csv").read_text().splitlines()))
    for folder in ("IDRiD_1024", "HRF"):
        far = []
        for row in (row for row in rows if row["dataset"] == folder):
            path = next((DATA / folder / "images").glob(f"{row['photograph']}.*"))
            view = View(read_pixels(path))
            places = find_places(view)
            height, width = view.shape
            true = float(row["y_fraction"]) * height, float(row["x_fraction"]) * width
            found = places.fovea or (1e9, 1e9)
            far.append(np.hypot(*np.subtract(found, true)) / places.disc_across_px)
        within = np.array(far) <= 0.5
        print(
            f"  {folder}: {within.sum()}/{len(far)} within half a disc diameter, "
            f"median {np.median(far):.3f}, worst {max(far):.3f}"
        )


def score_lesions() -> None:
    print("lesions: average precision over all pixels of the held-out photographs of IDRiD")
    said: dict[str, list[np.ndarray]] = {kind: [] for kind in LESION_KINDS}
    true: dict[str, list[np.ndarray]] = {kind: [] for kind in LESION_KINDS}
    for folder in ("IDRiD", "IDRiD_1024"):
        for path in held_out(folder):
            found, codes = _lesions(path), read_coded_mask(mask_of(path, "lesions"))
            for code, kind in enumerate(LESION_KINDS, start=1):
                said[kind].append(found.probabilities[kind].ravel())
                true[kind].append((codes == code).ravel())
    for kind in LESION_KINDS:
        pooled = average_precision(np.concatenate(said[kind]), np.concatenate(true[kind]))
        each = [
            average_precision(s, t) for s, t in zip(said[kind], true[kind], strict=True) if t.any()
        ]
        print(f"  {kind}: {pooled:.3f} pooled; per photograph {interval(each)}")
    print("false alarms on held-out frames without lesions, same camera")
    frames = [_lesions(path) for path in held_out("IDRiD_no_retinopathy")]
    for kind in LESION_KINDS:
        counts = [cv2.connectedComponents(f.masks[kind].astype(np.uint8))[0] - 1 for f in frames]
        with_any = sum(count > 0 for count in counts)
        print(f"  {kind}: in {with_any}/{len(counts)} frames, {np.mean(counts):.2f} a frame")
    _print_other_camera()


def _print_other_camera() -> None:
    """Tell photographs of another camera with retinopathy from those of healthy eyes."""
    certainty = {kind: ([], []) for kind in LESION_KINDS}
    for path in sorted((DATA / "HRF/images").iterdir()):
        if path.stem.endswith("_g"):
            continue
        found = _lesions(path)
        for kind in LESION_KINDS:
            certainty[kind][path.stem.endswith("_dr")].append(found.certainty[kind])
    print("HRF: ten eyes with retinopathy told from ten healthy ones, area under ROC")
    for kind, (healthy, ill) in certainty.items():
        levels = np.array([*healthy, *ill])
        true = np.arange(len(levels)) >= len(healthy)
        print(f"  {kind}: {area_under_roc(levels, true):.3f}")


def _lesions(path: Path):
    view = View(read_pixels(path))
    outlined = outline_disc(view, find_places(view))
    return find_lesions(view, outlined.disc if outlined else None)


def score_conditions() -> None:
    print("conditions: as measured when they shipped, on a fold of patients never learned from")
    print(json.dumps(model("conditions").manifest["scores"], indent=1))


HIT, MISSED, FALSE = (60, 200, 60), (60, 60, 230), (230, 140, 40)
"""Green, red, blue: said and true, true and not said, said and not true."""


def draw_failures(out: Path) -> None:
    """Draw the worst held-out photograph of each set and part: what was missed, what is false."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in ("AVRDB", "HRF", "FIVES"):
        tried = []
        for path in held_out(folder):
            said = _vessels(View(read_pixels(path))).vessels
            true = true_vessels(path, folder)
            tried.append((dice(said, true), path, said, true))
        _draw_worst(tried, out / f"vessels-{folder}.png")
    for code, kind in enumerate(LESION_KINDS, start=1):
        tried = []
        for path in (p for folder in ("IDRiD", "IDRiD_1024") for p in held_out(folder)):
            true = read_coded_mask(mask_of(path, "lesions")) == code
            if true.any():
                said = _lesions(path).masks[kind]
                tried.append((dice(said, true), path, said, true))
        _draw_worst(tried, out / f"{kind}.png")


def _draw_worst(tried: list, picture: Path) -> None:
    score, path, said, true = min(tried, key=lambda row: row[0])
    shown = np.ascontiguousarray(read_pixels(path)[..., ::-1])
    drawn = shown // 2
    for where, colour in ((said & true, HIT), (true & ~said, MISSED), (said & ~true, FALSE)):
        drawn[where] = colour
    cv2.imwrite(str(picture), np.hstack([shown, drawn]))
    print(f"  {picture.name}: {path.stem}, Dice {score:.3f}")


_ONE = """
import resource, sys, time
start = time.process_time()
import cv2; cv2.setNumThreads(1)
from pathlib import Path
from fundoscope.measure.perceived import measure_photographs
from fundoscope.perceive.runtime import model, model_names
imported = time.process_time()
for name in model_names(): model(name)
loaded = time.process_time()
measure_photographs([Path(sys.argv[1])], Path(sys.argv[2]), jobs=1)
first = time.process_time()
measure_photographs([Path(sys.argv[1])], Path(sys.argv[2]), jobs=1)
again = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{imported-start:.2f} {loaded-imported:.2f} {first-loaded:.2f} {again-first:.2f} {peak:.0f}")
"""


def score_speed() -> None:
    print("one photograph of 1504 x 1000 to all its measurements, CPU seconds, one process")
    path = next(held_out("AVRDB"))
    out = Path(os.environ.get("TMPDIR", "/tmp")) / "fundoscope_speed.csv"
    rows = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _ONE, str(path), str(out)],
            capture_output=True, text=True, check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        rows.append([float(value) for value in done.stdout.split()])
    imports, load, first, again, peak = np.median(rows, axis=0)
    print(
        f"  imports {imports:.2f} s, networks loaded {load:.2f} s, first photograph {first:.2f} s,"
    )
    print(f"  each further one {again:.2f} s, peak RSS {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    scores = {
        "vessels": None, "narrow": None, "disc": score_disc, "place": score_place, "cup": score_cup,
        "fovea": score_fovea, "lesions": score_lesions, "conditions": score_conditions,
        "speed": score_speed, "failures": None,
    }  # fmt: skip
    parser.add_argument("what", nargs="*", choices=[*scores, []], default=[])
    parser.add_argument("--all-of", default="", help="score every photograph of this camera")
    parser.add_argument("--out", type=Path, default=Path("failures"), help="for `failures`")
    asked = parser.parse_args()
    scores["vessels"] = lambda: score_vessels(asked.all_of)
    scores["narrow"] = lambda: score_narrow(asked.all_of)
    scores["failures"] = lambda: draw_failures(asked.out)
    cv2.setNumThreads(1)
    for name in asked.what or [name for name in scores if name != "failures"]:
        scores[name]()


if __name__ == "__main__":
    main()
