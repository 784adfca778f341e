import numpy as np
import pytest

from fundoscope.measure.automorph_disc import automorph_group, disc_of, disc_values, ring_around
from fundoscope.measure.mask_folders import Mask, MaskSet

SIDE = 912
Span = tuple[int, int, int, int]
"""First row, first column, last row, last column."""


def _filled(*spans: Span) -> Mask:
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    for top, left, bottom, right in spans:
        mask[top : bottom + 1, left : right + 1] = True
    return mask


def _photograph(rim: tuple[Span, ...], cup: tuple[Span, ...]) -> MaskSet:
    return MaskSet("a", disc=_filled(*rim, *cup), cup=_filled(*cup))


DISC: Span = (400, 420, 500, 540)
CUP: Span = (430, 450, 470, 510)


def test_sizes_are_one_pixel_less_than_the_pixels() -> None:
    disc = disc_of(_photograph((DISC,), (CUP,)))
    assert disc is not None
    assert disc_values(disc, um_per_px=10) == {
        "Disc_height": 1000, "Disc_width": 1200, "Cup_height": 400, "Cup_width": 600,
        "CDR_vertical": 0.4, "CDR_horizontal": 0.5,
    }  # fmt: skip
    assert disc.centre == (450, 480)
    assert disc.radius_px == 60


@pytest.mark.parametrize(
    ("rim", "cup"),
    [
        ((), ()),
        ((DISC,), ()),  # no cup
        ((), (CUP,)),  # no rim
        ((DISC, (10, 10, 20, 20)), (CUP,)),  # a second blob makes it wider than a third
        ((DISC,), ((430, 600, 470, 650),)),  # the cup's middle beside the disc
        ((DISC,), ((400, 450, 500, 510),)),  # the cup as high as the disc
        (((100, 100, 200, 404),), ((130, 150, 170, 210),)),  # 304 wide
    ],
)
def test_a_disc_that_does_not_pass_is_none_and_its_photograph_macular(
    rim: tuple[Span, ...], cup: tuple[Span, ...]
) -> None:
    masks = _photograph(rim, cup)
    assert disc_of(masks) is None
    assert automorph_group(masks) == "macular"


def test_a_disc_just_narrower_than_a_third_passes() -> None:
    masks = _photograph(((100, 100, 200, 403),), ((130, 150, 170, 210),))
    assert disc_of(masks) is not None


@pytest.mark.parametrize(("shift", "group"), [(0, "disc"), (66, "disc"), (68, "macular")])
def test_a_disc_near_the_middle_makes_a_disc_photograph(shift: int, group: str) -> None:
    def moved(span: Span) -> Span:  # centre at (456, 480), then up to 92 columns off: 0.1 of 912
        top, left, bottom, right = span
        return top + 6, left + shift, bottom + 6, right + shift

    assert automorph_group(_photograph((moved(DISC),), (moved(CUP),))) == group


def test_nothing_outlined_is_macular() -> None:
    assert automorph_group(MaskSet("a")) == "macular"


def test_a_ring_leaves_its_inner_circle_out_and_takes_its_outer_in() -> None:
    disc = disc_of(_photograph((DISC,), (CUP,)))
    assert disc is not None
    ring = ring_around(disc, (2, 3))
    row, col = disc.centre
    assert [ring[row, col + d] for d in (0, 120, 121, 180, 181)] == [0, 0, 1, 1, 0]
    assert ring[row + 108, col + 144]  # 180 by Pythagoras
    assert not ring[row + 109, col + 144]
