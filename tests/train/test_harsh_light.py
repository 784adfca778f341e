"""Drawn photographs, lit as too strong a flash or light at the rim would light them."""

from dataclasses import replace

import numpy as np
import pytest

from fundoscope.perceive.field import Field, find_field
from fundoscope.phantoms import Phantom, draw_phantom
from fundoscope.train.harsh_light import harshly_lit


@pytest.fixture(scope="module")
def drawn() -> tuple[Phantom, Field, tuple[float, float]]:
    phantom = draw_phantom(5, 512)
    phantom = replace(phantom, photograph=(0.6 * phantom.photograph).astype(np.uint8))
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


def test_red_burns_out_in_some_and_glare_of_the_others_lies_away_from_the_disc(drawn) -> None:
    phantom, field, disc = drawn
    burnt = 0
    angles = []
    for lit in lit_by_name(drawn, 24):
        if np.median(lit[phantom.disc][:, 0]) >= 200:
            burnt += 1
            continue
        change = np.abs(lit.astype(int) - phantom.photograph).sum(axis=2)
        rows, cols = np.nonzero(change > 0.9 * change.max())
        glare = rows.mean() - field.row, cols.mean() - field.col
        to_disc = disc[0] - field.row, disc[1] - field.col
        cosine = np.dot(glare, to_disc) / np.linalg.norm(glare) / np.linalg.norm(to_disc)
        angles.append(np.degrees(np.arccos(cosine)))
    assert burnt >= 12
    assert len(angles) >= 4
    assert min(angles) > 45
