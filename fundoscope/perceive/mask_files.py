"""What was seen in photographs, as files: masks in their own pixels, and one table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.perceive.lesions import LESION_KINDS
from fundoscope.perceive.perceiving import Perceived, perceive_photograph
from fundoscope.perceive.runtime import model
from fundoscope.processes import mapped

TABLE = "photographs.csv"
Row = Mapping[str, str | int | float]
_COLUMNS = (
    *("photograph", "refused", "width_px", "height_px", "eye", "mm_per_px", "kind"),
    *("quality", "quality_reasons", "p_good", "p_usable", "p_reject"),
    *("disc_row", "disc_col", "fovea_row", "fovea_col"),
    *(f"{kind}_certainty" for kind in LESION_KINDS),
)


def perceive_photographs(
    photographs: Sequence[Path],
    folder: Path,
    *,
    probabilities: bool = False,
    mirrored: bool = False,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write what is seen in each photograph; return how many could not be read.

    Killed at any moment, the same call goes on: a photograph counts from its row in the table on,
    which is written after its masks.

    Parameters
    ----------
    photographs : files of different stems (`read.photograph_lists`)
    folder : `vessels/STEM.png` (0, 255), `artery_vein/` (1 artery, 2 vein, 3 crossing),
        `disc_cup/` (1 rim, 2 cup), `lesions/` (1 microaneurysm, 2 haemorrhage, 3 hard exudate,
        4 soft exudate), `field_of_view/`, all in the photograph's own pixels, and
        `photographs.csv`. A photograph that may not be measured has the reason in its row, under
        `refused`; its masks are there to be looked at, unless it is no fundus photograph.
    probabilities : also write `probabilities/PART/STEM.png`, 0 to 255.
    mirrored : look at the vessels twice, the second time mirrored.
    progress : called with 1 after each photograph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = (*_COLUMNS, *(f"p_{term}" for term in model("conditions").manifest["outputs"]))
    unreadable = 0
    with _growing_table(folder / TABLE, columns) as (done, add):
        left = [path for path in photographs if path.name not in done]
        if progress:
            progress(len(photographs) - len(left))
        work = partial(
            _seen_and_written, folder=folder, probabilities=probabilities, mirrored=mirrored
        )
        for row in mapped(work, left, jobs):
            add(row)
            unreadable += str(row.get("refused", "")).startswith(_UNREADABLE)
            if progress:
                progress(1)
    return unreadable


_UNREADABLE = "it cannot be read"


def _seen_and_written(path: Path, folder: Path, probabilities: bool, mirrored: bool) -> Row:
    cv2.setNumThreads(1)  # processes, not threads, share the work
    try:
        found = perceive_photograph(path, mirrored=mirrored)
    except PhotographError as problem:
        return {"photograph": path.name, "refused": f"{_UNREADABLE}: {problem.what}"}
    write_masks(found, folder)
    if probabilities:
        write_probabilities(found, folder / "probabilities")
    return {"photograph": path.name} | dict(row_of(found))


def write_masks(found: Perceived, folder: Path) -> None:
    """Write every mask as a PNG of the photograph's pixels; none if it is no fundus photograph."""
    for part, codes in coded_masks(found).items():
        write_png(folder / part / f"{found.name}.png", codes)


def coded_masks(found: Perceived) -> dict[str, npt.NDArray[np.uint8]]:
    """Return folder name -> codes, shape (H, W); see `perceive_photographs`."""
    if found.vessels is None:
        return {}
    codes = {"field_of_view": found.view.inside.astype(np.uint8) * 255}
    codes["vessels"] = found.vessels.vessels.astype(np.uint8) * 255
    arteries, veins = found.vessels.arteries, found.vessels.veins
    codes["artery_vein"] = arteries.astype(np.uint8) + 2 * veins.astype(np.uint8)
    disc = found.disc_cup
    codes["disc_cup"] = (
        np.zeros(found.view.shape, np.uint8)
        if disc is None
        else disc.disc.astype(np.uint8) + (disc.cup & disc.disc)
    )
    if found.lesions:
        lesions = np.zeros(found.view.shape, np.uint8)
        for code, kind in enumerate(LESION_KINDS, start=1):
            lesions[found.lesions.masks[kind]] = code
        codes["lesions"] = lesions
    return codes


def write_probabilities(found: Perceived, folder: Path) -> None:
    """Write the probabilities of every part, 0 to 255, as PNG of the photograph's own pixels."""
    for part, probability in _probabilities(found):
        coded = np.round(np.clip(probability, 0, 1) * 255).astype(np.uint8)
        write_png(folder / part / f"{found.name}.png", coded)


def _probabilities(found: Perceived) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    if found.vessels:
        yield "vessels", found.vessels.vessel_probability
        yield "arteries", found.vessels.artery_probability
        yield "veins", found.vessels.vein_probability
    if found.disc_cup:
        yield "disc", found.disc_cup.disc_probability
        yield "cup", found.disc_cup.cup_probability
    if found.lesions:
        yield from found.lesions.probabilities.items()


def row_of(found: Perceived) -> Row:
    """Return the row of the table for a photograph, empty cells left out."""
    height, width = found.view.shape
    quality = found.quality
    row: dict[str, Any] = {
        "refused": found.refused,
        "width_px": width,
        "height_px": height,
        "eye": found.file_facts.eye or "",
        "mm_per_px": found.file_facts.mm_per_px or "",
        "kind": found.kind,
        "quality": quality.grade,
        "quality_reasons": " ".join(quality.reasons),
        **{f"p_{grade}": round(p, 4) for grade, p in quality.probabilities.items()},
    }
    places = found.places
    for name, place in (("disc", places and places.disc), ("fovea", places and places.fovea)):
        if place:
            row |= {f"{name}_row": round(place[0], 1), f"{name}_col": round(place[1], 1)}
    if found.lesions:
        row |= {f"{kind}_certainty": round(p, 4) for kind, p in found.lesions.certainty.items()}
    if found.conditions:
        row |= {f"p_{term}": round(p, 4) for term, p in found.conditions.probabilities.items()}
    return row


def write_png(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write a picture whole: beside its place first, then renamed.

    Raises
    ------
    ConfigError
        If the disk refuses it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.png")
    if not cv2.imwrite(str(part), values):
        raise ConfigError("the picture could not be written", where=str(path), mend="make room")
    part.replace(path)


@contextmanager
def _growing_table(
    path: Path, columns: Sequence[str]
) -> Iterator[tuple[frozenset[str], Callable[[Row], None]]]:
    """Give the photographs that the table holds, and a function that adds a row to the disk."""
    done = _whole_rows(path, columns)
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        if not done and stream.tell() == 0:
            writer.writeheader()

        def add(row: Row) -> None:
            writer.writerow(row)
            stream.flush()

        yield done, add


def _whole_rows(path: Path, columns: Sequence[str]) -> frozenset[str]:
    """Return the photographs of a table that was begun, a torn last line cut off."""
    if not path.exists():
        return frozenset()
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(whole.splitlines()))
    if whole and whole.splitlines()[0] != ",".join(columns):
        raise ConfigError(
            "the table there has other columns than ours",
            where=str(path),
            mend="choose another folder, or delete the table to begin anew",
        )
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return frozenset(row["photograph"] for row in rows)
