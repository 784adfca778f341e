"""A line for every vessel segment, with what was drawn in it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fundoscope.errors import ConfigError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.scale import scale_from_user
from fundoscope.measure.segment_table import SEGMENTS, segment_lines, write_segments
from fundoscope.phantoms import draw_arc, draw_fork, draw_straight_vessel

ARC = MaskSet("arc", veins=draw_arc(60, 180, 5), scale=scale_from_user(0.01))
FORK = MaskSet("fork", vessels=draw_fork(70, 8), arteries=draw_straight_vessel(7, 33))
NOTHING = MaskSet("nothing", vessels=np.zeros((40, 40), bool))


def test_an_arc_is_one_segment_of_known_length_chord_and_width() -> None:
    (line,) = segment_lines(ARC)
    assert (line["photograph"], line["of"], line["segment"]) == ("arc", "veins", 0)
    assert line["length_px"] == pytest.approx(60 * math.pi, rel=0.01)
    assert line["chord_px"] == pytest.approx(120, abs=1.5)
    assert line["width_mean_px"] == pytest.approx(5, rel=0.02)
    assert line["width_p50_px"] == pytest.approx(5, rel=0.03)
    assert line["width_p5_px"] <= line["width_p25_px"] <= line["width_p50_px"]
    # the circle's middle is (79.5, 79.5): the arc ends 60 px to its left and right
    ends = {(line["start_row"], line["start_col"]), (line["end_row"], line["end_col"])}
    for found, drawn in zip(sorted(ends, key=lambda end: end[1]), (19.5, 139.5), strict=True):
        assert found == pytest.approx((79.5, drawn), abs=1.5)
    assert line["um_per_px"] == 10
    assert len(line["along_px"]) == len(line["width_px"]) == line["points"] > 150


def test_a_fork_has_three_segments_and_the_maps_are_kept_apart() -> None:
    lines = list(segment_lines(FORK))
    assert [(line["of"], line["segment"]) for line in lines] == [
        ("all", 0), ("all", 1), ("all", 2), ("arteries", 0),
    ]  # fmt: skip
    assert lines[0]["um_per_px"] is None


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_both_kinds_of_table_hold_every_segment(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "new" / f"segments{suffix}"
    assert write_segments(iter([ARC, NOTHING, FORK]), file) == 5
    if suffix == ".parquet":
        table = pq.read_table(file)
        assert table.schema.names == list(SEGMENTS)
        rows = table.to_pylist()
        profile = rows[0]["width_px"]
    else:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert list(rows[0]) == list(SEGMENTS)
        profile = json.loads(rows[0]["width_px"])
    assert [row["photograph"] for row in rows] == ["arc", *["fork"] * 4]
    assert np.mean(profile) == pytest.approx(float(rows[0]["width_mean_px"]), abs=0.01)
    assert len(profile) == int(rows[0]["points"])


@pytest.mark.parametrize("mask", [np.zeros((40, 40), bool), np.ones((40, 40), bool)])
def test_where_no_vessels_are_there_is_no_line(tmp_path: Path, mask: np.ndarray) -> None:
    assert list(segment_lines(MaskSet("x", vessels=mask))) == []
    assert write_segments([MaskSet("x", vessels=mask)], tmp_path / "t.parquet") == 0
    assert pq.read_table(tmp_path / "t.parquet").schema.names == list(SEGMENTS)


def test_a_photograph_that_fails_leaves_the_old_table_whole(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield ARC
        raise RuntimeError("the masks end here")

    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(RuntimeError):
        write_segments(broken(), tmp_path / "t.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "old"


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.xlsx'"):
        write_segments([], tmp_path / "t.xlsx")
