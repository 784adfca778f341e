"""Photographs made ready: nothing of the retina is cut off, and what is lost is told."""

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.errors import ModelError
from fundoscope.models.preparation import CLIP_MEAN, CLIP_STD, Preparation


def fundus(height: int, width: int, radius: float) -> np.ndarray:
    """A red disc on black in the middle of a frame, green at its left and right ends."""
    rows, cols = np.mgrid[:height, :width]
    rows, cols = rows - (height - 1) / 2, cols - (width - 1) / 2
    pixels = np.zeros((height, width, 3), np.uint8)
    inside = rows**2 + cols**2 <= radius**2
    pixels[inside] = (180, 60, 20)
    pixels[inside & (np.abs(cols) > 0.9 * radius)] = (60, 200, 20)
    return pixels


def green_share(values: np.ndarray) -> float:
    shown = values * np.array(CLIP_STD)[:, None, None] + np.array(CLIP_MEAN)[:, None, None]
    return float((shown[1] > shown[0] + 0.1).mean())


def test_the_whole_field_is_seen_where_a_centre_crop_cuts_it() -> None:
    photograph = fundus(300, 500, radius=240)
    by_field = Preparation(64).prepared(photograph)
    by_centre = Preparation(64, "centre_crop").prepared(photograph)
    assert green_share(by_field.values) > 0.01 and green_share(by_centre.values) == 0
    assert by_field.kept == 1.0
    seen = 2 * (150 * np.sqrt(240**2 - 150**2) + 240**2 * np.arcsin(150 / 240))
    assert by_centre.kept == pytest.approx(300 * 300 / seen, rel=0.01)


def test_the_loss_of_resolution_is_told() -> None:
    photograph = fundus(300, 500, radius=120)
    assert Preparation(64).prepared(photograph).px_per_input_px == pytest.approx(240 / 64, rel=0.03)
    cropped = Preparation(64, "centre_crop").prepared(photograph)
    assert cropped.px_per_input_px == pytest.approx(300 / 64)
    assert "one of its pixels is 4.7 of the photograph's" in cropped.told()


def test_idrids_frame_loses_what_the_arithmetic_says() -> None:
    """2848 rows to 224: 12.7 px of the photograph per px of the encoder."""
    photograph = np.zeros((2848, 4288, 3), np.uint8)
    made = Preparation(224, "centre_crop").prepared(photograph)
    assert made.px_per_input_px == pytest.approx(12.7, abs=0.02)


def test_padding_is_black_and_colours_are_those_of_clip() -> None:
    values = Preparation(64).prepared(fundus(200, 200, radius=80)).values
    assert values.dtype == np.float32 and values.shape == (3, 64, 64)
    black = -np.array(CLIP_MEAN) / np.array(CLIP_STD)
    red = (np.array([180, 60, 20]) / 255 - CLIP_MEAN) / CLIP_STD
    assert values[:, 0, 0] == pytest.approx(black, abs=1e-5)
    assert values[:, 32, 32] == pytest.approx(red, abs=1e-5)


def test_a_frame_without_border_is_padded_to_a_square() -> None:
    photograph = np.full((100, 200, 3), 200, np.uint8)
    made = Preparation(40).prepared(photograph)
    assert made.px_per_input_px == pytest.approx(5)
    lit = made.values[0] > 0
    assert lit.sum() == 40 * 20


def test_an_unknown_way_offers_the_nearest() -> None:
    with pytest.raises(ModelError) as told:
        Preparation(64, "center_crop")  # type: ignore[arg-type]
    assert "did you mean 'centre_crop'?" in str(told.value)
