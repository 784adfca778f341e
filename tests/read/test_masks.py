"""Boxes of outlined lesions: few, exact, and nothing lost from the count."""

import time
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fundoscope.errors import PhotographError
from fundoscope.read.masks import (
    MOST_GROUPED,
    REACH,
    _components,
    _few,
    lesion_boxes,
    mask_box,
    read_coded_mask,
    read_mask,
)
from fundoscope.records import Box, Lesion, LesionTotal

Mask = npt.NDArray[np.bool_]
masks = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def drawn(text: str) -> Mask:
    return np.array([[cell == "#" for cell in line] for line in text.split()])


def boxed(mask: Mask, max_boxes: int = 10) -> tuple[tuple[Lesion, ...], LesionTotal]:
    return lesion_boxes(mask, "microaneurysm", "drawn", max_boxes)


def spots(places: list[tuple[int, int, int]], side: int = 100) -> Mask:
    """Squares of a given side at (row, col)."""
    mask = np.zeros((side, side), bool)
    for row, col, size in places:
        mask[row : row + size, col : col + size] = True
    return mask


def test_a_box_holds_its_last_row_and_column() -> None:
    mask = drawn("""........
                    ..##....
                    ..#.....
                    ........""")
    (lesion,), total = boxed(mask)
    assert lesion == Lesion("microaneurysm", (0.25, 0.25, 0.5, 0.75), 3 / 32, "drawn", count=1)
    assert total == LesionTotal("microaneurysm", 1, 3 / 32, "drawn", unboxed=0)


def test_a_lesion_in_the_corner_reaches_one() -> None:
    (lesion,), _ = boxed(drawn("... ..# .##"))
    assert lesion.box == (0.3333, 0.3333, 1.0, 1.0)


def test_pixels_that_touch_at_a_corner_are_one_lesion() -> None:
    assert boxed(drawn("#.. .#. ..#"))[1].count == 1
    assert boxed(drawn("#.. ... ..#"))[1].count == 2


def test_an_empty_mask_is_a_real_zero() -> None:
    assert boxed(np.zeros((4, 4), bool)) == ((), LesionTotal("microaneurysm", 0, 0.0, "drawn"))


def test_as_many_lesions_as_boxes_are_not_merged() -> None:
    mask = spots([(10, 10, 2), (10, 13, 2), (50, 50, 2)])
    assert [lesion.count for lesion in boxed(mask, 3)[0]] == [1, 1, 1]


def test_one_too_many_merges_the_nearest_two_and_no_more() -> None:
    mask = spots([(10, 10, 2), (10, 14, 2), (50, 50, 3), (80, 20, 3)])
    lesions, total = boxed(mask, 3)
    merged = Lesion("microaneurysm", (0.1, 0.1, 0.16, 0.12), 8 / 10_000, "drawn", count=2)
    assert merged in lesions and [lesion.count for lesion in lesions] == [1, 1, 2]
    assert (total.count, total.unboxed) == (4, 0)


def test_merging_stops_as_soon_as_the_boxes_are_few_enough() -> None:
    lesions, _ = boxed(spots([(10, 10, 2), (10, 13, 2), (10, 17, 2), (10, 22, 2)]), 3)
    assert sorted(lesion.count for lesion in lesions) == [1, 1, 2]


def test_far_lesions_are_not_merged_but_the_tiniest_has_no_box() -> None:
    lesions, total = boxed(spots([(0, 0, 5), (0, 90, 4), (90, 0, 3), (90, 90, 2)]), 3)
    assert [round(lesion.area_fraction * 10_000) for lesion in lesions] == [25, 16, 9]
    assert (total.count, total.unboxed, total.area_fraction) == (4, 1, 54 / 10_000)


def test_a_chain_of_lesions_does_not_end_in_one_long_box() -> None:
    chain = spots([(50, col, 2) for col in range(0, 100, 4)])
    for lesion in boxed(chain, 2)[0]:
        assert lesion.box[2] - lesion.box[0] <= REACH


