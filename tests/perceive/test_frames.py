"""What is cut from a photograph finds its way back to the photograph's own pixels."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.perceive.field import Field
from fundoscope.perceive.frames import (
    Frame,
    even_colour,
    even_light,
    frame_of_field,
    frame_round,
    in_threes,
)

frames = st.builds(
    Frame,
    top=st.integers(-80, 80),
    left=st.integers(-80, 80),
    side=st.integers(40, 300),
    size_px=st.integers(32, 400),
    shape=st.tuples(st.integers(90, 200), st.integers(90, 200)),
)
places = st.floats(-500, 500)


def disc(shape: tuple[int, int], row: float, col: float, radius: float) -> npt.NDArray[np.bool_]:
    return Field(row, col, radius).mask(shape)


# --- there and back


@given(frames, places, places)
def test_a_point_taken_there_and_back_is_the_same(frame: Frame, row: float, col: float) -> None:
    assert frame.point_back(*frame.point_there(row, col)) == pytest.approx((row, col), abs=1e-9)
    assert frame.point_there(*frame.point_back(row, col)) == pytest.approx((row, col), abs=1e-9)


def test_the_corners_of_pixels_meet() -> None:
    frame = Frame(top=10, left=20, side=100, size_px=50, shape=(200, 200))
    assert frame.scale == 0.5
    assert frame.point_there(9.5, 19.5) == (-0.5, -0.5)
    assert frame.point_there(109.5, 119.5) == (49.5, 49.5)


@settings(max_examples=40, deadline=None)
@given(frames)
def test_every_pixel_comes_back_into_the_photograph(frame: Frame) -> None:
    ones = np.full((frame.size_px, frame.size_px), 255, np.uint8)
    back = frame.back(ones)
    assert back.shape == frame.shape
    rows = np.arange(frame.shape[0])
    cols = np.arange(frame.shape[1])
    within = np.outer(
        (rows >= frame.top) & (rows < frame.top + frame.side),
        (cols >= frame.left) & (cols < frame.left + frame.side),
    )
    assert (back == np.where(within, 255, 0)).all()


@pytest.mark.parametrize("size_px", [192, 256, 400, 768])
@pytest.mark.parametrize("corner", [(-30, -20), (5, 8)])
def test_a_mask_taken_there_and_back_overlaps_itself(size_px: int, corner: tuple[int, int]) -> None:
    frame = Frame(*corner, side=380, size_px=size_px, shape=(300, 420))
    mask = disc(frame.shape, 150, 200, 110)
    there = frame.cut(mask)
    assert there.dtype == np.bool_ and there.shape == (size_px, size_px)
    back = frame.back(there.astype(np.float32)) >= 0.5
    assert (back & mask).sum() / (back | mask).sum() > 0.97


def test_a_spot_lies_where_its_point_is_taken() -> None:
    pixels = np.zeros((300, 420, 3), np.uint8)
    spot = disc((300, 420), 120, 260, 12)
    pixels[spot] = 255
    frame = Frame(-30, 20, 360, 500, (300, 420))
    rows, cols = np.nonzero(frame.cut(pixels)[..., 0] > 127)
    assert (rows.mean(), cols.mean()) == pytest.approx(frame.point_there(120, 260), abs=0.3)
    back = frame.back(frame.cut(pixels))[..., 0] > 127
    rows, cols = np.nonzero(back)
    assert (rows.mean(), cols.mean()) == pytest.approx((120, 260), abs=0.3)


def test_beyond_the_photograph_a_frame_is_black() -> None:
    frame = Frame(-50, -50, 100, 100, (80, 80))
    cut = frame.cut(np.full((80, 80, 3), 200, np.uint8))
    assert (cut[:50] == 0).all() and (cut[:, :50] == 0).all() and (cut[50:, 50:] == 200).all()


def test_a_frame_that_misses_the_photograph_is_black_and_brings_nothing_back() -> None:
    frame = Frame(500, 500, 100, 64, (80, 80))
    assert (frame.cut(np.full((80, 80, 3), 200, np.uint8)) == 0).all()
    assert (frame.back(np.full((64, 64), 255, np.uint8)) == 0).all()


def test_many_channels_come_back_each_in_its_place() -> None:
    frame = Frame(0, 0, 60, 90, (60, 60))
    channels = np.broadcast_to(np.arange(7, dtype=np.float32), (90, 90, 7))
    assert frame.back(channels)[30, 30] == pytest.approx(np.arange(7))
    assert in_threes(lambda part: part + 1, channels).shape == (90, 90, 7)


def test_the_field_fills_its_frame() -> None:
    frame = frame_of_field(Field(100, 150, 90), (200, 300), 512)
    assert (frame.top, frame.left, frame.side, frame.size_px) == (10, 60, 180, 512)


def test_a_frame_round_a_point_has_it_in_the_middle() -> None:
    frame = frame_round((40, 70), 31.6, (200, 300), 64)
    assert frame.side == 32
    assert frame.point_there(40, 70) == pytest.approx((32.5, 32.5))
    assert frame_round((40, 70), 1, (200, 300), 64).side == 8  # never nothing


# --- light


def vessels(size: int = 256) -> npt.NDArray[np.float64]:
    """Dark stripes on an even ground."""
    stripes = np.where(np.arange(size) % 32 < 4, 0.7, 1.0)
    return np.repeat(stripes[None], size, axis=0)[..., None] * [170, 100, 60]


def test_even_light_takes_off_a_slow_ramp_and_a_tint() -> None:
    inside = disc((256, 256), 128, 128, 120)
    middle = disc((256, 256), 128, 128, 90)
    ramp = np.linspace(0.5, 1.3, 256)[:, None, None] * [1.0, 1.2, 0.8]
    plain = even_light(np.clip(vessels(), 0, 255).astype(np.uint8), inside).astype(float)
    tinted = even_light(np.clip(vessels() * ramp, 0, 255).astype(np.uint8), inside).astype(float)
    assert np.abs(plain - tinted)[middle].mean() < 3  # of 255; the ramp spans 80 %
    rows = [tinted[60:80, 100:156].mean(), tinted[176:196, 100:156].mean()]
    assert abs(rows[0] - rows[1]) < 2


def test_even_light_keeps_vessels_dark_and_the_outside_at_128() -> None:
    inside = disc((256, 256), 128, 128, 120)
    even = even_light(vessels().astype(np.uint8), inside)
    assert even[128, 128 + 2].max() < 60 < 128 < even[128, 128 + 16].min()
    assert (even[~inside] == 128).all()


def test_even_light_of_nothing_is_grey() -> None:
    nothing = even_light(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool))
    assert (nothing == 128).all()


def test_even_colour_puts_each_middle_at_96_and_keeps_what_is_wide() -> None:
    inside = disc((128, 128), 64, 64, 60)
    pixels = np.full((128, 128, 3), (180, 90, 40), np.uint8)
    pixels[:32] = (90, 45, 20)
    even = even_colour(pixels, inside)
    assert np.median(even[inside], axis=0).tolist() == [96, 96, 96]
    assert even[20, 64].tolist() == [48, 48, 48]
    assert (even[~inside] == 0).all()
    assert (even_colour(pixels, np.zeros((128, 128), bool)) == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.4, 1.2), st.floats(0.4, 1.2))
def test_even_colour_is_the_same_under_another_lamp(red: float, blue: float) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.normal([150, 90, 70], 12, (64, 64, 3)).clip(0, 255)
    inside = disc((64, 64), 32, 32, 30)
    one = even_colour(pixels.astype(np.uint8), inside).astype(int)
    other = even_colour((pixels * [red, 1, blue]).astype(np.uint8), inside).astype(int)
    assert np.abs(one - other).max() <= 8  # of 255: rounding, made larger by the scaling
