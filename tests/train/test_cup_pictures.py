"""A placed disc has the photograph's outline, and a cup of the height that was asked for."""

import csv

import cv2
import numpy as np
import pytest

from fundoscope.perceive.disc import close_picture
from fundoscope.phantoms import draw_phantom
from fundoscope.train.cup_pictures import (
    CloseDisc,
    CroppedDisc,
    close_disc,
    drawn_discs,
    height_ratio,
    odir_places,
    placed,
    placements,
    pull_for,
    pulled,
    radii_of,
)

SIDE = 192


def painted(shape, circles) -> np.ndarray:
    """Circles (row, col, radius, value) one upon another, exact to a pixel."""
    out = np.zeros(shape, np.uint8)
    for row, col, radius, value in circles:
        rows, cols = np.ogrid[: shape[0], : shape[1]]
        out[np.hypot(rows - row, cols - col) <= radius] = value
    return out


def grey(levels) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=2)


def crop(name: str = "crop_1", cup_px: float = 90) -> CroppedDisc:
    """A disc of radius 120 in a crop of 300; the cup beside its middle by nothing."""
    bits = painted((300, 300), [(150, 150, 120, 1), (150, 150, cup_px, 3)])
    return CroppedDisc(name, grey(np.array([60, 140, 0, 220], np.uint8)[bits]), bits)


def place(name: str = "place_1") -> CloseDisc:
    """A photograph of 600 whose disc is an ellipse, 100 wide and 120 high; ground 80, disc 160."""
    disc = np.zeros((600, 600), np.uint8)
    cv2.ellipse(disc, (300, 260), (50, 60), 0, 0, 360, 1, -1)
    return close_disc(name, grey(np.array([80, 160], np.uint8)[disc]), disc > 0, SIDE)


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_circle_is_as_far_on_every_side() -> None:
    radii = radii_of(painted((101, 101), [(50, 50, 30, 1)]) > 0, (50, 50))
    assert radii == pytest.approx(30.0, abs=0.8)


def test_a_close_frame_holds_the_disc_in_its_middle() -> None:
    radii = place().radii
    # 121 px high and 3.2 discs wide: 192 px show 387, so 121 px become 60.0 and 101 become 50.1
    assert radii[90] + radii[270] == pytest.approx(60.0, abs=1.5)
    assert radii[0] + radii[180] == pytest.approx(50.1, abs=1.5)
    assert radii[0] == pytest.approx(radii[180], abs=1.1)  # as near as whole pixels allow


def test_a_pull_of_a_half_makes_a_cup_of_three_quarters_a_half() -> None:
    # by hand: 0.5 x (1 + 0.5 x 0.5) = 0.625, and 0.625 x (1 + 0.5 x 0.375) = 0.7422
    assert pulled(np.float32(0.5), 0.5) == pytest.approx(0.7422, abs=1e-4)
    assert pull_for(0.7422, 0.5) == pytest.approx(0.5, abs=1e-3)
    assert pull_for(0.6, 0.6) == pytest.approx(0.0, abs=1e-6)


def test_what_would_tear_the_rim_is_not_tried() -> None:
    assert pull_for(0.9, 0.2) is None
    assert pull_for(0.3, 0.9) is None


def test_a_pull_moves_neither_the_middle_nor_the_outline_nor_what_is_beyond() -> None:
    shares = np.array([0, 1, 1.3], np.float32)
    assert pulled(shares, 0.6) == pytest.approx(shares)


@pytest.mark.parametrize("height", [0.5, 0.75, 0.85])
def test_a_placed_cup_has_the_height_that_was_asked_for(height, chance) -> None:
    there = crop()
    pull = pull_for(height_ratio(there.bits), height)
    _, truth = placed(place(), there, pull, chance)
    assert height_ratio(truth) == pytest.approx(height, abs=0.03)


def test_a_placed_disc_has_the_outline_of_the_photographs_own(chance) -> None:
    truth = placed(place(), crop(), 0.0, chance)[1]
    rows, cols = np.nonzero(truth & 1)
    assert np.ptp(rows) + 1 == pytest.approx(60.0, abs=2)
    assert np.ptp(cols) + 1 == pytest.approx(50.1, abs=2)


