"""A table of vessel segments: a line for each, with its length, its width and how that changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fundoscope.measure.calibre import SegmentWidth, segment_widths
from fundoscope.measure.centreline import Centreline
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.survey import regions
from fundoscope.measure.vessel_readings import VesselMap
from fundoscope.measure.zones import Region
from fundoscope.tables import Columns, write_table

PERCENTILES = (5, 25, 50, 75, 95)
SEGMENTS: Columns = {
    "photograph": "text",
    "of": "text",
    "segment": "whole",
    **{f"{end}_{axis}": "number" for end in ("start", "end") for axis in ("row", "col")},
    "length_px": "number",
    "chord_px": "number",
    "points": "whole",
    "width_mean_px": "number",
    "width_sd_px": "number",
    **{f"width_p{share}_px": "number" for share in PERCENTILES},
    "um_per_px": "number",
    "scale": "text",
    "along_px": "numbers",
    "width_px": "numbers",
}
"""`of` is all, arteries or veins; `points` are those of the width's profile, which `along_px` and
`width_px` hold: where on the segment, and how wide there."""


def segment_lines(masks: MaskSet) -> Iterator[dict[str, Any]]:
    """Yield a line of the table for every segment of every map of vessels of a photograph.

    Widths are None where no wall of a segment is clear. A map that is missing, empty or no map of
    vessels yields nothing; `survey` gives the reason.
    """
    field = regions(masks, "not asked for")["whole"]
    assert isinstance(field, Region)
    given = {"all": masks.vessels, "arteries": masks.arteries, "veins": masks.veins}
    for of, mask in given.items():
        line = VesselMap(of, mask, field).line
        if line is None:
            continue
        for nth, width in enumerate(segment_widths(line)):
            row: dict[str, Any] = dict.fromkeys(SEGMENTS)
            row |= {"photograph": masks.name, "of": of, "segment": nth} | _course(line, nth)
            if masks.scale is not None:
                row |= {"um_per_px": masks.scale.um_per_px, "scale": str(masks.scale)}
            yield row | _profile(width)


def _course(line: Centreline, nth: int) -> dict[str, Any]:
    start, end = line.points[line.first[nth]], line.points[line.first[nth + 1] - 1]
    return {
        "start_row": start[0], "start_col": start[1], "end_row": end[0], "end_col": end[1],
        "length_px": line.length_px[nth], "chord_px": np.hypot(*(end - start)),
    }  # fmt: skip


def _profile(width: SegmentWidth | None) -> dict[str, Any]:
    if width is None:
        return {"points": 0, "along_px": [], "width_px": []}
    shares = np.percentile(width.profile_px, PERCENTILES)
    return {f"width_p{n}_px": share for n, share in zip(PERCENTILES, shares, strict=True)} | {
        "points": len(width.profile_px),
        "width_mean_px": width.mean_px,
        "width_sd_px": width.sd_px,
        "along_px": width.along_px.tolist(),
        "width_px": width.profile_px.tolist(),
    }


def write_segments(photographs: Iterable[MaskSet], file: Path) -> int:
    """Write a line for every vessel segment of every photograph; return how many.

    Parameters
    ----------
    photographs : taken one at a time, as `read_mask_folder` gives them.
    file : `.csv` or `.parquet`, with the columns of `SEGMENTS`; in a CSV file the two lists of the
        profile are JSON, to a hundredth of a pixel.

    Raises
    ------
    ConfigError
        If the file's suffix is neither.
    """
    lines = (line for masks in photographs for line in segment_lines(masks))
    return write_table(lines, SEGMENTS, file)