def test_equals_are_taken_from_the_top_then_from_the_left() -> None:
    lesions, _ = boxed(spots([(90, 0, 2), (0, 90, 2), (0, 0, 2), (90, 90, 2)]), 3)
    assert [lesion.box[:2] for lesion in lesions] == [(0.0, 0.0), (0.9, 0.0), (0.0, 0.9)]


@given(masks, st.integers(0, 4))
def test_counts_and_areas_add_up(mask: Mask, max_boxes: int) -> None:
    lesions, total = boxed(mask, max_boxes)
    assert len(lesions) <= max_boxes
    assert sum(lesion.count for lesion in lesions) + total.unboxed == total.count
    assert total.area_fraction == pytest.approx(mask.mean())
    assert sum(lesion.area_fraction for lesion in lesions) <= total.area_fraction + 1e-12
    if not total.unboxed:
        assert sum(x.area_fraction for x in lesions) == pytest.approx(total.area_fraction)


@given(masks, st.integers(1, 4))
def test_every_box_holds_the_area_that_it_claims(mask: Mask, max_boxes: int) -> None:
    height, width = mask.shape
    for lesion in boxed(mask, max_boxes)[0]:
        left, right = round(lesion.box[0] * width), round(lesion.box[2] * width)
        top, bottom = round(lesion.box[1] * height), round(lesion.box[3] * height)
        inside = mask[top:bottom, left:right].sum() / mask.size
        assert 0 < lesion.area_fraction <= inside + 1e-12


def mirrored(box: Box) -> Box:
    return round(1 - box[2], 4), box[1], round(1 - box[0], 4), box[3]


@given(masks)
def test_a_mirrored_mask_has_mirrored_boxes(mask: Mask) -> None:
    plain, total = boxed(mask, 1000)
    turned, other = boxed(mask[:, ::-1], 1000)
    assert total == other
    expected = sorted((mirrored(x.box), x.area_fraction) for x in plain)
    for (box, area), (other_box, other_area) in zip(
        expected, sorted((x.box, x.area_fraction) for x in turned), strict=True
    ):
        assert box == pytest.approx(other_box, abs=2e-4) and area == other_area


GOLOMB = [0, 1, 6, 10, 23, 26, 34, 41, 53, 55]  # no two differences are equal
SHAPES = [(1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8)]  # areas 1 to 64: no equal sums


@given(st.permutations(GOLOMB), st.permutations(SHAPES), st.integers(1, 6))
def test_merging_is_mirrored_where_nothing_is_equal(
    marks: list[int], shapes: list[tuple[int, int]], max_boxes: int
) -> None:
    mask = np.zeros((100, 600), bool)
    for mark, (rows, cols) in zip(marks, shapes, strict=False):
        mask[40 : 40 + rows, 10 * mark : 10 * mark + cols] = True
    plain, turned = boxed(mask, max_boxes)[0], boxed(mask[:, ::-1], max_boxes)[0]
    for lesion, other in zip(plain, turned, strict=True):
        assert other.box == pytest.approx(mirrored(lesion.box), abs=2e-4)
        assert (other.count, other.area_fraction) == (lesion.count, lesion.area_fraction)


@given(masks, st.integers(1, 4), st.randoms())
def test_the_order_of_the_components_does_not_matter(
    mask: Mask, max_boxes: int, random: Random
) -> None:
    components = _components(mask)
    shuffled = random.sample(components, len(components))
    assert _few(components, max_boxes, 6) == _few(shuffled, max_boxes, 6)


def test_noise_of_thousands_of_specks_is_counted_in_full() -> None:
    mask = np.zeros((400, 400), bool)
    mask[::4, ::4] = True  # 10,000 specks of one pixel
    lesions, total = boxed(mask, 300)
    boxed_specks = sum(lesion.count for lesion in lesions)
    assert (total.count, boxed_specks, total.unboxed) == (10_000, MOST_GROUPED, 8_500)


