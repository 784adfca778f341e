"""Phantoms: what is drawn is what is said, and what is said is exact."""

import csv
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.errors import ConfigError
from fundoscope.phantom_shapes import Blob, stroke_distances
from fundoscope.phantoms import (
    LESION_CODES,
    Phantom,
    draw_arc,
    draw_fork,
    draw_phantom,
    draw_straight_vessel,
    write_phantoms,
)

ASKED = {"microaneurysm": 9, "haemorrhage": 6, "hard_exudate": 16, "soft_exudate": 2}


@pytest.fixture(scope="module", params=["left", "right"])
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return draw_phantom(7, size_px=512, lesions=ASKED, eye=request.param)


def regions(mask: np.ndarray) -> int:
    """Connected regions, by OpenCV."""
    count, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return int(count - 1)


def extent(mask: np.ndarray, axis: int) -> int:
    """Pixels from the first to the last along an axis."""
    found = np.flatnonzero(mask.any(axis=1 - axis))
    return int(found[-1] - found[0] + 1)


# Shapes of known size.


@pytest.mark.parametrize("angle", [7, 30, 41, 61, 83, 118, 160])
@pytest.mark.parametrize("width", [6.0, 9.7, 15.2])
def test_the_width_is_right_within_one_percent(width: float, angle: float) -> None:
    mask = draw_straight_vessel(width, angle, (0.2, -0.3), length_px=300, size_px=400)
    assert mask.sum() / 300 == pytest.approx(width, rel=0.01)


@pytest.mark.parametrize("angle", [0, 45, 90])
def test_along_the_grid_the_width_is_right_on_average_over_shifts(angle: float) -> None:
    """There an edge rounds all at once, by up to half a pixel either way."""
    shifts = np.arange(10) / 10 + 0.02  # never an edge on a centre
    areas = [draw_straight_vessel(6.3, angle, (by, by), 120, 160).sum() for by in shifts]
    assert np.mean(areas) / 120 == pytest.approx(6.3, rel=0.01)


def test_a_vessel_of_three_rows_and_eight_columns_is_drawn_pixel_by_pixel() -> None:
    mask = draw_straight_vessel(3, 0, (0.5, 0.5), length_px=7, size_px=12)  # middle: (6, 6)
    assert np.argwhere(mask).min(axis=0).tolist() == [5, 3]
    assert np.argwhere(mask).max(axis=0).tolist() == [7, 9]
    assert mask.sum() == 21


def test_ninety_degrees_run_upwards() -> None:
    mask = draw_straight_vessel(3, 90, length_px=100, size_px=160)
    assert (extent(mask, 0) > 90, extent(mask, 1) < 5) == (True, True)


def test_a_vessel_at_forty_five_degrees_rises_to_the_right() -> None:
    mask = draw_straight_vessel(3, 45, length_px=100, size_px=160)
    assert (mask[50, 109], mask[109, 109]) == (True, False)


@pytest.mark.parametrize("sweep", [60, 180, 360])
def test_an_arc_has_the_area_of_its_sector(sweep: float) -> None:
    mask = draw_arc(radius_px=140.3, sweep_deg=sweep, width_px=8.4, size_px=320)
    assert mask.sum() == pytest.approx(8.4 * 140.3 * math.radians(sweep), rel=0.01)


def test_an_arc_lies_at_its_radius_above_the_middle() -> None:
    mask = draw_arc(radius_px=60, sweep_deg=90, width_px=7, size_px=161)
    apart = np.hypot(*(np.argwhere(mask) - 80).T)
    assert (apart.min(), apart.max()) == (
        pytest.approx(56.5, abs=0.5),
        pytest.approx(63.5, abs=0.5),
    )
    assert (mask[20, 80], mask[140, 80]) == (True, False)


def test_a_fork_has_three_branches_at_its_angle() -> None:
    mask = draw_fork(angle_deg=80, width_px=7.4, size_px=201)
    rows, cols = np.nonzero(mask & (np.hypot(*(np.indices(mask.shape) - 100)) > 60))
    angles = np.degrees(np.arctan2(100 - rows, cols - 100))
    right, left = angles[(angles > 0) & (angles < 90)], angles[angles > 90]
    assert right.mean() == pytest.approx(50, abs=0.3)
    assert left.mean() == pytest.approx(130, abs=0.3)
    assert angles[angles < 0].mean() == pytest.approx(-90, abs=0.3)


