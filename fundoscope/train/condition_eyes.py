"""Eyes of ODIR to learn conditions from: pictures, annotators' words, patients in folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.frames import in_threes
from fundoscope.perceive.runtime import standardised
from fundoscope.perceive.views import View
from fundoscope.read.odir import read_odir
from fundoscope.read.photographs import read_pixels
from fundoscope.read.sources import SourceRequest
from fundoscope.records import Record

CONDITIONS: Mapping[str, frozenset[str]] = {
    "diabetic_retinopathy": frozenset({"diabetic_retinopathy"}),
    "age_related_macular_degeneration": frozenset(
        {
            "age_related_macular_degeneration",
            "dry_age_related_macular_degeneration",
            "wet_age_related_macular_degeneration",
        }
    ),
    "glaucoma": frozenset({"glaucoma"}),
    "cataract": frozenset({"cataract"}),
    "pathological_myopia": frozenset({"pathological_myopia", "myopic_maculopathy"}),
    "hypertensive_retinopathy": frozenset({"hypertensive_retinopathy"}),
    "normal_fundus": frozenset({"normal_fundus"}),
}
"""Our term -> the findings of an eye that count as it. A suspected one is not learned from."""
PICTURE_PX = 256
CACHE_PX = 288
FOLDS = 5

Pictures = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Eyes:
    """Prepared eyes and what is known of each."""

    names: list[str]
    patients: npt.NDArray[Any]
    pictures: Pictures
    """Shape (n, CACHE_PX, CACHE_PX, 6): evenly lit, and evenly coloured."""
    truth: Floats
    """Shape (n, conditions), 0 or 1."""
    known: Floats
    """Shape (n, conditions), 0 where an annotator was in doubt."""

    def folds(self) -> npt.NDArray[np.int64]:
        """Return the fold of each eye; both eyes and every visit of a patient share one."""
        return np.array([_fold_of(patient) for patient in self.patients])


def prepared_eyes(odir: Path, work: Path) -> Eyes:
    """Return the eyes of ODIR, prepared once in the folder `work`."""
    kept = work / "conditions.prepared.npz"
    if not kept.exists():
        _prepare(odir, kept)
    saved = np.load(kept)
    parts = ("patients", "pictures", "truth", "known")
    return Eyes([str(name) for name in saved["names"]], *(saved[part] for part in parts))


def _prepare(odir: Path, kept: Path) -> None:
    rows = []
    for record in read_odir(SourceRequest(odir)):
        if isinstance(record, Record) and record.photograph.file:
            view = View(read_pixels(odir / record.photograph.file))
            picture = view.lit_and_coloured(view.frame(CACHE_PX))
            rows.append((record.key, record.photograph.patient, picture, *_truth_of(record)))
    names, patients, pictures, truth, known = (np.array(list(c)) for c in zip(*rows, strict=True))
    kept.parent.mkdir(parents=True, exist_ok=True)
    begun = kept.with_suffix(".new.npz")
    np.savez(begun, names=names, patients=patients, pictures=pictures, truth=truth, known=known)
    begun.replace(kept)


def _truth_of(record: Record) -> tuple[Floats, Floats]:
    status = {finding.term: finding.status for finding in record.findings}
    there = [any(status.get(t) == "present" for t in own) for own in CONDITIONS.values()]
    maybe = [any(status.get(t) == "suspected" for t in own) for own in CONDITIONS.values()]
    known = [not doubtful or sure for sure, doubtful in zip(there, maybe, strict=True)]
    return np.array(there, np.float32), np.array(known, np.float32)


def _fold_of(patient: object) -> int:
    digest = blake2b(str(patient).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % FOLDS


def turned(picture: Pictures, chance: np.random.Generator) -> Floats:
    """Return a picture turned a little, shifted, zoomed and mirrored, (6, H, W)."""
    zoom = np.exp(chance.uniform(-0.12, 0.12)) * PICTURE_PX / len(picture)
    window = cv2.getRotationMatrix2D((0, 0), float(chance.uniform(-25, 25)), float(zoom))
    if chance.random() < 0.5:
        window[:, 0] *= -1
    middle = (len(picture) - 1) / 2
    window[:, 2] = (PICTURE_PX - 1) / 2 - window[:, :2] @ [middle, middle]
    window[:, 2] += chance.uniform(-8, 8, 2)
    corner = picture[0, 0]
    parts = [
        cv2.warpAffine(
            np.ascontiguousarray(picture[..., i : i + 3]),
            window,
            (PICTURE_PX, PICTURE_PX),
            borderValue=tuple(int(value) for value in corner[i : i + 3]),
        )
        for i in (0, 3)
    ]
    return standardised(np.dstack(parts))[0]


def shrunk(picture: Pictures) -> Pictures:
    """Return a picture at the size that the network sees."""
    size = (PICTURE_PX, PICTURE_PX)
    return in_threes(lambda p: cv2.resize(p, size, interpolation=cv2.INTER_AREA), picture)
