"""The field of view is found where it was drawn, whatever else the frame shows."""

import time

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.perceive.field import Field, find_field, seen
from fundoscope.read.photographs import read_pixels

Pixels = npt.NDArray[np.uint8]
ORANGE, WHITE = (190, 110, 60), (255, 255, 255)
TRUE = Field(200, 260, 180)
SHAPE = (400, 520)


def drawn(
    field: Field = TRUE, shape: tuple[int, int] = SHAPE, *, border: int = 0, noise: float = 2
) -> Pixels:
    """A disc of retina with a vignette and a few vessels, on a border."""
    rng = np.random.default_rng(1)
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(float)
    away = np.hypot(rows - field.row, cols - field.col) / field.radius_px
    pixels = np.array(ORANGE) * (1 - 0.35 * away**2)[..., None]
    pixels[np.abs(np.sin(cols / 40) * 60 + field.row - rows) < 2] *= 0.6
    pixels[away > 1] = border
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def agrees(found: Field, true: Field = TRUE, within_px: float = 2) -> bool:
    apart = (found.row - true.row, found.col - true.col, found.radius_px - true.radius_px)
    return not found.whole_frame and max(map(abs, apart)) <= within_px


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@settings(max_examples=15, deadline=None)
@given(
    st.floats(150, 250),
    st.floats(180, 340),
    st.floats(135, 240),  # the frame cuts the larger ones
)
def test_a_circle_is_found_where_it_was_drawn(row: float, col: float, radius: float) -> None:
    true = Field(row, col, radius)
    assert agrees(find_field(drawn(true)), true)


@pytest.mark.parametrize("scale", [0.4, 1, 3])
def test_the_circle_scales_with_the_photograph(scale: float) -> None:
    true = Field(TRUE.row * scale, TRUE.col * scale, TRUE.radius_px * scale)
    shape = (round(SHAPE[0] * scale), round(SHAPE[1] * scale))
    assert agrees(find_field(drawn(true, shape)), true, within_px=2 * max(1, scale))


def test_straight_cuts_do_not_move_the_circle_and_are_not_seen() -> None:
    pixels = drawn()
    pixels[:60], pixels[350:] = 0, 0
    assert agrees(find_field(pixels))
    true = TRUE.mask(SHAPE)
    true[:60], true[350:] = False, False
    assert overlap(seen(pixels, find_field(pixels)), true) > 0.985


def test_a_grey_and_noisy_border_is_a_border() -> None:
    pixels = drawn(border=24, noise=6)
    assert agrees(find_field(pixels))
    assert overlap(seen(pixels, find_field(pixels)), TRUE.mask(SHAPE)) > 0.97


@pytest.mark.parametrize("darker, seen_share", [(14, 0.98), (64, 0.6)])
def test_a_dark_quarter_does_not_move_the_circle_and_is_seen(
    darker: int, seen_share: float
) -> None:
    pixels = drawn(noise=1)
    pixels[200:, 260:] //= darker
    assert agrees(find_field(pixels))
    dark = TRUE.mask(SHAPE)
    dark[:200], dark[:, :260] = False, False
    # where it is black, all within the chord (0.64); beyond it, a shadow looks like a cut
    assert seen(pixels, find_field(pixels))[dark].mean() > seen_share


def test_a_dark_photograph_has_its_circle() -> None:
    assert agrees(find_field(drawn(noise=1) // 14))  # the retina at 8 to 13 of 255


def test_burnt_in_text_does_not_move_the_circle_and_is_not_seen() -> None:
    pixels = drawn()
    for row, words in ((18, "OD 45 deg"), (390, "4711")):
        cv2.putText(pixels, words, (4, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WHITE, 2)
    assert agrees(find_field(pixels))
    assert overlap(seen(pixels, find_field(pixels)), TRUE.mask(SHAPE)) > 0.985


def test_a_flash_at_the_rim_and_a_notch_outside_do_not_move_the_circle() -> None:
    pixels = drawn()
    near = TRUE.mask(SHAPE) & ~Field(200, 300, 175).mask(SHAPE)
    pixels[near] = 250
    cv2.circle(pixels, (260 + 130, 200 - 130), 12, ORANGE, cv2.FILLED)
    assert agrees(find_field(pixels))


def test_a_circle_that_shows_only_in_the_corners_is_found() -> None:
    true = Field(200, 204, 235)
    pixels = drawn(true, (400, 400))
    assert agrees(find_field(pixels), true, within_px=4)
    assert overlap(seen(pixels, find_field(pixels)), true.mask((400, 400))) > 0.985


def test_of_a_squeezed_field_nothing_is_lost() -> None:
    oval = cv2.resize(drawn(Field(200, 260, 250)), (400, 400))  # cut above and below
    lit = oval.max(axis=2) > 20
    field = find_field(oval)
    assert not field.whole_frame
    assert overlap(seen(oval, field), lit) > 0.97
    assert lit[~field.mask(lit.shape)].mean() < 0.05


@pytest.mark.parametrize("ground", [(150, 90, 60), (58, 24, 8)])  # the second of a dark eye
def test_a_crop_of_the_disc_is_the_whole_frame(ground: tuple[int, int, int]) -> None:
    pixels = np.full((300, 300, 3), ground, np.uint8)
    cv2.circle(pixels, (150, 150), 90, (230, 190, 140), cv2.FILLED)
    field = find_field(pixels)
    assert field.whole_frame
    assert seen(pixels, field).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_frame_of_one_colour_is_the_whole_frame(level: int) -> None:
    pixels = np.full((90, 120, 3), level, np.uint8)
    field = find_field(pixels)
    assert field.whole_frame and field.mask((90, 120)).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (17, 23)])
def test_the_smallest_frames_have_a_field(shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    assert seen(pixels, find_field(pixels)).shape == shape


def test_the_square_of_a_field_holds_its_circle() -> None:
    top, left, side = Field(100.5, 50.0, 40.0).square()
    assert (top, left, side) == (60, 10, 80)


# --- real photographs


def test_the_fields_of_hrf_are_as_its_authors_masked_them(real_data) -> None:
    folder = real_data / "HRF"
    for path in sorted((folder / "images").iterdir())[::3]:
        pixels = read_pixels(path)
        true = read_pixels(folder / "fov" / f"{path.stem}.png")[..., 0] > 0
        assert overlap(seen(pixels, find_field(pixels)), true) > 0.995


@pytest.mark.parametrize("name", ["0490_OD_f_1", "0100_OD_f_1", "0185_OD_f_1", "0332_OD_f_1"])
def test_dark_and_flashy_frames_keep_their_circle(real_data, name: str) -> None:
    field = find_field(read_pixels(real_data / "UNAM_FUNDUS/images" / f"{name}.jpg"))
    # all of this camera: the same circle
    assert agrees(field, Field(319.5, 319, 302), within_px=3)


def test_a_photograph_of_ordinary_size_takes_a_tenth_of_a_second(real_data) -> None:
    pixels = read_pixels(sorted((real_data / "AVRDB/images").iterdir())[0])
    times = []
    for _ in range(4):
        start = time.process_time()
        seen(pixels, find_field(pixels))
        times.append(time.process_time() - start)
    assert min(times) < 0.15  # the machines that run tests are shared
