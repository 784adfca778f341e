import math

import pytest

from fundoscope.errors import FundoscopeError, ScaleError
from fundoscope.measure.scale import (
    Scale,
    mm_per_degree,
    scale_from_disc,
    scale_from_field_of_view,
    scale_from_user,
)


@pytest.mark.parametrize("mm_per_px", [0, -0.006, math.nan, math.inf])
def test_a_scale_that_is_not_positive_is_refused_with_the_way_out(mm_per_px: float) -> None:
    with pytest.raises(ScaleError, match=f"got {mm_per_px!r}") as caught:
        scale_from_user(mm_per_px)
    assert isinstance(caught.value, FundoscopeError)
    assert "pass the camera's scale" in str(caught.value)


def test_a_scale_says_where_it_comes_from() -> None:
    assert str(scale_from_user(0.006)) == "0.006 mm/px from the user"
    assert scale_from_user(0.006).um_per_px == pytest.approx(6)


def test_a_degree_in_an_eye_of_24_mm_spans_29_hundredths_of_a_millimetre() -> None:
    assert mm_per_degree(24) == pytest.approx(0.01306 * 22.18, rel=1e-3)  # Bennett's own figure


def test_the_field_of_view_gives_millimetres_over_its_pixels() -> None:
    scale = scale_from_field_of_view(degrees_across=45, pixels_across=1000)
    assert scale.mm_per_px == pytest.approx(45 * mm_per_degree() / 1000)
    assert scale.origin == "approximately, from a field of view of 45 degrees over 1000 px"


def test_the_disc_as_ruler_names_what_it_assumes() -> None:
    scale = scale_from_disc(disc_height_px=180)
    assert scale == Scale(0.01, "from the disc, assumed 1.8 mm high")


def test_twice_the_pixels_are_half_as_large() -> None:
    assert scale_from_user(0.006).resized(2).mm_per_px == pytest.approx(0.003)


def test_what_a_scale_is_made_from_must_be_positive_too() -> None:
    with pytest.raises(ScaleError, match="disc_height_px"):
        scale_from_disc(0)
    with pytest.raises(ScaleError, match="pixels_across"):
        scale_from_field_of_view(45, 0)
    with pytest.raises(ScaleError, match="axial_length_mm"):
        mm_per_degree(1.5)
