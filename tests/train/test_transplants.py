"""A lesion that is moved shows where it is said to be, and nowhere else."""

import numpy as np
import pytest

pytest.importorskip("torch")

from fundoscope.train import transplants
from fundoscope.train.transplants import Framed, transplanted

SIDE = 256


def eye(level: int, spot_level: int | None = None, half: int = 5) -> Framed:
    """A flat disc of light, with one square lesion of hard exudate."""
    rows, cols = np.indices((SIDE, SIDE))
    inside = np.hypot(rows - SIDE / 2, cols - SIDE / 2) < SIDE * 0.45
    picture = np.where(inside, level, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    bits = np.zeros((SIDE, SIDE), np.uint8)
    if spot_level is not None:
        picture[80 - half : 80 + half, 150 - half : 150 + half] = spot_level
        bits[80 - half : 80 + half, 150 - half : 150 + half] = 4
    return Framed(picture, inside, bits)


@pytest.fixture
def no_plaques(monkeypatch):
    monkeypatch.setattr(transplants, "_PLAQUES", 0.0)


def donors(spot_level: int) -> list[Framed]:
    return [eye(100, spot_level), eye(100, spot_level)]


@pytest.mark.parametrize(("level", "expected"), [(100, 150), (60, 90)])
def test_a_lesion_takes_on_the_light_of_where_it_lies(no_plaques, level, expected) -> None:
    for made in transplanted(donors(150), [eye(level)], 6):
        there = made.picture[made.bits > 0][:, 1].astype(float)
        assert np.median(there) == pytest.approx(expected, rel=0.25)


def test_away_from_the_lesion_the_photograph_stays(no_plaques) -> None:
    host = eye(100)
    for made in transplanted(donors(150), [host], 6):
        rows, cols = np.nonzero(made.bits)
        far = np.ones((SIDE, SIDE), bool)
        for row, col in zip(rows, cols, strict=True):
            far[max(0, row - 12) : row + 13, max(0, col - 12) : col + 13] = False
        assert np.abs(made.picture[far].astype(int) - host.picture[far]).max() <= 1


def test_nothing_is_said_to_lie_outside_the_eye() -> None:
    for made in transplanted(donors(180), [eye(100)], 12):
        assert not made.bits[~made.inside].any()


def test_a_plaque_is_large_and_bright(monkeypatch) -> None:
    monkeypatch.setattr(transplants, "_PLAQUES", 1.0)
    made = list(transplanted(donors(150), [eye(100)], 12))
    areas = [int((m.bits > 0).sum()) for m in made]
    assert max(areas) > 10 * 100, "the lesion that was given has 100 pixels"
    shown = [m for m in made if (m.bits > 0).sum() > 200]
    assert all(np.median(m.picture[m.bits > 0][:, 1]) > 120 for m in shown)
