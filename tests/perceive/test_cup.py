"""Cups come out as high as they are, and are withheld where nobody could tell them."""

import cv2
import numpy as np
import pytest

from fundoscope.perceive.disc import DiscCup, Places, cup_is_sure, find_places, outline_disc
from fundoscope.perceive.views import View
from fundoscope.phantoms import draw_phantom
from fundoscope.read.photographs import read_pixels


def heights(outlined: DiscCup | None) -> tuple[int, int]:
    """Return the rows that cup and disc extend over."""
    assert outlined is not None
    cup, disc = (np.flatnonzero(m.any(axis=1)) for m in (outlined.cup, outlined.disc))
    return (int(np.ptp(cup)) + 1 if len(cup) else 0), int(np.ptp(disc)) + 1


def ratio(pixels: np.ndarray, places: Places | None = None) -> float:
    view = View(pixels)
    cup, disc = heights(outline_disc(view, places or find_places(view)))
    return cup / disc


def circles(cup_px: float, disc_px: float = 40, edge: float = 0.99) -> tuple:
    rows, cols = np.ogrid[:256, :256]
    far = np.hypot(rows - 128, cols - 128)
    return np.where(far <= cup_px, np.float32(edge), np.float32(0.01)), far <= disc_px


EVERYWHERE = np.ones((256, 256), bool)


@pytest.mark.parametrize("seed", [71, 72, 73])
def test_the_cup_of_a_drawn_eye_is_as_high_as_it_was_drawn(seed: int) -> None:
    phantom = draw_phantom(seed, 1024)
    rows, cols = np.nonzero(phantom.disc)
    there = Places((rows.mean(), cols.mean()), float(np.ptp(rows)), 1.0, None, 0.0)
    found = ratio(phantom.photograph, there)
    assert found == pytest.approx(phantom.cup_disc_ratio_vertical, abs=0.08)


def test_large_cups_of_a_camera_never_seen_are_larger_than_those_of_healthy_eyes(
    real_data,
) -> None:
    # 07_g and 08_g have a narrow rim all round, to be seen by anyone
    large = [ratio(read_pixels(real_data / f"HRF/images/{name}.jpg")) for name in ("07_g", "08_g")]
    healthy = [ratio(read_pixels(real_data / f"HRF/images/{n:02d}_h.jpg")) for n in range(2, 6)]
    assert min(large) > 0.74 > max(healthy)
    assert min(healthy) > 0.3


def test_a_sharp_cup_in_a_round_disc_is_sure() -> None:
    assert cup_is_sure(*circles(20), EVERYWHERE, 0.1)


def test_no_cup_at_all_is_not_a_sure_one() -> None:
    assert not cup_is_sure(*circles(20, edge=0.4), EVERYWHERE, 0.1)


def test_a_cup_whose_edge_moves_with_the_threshold_is_not_sure() -> None:
    cup, disc = circles(20)
    spread = cv2.GaussianBlur(cup, (0, 0), 8)
    # of a blurred edge 0.7 and 0.3 lie 8 px apart: by hand about 2 x 16 ** 2 / (16 ** 2 + 24 ** 2)
    assert not cup_is_sure(spread, disc, EVERYWHERE, 0.1)


def test_what_fills_the_disc_is_no_cup() -> None:
    assert cup_is_sure(*circles(36), EVERYWHERE, 0.1)  # by hand: 0.81 of its area
    assert not cup_is_sure(*circles(39), EVERYWHERE, 0.1)  # 0.95


def test_a_disc_that_is_no_round_thing_has_no_sure_cup() -> None:
    cup, _ = circles(20)
    wide = np.zeros((256, 256), bool)
    wide[100:156, 60:196] = True
    assert not cup_is_sure(cup, wide, EVERYWHERE, 0.1)


def test_a_disc_that_the_field_cuts_has_no_sure_cup() -> None:
    inside = EVERYWHERE.copy()
    inside[:, 150:] = False
    assert not cup_is_sure(*circles(20), inside, 0.1)
