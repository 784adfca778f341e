"""Length, curvature and width of drawn vessels: the answers are in the drawing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.measure.centreline import Centreline, centreline
from fundoscope.measure.skeleton import FREE, Mask, pixel_paths
from fundoscope.phantoms import draw_arc, draw_fork, draw_phantom, draw_straight_vessel

LENGTH_PX = 120.0
ONE_EDGE_PX = 1.25
"""An end of a mask is known to about a pixel, of a thin diagonal vessel to a little less."""
CURVED = 0.02


def mean_width(line: Centreline) -> float:
    known = np.isfinite(line.width_px)
    return float(np.average(line.width_px[known], weights=line.step_px[known]))


def test_each_path_is_in_order_from_end_to_end() -> None:
    phantom = draw_phantom(2, 512)
    paths = pixel_paths(phantom.vessels)
    for begin, end in zip(paths.first[:-1], paths.first[1:], strict=True):
        steps = np.abs(np.diff(paths.pixels[begin:end], axis=0)).max(axis=1)
        assert (steps == 1).all()


def test_a_staircase_has_no_junction() -> None:
    corners = np.zeros((9, 9), bool)
    for at in range(1, 7):
        corners[at, at] = corners[at, at + 1] = True
    paths = pixel_paths(corners)
    assert len(paths.junctions) == 0
    assert len(paths.ends) == 1


def test_a_ring_is_one_closed_path() -> None:
    ring = pixel_paths(draw_arc(40, 360, 7))
    assert ring.closed.tolist() == [True]
    line = centreline(draw_arc(40, 360, 7))
    assert line.length_px.sum() == pytest.approx(2 * np.pi * 40, rel=0.01)


def test_a_ring_above_a_pixel_that_touches_nothing_is_still_a_ring() -> None:
    mask = np.pad(draw_arc(40, 360, 7), ((0, 20), (0, 0)))
    mask[-3, 20] = True  # the last pixel of the skeleton
    assert pixel_paths(mask).closed.sum() == 1


def test_a_fork_has_one_junction_and_three_free_ends() -> None:
    line = centreline(draw_fork(70, 8))
    assert line.degree().tolist() == [3]
    assert np.count_nonzero(line.ends == FREE) == 3


def test_two_vessels_that_cross_meet_in_one_junction_of_four() -> None:
    cross = draw_straight_vessel(7, 20) | draw_straight_vessel(7, 80)
    line = centreline(cross)
    assert line.degree().tolist() == [4]
    assert line.junctions[0] == pytest.approx([79.5, 79.5], abs=1.5)


def test_rough_walls_make_no_branches() -> None:
    smooth = draw_straight_vessel(10, 15)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    wall = smooth & ~cv2.erode(smooth.view(np.uint8), cross).astype(bool)
    bitten = wall & (np.random.default_rng(0).random(smooth.shape) < 0.3)
    assert bitten.sum() > 40
    assert len(centreline(smooth & ~bitten).ends) == 1


def test_a_straight_diagonal_vessel_keeps_its_length() -> None:
    # Zhang's thinning leaves nothing at all of some of these
    for offset in np.linspace(-0.5, 0.5, 5):
        for width in (4, 6, 10):
            line = centreline(draw_straight_vessel(width, 135, (offset, 0.2)))
            assert line.length_px.sum() == pytest.approx(LENGTH_PX, abs=2 * ONE_EDGE_PX)


@settings(max_examples=60, deadline=None)
@given(
    width=st.floats(3, 20),
    angle=st.floats(0, 45),
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
    offset=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_width_and_length_of_a_straight_vessel(
    width: float, angle: float, turns: int, mirrored: bool, offset: tuple[float, float]
) -> None:
    mask = np.rot90(draw_straight_vessel(width, angle, offset), turns)
    line = centreline(mask[:, ::-1] if mirrored else mask)
    assert len(line.ends) == 1
    # no more is known than the mask holds: where an edge meets the same few pixels again and
    # again, as at slopes of 1/2 or 1/4, its area is up to a tenth off
    in_mask = mask.sum() / LENGTH_PX
    assert mean_width(line) == pytest.approx(in_mask, rel=0.02)
    if abs(in_mask / width - 1) < 0.005:
        assert mean_width(line) == pytest.approx(width, rel=0.02)
    assert line.length_px.sum() == pytest.approx(LENGTH_PX, abs=2 * ONE_EDGE_PX)


@pytest.mark.parametrize("width", [3, 4, 6, 10, 17])
def test_widths_in_directions_drawn_by_chance(width: float) -> None:
    rng = np.random.default_rng(int(width))
    errors = []
    for _ in range(24):
        offset = rng.uniform(-0.5, 0.5, 2)
        mask = draw_straight_vessel(width, rng.uniform(0, 180), (offset[0], offset[1]))
        errors.append(mean_width(centreline(mask)) / width - 1)
    assert np.abs(np.mean(errors)) < 0.005
    assert np.quantile(np.abs(errors), 0.9) < 0.02


@pytest.mark.parametrize("angle", [0, 45, 90, 135])
@pytest.mark.parametrize("width", [3, 5, 8, 13])
def test_along_the_grid_a_width_is_known_to_the_rows_that_fit(width: int, angle: int) -> None:
    # all pixels of a row or a diagonal are in or out together: no mask knows more
    row = 1 if angle % 90 == 0 else np.sqrt(0.5)
    mask = draw_straight_vessel(width, angle, (0.13, -0.21))
    assert mean_width(centreline(mask)) == pytest.approx(width, abs=row)
    offsets = np.linspace(-0.5, 0.5, 9)[:-1] * row + 0.01
    widths = [mean_width(centreline(draw_straight_vessel(width, angle, (o, 0)))) for o in offsets]
    assert np.mean(widths) == pytest.approx(width, rel=0.06)


ARCS = [(r, s, w) for r in (30, 45, 60) for s in (120, 210, 300) for w in (3, 5, 8)]


@pytest.mark.parametrize(("radius", "sweep", "width"), ARCS)
def test_length_curvature_and_width_of_an_arc(radius: float, sweep: float, width: float) -> None:
    line = centreline(draw_arc(radius, sweep, width))
    true_length = radius * np.radians(sweep)
    assert len(line.ends) == 1
    assert line.length_px.sum() == pytest.approx(true_length, abs=max(0.01 * true_length, 1.5))
    assert mean_width(line) == pytest.approx(width, rel=0.02)
    known = line.clear
    squared = np.average(line.curvature[known] ** 2, weights=line.step_px[known])
    # an arc of length l rises by l ** 2 / (8 r), and its edge is known to a part of a pixel: what
    # is known of a short arc's curvature falls with the length to the power 2.5
    tolerance = CURVED if true_length > 80 else 0.035
    assert np.sqrt(squared) * radius == pytest.approx(1, abs=tolerance)


def test_curvature_of_many_arcs_is_right_on_average() -> None:
    ratios = []
    for radius in np.linspace(28, 66, 14):
        line = centreline(draw_arc(radius, 180, 5))
        ratios.append(abs(np.nanmean(line.curvature)) * radius)
    assert np.mean(ratios) == pytest.approx(1, abs=0.01)
    assert np.abs(np.array(ratios) - 1).max() < 0.02


def test_a_straight_vessel_has_hardly_any_curvature() -> None:
    line = centreline(draw_straight_vessel(6, 27))
    assert np.nanmax(np.abs(line.curvature)) < 1 / 300


def test_the_centreline_lies_where_the_vessel_was_drawn() -> None:
    # the distance of every point from the drawn middle line, which turns by 33 degrees
    line = centreline(draw_straight_vessel(7, 33, (0.3, -0.4)))
    along = np.array([-np.sin(np.radians(33)), np.cos(np.radians(33))])
    aside = (line.points - [79.8, 79.1]) @ [along[1], -along[0]]
    assert np.abs(aside).max() < 0.5
    assert abs(aside.mean()) < 0.1


def test_the_width_of_a_tapering_vessel_falls_along_it() -> None:
    rows, cols = np.mgrid[:80, :200]
    width = 12 - 8 * (cols - 20) / 160
    taper = (np.abs(rows - 40.3 - 0.05 * cols) <= width / 2) & (cols >= 20) & (cols <= 180)
    line = centreline(taper)
    cosine = 1 / np.hypot(1, 0.05)
    true = (12 - 8 * (line.points[:, 1] - 20) / 160) * cosine
    known = np.isfinite(line.width_px)
    assert np.abs(line.width_px - true)[known].mean() < 0.4


@pytest.mark.parametrize(
    "mask",
    [np.zeros((30, 40), bool), np.pad(np.ones((1, 1), bool), 9), np.pad(np.ones((2, 2), bool), 9)],
    ids=["empty", "one pixel", "four pixels"],
)
def test_nothing_and_specks_have_no_centreline(mask: Mask) -> None:
    line = centreline(mask)
    assert len(line.points) == len(line.ends) == 0


def test_a_full_mask_breaks_nothing() -> None:
    line = centreline(np.ones((50, 70), bool))
    assert np.isfinite(line.points).all()


def test_a_vessel_at_the_border_is_measured_like_any_other() -> None:
    band = np.zeros((40, 90), bool)
    band[:6] = True
    assert mean_width(centreline(band)) == pytest.approx(6, rel=0.01)


def test_mirroring_changes_nothing_that_matters() -> None:
    vessels = draw_phantom(4, 400).veins
    here, mirrored = centreline(vessels), centreline(vessels[:, ::-1])
    assert mirrored.length_px.sum() == pytest.approx(here.length_px.sum(), rel=0.01)
    assert mean_width(mirrored) == pytest.approx(mean_width(here), rel=0.01)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("vessel", ["artery", "vein"])
def test_widths_of_a_drawn_tree(seed: int, vessel: str) -> None:
    phantom = draw_phantom(seed, 912)
    segments = [s for s in phantom.segments if s.vessel == vessel]
    steps = [np.hypot(*np.diff(s.points, axis=0).T) for s in segments]
    middles = [(s.width_px[1:] + s.width_px[:-1]) / 2 for s in segments]
    true = np.average(np.concatenate(middles), weights=np.concatenate(steps))
    line = centreline(phantom.arteries if vessel == "artery" else phantom.veins)
    # a few per cent of the way lie inside a wider vessel, where a branch begins
    assert mean_width(line) == pytest.approx(true, rel=0.03)
    assert line.length_px.sum() == pytest.approx(np.concatenate(steps).sum(), rel=0.03)
