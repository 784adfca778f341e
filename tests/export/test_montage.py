"""A montage shows each photograph in its place, with its boxes and what is said of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.export.montage import (
    CAPTION_PX,
    COLOURS,
    LEGEND_PX,
    MARGIN_PX,
    PAPER,
    TILE_PX,
    draw_montage,
)
from fundoscope.records import Box, Grade, Lesion, Photograph, Record, Structure
from fundoscope.terms import term

GREY = (90, 90, 90)


def record(name: str = "a", *lesions: Lesion, grades: tuple[Grade, ...] = ()) -> Record:
    photograph = Photograph("drawn", "all", name, f"{name}.png")
    return Record(photograph, lesions=lesions, grades=grades)


def lesion(kind: str, box: Box = (0.25, 0.25, 0.75, 0.75)) -> Lesion:
    return Lesion(kind, box, 0.1, "hand")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Plain grey photographs: a and c square, b twice as wide as high."""
    for name, size in (("a", (100, 100)), ("b", (200, 100)), ("c", (64, 64))):
        Image.new("RGB", size, GREY).save(tmp_path / f"{name}.png")
    return tmp_path


def drawn(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def test_four_records_in_three_columns_take_two_lines(folder: Path) -> None:
    out = draw_montage([record(), record("b"), record("c"), record()], folder, folder / "m.png")
    high, wide, _ = drawn(out).shape
    assert wide == 3 * TILE_PX + 4 * MARGIN_PX
    assert high == 2 * (TILE_PX + CAPTION_PX) + 3 * MARGIN_PX  # no boxes, no legend
    assert out == folder / "m.png"


def test_one_record_is_as_wide_as_one_column(folder: Path) -> None:
    pixels = drawn(draw_montage([record()], folder, folder / "m.png"))
    assert pixels.shape[1] == TILE_PX + 2 * MARGIN_PX
    middle = MARGIN_PX + TILE_PX // 2
    assert tuple(pixels[middle, middle]) == GREY


def test_a_box_is_drawn_around_its_place_in_the_colour_of_its_kind(folder: Path) -> None:
    one = record("a", lesion("haemorrhage"))
    pixels = drawn(draw_montage([one], folder, folder / "m.png"))
    tile = pixels[MARGIN_PX : MARGIN_PX + TILE_PX, MARGIN_PX : MARGIN_PX + TILE_PX]
    rows, cols = np.nonzero((tile == COLOURS["haemorrhage"]).all(axis=2))
    quarter = TILE_PX // 4
    for found in (rows, cols):
        assert found.min() == pytest.approx(quarter, abs=4) and found.min() <= quarter
        assert found.max() == pytest.approx(3 * quarter, abs=4) and found.max() >= 3 * quarter
    assert tuple(tile[TILE_PX // 2, TILE_PX // 2]) == GREY  # the lesion itself stays visible


def test_boxes_of_a_wide_photograph_are_scaled_with_it(folder: Path) -> None:
    one = record("b", lesion("haemorrhage", (0.0, 0.0, 1.0, 1.0)))
    pixels = drawn(draw_montage([one], folder, folder / "m.png"))
    tile = pixels[MARGIN_PX : MARGIN_PX + TILE_PX, MARGIN_PX : MARGIN_PX + TILE_PX]
    rows, _ = np.nonzero((tile == COLOURS["haemorrhage"]).all(axis=2))
    assert (rows.min(), rows.max()) == (
        pytest.approx(TILE_PX / 4, abs=4),
        pytest.approx(TILE_PX * 3 / 4, abs=4),
    )


def test_kinds_have_colours_of_their_own_and_names() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert all(term(kind).en for kind in COLOURS)


def test_the_legend_names_what_is_drawn_and_no_more(folder: Path) -> None:
    one = record("a", lesion("haemorrhage"))
    disc = Record(one.photograph, structures=(Structure("optic_disc", (0, 0, 0.1, 0.1), "hand"),))
    pixels = drawn(draw_montage([one, disc], folder, folder / "m.png"))
    legend = pixels[-LEGEND_PX:]
    seen = {kind for kind, colour in COLOURS.items() if (legend == colour).all(axis=2).any()}
    assert seen == {"haemorrhage", "optic_disc"}


def test_a_long_legend_goes_on_below(folder: Path) -> None:
    everything = record("a", *(lesion(kind) for kind in COLOURS if kind != "optic_disc"))
    pixels = drawn(draw_montage([everything], folder, folder / "m.png"))
    assert (pixels[:, -MARGIN_PX // 2 :] == PAPER).all()  # nothing is cut at the right


def test_a_caption_says_id_and_grade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(
        "PIL.ImageDraw.ImageDraw.text", lambda self, at, text, *_, **__: said.append(text)
    )
    grades = (Grade("icdr", 2, "hand"), Grade("eyeq", 1, "hand"), Grade("messidor_dr", 3, "hand"))
    draw_montage([record("a", grades=grades)], folder, folder / "m.png")
    assert said == ["a", "ICDR 2; quality usable; Messidor 3"]


def test_a_caption_too_long_is_cut_within_its_tile(folder: Path) -> None:
    name = "w" * 90
    Image.new("RGB", (60, 60), GREY).save(folder / f"{name}.png")
    pixels = drawn(draw_montage([record(name)], folder, folder / "m.png"))
    assert (pixels[:, -MARGIN_PX:] == PAPER).all()


def test_grey_photographs_are_shown_too(folder: Path) -> None:
    Image.new("L", (50, 50), 120).save(folder / "g.png")
    draw_montage([record("g")], folder, folder / "m.png")


def test_no_records_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError):
        draw_montage([], folder, folder / "m.png")


def test_a_record_of_labels_only_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(ConfigError, match="drawn/all/a has no photograph"):
        draw_montage([Record(Photograph("drawn", "all", "a"))], folder, folder / "m.png")


def test_a_broken_photograph_is_named_and_nothing_is_written(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(PhotographError) as caught:
        draw_montage([record()], folder, folder / "m.png")
    assert str(folder / "a.png") in str(caught.value)
    assert not (folder / "m.png").exists()
