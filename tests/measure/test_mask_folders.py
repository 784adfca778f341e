from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import LabelError, PhotographError, ReadError
from fundoscope.measure.mask_folders import MaskSet, read_mask_folder
from fundoscope.measure.scale import Scale


def _write(file: Path, values: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(file)


def _ours(folder: Path) -> None:
    _write(folder / "vessels" / "a.png", [[0, 255, 255], [0, 0, 255]])
    _write(folder / "artery_vein" / "a.png", [[0, 1, 3], [0, 0, 2]])
    _write(folder / "disc_cup" / "a.png", [[1, 2, 1], [0, 0, 0]])
    _write(folder / "lesions" / "a.png", [[0, 0, 0], [4, 1, 0]])


def test_our_layout_gives_every_mask_of_a_photograph(tmp_path: Path) -> None:
    _ours(tmp_path)
    (masks,) = read_mask_folder(tmp_path)
    assert masks.name == "a"
    assert masks.shape == (2, 3)
    found = {part: mask.astype(int).tolist() for part, mask in masks.parts()}
    assert found == {
        "vessels": [[0, 1, 1], [0, 0, 1]],
        "arteries": [[0, 1, 1], [0, 0, 0]],
        "veins": [[0, 0, 1], [0, 0, 1]],  # code 3 is a crossing: both
        "disc": [[1, 1, 1], [0, 0, 0]],
        "cup": [[0, 1, 0], [0, 0, 0]],
        "microaneurysm": [[0, 0, 0], [0, 1, 0]],
        "haemorrhage": [[0, 0, 0], [0, 0, 0]],
        "hard_exudate": [[0, 0, 0], [0, 0, 0]],
        "soft_exudate": [[0, 0, 0], [1, 0, 0]],
    }
    assert masks.rim is not None
    assert masks.rim.astype(int).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert (masks.fovea, masks.scale, masks.field_of_view) == (None, None, None)


def test_what_nobody_outlined_is_none_and_not_empty(tmp_path: Path) -> None:
    _write(tmp_path / "vessels" / "a.png", [[255]])
    _write(tmp_path / "vessels" / "b.png", [[0]])
    _write(tmp_path / "disc_cup" / "b.png", [[0]])
    a, b = read_mask_folder(tmp_path)
    assert (a.disc, a.rim, a.arteries, dict(a.lesions)) == (None, None, None, {})
    assert b.disc is not None
    assert not b.disc.any()


@pytest.mark.parametrize("name", ["IM.01.jpg", "IM.01", "photographs/IM.01.jpg"])
def test_fovea_and_scale_come_from_the_table(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "vessels" / "IM.01.png", [[255]])
    table = f"photograph,fovea_row,fovea_col,mm_per_px\n{name},5.5,7,0.006\nother.jpg,,,\n"
    (tmp_path / "photographs.csv").write_text(table)
    (masks,) = read_mask_folder(tmp_path)
    assert masks.fovea == (5.5, 7)
    assert masks.scale == Scale(0.006, "from photographs.csv")


@pytest.mark.parametrize(("written", "fovea"), [("5.5;7", (5.5, 7)), ("", None)])
def test_a_fovea_may_stand_in_one_cell(
    tmp_path: Path, written: str, fovea: tuple[float, float] | None
) -> None:
    _write(tmp_path / "vessels" / "a.png", [[255]])
    (tmp_path / "photographs.csv").write_text(f"photograph,fovea\na.jpg,{written}\n")
    (masks,) = read_mask_folder(tmp_path)
    assert masks.fovea == fovea


def test_a_fovea_that_is_no_place_is_refused_by_line(tmp_path: Path) -> None:
    _write(tmp_path / "vessels" / "a.png", [[255]])
    (tmp_path / "photographs.csv").write_text("photograph,fovea\na.jpg,left\n")
    with pytest.raises(LabelError, match="row;col") as caught:
        list(read_mask_folder(tmp_path))
    assert "line 2" in str(caught.value)


def test_masks_of_two_sizes_are_refused_and_both_are_named(tmp_path: Path) -> None:
    _ours(tmp_path)
    _write(tmp_path / "disc_cup" / "a.png", [[0, 1]])
    with pytest.raises(ReadError, match=r"vessels has 3 x 2 pixels, disc has 2 x 1") as caught:
        list(read_mask_folder(tmp_path))
    assert "photograph 'a'" in str(caught.value)


def test_a_code_that_the_layout_does_not_know_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "artery_vein" / "a.png", [[0, 255]])  # drawn, not coded
    with pytest.raises(PhotographError, match="found the code 255, expected 0 to 3"):
        list(read_mask_folder(tmp_path))