def test_the_photograph_beyond_the_rim_stays_as_it_was(chance) -> None:
    there = place()
    picture, _ = placed(there, crop(), 0.3, chance)
    rows, cols = np.indices((SIDE, SIDE)) - there.middle
    beyond = np.hypot(rows, cols) > 1.3 * there.radii.max()
    assert (picture[beyond] == there.pixels[beyond]).all()


def test_the_ground_of_the_crop_takes_the_colour_of_the_photographs(chance) -> None:
    there = place()
    picture, truth = placed(there, crop(), 0.0, chance)
    ring = cv2.dilate(truth & 1, np.ones((9, 9), np.uint8)) - (truth & 1) > 0
    assert np.median(picture[ring]) == pytest.approx(80, abs=6)
    cup, rim = picture[truth == 3], picture[truth == 1]
    assert np.median(cup) > np.median(rim) + 20 > 100


def test_the_cup_is_where_it_is_bright(chance) -> None:
    picture, truth = placed(place(), crop(), 0.5, chance)
    inside = truth > 0
    level = (np.median(picture[truth == 3]) + np.median(picture[truth == 1])) / 2
    bright = (picture[..., 1] > level) & inside
    cup = truth == 3
    assert 2 * (bright & cup).sum() / (bright.sum() + cup.sum()) > 0.95


def test_a_small_photograph_shows_no_more_than_it_could(chance) -> None:
    fine = crop()
    fine.pixels[::4] = 0  # stripes that a disc of 12 px cannot show
    sharp = place()
    coarse = CloseDisc("coarse", sharp.pixels, sharp.radii, across_px=12)
    inner = slice(SIDE // 2 - 12, SIDE // 2 + 12)
    rough, smooth = (
        np.abs(np.diff(placed(where, fine, 0.0, chance)[0][inner, inner, 0].astype(int), axis=0))
        for where in (sharp, coarse)
    )
    assert smooth.mean() < 0.5 * rough.mean()


def test_each_photograph_is_named_with_the_crop_that_it_got() -> None:
    crops = [crop(f"crop_{number}", cup_px) for number, cup_px in ((1, 50), (2, 70), (3, 100))]
    made = list(placements([place("a"), place("b")], crops, times=3, seed=1))
    assert [name[:4] for name, _, _ in made] == [
        "a_0_", "a_1_", "a_2_", "b_0_", "b_1_", "b_2_",
    ]  # fmt: skip
    assert {name[4:] for name, _, _ in made} <= {"crop_1", "crop_2", "crop_3"}
    again = list(placements([place("a"), place("b")], crops, times=3, seed=1))
    assert all((p == q).all() for (_, p, _), (_, q, _) in zip(made, again, strict=True))


def test_a_drawn_disc_has_the_cup_of_its_phantom() -> None:
    (_, picture, bits) = next(drawn_discs(1, 320, seed=5))
    assert picture.shape == (320, 320, 3)
    true = draw_phantom(5, 1024).cup_disc_ratio_vertical
    assert height_ratio(bits) == pytest.approx(true, abs=0.03)


def test_a_bright_disc_keeps_its_own_shades() -> None:
    # over the whole frame this disc's cup came to 3.3 deviations and its rim to 2.8: all white
    bits = painted((SIDE, SIDE), [(96, 96, 30, 1), (96, 96, 15, 2)])
    picture = close_picture(grey(np.array([40, 200, 230], np.uint8)[bits]))
    assert picture[96, 96, 0] < 255
    assert int(picture[96, 96, 0]) - int(picture[96, 120, 0]) > 8


def test_patients_that_try_the_cup_lend_no_photograph(real_data) -> None:
    with (real_data / "ODIR5K/labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    tried = {
        row["patient"]
        for row in rows
        if "glaucoma" in row["keywords"] or "normal fundus" in row["keywords"]
    }
    lent = {path.name for path in odir_places(real_data)}
    assert len(lent) > 100
    assert not {row["patient"] for row in rows if row["image"] in lent} & tried
