"""Which dialogues a card shows, and their photographs with the lesions' boxes drawn."""

from __future__ import annotations

import base64
import hashlib
import heapq
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw, ImageOps

from fundoscope import terms
from fundoscope.errors import PhotographError
from fundoscope.export.montage import COLOURS, OTHER_COLOUR, Colour
from fundoscope.read.photographs import opened
from fundoscope.records import Dialogue, Lesion, Record

SAMPLES = 6
SIDE_PX = 640
"""Longest side of a drawn photograph."""
_HALO: Colour = (16, 16, 15)
_LINE_PX = 3
_PADDING_PX = 3
"""Between a box and its line, so that the line of a small lesion does not cover it."""


@dataclass
class Samples:
    """Dialogues drawn evenly from a stream, the same ones every time.

    Of each kind (track, language, dataset, with or without boxes) those few are held whose hash
    is lowest, so that memory does not grow with the stream.
    """

    most: int = SAMPLES
    _held: dict[tuple[str, str, str, bool, bool], list[tuple[int, int, Dialogue]]] = field(
        default_factory=dict
    )
    _seen: int = 0

    def see(self, dialogue: Dialogue) -> None:
        """Take a dialogue into account."""
        self._seen += 1
        held = self._held.setdefault(_kind(dialogue), [])
        # heapq gives the smallest: minus the hash, so that the highest hash is pushed out;
        # the second number keeps equal hashes from comparing dialogues
        heapq.heappush(held, (-_hash(dialogue), self._seen, dialogue))
        if len(held) > self.most:
            heapq.heappop(held)

    def chosen(self) -> list[Dialogue]:
        """Return the samples: different photographs first, then different kinds in turn."""
        left = [(-hash, dialogue) for held in self._held.values() for hash, _, dialogue in held]
        chosen: list[Dialogue] = []
        used: Counter[tuple[str, str]] = Counter()
        while left and len(chosen) < self.most:
            best = min(left, key=lambda one: _preference(one[1], one[0], used))
            left.remove(best)
            chosen.append(best[1])
            used.update(_features(best[1]))
        return chosen


def _kind(dialogue: Dialogue) -> tuple[str, str, str, bool, bool]:
    said, record = dialogue.conversation, dialogue.record
    dataset, boxes = record.photograph.dataset, bool(record.lesions)
    return said.track, said.language, dataset, boxes, bool(record.photograph.file)


def _hash(dialogue: Dialogue) -> int:
    digest = hashlib.sha256(dialogue.conversation.id.encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _features(dialogue: Dialogue) -> list[tuple[str, str]]:
    said, photograph = dialogue.conversation, dialogue.record.photograph
    return [
        ("photograph", photograph.key),
        ("language", said.language),
        ("track", said.track),
        ("track and language", f"{said.track}/{said.language}"),
        ("dataset", photograph.dataset),
        ("dataset and language", f"{photograph.dataset}/{said.language}"),
        ("dataset and track", f"{photograph.dataset}/{said.track}"),
        ("boxes", str(bool(dialogue.record.lesions))),
    ]


def _preference(
    dialogue: Dialogue, hash: int, used: Counter[tuple[str, str]]
) -> tuple[int, bool, int, bool, int]:
    photograph, *others = _features(dialogue)
    repeats = sum(used[feature] for feature in others)
    record = dialogue.record
    no_file = not record.photograph.file
    return used[photograph], no_file, repeats, not record.lesions, hash


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour of the legend: what is drawn in it, and how many boxes."""

    term: terms.Term
    colour: str
    boxes: int


def legend(lesions: Iterable[Lesion]) -> list[Swatch]:
    """Return what the colours of a drawn photograph mean."""
    boxes = Counter(lesion.kind for lesion in lesions)
    kinds = [kind for kind in terms.lesions() if kind in boxes]
    return [
        Swatch(terms.term(kind), "#{:02x}{:02x}{:02x}".format(*_colour(kind)), boxes[kind])
        for kind in kinds
    ]


def _colour(kind: str) -> Colour:
    return COLOURS.get(kind, OTHER_COLOUR)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A photograph for a card, or why there is none."""

    jpeg_base64: str = ""
    width_px: int = 0
    height_px: int = 0
    missing: str = ""


def drawn(record: Record, photographs: Path | None) -> Drawn:
    """Return a small copy of a record's photograph with a box around every boxed lesion.

    Parameters
    ----------
    record : Record
    photographs : Path or None
        The folder that `record.photograph.file` is relative to.

    Returns
    -------
    Drawn
        At most `SIDE_PX` a side, without any metadata of the original; or the reason why it
        cannot be shown, for a card without a picture is still a card.
    """
    file = record.photograph.file
    if not file:
        return Drawn(missing="only the labels of this photograph were at hand")
    if photographs is None:
        return Drawn(missing="the run does not say where its photographs lie")
    if ".." in PurePosixPath(file).parts or PurePosixPath(file).is_absolute():
        return Drawn(missing="its path leads out of the folder of photographs")
    if not (photographs / file).is_file():
        return Drawn(missing="the photograph is no longer where it was read")
    try:
        small = _small(photographs / file)
    except PhotographError:  # Pillow's own words hold addresses, and differ from run to run
        return Drawn(missing="the photograph cannot be read")
    _draw_boxes(small, record.lesions)
    return _jpeg(small)


def _small(path: Path) -> Image.Image:
    with opened(path) as image:
        image.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))  # JPEG: decodes fewer pixels
        small = ImageOps.exif_transpose(image).convert("RGB")
    small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return small


def _draw_boxes(image: Image.Image, lesions: Iterable[Lesion]) -> None:
    pen = ImageDraw.Draw(image)
    for lesion in lesions:
        x_min, y_min, x_max, y_max = lesion.box
        left, top = round(x_min * image.width), round(y_min * image.height)
        right, bottom = round(x_max * image.width), round(y_max * image.height)
        around = _PADDING_PX + _LINE_PX - 1
        line = (left - around, top - around, right + around, bottom + around)
        halo = (line[0] - 1, line[1] - 1, line[2] + 1, line[3] + 1)
        pen.rectangle(halo, outline=_HALO, width=1)
        pen.rectangle(line, outline=_colour(lesion.kind), width=_LINE_PX)


def _jpeg(image: Image.Image) -> Drawn:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=84, subsampling=0, optimize=True)  # thin lines keep colour
    return Drawn(base64.b64encode(file.getvalue()).decode(), image.width, image.height)
