"""Layers lie where the outlines are, and a photograph that was refused has none."""

from dataclasses import replace

import numpy as np
import pytest

from fundoscope.measure.mask_folders import MaskSet
from fundoscope.serve import layers
from fundoscope.serve.layers import LAYERS, Layer, Path, Ring, layers_of, shown_pixels
from fundoscope.testing.seen_phantoms import seen_phantom


@pytest.fixture(scope="module")
def seen():
    return seen_phantom(11)


@pytest.fixture(scope="module")
def by_name(seen) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers_of(seen)}


def test_a_whole_photograph_has_every_layer_in_order(by_name):
    assert tuple(by_name) == LAYERS


def test_the_vessels_layer_is_coloured_exactly_where_the_mask_is(seen, by_name):
    alpha = np.asarray(by_name["vessels"].picture.convert("RGBA"))[..., 3]
    assert ((alpha > 0) == seen.masks.vessels).all()


def test_arteries_are_red_and_veins_blue(seen, by_name):
    shown = np.asarray(by_name["artery_vein"].picture.convert("RGB")).astype(int)
    only_artery = seen.masks.arteries & ~seen.masks.veins
    only_vein = seen.masks.veins & ~seen.masks.arteries
    assert (shown[only_artery][:, 0] > shown[only_artery][:, 2]).all()
    assert (shown[only_vein][:, 2] > shown[only_vein][:, 0]).all()


def test_the_rings_of_the_zones_are_one_one_and_a_half_and_two_and_a_half_disc_diameters(
    seen, by_name
):
    rows = np.flatnonzero(seen.masks.disc.any(axis=1))
    area_diameter = 2 * np.sqrt(seen.masks.disc.sum() / np.pi)
    radii = sorted(r.radius_px / area_diameter for r in by_name["zones"].shapes)
    assert len(rows) > 20
    assert radii == pytest.approx([1.0, 1.5, 2.5], rel=0.02)


def test_the_fovea_is_a_cross_on_its_place(seen, by_name):
    up_down, _ = by_name["fovea"].shapes
    (top, col), (bottom, same) = up_down.points
    assert ((top + bottom) / 2, col, same) == pytest.approx((*seen.masks.fovea, col))
    assert col == pytest.approx(seen.masks.fovea[1])


def test_the_grid_has_three_rings_round_the_fovea(seen, by_name):
    rings = [s for s in by_name["grid"].shapes if isinstance(s, Ring)]
    assert [ring.centre for ring in rings] == [seen.masks.fovea] * 3
    # 0.5, 1.5 and 3 mm
    assert rings[2].radius_px / rings[0].radius_px == pytest.approx(6)


def test_every_lesion_has_an_outline_of_its_kind(by_name):
    outlines = [s for s in by_name["lesions"].shapes if isinstance(s, Path)]
    kinds = {kind: sum(s.words == kind for s in outlines) for kind in
             ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")}  # fmt: skip
    assert kinds == {"microaneurysm": 5, "haemorrhage": 3, "hard_exudate": 6, "soft_exudate": 0}


def test_a_refused_photograph_has_no_layer():
    assert layers_of(seen_phantom(11, refused=True)) == ()


def test_what_was_not_found_has_no_layer(seen):
    empty = np.zeros_like(seen.masks.vessels)
    nothing = MaskSet("none", vessels=empty, arteries=empty, veins=empty, disc=empty)
    assert layers_of(replace(seen, masks=nothing)) == ()


def test_a_large_photograph_is_shown_smaller_and_its_layer_with_it(seen, monkeypatch):
    monkeypatch.setattr(layers, "LARGEST_PX", 256)
    assert shown_pixels(seen).shape == (256, 256, 3)
    assert layers_of(seen)[0].picture.size == (256, 256)
