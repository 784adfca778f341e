"""What a file gives away without the retina: its border, frame, colour, sharpness and coding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.errors import PhotographError
from fundoscope.processes import mapped
from fundoscope.read.photographs import opened, read_pixels

FEATURES: Mapping[str, str] = {
    "border_share": "share of the frame's pixels that are dark and joined to its edge",
    "border_left": "width of the dark border at the left, of the frame's width",
    "border_right": "the same at the right",
    "border_top": "height of the dark border at the top, of the frame's height",
    "border_bottom": "the same at the bottom",
    "border_red": "mean red of the border, 0 to 255; without one, of the outermost pixels",
    "border_green": "the same of green",
    "border_blue": "the same of blue",
    "border_noise": "standard deviation of the border's grey levels",
    "width_px": "width of the frame, logarithm",
    "height_px": "height of the frame, logarithm",
    "aspect": "width of the frame by its height, logarithm",
    "mean_red": "mean red of the whole frame, 0 to 255",
    "mean_green": "the same of green",
    "mean_blue": "the same of blue",
    "sharpness": "variance of the Laplacian of the grey frame, 512 pixels high, logarithm",
    "file_bytes": "size of the file, logarithm",
    "bits_per_px": "size of the file by the frame's pixels, logarithm",
    "jpeg": "1 for a JPEG, 0 for another kind of file",
    "jpeg_quality": "quality by the scale of libjpeg, from the table of luminance; none elsewhere",
}
"""Every feature and what it is. None is measured on the retina as such: `mean_*` and `sharpness`
take the frame as a whole, border included."""
DARK = 24
"""Highest colour value of a pixel that counts as dark."""
_FULL = 0.98
"""Share of a row or column that must be dark for it to belong to the border."""
_SIDE_PX = 512
# libjpeg's table of luminance at quality 50 (ITU-T T.81, Annex K, table K.1), its sum
_SUM_AT_50 = 3688


def file_features(photograph: Path) -> dict[str, float]:
    """Return the features of one photograph's file, by the names of `FEATURES`.

    One that cannot be told, as the JPEG quality of a PNG, is left out.

    Raises
    ------
    PhotographError
        If the file is missing, broken, too large or no image.
    """
    pixels = read_pixels(photograph)
    size = photograph.stat().st_size
    height, width = pixels.shape[:2]
    quality = _jpeg_quality(photograph)
    found = {
        **_border(pixels),
        "width_px": math.log(width),
        "height_px": math.log(height),
        "aspect": math.log(width / height),
        **_colours("mean", pixels.reshape(-1, 3)),
        "sharpness": _sharpness(pixels),
        "file_bytes": math.log(size),
        "bits_per_px": math.log(8 * size / (width * height)),
        "jpeg": float(quality is not None),
    }
    return found if quality is None else {**found, "jpeg_quality": quality}


def features_of(photographs: Sequence[Path], jobs: int = 1) -> list[dict[str, float]]:
    """Return the features of several photographs; of one that cannot be read, none."""
    return list(mapped(_features_or_none, photographs, jobs))


def _features_or_none(photograph: Path) -> dict[str, float]:
    cv2.setNumThreads(1)  # processes, not threads, share the work
    try:
        return file_features(photograph)
    except (PhotographError, OSError):
        return {}


def _border(pixels: npt.NDArray[np.uint8]) -> dict[str, float]:
    dark = pixels.max(axis=2) <= DARK
    joined = _joined_to_the_edge(dark)
    rows, cols = dark.mean(axis=1) >= _FULL, dark.mean(axis=0) >= _FULL
    outermost = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    there = pixels[joined] if joined.any() else outermost
    return {
        "border_share": float(joined.mean()),
        "border_left": _run(cols),
        "border_right": _run(cols[::-1]),
        "border_top": _run(rows),
        "border_bottom": _run(rows[::-1]),
        **_colours("border", there),
        "border_noise": float(there.mean(axis=1).std()),
    }


def _joined_to_the_edge(dark: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    _, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    at_edge = np.zeros(int(labels.max()) + 1, np.bool_)
    at_edge[edge] = True
    at_edge[0] = False  # what is not dark
    joined: npt.NDArray[np.bool_] = at_edge[labels]
    return joined


def _run(dark: npt.NDArray[np.bool_]) -> float:
    """Return how long the first run is, of the whole."""
    return float(len(dark) if dark.all() else dark.argmin()) / len(dark)


def _colours(name: str, pixels: npt.NDArray[np.uint8]) -> dict[str, float]:
    means = pixels.mean(axis=0)
    return {f"{name}_{c}": float(m) for c, m in zip(("red", "green", "blue"), means, strict=True)}


def _sharpness(pixels: npt.NDArray[np.uint8]) -> float:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    width = max(1, round(grey.shape[1] * _SIDE_PX / grey.shape[0]))
    grey = cv2.resize(grey, (width, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return math.log1p(float(cv2.Laplacian(grey, cv2.CV_64F).var()))


def _jpeg_quality(photograph: Path) -> float | None:
    """Return the quality that libjpeg would call a JPEG's table of luminance, or None."""
    with opened(photograph) as image:
        tables = getattr(image, "quantization", None) if image.format == "JPEG" else None
    if not tables:
        return None
    scale = 100 * sum(tables[min(tables)]) / _SUM_AT_50
    return float(np.clip((200 - scale) / 2 if scale <= 100 else 5000 / scale, 1, 100))
