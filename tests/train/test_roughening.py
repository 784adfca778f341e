"""Roughened pictures are what other cameras might have given, each by its own chances."""

import io

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from fundoscope.train import roughening  # noqa: E402
from fundoscope.train.roughening import Chances, roughened  # noqa: E402


def chances(number: int) -> Chances:
    return Chances(np.random.default_rng(3), number, torch.device("cpu"))


def wave(pixels: float = 12, side: int = 64) -> torch.Tensor:
    line = torch.sin(torch.arange(side) * 2 * np.pi / pixels)
    return line.expand(1, 3, side, side).clone()


@pytest.mark.parametrize("channels", [3, 6])
def test_pictures_keep_their_shape_and_stay_numbers(channels) -> None:
    pictures = torch.randn(12, channels, 64, 64)
    rough = roughened(pictures, chances(12))
    assert rough.shape == pictures.shape
    assert torch.isfinite(rough).all()


def test_two_pictures_of_a_batch_are_changed_differently() -> None:
    rough = roughened(wave().repeat(6, 1, 1, 1), chances(6))
    assert not torch.allclose(rough[0], rough[1], atol=0.05)


def test_most_pictures_still_show_what_was_there() -> None:
    pictures = wave().repeat(64, 1, 1, 1)
    rough = roughened(pictures, chances(64)).mean(dim=1).flatten(1)
    seen = [np.corrcoef(a, b)[0, 1] for a, b in zip(pictures[:, 0].flatten(1), rough, strict=True)]
    assert np.median(np.abs(seen)) > 0.9


def test_coding_loses_as_jpeg_loses() -> None:
    """Against Pillow's JPEG of the same grey picture at the same quality."""
    noise = np.random.default_rng(0).normal(0, 1, (64, 64))
    grey = np.clip(128 + 40 * noise, 0, 255).astype(np.uint8)
    kept = io.BytesIO()
    Image.fromarray(grey).save(kept, "jpeg", quality=40)
    theirs = (np.asarray(Image.open(kept)).astype(float) - 128) / 40
    picture = torch.from_numpy((grey.astype(np.float32) - 128) / 40)[None, None]
    ours = roughening._jpeg_coded(picture, 40)[0, 0].numpy()
    assert np.abs(ours - theirs).mean() < 0.02
    assert np.abs(ours - picture[0, 0].numpy()).mean() > 0.2, "something was lost"


def test_a_coarser_picture_loses_what_is_fine_and_keeps_what_is_wide() -> None:
    fine, wide = (roughening._coarser(wave(pixels), 0.45).std() for pixels in (3, 32))
    assert fine < 0.35 * wave(3).std()
    assert wide > 0.95 * wave(32).std()
