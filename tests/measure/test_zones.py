"""Rings around the disc and the grid around the fovea, against their areas."""

import numpy as np
import pytest

from fundoscope.measure.grid import FIELDS, OUTSIDE, Grid
from fundoscope.measure.zones import whole_field, zone

SHAPE = (400, 400)


def test_a_zone_is_a_ring_of_its_area() -> None:
    for name, area in (("zone_b", 9 - 4), ("zone_c", 25 - 4)):
        ring = zone(name, (199.5, 199.5), 30, SHAPE)
        assert ring.visible.sum() == pytest.approx(np.pi * area * 900, rel=0.005)
        assert ring.share == pytest.approx(1, abs=0.005)


def test_half_a_zone_outside_the_photograph_is_half_visible() -> None:
    ring = zone("zone_b", (-0.5, 199.5), 30, SHAPE)
    assert ring.share == pytest.approx(0.5, abs=0.01)
    assert zone("zone_b", (-300, 199.5), 30, SHAPE).share == 0


def test_what_the_field_of_view_hides_is_not_visible() -> None:
    field = np.zeros(SHAPE, bool)
    field[:, :200] = True
    ring = zone("zone_c", (199.5, 199.5), 30, SHAPE, field)
    assert ring.share == pytest.approx(0.5, abs=0.005)
    assert not ring.cut(np.ones(SHAPE, bool))[:, 155:].any()


def test_a_zone_holds_points_as_it_holds_pixels() -> None:
    ring = zone("zone_b", (199.2, 200.4), 25, SHAPE)
    rows, cols = np.nonzero(ring.cut(np.ones(SHAPE, bool)))
    points = np.column_stack([rows + ring.corner[0], cols + ring.corner[1]])
    assert ring.holds(points).all()
    assert not ring.holds(np.array([[199.2, 200.4], [199.2, 200.4 + 76]])).any()


def test_the_whole_field_holds_all() -> None:
    field = whole_field(SHAPE)
    assert field.visible.all()
    assert field.holds(np.array([[-5.0, 1e6]])).all()


def grid(eye: str | None = "left") -> Grid:
    found = Grid.around((200.0, 200.0), eye, 0.03, None)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_grid_has_its_radii_in_millimetres_or_disc_diameters() -> None:
    assert grid().radii_px == pytest.approx((0.5 / 0.03, 1.5 / 0.03, 3 / 0.03))
    by_disc = Grid.around((0, 0), None, None, 90)
    assert by_disc is not None
    assert by_disc.radii_px == pytest.approx((30, 90, 180))
    assert Grid.around((0, 0), None, None, None) is None


def test_every_field_has_the_area_that_it_should() -> None:
    rows, cols = np.mgrid[:400, :400]
    field = grid().field(np.column_stack([rows.ravel(), cols.ravel()]))
    counts = np.bincount(field[field != OUTSIDE], minlength=9)
    assert counts == pytest.approx(np.array(list(grid().areas_px().values())), rel=0.05)


@pytest.mark.parametrize(("eye", "to_the_right"), [("left", "temporal"), ("right", "nasal")])
def test_the_nose_is_where_the_disc_is(eye: str, to_the_right: str) -> None:
    points = np.array([[200.0, 230.0], [170.0, 200.0], [230.0, 200.0], [200.0, 201.0]])
    found = [FIELDS[i] for i in grid(eye).field(points)]
    assert found == [f"inner_{to_the_right}", "inner_superior", "inner_inferior", "centre"]


def test_beyond_the_grid_there_is_no_field() -> None:
    assert grid().field(np.array([[200.0, 301.0]])).tolist() == [OUTSIDE]


def test_without_the_eye_only_above_and_below_are_known() -> None:
    known = [field for field in FIELDS if grid(None).known(field)]
    assert known == ["centre", "inner_superior", "inner_inferior", "outer_superior",
                     "outer_inferior"]  # fmt: skip
