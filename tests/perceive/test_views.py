"""A view knows its field, and gives frames in which it fills the picture."""

import pytest

from fundoscope.perceive.views import View
from fundoscope.phantoms import draw_phantom


@pytest.fixture(scope="module")
def view() -> View:
    return View(draw_phantom(3, 400).photograph)


def test_a_view_has_the_field_that_the_phantom_was_drawn_with(view: View) -> None:
    lit = view.pixels.max(axis=2) > 20
    assert view.shape == (400, 400)
    assert (view.inside & lit).sum() / (view.inside | lit).sum() > 0.95


def test_the_field_fills_a_frame(view: View) -> None:
    frame = view.frame(256)
    assert frame.size_px == 256 and frame.shape == (400, 400)
    assert frame.side == pytest.approx(2 * view.field.radius_px, abs=1)
    inside = frame.cut(view.inside)
    assert inside.any(axis=1).mean() > 0.95 and inside.any(axis=0).mean() > 0.95


def test_light_and_colour_stand_one_behind_the_other(view: View) -> None:
    frame = view.frame(128)
    both = view.lit_and_coloured(frame)
    assert both.shape == (128, 128, 6)
    assert (both[..., :3] == view.lit(frame)).all()
    outside = ~frame.cut(view.inside)
    assert (both[outside] == [128, 128, 128, 0, 0, 0]).all()
