import numpy as np

from fundoscope.measure.automorph_grid import on_automorph_grid
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.scale import Scale


def test_masks_on_the_grid_are_left_alone() -> None:
    masks = MaskSet("a", vessels=np.zeros((912, 912), dtype=np.bool_))
    assert on_automorph_grid(masks) is masks


def test_a_wide_photograph_is_padded_to_a_square_and_scaled_with_its_scale() -> None:
    disc = np.zeros((20, 40), dtype=np.bool_)
    disc[:10, :10] = True  # upper left quarter of the photograph's height
    masks = on_automorph_grid(MaskSet("a", disc=disc, scale=Scale(0.2, "from the user")))
    assert masks.disc is not None
    assert masks.disc.shape == (912, 912)
    factor = 912 / 40
    assert masks.disc.sum() == (10 * factor) ** 2
    assert np.flatnonzero(masks.disc.any(axis=1))[0] == 10 * factor  # ten rows of padding above
    assert masks.scale == Scale(0.2 / factor, "from the user")


def test_the_square_is_that_around_the_visible_field() -> None:
    field, cup = np.zeros((30, 60), dtype=np.bool_), np.zeros((30, 60), dtype=np.bool_)
    field[5:25, 20:40] = True
    cup[5:15, 20:30] = True
    masks = on_automorph_grid(MaskSet("a", disc=cup, cup=cup, field_of_view=field))
    assert masks.cup is not None
    assert masks.cup[:456, :456].all()
    assert masks.cup.sum() == 456**2


def test_small_pieces_of_vessel_are_dropped() -> None:
    vessels = np.zeros((456, 456), dtype=np.bool_)
    vessels[10, 10:17] = True  # 7 pixels become 28
    vessels[20, 10:18] = True  # 8 become 32
    masks = on_automorph_grid(MaskSet("a", vessels=vessels))
    assert masks.vessels is not None
    assert masks.vessels.sum() == 32
