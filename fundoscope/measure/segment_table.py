"""A table of vessel segments: a line for each, with its length, its width and how that changes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fundoscope.errors import ConfigError, nearest
from fundoscope.measure.calibre import SegmentWidth, segment_widths
from fundoscope.measure.centreline import Centreline
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.survey import regions
from fundoscope.measure.tables import whole
from fundoscope.measure.vessel_readings import VesselMap
from fundoscope.measure.zones import Region

PERCENTILES = (5, 25, 50, 75, 95)
SEGMENTS = pa.schema(
    [("photograph", pa.string()), ("of", pa.string()), ("segment", pa.int64())]
    + [(f"{end}_{axis}", pa.float64()) for end in ("start", "end") for axis in ("row", "col")]
    + [("length_px", pa.float64()), ("chord_px", pa.float64()), ("points", pa.int64())]
    + [("width_mean_px", pa.float64()), ("width_sd_px", pa.float64())]
    + [(f"width_p{share}_px", pa.float64()) for share in PERCENTILES]
    + [("um_per_px", pa.float64()), ("scale", pa.string())]
    + [(name, pa.list_(pa.float64())) for name in ("along_px", "width_px")]
)
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
            row: dict[str, Any] = dict.fromkeys(SEGMENTS.names)
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
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    suffix = file.suffix.lower()
    if suffix not in writers:
        raise ConfigError(
            f"a table is written as {' or '.join(writers)}, not as {suffix or 'no suffix'!r}",
            where=str(file),
            mend=nearest(suffix, writers),
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    groups = (list(segment_lines(masks)) for masks in photographs)
    with whole(file) as partial:
        return writers[suffix](groups, partial)


def _write_csv(groups: Iterable[list[dict[str, Any]]], file: Path) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, SEGMENTS.names, lineterminator="\n")
        writer.writeheader()
        for lines in groups:
            for line in lines:
                profile = {
                    name: json.dumps([round(value, 2) for value in line[name]])
                    for name in ("along_px", "width_px")
                }
                writer.writerow(line | profile)
            count += len(lines)
    return count


def _write_parquet(groups: Iterable[list[dict[str, Any]]], file: Path) -> int:
    count = 0
    with pq.ParquetWriter(file, SEGMENTS, compression="zstd") as writer:
        for lines in groups:  # a row group for each photograph
            writer.write_table(pa.Table.from_pylist(lines, schema=SEGMENTS))
            count += len(lines)
    return count