def test_the_branches_of_a_fork_keep_murrays_law() -> None:
    mask = draw_fork(angle_deg=80, width_px=19, size_px=401)
    parent = mask[260:340].sum() / 80
    child = mask[90:150, 200:].sum() / 60 * math.sin(math.radians(50))  # rows cut it aslant
    assert parent**3 == pytest.approx(2 * child**3, rel=0.02)


@pytest.mark.parametrize(
    "wrong", [{"width_px": 0}, {"width_px": -3.0}, {"width_px": math.nan}, {"size_px": 0}]
)
def test_a_shape_without_size_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        draw_straight_vessel(**{"width_px": 4.0, "angle_deg": 0.0, **wrong})  # type: ignore[arg-type]


def test_distances_from_a_straight_stroke_are_those_from_a_line() -> None:
    points, width = np.array([[10.0, 5.0], [10.0, 12.0], [10.0, 25.0]]), np.full(3, 4.0)
    index, outside, radius = stroke_distances(points, width, size_px=40)
    nearest = dict.fromkeys(index.tolist(), math.inf)
    for at, distance in zip(index.tolist(), outside.tolist(), strict=True):
        nearest[at] = min(nearest[at], distance)
    assert nearest[10 * 40 + 12] == pytest.approx(-2)  # on the centreline
    assert nearest[13 * 40 + 20] == pytest.approx(1)  # three rows off, radius two
    assert nearest[10 * 40 + 28] == pytest.approx(1)  # three columns beyond the round end
    assert set(radius.tolist()) == {2.0}


def test_a_round_blob_is_a_circle_and_a_stretched_one_keeps_its_area() -> None:
    rows, cols = np.mgrid[:80, :80].astype(float)
    for stretch in (1.0, 1.7):
        blob = Blob((40.3, 39.6), 15, stretch=stretch, turn=0.7)
        assert (blob.distance(rows, cols) <= 0).sum() == pytest.approx(math.pi * 225, rel=0.01)


# Photographs.


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one, again, other = (draw_phantom(seed, 256, ASKED) for seed in (3, 3, 4))
    assert one.photograph.tobytes() == again.photograph.tobytes()
    assert one.vessels.tobytes() == again.vessels.tobytes()
    assert one.photograph.tobytes() != other.photograph.tobytes()


def test_the_photograph_is_square_rgb_and_black_outside_the_field(phantom: Phantom) -> None:
    assert (phantom.photograph.shape, phantom.photograph.dtype) == ((512, 512, 3), np.uint8)
    assert phantom.photograph[~phantom.field_of_view].max() < 10
    red, green, blue = phantom.photograph[phantom.field_of_view].mean(axis=0)
    assert red > green > blue > 10


def test_every_mask_lies_in_the_field_of_view(phantom: Phantom) -> None:
    masks = (phantom.vessels, phantom.disc, phantom.cup, *phantom.lesions.values())
    assert [mask.any() for mask in masks] == [True] * len(masks)
    assert not any((mask & ~phantom.field_of_view).any() for mask in masks)


def test_vessels_are_arteries_and_veins(phantom: Phantom) -> None:
    assert (phantom.vessels == (phantom.arteries | phantom.veins)).all()
    assert 0.04 < phantom.vessels.mean() < 0.12


def test_a_vessel_mask_holds_the_pixels_inside_the_outlines(phantom: Phantom) -> None:
    """The truth again, the slow way: every pixel against every piece of every centreline."""
    side = slice(200, 260)  # a window is enough
    rows, cols = np.mgrid[side, side].astype(float)
    inside = np.zeros(rows.shape, bool)
    for segment in phantom.segments:
        pieces = zip(
            segment.points, segment.points[1:], segment.width_px, segment.width_px[1:], strict=False
        )
        for a, b, w0, w1 in pieces:
            step = b - a
            share = ((rows - a[0]) * step[0] + (cols - a[1]) * step[1]) / (step @ step)
            share = share.clip(0, 1)
            apart = np.hypot(rows - a[0] - share * step[0], cols - a[1] - share * step[1])
            inside |= apart <= (w0 + share * (w1 - w0)) / 2
    assert inside.sum() > 50
    # float32 may decide otherwise where a pixel's centre is on the outline
    assert (inside != phantom.vessels[side, side]).sum() <= 1


