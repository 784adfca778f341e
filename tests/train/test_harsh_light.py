"""Drawn photographs, lit as too strong a flash or light at the rim would light them."""

import numpy as np
import pytest

from fundoscope.perceive.field import Field, find_field
from fundoscope.phantoms import Phantom, draw_phantom
from fundoscope.train.harsh_light import harshly_lit


@pytest.fixture(scope="module")
def drawn() -> tuple[Phantom, Field, tuple[float, float]]:
    phantom = draw_phantom(5, 512)
    rows, cols = np.nonzero(phantom.disc)
    return phantom, find_field(phantom.photograph), (float(rows.mean()), float(cols.mean()))


def lit_by_name(drawn, names: int) -> list[np.ndarray]:
    phantom, field, disc = drawn
    return [harshly_lit(phantom.photograph, field, disc, f"eye_{k}") for k in range(names)]


def test_a_name_always_brings_the_same_light(drawn) -> None:
    assert np.array_equal(lit_by_name(drawn, 1)[0], lit_by_name(drawn, 1)[0])


def test_all_are_brighter_somewhere_and_none_outside_the_eye(drawn) -> None:
    photograph, field = drawn[0].photograph, drawn[1]
    rows, cols = np.ogrid[:512, :512]
    outside = np.hypot(rows - field.row, cols - field.col) > field.radius_px + 4
    for lit in lit_by_name(drawn, 12):
        assert lit.max(axis=2).mean() > photograph.max(axis=2).mean()
        assert lit[outside].max() < 40


def test_red_burns_out_in_some_and_the_disc_keeps_its_looks_in_the_others(drawn) -> None:
    photograph, disc = drawn[0].photograph, drawn[0].disc
    burnt = spared = 0
    for lit in lit_by_name(drawn, 24):
        change = np.abs(lit.astype(int) - photograph)[disc].mean()
        if np.median(lit[disc][:, 0]) >= 230 and change > 20:
            burnt += 1
        elif change < 20:
            spared += 1
    assert burnt >= 12
    assert burnt + spared == 24
