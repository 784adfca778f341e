"""What a process that looks at photographs sends back: all that answers need, and no pixel.

Run in that process: the photograph's bytes come in, and leave with it.
"""

from __future__ import annotations

import gc
import logging
import signal
import warnings
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fundoscope.errors import PhotographError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.perceive.mask_files import coded_masks
from fundoscope.perceive.perceiving import Perceived
from fundoscope.perceive.views import View
from fundoscope.processes import end_with_parent
from fundoscope.read import photographs
from fundoscope.read.dicom import is_dicom
from fundoscope.serve.replies import Seen

if TYPE_CHECKING:
    from fundoscope.serve.looking import Looker

LEAST_SIDE_PX = 64
"""Nothing of a retina can be told in less."""
MOST_TIMES_LONGER = 8
"""Of the longer side to the shorter; no camera of the eye goes beyond 3."""
_NO_PIXELS = View(np.zeros((1, 1, 3), np.uint8))


@dataclass(frozen=True, eq=False)
class Looked:
    """One photograph as it is kept: record, quality and places; masks only as PNG files."""

    seen: Seen
    """Without pixels, masks and probabilities;."""
    layers: tuple[tuple[str, bytes], ...] = ()
    """Name and PNG file of each layer, as `fundoscope perceive` writes it; none where nothing may
    be measured, for an outline would be taken for a finding."""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 40_000 + sum(len(png) for _, png in self.layers)


def begin(photograph_px: int) -> None:
    """Prepare this process: it ends with its parent, stops with it, and is as quiet.

    The parent finishes what runs before it stops; a signal to the whole group must not cut in.
    """
    end_with_parent()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    logging.disable()  # a decoder's words may hold a person's name
    cv2.setNumThreads(1)  # processes, not threads, share the work
    # the limit of this process only; here, for DICOM's size too is checked before it is decoded
    photographs.PIXEL_LIMIT = photograph_px


def look_at(raw: bytes) -> Looked:
    """Return what is seen in a photograph, without its pixels.

    Raises
    ------
    PhotographError
        If it is broken, too large, too small or no image.
    """
    try:
        _check_sides(raw)
        seen = _looker().look(raw)
        layers: tuple[tuple[str, bytes], ...] = ()
        if not seen.masks.refused:
            codes = coded_masks(seen.perceived).items()
            layers = tuple((name, _png(values)) for name, values in codes)
        return Looked(without_pixels(seen), layers)
    finally:
        gc.collect()  # an error holds its frames and their pixels in a cycle, tens of megabytes


@cache
def _looker() -> Looker:
    from fundoscope.serve.looking import Looker

    return Looker(most=0)  # what is kept is kept once, by the parent


def warm_up() -> None:
    """Load every network and run it once, so that the first photograph does not wait for that."""
    from PIL import Image

    from fundoscope.phantoms import draw_phantom

    stream = BytesIO()
    Image.fromarray(draw_phantom(1, size_px=320).photograph).save(stream, "PNG")
    look_at(stream.getvalue())
    gc.freeze()  # what is loaded stays: to collect what comes after then takes no time


def _check_sides(raw: bytes) -> None:
    if is_dicom(raw):  # its head is read with the file
        return
    with photographs.opened(Path("photograph"), raw) as image:
        short, long = sorted(image.size)
    if short < LEAST_SIDE_PX or long > MOST_TIMES_LONGER * short:
        raise PhotographError(
            f"{image.size[0]} x {image.size[1]} pixels hold no photograph of a retina",
            mend=f"send one of at least {LEAST_SIDE_PX} pixels a side",
        )


def without_pixels(seen: Seen) -> Seen:
    """Return what answers need of what was seen: pixels, masks and probabilities are gone."""
    found, masks = seen.perceived, seen.masks
    kept = Perceived(
        name=found.name,
        view=_NO_PIXELS,
        quality=found.quality,
        kind=found.kind,
        places=found.places,
        conditions=found.conditions,
        file_facts=found.file_facts,
        refused=found.refused,
    )
    only = MaskSet(masks.name, fovea=masks.fovea, scale=masks.scale, refused=masks.refused)
    return replace(seen, perceived=kept, masks=only)


def _png(codes: np.typing.NDArray[np.uint8]) -> bytes:
    done, png = cv2.imencode(".png", codes.astype(np.uint8, copy=False))
    assert done
    return png.tobytes()