def test_veins_are_wider_and_darker_than_arteries(phantom: Phantom) -> None:
    widest = {
        kind: max(s.width_px.max() for s in phantom.segments if s.vessel == kind)
        for kind in ("artery", "vein")
    }
    assert widest["vein"] > 1.15 * widest["artery"]
    red = {}
    for kind, mask, other in (
        ("artery", phantom.arteries, phantom.veins),
        ("vein", phantom.veins, phantom.arteries),
    ):
        inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        alike = (inside > 1.5) & (inside < 2.5) & ~other & ~phantom.disc  # so width tells nothing
        red[kind] = phantom.photograph[alike, 0].mean()
    assert red["artery"] > 1.18 * red["vein"]


def test_the_cubes_of_the_children_sum_to_the_parents() -> None:
    segments = draw_phantom(11, 512).segments
    children: dict[int, list[float]] = {}
    for segment in segments:
        if segment.parent is not None:
            children.setdefault(segment.parent, []).append(float(segment.width_px[0]))
    assert len(children) > 40
    for parent, widths in children.items():
        assert len(widths) == 2
        cube = float(segments[parent].width_px[-1]) ** 3
        assert sum(width**3 for width in widths) == pytest.approx(cube, rel=1e-9)


def test_children_begin_where_their_parent_ends_and_are_of_its_kind() -> None:
    segments = draw_phantom(12, 512).segments
    for segment in segments:
        if segment.parent is None:
            assert segment.generation == 0
        else:
            parent = segments[segment.parent]
            assert (segment.points[0] == parent.points[-1]).all()
            assert segment.vessel == parent.vessel
            assert segment.generation - parent.generation in (0, 1)


def test_vessels_narrow_to_one_and_a_half_pixels_over_some_generations() -> None:
    segments = draw_phantom(13, 768).segments
    assert 3 <= max(segment.generation for segment in segments) <= 5
    assert min(segment.width_px.min() for segment in segments) == pytest.approx(1.5)
    assert all((np.diff(segment.width_px) <= 0).all() for segment in segments)


def test_the_cup_is_inside_the_disc_and_its_ratio_is_the_masks(phantom: Phantom) -> None:
    assert not (phantom.cup & ~phantom.disc).any()
    drawn = extent(phantom.cup, 0) / extent(phantom.disc, 0)
    assert drawn == pytest.approx(
        phantom.cup_disc_ratio_vertical, abs=1.5 / extent(phantom.disc, 0)
    )


def test_the_disc_is_nasal_and_the_fovea_temporal_and_a_little_lower(phantom: Phantom) -> None:
    row, col = np.argwhere(phantom.disc).mean(axis=0)
    diameter = math.sqrt(extent(phantom.disc, 0) * extent(phantom.disc, 1))
    temporal = (phantom.fovea[1] - col) * (1 if phantom.eye == "left" else -1)
    assert temporal / diameter == pytest.approx(2.5, abs=0.2)
    assert 0.05 < (phantom.fovea[0] - row) / diameter < 0.45


def test_the_disc_is_brighter_and_the_fovea_darker_than_the_ground(phantom: Phantom) -> None:
    green = phantom.photograph[..., 1].astype(float)
    ground = np.median(green[phantom.field_of_view])
    row, col = map(round, phantom.fovea)
    assert np.median(green[phantom.disc & ~phantom.vessels]) > 1.3 * ground
    assert np.median(green[row - 3 : row + 4, col - 3 : col + 4]) < 0.8 * ground


@pytest.mark.parametrize("seed", range(3))
def test_as_many_lesions_are_drawn_as_asked_and_none_on_the_disc(seed: int) -> None:
    phantom = draw_phantom(seed, 384, ASKED)
    assert {kind: regions(mask) for kind, mask in phantom.lesions.items()} == ASKED
    assert not any((mask & phantom.disc).any() for mask in phantom.lesions.values())
    assert np.sum(list(phantom.lesions.values()), axis=0).max() == 1  # nor on each other


def test_without_lesions_their_masks_are_empty() -> None:
    phantom = draw_phantom(5, 256)
    assert {kind: mask.any() for kind, mask in phantom.lesions.items()} == dict.fromkeys(
        LESION_CODES, False
    )