def test_photographs_come_one_at_a_time(tmp_path: Path) -> None:
    _write(tmp_path / "vessels" / "a.png", [[255]])
    (tmp_path / "vessels" / "b.png").write_bytes(b"broken")
    stream = read_mask_folder(tmp_path)
    assert next(stream).name == "a"  # b is not looked at before its turn
    with pytest.raises(PhotographError):
        next(stream)


@pytest.mark.parametrize("layout", ["", "vessels", "M2/binary_vessel"])
def test_a_folder_without_masks_is_refused_with_the_known_layouts(
    tmp_path: Path, layout: str
) -> None:
    (tmp_path / layout).mkdir(parents=True, exist_ok=True)
    with pytest.raises(ReadError, match="found") as caught:
        list(read_mask_folder(tmp_path))
    assert "artery_vein/" in str(caught.value)
    assert "AutoMorph's Results" in str(caught.value)


def test_a_missing_folder_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such folder"):
        list(read_mask_folder(tmp_path / "nowhere"))


def _automorph(folder: Path) -> None:
    vessels = np.zeros((912, 912), np.uint8)
    vessels[100, 100:200] = 255
    disc = np.zeros((512, 512, 3), np.uint8)
    disc[100:200, 100:200, 0] = 255  # red: rim
    disc[140:160, 140:160] = (0, 0, 255)  # blue: cup
    _write(folder / "M2" / "binary_vessel" / "binary_process" / "a.png", vessels)
    _write(folder / "M2" / "binary_vessel" / "binary_skeleton" / "a.png", vessels)
    _write(folder / "M2" / "optic_disc_cup" / "resized" / "a.png", disc)
    (folder / "M0").mkdir()
    (folder / "M0" / "crop_info.csv").write_text(
        "Name,centre_w,centre_h,radius,Scale,Scale_resolution\na.png,9,9,9,0.5,14.0\n"
    )


@pytest.mark.parametrize("above", ["", "Results"])
def test_automorphs_layout_comes_on_its_own_grid(tmp_path: Path, above: str) -> None:
    (tmp_path / above).mkdir(exist_ok=True)
    _automorph(tmp_path / above)
    (masks,) = read_mask_folder(tmp_path)
    assert masks.shape == (912, 912)
    assert masks.scale == Scale(0.014, "from AutoMorph's crop_info.csv")
    assert list(masks.automorph_skeletons) == ["all"]
    assert masks.arteries is None
    assert masks.rim is not None and masks.cup is not None
    # output pixel i is input pixel floor(i * 512 / 912): 140 first at 250, 159 last at 284
    assert (np.flatnonzero(masks.cup.any(axis=0))[[0, -1]] == [250, 284]).all()
    assert not (masks.rim & masks.cup).any()


def test_the_real_results_of_automorph_are_read_whole(real_data: Path) -> None:
    (masks,) = read_mask_folder(real_data / "AutoMorph" / "Results")
    parts = [part for part, _ in masks.parts()]
    assert parts[:5] == ["vessels", "arteries", "veins", "disc", "cup"]
    assert len(masks.automorph_skeletons) == 3


def test_a_mask_set_without_masks_has_no_shape() -> None:
    assert MaskSet("a").shape is None


def test_the_field_of_automorphs_photographs_is_the_circle_of_its_crop(real_data: Path) -> None:
    # crop_info.csv alone, without the cropped photographs
    (masks, *_) = read_mask_folder(real_data.parent / "reference" / "automorph_DRIVE" / "masks")
    assert masks.field_of_view is not None
    assert masks.vessels is not None
    assert masks.field_of_view.mean() == pytest.approx(np.pi / 4, rel=1e-3)
    outside = (masks.vessels & ~masks.field_of_view).sum()
    assert outside < 0.001 * masks.vessels.sum()


def test_a_field_that_the_photograph_cuts_off_is_smaller_than_the_circle(tmp_path: Path) -> None:
    _write(tmp_path / "M2" / "binary_vessel" / "binary_process" / "a.png", np.zeros((912, 912)))
    (masks,) = read_mask_folder(tmp_path)
    assert masks.field_of_view is None  # nothing tells of a crop
    photograph = np.full((400, 400, 3), 90)
    photograph[:100] = 0  # AutoMorph's padding above a photograph that ends there
    _write(tmp_path / "M0" / "images" / "a.png", photograph)
    (masks,) = read_mask_folder(tmp_path)
    assert masks.field_of_view is not None
    rows = np.flatnonzero(masks.field_of_view.any(axis=1))
    assert rows[0] == pytest.approx(228, abs=2)
    assert rows[-1] == 911
