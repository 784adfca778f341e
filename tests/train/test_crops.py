"""Crops lie where they are asked for, with their truth, and say where nothing is known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fundoscope.train.crops import Crops, Draw  # noqa: E402
from fundoscope.train.examples import IGNORED, ONLY_FIRST, Example  # noqa: E402

SIDE = 64
STILL = Draw(SIDE, 1.0, 2, zoom=1.0, turns=0, stretch=0, whole=True, shift=0, mirrored=False)


def example(truth=0, known=3, spot=(20, 40)) -> Example:
    """Grey, with one bright spot of part 0."""
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    coded = np.full((SIDE, SIDE), truth, np.uint8)
    row, col = spot
    picture[row : row + 6, col : col + 6] = 248
    coded[row : row + 6, col : col + 6] |= 1
    return Example("1", "drawn", picture, coded, known)


@pytest.fixture
def smooth(monkeypatch):
    """Leave pictures as they were cut."""
    monkeypatch.setattr("fundoscope.train.crops.roughened", lambda pictures, chances: pictures)


def test_a_crop_without_turn_or_zoom_is_the_photograph(smooth) -> None:
    shown = example()
    batch = Crops([shown], STILL).batch(1, (0, 0))
    expected = (shown.picture.transpose(2, 0, 1).astype(np.float32) - 128) / 40
    assert np.allclose(batch.pictures[0].numpy(), expected, atol=1e-4)
    assert (batch.truth[0, 0].numpy() == (shown.truth & 1)).all()
    assert batch.weight.min() == 1


def test_truth_turns_and_zooms_with_its_picture(smooth) -> None:
    draw = Draw(SIDE, 1.0, 2, zoom=1.3, turns=180, whole=True)
    batch = Crops([example(spot=(28, 30))], draw).batch(16, (0, 1))
    bright = batch.pictures[:, 0] > 1.5
    agree = (bright == (batch.truth[:, 0] > 0)).float().mean(dim=(1, 2))
    assert agree.min() > 0.99
    areas = batch.truth[:, 0].sum(dim=(1, 2))
    assert 15 < float(areas.min()) < float(areas.max()) < 75, "36 pixels, and 1.3 times each way"


def test_beyond_the_photograph_nothing_is_known(smooth) -> None:
    draw = Draw(SIDE, 0.5, 2, zoom=1.0, turns=0, stretch=0, whole=True, shift=0, mirrored=False)
    batch = Crops([example()], draw).batch(1, (0, 0))  # at half detail it fills the middle half
    inside = torch.zeros(SIDE, SIDE)
    inside[16:48, 16:48] = 1
    assert torch.equal(batch.weight[0, 0], inside)


@pytest.mark.parametrize(
    ("truth", "known", "weights"),
    [(0, 3, (1, 1)), (IGNORED, 3, (0, 0)), (ONLY_FIRST, 3, (1, 0)), (0, 1, (1, 0))],
)
def test_what_is_not_known_has_no_weight(truth, known, weights) -> None:
    batch = Crops([example(truth, known)], STILL).batch(1, (0, 0))
    assert tuple(batch.weight[0, :, 0, 0].tolist()) == weights


def test_sought_crops_hold_the_rare_part(smooth) -> None:
    draw = Draw(16, 1.0, 1, zoom=1.0, turns=0, stretch=0, sought=1.0)
    batch = Crops([example()], draw).batch(24, (0, 0))
    assert (batch.truth.sum(dim=(1, 2, 3)) > 0).float().mean() > 0.9


def test_the_same_seed_draws_the_same_crops() -> None:
    crops = Crops([example()], Draw(32, 1.0, 2))
    first, again, other = (crops.batch(4, seed) for seed in ((0, 5), (0, 5), (0, 6)))
    assert torch.equal(first.pictures, again.pictures)
    assert not torch.equal(first.pictures, other.pictures)