def test_lesions_have_the_size_and_the_brightness_of_their_kind() -> None:
    phantom = draw_phantom(21, 768, ASKED)
    across: dict[str, list[float]] = {}
    for kind, mask in phantom.lesions.items():
        _, _, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        across[kind] = [max(box[2], box[3]) for box in boxes[1:].tolist()]
    assert 2 <= min(across["microaneurysm"]) <= max(across["microaneurysm"]) <= 7
    assert 6 <= min(across["haemorrhage"]) <= max(across["haemorrhage"]) <= 41
    green = phantom.photograph[..., 1].astype(float)
    plain = np.median(green[phantom.field_of_view])
    mean = {kind: green[mask].mean() for kind, mask in phantom.lesions.items()}
    assert max(mean["microaneurysm"], mean["haemorrhage"]) < 0.8 * plain
    assert min(mean["hard_exudate"], mean["soft_exudate"]) > 1.3 * plain


def vessel_contrast(phantom: Phantom) -> float:
    """How much darker vessels are than what is near them, grey levels of green."""
    green = cv2.GaussianBlur(phantom.photograph[..., 1].astype(np.float32), (0, 0), 1.2)
    inner = cv2.erode(phantom.field_of_view.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    return float((cv2.GaussianBlur(green, (0, 0), 6) - green)[phantom.vessels & inner].mean())


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_worse_quality_shows_less_and_leaves_the_truth(seed: int) -> None:
    good, usable, reject = (draw_phantom(seed, 384, quality=quality) for quality in (0, 1, 2))
    assert vessel_contrast(good) > 5
    assert 0.5 < vessel_contrast(usable) / vessel_contrast(good) < 0.9
    assert vessel_contrast(reject) / vessel_contrast(good) < 0.25
    assert (good.vessels == reject.vessels).all()


def test_an_unknown_lesion_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'haemorrhage'"):
        draw_phantom(0, 256, {"hemorrhage": 3})


def test_more_lesions_than_there_is_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fundoscope.phantom_lesions.GAP_PX", 60.0)
    with pytest.raises(ConfigError, match="no room for another haemorrhage beside"):
        draw_phantom(0, 192, {"haemorrhage": 20})


@pytest.mark.parametrize("wrong", [{"size_px": 100}, {"quality": 3}])
def test_a_phantom_that_cannot_be_drawn_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        draw_phantom(0, **wrong)  # type: ignore[arg-type]


# A folder.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), count=5, size_px=256)


def labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_holds_a_photograph_and_masks_for_each_row(folder: Path) -> None:
    names = [Path(row["image"]).stem for row in labels(folder)]
    assert names[:3] == ["phantom_0001_left", "phantom_0001_right", "phantom_0002_left"]
    for sub, suffix in (("photographs", "jpg"), ("lesions", "png"), ("vessels", "png")):
        assert sorted(p.name for p in (folder / sub).iterdir()) == [f"{n}.{suffix}" for n in names]


def test_two_eyes_share_a_patient(folder: Path) -> None:
    rows = labels(folder)
    assert [(row["patient"], row["eye"]) for row in rows[:2]] == [
        ("phantom_0001", "left"),
        ("phantom_0001", "right"),
    ]


def test_labels_state_the_truth_of_the_masks(folder: Path) -> None:
    for row in labels(folder):
        name = Path(row["image"]).stem
        vessels = cv2.imread(str(folder / "vessels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        coded = cv2.imread(str(folder / "lesions" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(vessels)) == {0, 255}
        assert float(row["vessel_density"]) == pytest.approx((vessels > 0).mean(), abs=1e-6)
        kinds = set(np.unique(coded).tolist()) - {0, 5}
        worse = {LESION_CODES[k] for k in ("haemorrhage", "hard_exudate", "soft_exudate")}
        assert int(row["icdr"]) == (2 if kinds & worse else 1 if kinds else 0)
        assert row["disease"] == ("diabetic retinopathy" if kinds else "normal fundus")


def test_a_set_written_twice_is_the_same(folder: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, count=5, size_px=256)
    for file in folder.rglob("*.*"):
        assert (tmp_path / file.relative_to(folder)).read_bytes() == file.read_bytes()


def test_nothing_half_written_is_left(folder: Path) -> None:
    assert list(folder.rglob("*.partial")) == []


def test_a_set_that_was_not_finished_has_no_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_phantoms(tmp_path, count=1, size_px=192)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fundoscope.phantoms._write_one", stop)
    with pytest.raises(KeyboardInterrupt):
        write_phantoms(tmp_path, count=2, size_px=192)
    assert not (tmp_path / "labels.csv").exists()