def test_more_outlined_pixels_than_sixteen_bits_hold_are_counted_in_full() -> None:
    mask = np.zeros((600, 600), bool)
    mask[::2, ::2] = True  # 90,000 specks
    assert boxed(mask, 0)[1].count == 90_000


@pytest.mark.parametrize("mask", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), bool)])
def test_a_mask_that_is_not_bool_and_flat_is_refused(mask: Mask) -> None:
    with pytest.raises(ValueError, match="bool"):
        boxed(mask)


def test_three_hundred_lesions_of_a_full_photograph_take_no_time() -> None:
    rng = np.random.default_rng(7)
    mask = np.zeros((2848, 4288), bool)
    for row, col in rng.integers(0, (2840, 4280), (300, 2)):
        mask[row : row + 6, col : col + 6] = True
    boxed(mask)
    started = time.perf_counter()
    boxed(mask)
    assert time.perf_counter() - started < 0.5  # 0.05 s on an idle machine


def test_the_box_of_a_whole_mask() -> None:
    assert mask_box(drawn(".... .#.. ..#. ....")) == (0.25, 0.25, 0.75, 0.75)
    assert mask_box(np.zeros((2, 2), bool)) is None


# --- reading


def lay(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


CODES = np.array([[0, 1, 2], [0, 0, 5]], np.uint8)


def test_codes_of_grey_and_palette_masks_are_read_as_they_are(tmp_path: Path) -> None:
    palette = Image.fromarray(CODES, mode=None).convert("P")
    palette.putdata(CODES.ravel().tolist())
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 9, 9, 9, 8, 8, 8, 7, 7, 7])
    for name, image in (("grey.png", Image.fromarray(CODES)), ("palette.tif", palette)):
        assert read_coded_mask(lay(tmp_path / name, image)).tolist() == CODES.tolist()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA"])
def test_what_is_not_black_is_outlined_whatever_its_alpha(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 255], [0, 0]], np.uint8))
    path = lay(tmp_path / "mask.png", grey.convert(mode))
    assert read_mask(path).tolist() == [[False, True], [False, False]]


def test_a_red_palette_of_index_one_is_outlined(tmp_path: Path) -> None:
    red = Image.new("P", (2, 1))
    red.putpalette([0, 0, 0, 255, 0, 0])
    red.putpixel((1, 0), 1)
    assert read_mask(lay(tmp_path / "IDRiD_01_MA.tif", red)).tolist() == [[False, True]]


def test_the_ringing_of_a_jpeg_is_not_outlined(tmp_path: Path) -> None:
    square = np.zeros((64, 64), np.uint8)
    square[19:45, 19:45] = 255
    path = lay(tmp_path / "mask.jpg", Image.fromarray(square))
    assert (np.asarray(Image.open(path)) > 0).sum() > 26 * 26  # the trap
    assert (read_mask(path) == (square > 0)).all()


def test_a_coded_jpeg_is_refused_for_its_pixels_are_no_codes(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="cannot be a JPEG"):
        read_coded_mask(lay(tmp_path / "mask.jpg", Image.fromarray(CODES)))


def test_a_mask_of_another_resolution_fits_and_of_another_aspect_does_not(tmp_path: Path) -> None:
    photograph = lay(tmp_path / "IDRiD_01.jpg", Image.new("RGB", (4288, 2848)))
    half = lay(tmp_path / "half.png", Image.new("L", (2144, 1424)))
    square = lay(tmp_path / "square.png", Image.new("L", (1024, 1024)))
    assert read_mask(half, photograph).shape == (1424, 2144)
    with pytest.raises(PhotographError) as error:
        read_mask(square, photograph)
    for said in ("1024 x 1024", "4288 x 2848", "square.png", "IDRiD_01.jpg", "mend"):
        assert said in str(error.value)


def test_a_mask_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_text("no")
    with pytest.raises(PhotographError, match="not a whole image"):
        read_mask(tmp_path / "mask.png")
