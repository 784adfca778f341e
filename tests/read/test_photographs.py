"""Photographs are found by name without guessing, and looked at without trust."""

import hashlib
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fundoscope.errors import PhotographError
from fundoscope.read import photographs
from fundoscope.read.bit_depth import bit_depth, eight_bits
from fundoscope.read.photographs import (
    NEAR_DUPLICATE_BITS,
    PhotographIndex,
    hash_distance_bits,
    left_unmatched,
    look,
    photograph_size,
    read_pixels,
)


def put(folder: Path, *names: str) -> PhotographIndex:
    """Lay empty files down; the index never opens one."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return PhotographIndex(folder)


def found(index: PhotographIndex, name: str, split: str = "") -> str | None:
    path = index.find(name, split)
    return index.relative(path) if path else None


def retina(seed: int, side: int = 400) -> npt.NDArray[np.uint8]:
    """A lit disc with smooth random blots, another for each seed."""
    rng = np.random.default_rng(seed)
    blots = Image.fromarray(rng.integers(40, 220, (14, 14), dtype=np.uint8))
    green = np.asarray(blots.resize((side, side), Image.Resampling.BICUBIC))
    ys, xs = np.mgrid[:side, :side] - side / 2
    pixels = np.stack([np.full_like(green, 180), green, green // 3], axis=2)
    pixels[np.hypot(ys, xs) > side * 0.48] = 0
    return pixels


def saved(path: Path, pixels: npt.NDArray[np.uint8], **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


# --- the index


@pytest.mark.parametrize("name", ["10_left", "10_left.jpeg", "10_left.png", "10_LEFT.JPG"])
def test_a_name_finds_its_photograph_whatever_the_suffix_and_case(
    tmp_path: Path, name: str
) -> None:
    assert found(put(tmp_path, "sample/10_left.png"), name) == "sample/10_left.png"


def test_a_dot_in_an_id_is_no_suffix(tmp_path: Path) -> None:
    index = put(tmp_path, "eye.1.png", "eye.png")
    assert found(index, "eye.1") == "eye.1.png"


def test_upper_and_lower_case_are_told_apart_where_both_are_there(tmp_path: Path) -> None:
    index = put(tmp_path, "a/IM1.JPG", "b/im1.jpg")
    assert found(index, "im1") == "b/im1.jpg"
    assert found(index, "IM1") == "a/IM1.JPG"


def test_a_name_without_photograph_finds_nothing(tmp_path: Path) -> None:
    assert found(put(tmp_path, "10_left.png"), "10_right") is None


@pytest.mark.parametrize(
    "train, val, test",
    [
        ("a. Training Set", "b. Validation Set", "c. Testing Set"),
        ("Training_Set/Training", "Evaluation_Set/Validation", "Test_Set/Test"),
        ("train_images", "val_images", "test_images"),
        ("a.", "b.", "c."),
    ],
)
def test_a_name_in_three_splits_is_found_by_split(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    index = put(tmp_path, *(f"set/{folder}/1.png" for folder in (train, val, test)))
    assert found(index, "1", "train") == f"set/{train}/1.png"
    assert found(index, "1", "val") == f"set/{val}/1.png"
    assert found(index, "1", "test") == f"set/{test}/1.png"


def test_b_is_the_testing_set_where_its_folder_says_so(tmp_path: Path) -> None:
    index = put(tmp_path, "a. Training Set/IDRiD_001.jpg", "b. Testing Set/IDRiD_001.jpg")
    assert found(index, "IDRiD_001", "test") == "b. Testing Set/IDRiD_001.jpg"
    assert found(index, "IDRiD_001", "val") is None


def test_a_photograph_of_another_split_is_never_taken(tmp_path: Path) -> None:
    # validation labels beside training photographs: ids restart, so 1.png is another eye
    index = put(tmp_path, "Training_Set/1.png")
    assert found(index, "1", "val") is None
    assert index.unmatched() == [tmp_path / "Training_Set/1.png"]


@pytest.mark.parametrize("own", ["Training_Set", "train", "a. Training Set", "Training/images"])
def test_the_folder_itself_speaks_of_its_split(tmp_path: Path, own: str) -> None:
    put(tmp_path / own, "1.png")
    index = PhotographIndex(tmp_path / own)
    assert found(index, "1", "val") is None
    assert found(index, "1", "train") == "1.png"


def test_a_folder_that_only_begins_with_test_speaks_of_no_split(tmp_path: Path) -> None:
    put(tmp_path / "test_of_my_camera", "1.png")
    assert found(PhotographIndex(tmp_path / "test_of_my_camera"), "1", "train") == "1.png"


def test_two_photographs_of_one_name_are_an_error_that_lists_both(tmp_path: Path) -> None:
    index = put(tmp_path, "full/10_left.jpeg", "cropped/10_left.jpeg")
    with pytest.raises(PhotographError) as error:
        index.find("10_left")
    assert "cropped/10_left.jpeg, full/10_left.jpeg" in error.value.what
    assert "narrower" in error.value.mend


def test_the_exact_suffix_decides_between_two_copies(tmp_path: Path) -> None:
    assert found(put(tmp_path, "a.png", "a.jpg"), "a.jpg") == "a.jpg"


def test_folders_in_a_name_must_agree(tmp_path: Path) -> None:
    index = put(tmp_path, "train/1.png", "val/1.png", "train/2.png")
    assert found(index, "val/1.png") == "val/1.png"
    assert found(index, "val\\1.png") == "val/1.png"
    assert found(index, "val/2.png") is None
    assert found(index, "../../etc/2.png") is None


def test_masks_and_hidden_files_are_no_photographs(tmp_path: Path) -> None:
    index = put(
        tmp_path,
        "images/1.jpg",
        "images/._1.jpg",
        ".cache/1.jpg",
        "__MACOSX/images/1.jpg",
        "lesions/1.png",
        "Masks/1.png",
        "2. Vessels/1.png",
        "2. All Segmentation Groundtruths/a. Training Set/1.tif",
        "Ground_Truths/1.tif",
        "labels.csv",
    )
    assert len(index) == 1
    assert found(index, "1") == "images/1.jpg"


def test_the_folder_that_is_asked_for_is_read_even_if_it_is_called_masks(tmp_path: Path) -> None:
    put(tmp_path / "masks", "1.png")
    assert found(PhotographIndex(tmp_path / "masks"), "1") == "1.png"


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    put(tmp_path, "images/1.jpg")
    (tmp_path / "images" / "again").symlink_to(tmp_path)
    assert len(PhotographIndex(tmp_path)) == 1


def test_what_was_never_found_is_reported_in_order(tmp_path: Path) -> None:
    index = put(tmp_path, "c.png", "b/a.png", "a.jpg", "d.png")
    index.find("d")
    assert [left.name for left in left_unmatched(index)] == ["a.jpg", "b/a.png", "c.png"]
    assert {left.what for left in left_unmatched(index)} == {"photograph without label"}


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="not there"):
        PhotographIndex(tmp_path / "nowhere")


# --- looking


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".ppm"])
def test_a_look_tells_size_and_hash_of_the_bytes(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"eye{suffix}", retina(1)[:300])
    seen = look(path)
    assert (seen.width_px, seen.height_px) == (400, 300) == photograph_size(path)
    assert seen.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 0 < seen.perceptual_hash < 2**256


def test_a_quarter_turn_in_exif_swaps_the_sides_and_turns_the_retina_back(tmp_path: Path) -> None:
    upright = look(saved(tmp_path / "upright.jpg", retina(1)[:300]))
    lying = Image.fromarray(np.rot90(retina(1)[:300]).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to see it"
    lying.save(tmp_path / "lying.jpg", exif=exif)
    seen = look(tmp_path / "lying.jpg")
    assert (seen.width_px, seen.height_px) == (400, 300)
    assert hash_distance_bits(seen.perceptual_hash, upright.perceptual_hash) <= NEAR_DUPLICATE_BITS


def test_copies_are_near_and_other_retinas_are_far(tmp_path: Path) -> None:
    original = Image.fromarray(retina(1))
    bordered = Image.new("RGB", (480, 480))
    bordered.paste(original, (40, 40))
    copies = {
        "soft.jpg": (original, {"quality": 50}),
        "small.jpg": (original.resize((280, 280)), {"quality": 90}),
        "border.jpg": (bordered, {"quality": 90}),
        "grey.png": (original.getchannel("G"), {}),
    }
    first = look(saved(tmp_path / "original.png", retina(1))).perceptual_hash
    for name, (copy, options) in copies.items():
        copy.save(tmp_path / name, **options)
        distance = hash_distance_bits(first, look(tmp_path / name).perceptual_hash)
        assert distance <= NEAR_DUPLICATE_BITS, name
    for seed in range(2, 12):
        other = look(saved(tmp_path / "other.png", retina(seed))).perceptual_hash
        assert hash_distance_bits(first, other) > 2 * NEAR_DUPLICATE_BITS


def test_sixteen_bit_grey_looks_like_its_eight_bit_copy(tmp_path: Path) -> None:
    grey = retina(3)[:, :, 1]
    eight = look(saved(tmp_path / "eight.png", grey)).perceptual_hash
    sixteen = look(saved(tmp_path / "sixteen.png", grey.astype(np.uint16) * 257)).perceptual_hash
    assert hash_distance_bits(eight, sixteen) == 0


def test_a_black_photograph_has_a_size_all_the_same(tmp_path: Path) -> None:
    seen = look(saved(tmp_path / "black.png", np.zeros((20, 30, 3), np.uint8)))
    assert (seen.width_px, seen.height_px) == (30, 20)


def test_distance_counts_differing_bits() -> None:
    assert hash_distance_bits(0b1011, 0b0010) == 2


@pytest.mark.parametrize("options", [{"format": "JPEG"}, {"format": "PNG"}, {"format": "TIFF"}])
def test_a_truncated_photograph_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    whole = io.BytesIO()
    Image.fromarray(retina(1)).save(whole, **options)
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(PhotographError, match="not a whole image") as error:
        look(tmp_path / "cut.jpg")
    assert str(tmp_path / "cut.jpg") in str(error.value) and error.value.mend


@pytest.mark.parametrize("form", ["png", "tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_photograph_of_two_bytes_a_colour_is_refused(
    tmp_path: Path, form: str, share: float
) -> None:
    assert cv2.imwrite(f"{tmp_path}/eye.{form}", retina(1).astype(np.uint16) * 257)
    whole = (tmp_path / f"eye.{form}").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PhotographError, match="not a whole image"):
        read_pixels(tmp_path / "cut")


def test_an_empty_file_a_text_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    for name, what in (("empty.jpg", "empty"), ("page.jpg", "not a whole"), ("no.jpg", "no such")):
        with pytest.raises(PhotographError, match=what):
            look(tmp_path / name)


@pytest.mark.parametrize("side", [12_000, 60_000])  # 144 million, and 3,600 million pixels
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(PhotographError, match="too large"):
        look(tmp_path / "bomb.png")


def test_one_hundred_million_pixels_are_looked_at_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "wide.png")
    assert photograph_size(tmp_path / "wide.png") == (10_000, 10_000)


def test_one_eye_filed_under_two_patients_of_odir_is_a_near_duplicate(real_data: Path) -> None:
    folder = real_data / "ODIR5K" / "images"
    first, again, other = (
        look(folder / name).perceptual_hash
        for name in ("1043_left.jpg", "321_left.jpg", "1013_right.jpg")
    )
    assert hash_distance_bits(first, again) <= NEAR_DUPLICATE_BITS
    assert hash_distance_bits(first, other) > 2 * NEAR_DUPLICATE_BITS


def test_no_two_other_photographs_of_a_hundred_are_near(real_data: Path) -> None:
    files = sorted((real_data / "ODIR5K" / "images").iterdir())[100:200]
    hashes = [look(file).perceptual_hash for file in files]
    pairs = [(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(hash_distance_bits(a, b) for a, b in pairs) > NEAR_DUPLICATE_BITS


# --- pixels


def slope(height: int = 24, width: int = 36) -> npt.NDArray[np.uint8]:
    """Colours that differ at every corner, smooth, so that a JPEG keeps them."""
    ys, xs = np.mgrid[:height, :width]
    return np.stack([250 - 5 * ys, 6 * xs, 40 + 2 * ys + xs], axis=2).astype(np.uint8)


def apart(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    assert one.shape == other.shape and one.dtype == np.uint8
    return float(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm"])
def test_pixels_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"eye{suffix}", slope())
    assert (read_pixels(path) == slope()).all()
    path.rename(tmp_path / "eye.jpg")  # known by its content
    assert (read_pixels(tmp_path / "eye.jpg") == slope()).all()


def test_grey_is_repeated(tmp_path: Path) -> None:
    grey = slope()[..., 1]
    assert (read_pixels(saved(tmp_path / "eye.png", grey)) == grey[:, :, None]).all()


def test_a_jpeg_of_inks_has_the_colours_that_it_was_made_of(tmp_path: Path) -> None:
    Image.fromarray(slope()).convert("CMYK").save(tmp_path / "inks.jpg", quality=98)
    file = (tmp_path / "inks.jpg").read_bytes()
    assert b"Adobe" in file  # inks are stored upside down
    assert apart(read_pixels(tmp_path / "inks.jpg"), slope()) <= 8


def test_a_jpeg_of_luminance_and_black_has_its_colours_too(tmp_path: Path) -> None:
    # inks are upside down, and luminance is of their reverse: R = 1 - C, says libjpeg
    luminance = np.asarray(Image.fromarray(255 - slope()).convert("YCbCr"))
    black = np.full((*luminance.shape[:2], 1), 255, np.uint8)  # upside down: no black ink
    inks = Image.fromarray(255 - np.concatenate([luminance, black], axis=2), "CMYK")
    inks.save(tmp_path / "plain.jpg", quality=98)
    file = (tmp_path / "plain.jpg").read_bytes()
    at = file.index(b"Adobe")
    assert file[at + 11] == 0
    (tmp_path / "ycck.jpg").write_bytes(file[: at + 11] + b"\x02" + file[at + 12 :])
    assert apart(read_pixels(tmp_path / "ycck.jpg"), slope()) <= 10


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_transparent_is_black(tmp_path: Path, suffix: str, depth: int) -> None:
    opaque = np.full((24, 36, 1), 255, np.uint8)
    opaque[:, 18:] = 0
    pixels = np.concatenate([slope(), opaque], axis=2)
    if depth == 16:
        deep = pixels[..., [2, 1, 0, 3]].astype(np.uint16) * 257
        assert cv2.imwrite(str(tmp_path / f"eye{suffix}"), deep)
    else:
        saved(tmp_path / f"eye{suffix}", pixels)
    got = read_pixels(tmp_path / f"eye{suffix}")
    assert apart(got[:, :18], slope()[:, :18]) <= 1
    assert (got[:, 18:] == 0).all()


def test_a_palette_with_a_transparent_colour_is_read(tmp_path: Path) -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([200, 30, 10, 9, 8, 7])
    image.putpixel((3, 1), 1)
    image.save(tmp_path / "eye.png", transparency=1)
    got = read_pixels(tmp_path / "eye.png")
    assert got[0, 0].tolist() == [200, 30, 10]
    assert got[1, 3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_samples_of_two_bytes_are_as_bright_as_they_were_taken(
    tmp_path: Path, suffix: str, grey: bool, bits: int
) -> None:
    share = slope(100, 100)[:40, :40] / 255  # the brightest at 0.98
    deep = np.rint(share * (2**bits - 1)).astype(np.uint16)
    path = tmp_path / f"eye{suffix}"
    assert cv2.imwrite(str(path), deep[..., 0] if grey else deep[..., ::-1])
    wanted = np.repeat(share[..., :1], 3, axis=2) if grey else share
    assert apart(read_pixels(path), np.rint(wanted * 255).astype(np.uint8)) <= 1


def test_a_burnt_in_mark_does_not_darken_a_twelve_bit_photograph(tmp_path: Path) -> None:
    deep = np.full((100, 100), 2048, np.uint16)
    deep[0, :8] = 65535
    assert cv2.imwrite(str(tmp_path / "eye.png"), deep)
    got = read_pixels(tmp_path / "eye.png")[..., 0]
    assert got[50, 50] == 128 and got[0, 0] == 255


@given(st.integers(0, 65535), st.sampled_from([8, 10, 12, 14, 16]))
def test_the_depth_holds_the_sample_and_the_next_smaller_one_does_not(
    value: int, most: int
) -> None:
    bits = bit_depth(np.array([value]))
    assert value < 2**bits and (bits == 8 or value >= 2 ** (bits - 2))
    assert bit_depth(np.array([value]), most) == min(bits, most)


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=40))
def test_scaling_keeps_the_order_of_samples(values: list[int]) -> None:
    scaled = eight_bits(np.sort(np.array(values)))
    assert (np.diff(scaled.astype(int)) >= 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "TIFF lzw", "PNG 16", "TIFF 16"])
def test_every_orientation_is_turned_upright(tmp_path: Path, form: str, orientation: int) -> None:
    upright = slope()
    # how a camera stores what is to be turned so: rows and columns as EXIF 2.3 draws them
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    path = tmp_path / "eye"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    if form == "PNG 16":
        assert cv2.imwrite(f"{path}.png", stored[..., ::-1].astype(np.uint16) * 257)
        file = Path(f"{path}.png").read_bytes()
        body = exif.tobytes().removeprefix(b"Exif\0\0")
        check = struct.pack(">I", zlib.crc32(b"eXIf" + body))
        head = file[:33]  # signature and IHDR
        path.write_bytes(head + struct.pack(">I", len(body)) + b"eXIf" + body + check + file[33:])
    elif form == "TIFF 16":
        assert cv2.imwrite(f"{path}.tif", stored[..., ::-1].astype(np.uint16) * 257)
        path.write_bytes(with_orientation(Path(f"{path}.tif").read_bytes(), orientation))
    else:
        name, _, packing = form.partition(" ")
        options = {"JPEG": {"quality": 98}, "TIFF": {"compression": "tiff_lzw"} if packing else {}}
        image.save(path, name, exif=exif, **options.get(name, {}))
    assert photograph_size(path) == (36, 24)
    assert apart(read_pixels(path), upright) <= (6 if form == "JPEG" else 0)


def with_orientation(file: bytes, orientation: int) -> bytes:
    """A little-endian TIFF whose directory gains, or changes, its orientation."""
    assert file[:4] == b"II*\0"
    at = int.from_bytes(file[4:8], "little")
    count = int.from_bytes(file[at : at + 2], "little")
    entries = [file[at + 2 + 12 * i : at + 14 + 12 * i] for i in range(count)]
    entries = [e for e in entries if int.from_bytes(e[:2], "little") != 274]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    start = len(file) + len(file) % 2
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return file[:4] + struct.pack("<I", start) + file[8:].ljust(start - 8, b"\0") + directory


# --- several pictures in one file


def test_pages_of_equal_standing_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(slope()), Image.fromarray(255 - slope())]
    pages[0].save(tmp_path / "eyes.tif", save_all=True, append_images=pages[1:])
    for read in (read_pixels, look):
        with pytest.raises(PhotographError, match="several pictures") as error:
            read(tmp_path / "eyes.tif")
        assert "file of its own" in error.value.mend


def test_smaller_pages_behind_the_first_are_thumbnails(tmp_path: Path) -> None:
    small = Image.fromarray(slope()).resize((9, 6))
    Image.fromarray(slope()).save(tmp_path / "eye.tif", save_all=True, append_images=[small])
    assert (read_pixels(tmp_path / "eye.tif") == slope()).all()
    small.save(tmp_path / "eye.tif", save_all=True, append_images=[Image.fromarray(slope())])
    with pytest.raises(PhotographError, match="several pictures"):
        read_pixels(tmp_path / "eye.tif")


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(slope()), Image.fromarray(255 - slope())]
    frames[0].save(tmp_path / "eye.png", save_all=True, append_images=frames[1:])
    with pytest.raises(PhotographError, match="several pictures"):
        read_pixels(tmp_path / "eye.png")
    frames[0].save(tmp_path / "eye.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(PhotographError, match="not a whole image"):
        read_pixels(tmp_path / "eye.gif")


def test_of_a_telephones_jpeg_the_first_picture_is_read(tmp_path: Path) -> None:
    first, second = Image.fromarray(slope()), Image.fromarray(255 - slope())
    first.save(tmp_path / "eye.jpg", "MPO", save_all=True, append_images=[second], quality=98)
    assert apart(read_pixels(tmp_path / "eye.jpg"), slope()) <= 6


# --- what is refused


@pytest.mark.parametrize("values", [np.float32(0.5), np.int32(70_000), np.int32(-3)])
def test_samples_without_a_white_are_refused(tmp_path: Path, values: np.generic) -> None:
    path = saved(tmp_path / "eye.tif", np.full((8, 8), values))
    with pytest.raises(PhotographError, match="what white is") as error:
        read_pixels(path)
    assert str(path) in str(error.value) and error.value.mend


@pytest.mark.parametrize("form", ["png", "tif", "bmp", "jpg", "ppm"])
@pytest.mark.parametrize("depth", [8, 16])
def test_the_limit_holds_on_every_way_in(
    tmp_path: Path, form: str, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = depth == 16 and form in ("png", "tif")
    assert cv2.imwrite(f"{tmp_path}/eye.{form}", slope().astype(np.uint16 if deep else np.uint8))
    monkeypatch.setattr(photographs, "PIXEL_LIMIT", 24 * 36 - 1)
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is decoded
    monkeypatch.setattr(cv2, "imdecode", None)
    for read in (read_pixels, look, photograph_size):
        with pytest.raises(PhotographError, match="too large"):
            read(tmp_path / f"eye.{form}")


def test_whatever_is_changed_in_a_file_is_an_error_of_ours_or_a_photograph(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(slope()).save(tmp_path / "eye.jpg", exif=exif)
    Image.fromarray(slope()).save(tmp_path / "eye.png", exif=exif)
    Image.fromarray(slope()).save(tmp_path / "eye.tif", exif=exif)
    assert cv2.imwrite(f"{tmp_path}/deep.png", slope().astype(np.uint16) * 257)
    assert cv2.imwrite(f"{tmp_path}/deep.tif", slope().astype(np.uint16) * 257)
    for path in sorted(tmp_path.iterdir()):
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(20):
            bad = whole.copy()
            at = rng.integers(0, len(bad) if rng.random() < 0.3 else min(len(bad), 400), 3)
            bad[at] = rng.integers(0, 256, 3)
            path.write_bytes(bad.tobytes())
            try:
                assert read_pixels(path).ndim == 3
            except PhotographError as error:
                assert error.mend
