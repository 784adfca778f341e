"""Winding of curves whose arcs and chords are known."""

import csv
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.measure.centreline import centreline
from fundoscope.measure.skeleton import Mask
from fundoscope.measure.tortuosity import Tortuosity, pieces, tortuosity
from fundoscope.phantom_shapes import stroke_distances
from fundoscope.phantoms import draw_arc, draw_straight_vessel


def winding(mask: Mask) -> Tortuosity:
    line = centreline(mask)
    return tortuosity(line, np.ones(len(line.points), bool))


def wave(amplitude: float, turns: float, size: int = 360, width: float = 6.0) -> Mask:
    """A vessel that weaves about a straight line in `turns` half waves."""
    along = np.linspace(0, 300 * size / 360, 1200)
    aside = amplitude * np.sin(np.pi * turns * along / along[-1])
    points = np.column_stack([size / 2 + 0.2 * along - 30 + aside, 20 + along])
    mask = np.zeros(size * size, bool)
    index, distance, _ = stroke_distances(points, np.full(len(points), width), size)
    mask[index[distance <= 0]] = True
    return mask.reshape(size, size)


def test_a_straight_vessel_does_not_wind() -> None:
    found = winding(draw_straight_vessel(6, 27))
    assert found.distance == pytest.approx(1, abs=0.001)
    assert found.squared_curvature == pytest.approx(0, abs=1e-5)
    assert found.density == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("radius", "sweep"), [(60, 180), (50, 120), (45, 240)])
def test_an_arc_is_as_long_as_geometry_says(radius: float, sweep: float) -> None:
    found = winding(draw_arc(radius, sweep, 5))
    half = np.radians(sweep) / 2
    assert found.distance == pytest.approx(half / np.sin(half), rel=0.02)
    assert found.squared_curvature == pytest.approx(radius**-2, rel=0.04)
    assert found.density == 0  # it bends to one side only: n is 1


def test_the_two_bends_of_an_s_do_not_cancel() -> None:
    one = winding(wave(12, 1)).squared_curvature
    two = winding(wave(12, 2)).squared_curvature
    assert one is not None
    assert two is not None
    assert two > 8 * one  # by geometry 16: curvature goes with the square of the waves


@pytest.mark.parametrize("turns", [3, 4, 5, 6])
def test_grisans_density_of_a_wave(turns: int) -> None:
    # n half waves, each with the same arc and chord: (n - 1) / n * n * (arc / chord - 1) / length
    amplitude, span = 10.0, 300.0
    at = np.linspace(0, 1, 4001)
    rows = 60 * at + amplitude * np.sin(np.pi * turns * at)
    steps = np.hypot(np.diff(rows), np.diff(span * at))
    middles = [np.argmin(np.abs(at - k / turns)) for k in range(turns + 1)]
    excess = 0.0
    for a, b in pairwise(middles):
        excess += steps[a:b].sum() / np.hypot(rows[b] - rows[a], span * (at[b] - at[a])) - 1
    expected = (turns - 1) / turns * excess / steps.sum()
    # the ends, where no wall is clear, are left out: of three half waves that is a tenth
    assert winding(wave(amplitude, turns)).density == pytest.approx(expected, rel=0.13)


def test_dimensionless_winding_stays_when_the_vessel_is_turned_or_enlarged() -> None:
    mask = wave(14, 3)
    here = winding(mask)
    turned = cv2.warpAffine(
        mask.astype(np.float32), cv2.getRotationMatrix2D((180, 180), 37, 1), (360, 360)
    )
    assert here.distance is not None
    assert winding(turned > 0.5).distance == pytest.approx(here.distance, rel=0.01)
    large = cv2.resize(mask.astype(np.float32), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    double = winding(large > 0.5)
    assert double.distance == pytest.approx(here.distance, rel=0.01)
    assert double.density is not None
    assert double.density * 2 == pytest.approx(here.density, rel=0.15)


def test_mirroring_changes_nothing() -> None:
    mask = wave(14, 3)
    here, mirrored = winding(mask), winding(mask[:, ::-1])
    assert mirrored.distance == pytest.approx(here.distance, rel=0.005)
    assert mirrored.squared_curvature == pytest.approx(here.squared_curvature, rel=0.05)


def test_runs_inside_never_cross_two_segments() -> None:
    cross = draw_straight_vessel(5, 20) | draw_straight_vessel(5, 80)
    line = centreline(cross)
    start, stop = pieces(line, np.ones(len(line.points), bool))
    assert start.tolist() == line.first[:-1].tolist()
    assert stop.tolist() == line.first[1:].tolist()


def test_nothing_winds_in_an_empty_mask() -> None:
    assert winding(np.zeros((30, 30), bool)) == Tortuosity(None, None, None, 0)


def test_in_path_order_a_vessel_is_hardly_longer_than_its_chord(real_data: Path) -> None:
    # the table holds AutoMorph's flood-filled order and the same segments in path order, which
    # still counts the steps of the pixels; theirs is two to five, and no arc is twice its chord
    reference = real_data.parent / "reference"
    masks = reference / "automorph_DRIVE" / "masks" / "M2"
    folders = {"binary": "binary_vessel/binary", "artery": "artery_vein/artery_binary"}
    with (reference / "tortuosity_order_bug.csv").open(newline="") as table:
        rows = [r for r in csv.DictReader(table) if r["set"] == "DRIVE" and r["kind"] in folders]
    found, ordered, flooded = [], [], []
    for row in rows[:40:8]:
        file = masks / f"{folders[row['kind']]}_process" / row["name"]
        found.append(winding(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 0).distance)
        ordered.append(float(row["DT_path_ordered_mean"]))
        flooded.append(float(row["DT_automorph"]))
    assert np.mean(found) == pytest.approx(np.mean(ordered), abs=0.06)
    assert np.mean(found) < np.mean(ordered) < np.mean(flooded)
