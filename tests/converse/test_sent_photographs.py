"""Photographs as they are sent."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fundoscope.converse.sent_photographs import sent_photograph
from fundoscope.errors import PhotographError


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A bright disc of radius 280 at (300, 500) in a black frame of 600 x 1000, with EXIF."""
    pixels = np.zeros((600, 1000, 3), np.uint8)
    cv2.circle(pixels, (500, 300), 280, (190, 90, 40), -1)
    exif = Image.Exif()
    exif[0x9286] = "patient Somebody"  # UserComment
    file = tmp_path / "eye.jpg"
    Image.fromarray(pixels).save(file, quality=95, exif=exif)
    return file


def test_it_is_cropped_to_its_field_and_made_small(photograph: Path, tmp_path: Path) -> None:
    sent = sent_photograph(photograph, tmp_path / "sent", 128, 85)
    with Image.open(sent) as image:
        assert image.format == "JPEG"
        assert image.size == (128, 128)
        pixels = np.asarray(image)
    assert pixels[64, 64, 0] > 170  # the middle of the disc
    assert pixels[64, 3, 0] > 100  # its edge touches the frame
    assert pixels[2, 2].max() < 20  # the corner lies outside


def test_it_is_never_made_larger(photograph: Path, tmp_path: Path) -> None:
    with Image.open(sent_photograph(photograph, tmp_path / "sent", 2000, 85)) as image:
        assert abs(image.size[0] - 560) <= 4


def test_nothing_of_its_file_goes_along(photograph: Path, tmp_path: Path) -> None:
    assert b"Somebody" in photograph.read_bytes()
    assert b"Somebody" not in sent_photograph(photograph, tmp_path / "sent", 128, 85).read_bytes()


def test_it_is_made_once_and_anew_when_file_or_size_change(
    photograph: Path, tmp_path: Path
) -> None:
    first = sent_photograph(photograph, tmp_path / "sent", 128, 85)
    written = first.stat().st_mtime_ns
    assert sent_photograph(photograph, tmp_path / "sent", 128, 85) == first
    assert first.stat().st_mtime_ns == written
    assert sent_photograph(photograph, tmp_path / "sent", 256, 85) != first
    photograph.write_bytes(photograph.read_bytes() + b"\0")
    assert sent_photograph(photograph, tmp_path / "sent", 128, 85) != first


def test_what_is_no_photograph_is_never_sent(tmp_path: Path) -> None:
    file = tmp_path / "eye.jpg"
    file.write_text("<html>not found</html>")
    with pytest.raises(PhotographError):
        sent_photograph(file, tmp_path / "sent", 128, 85)
    assert not list((tmp_path / "sent").glob("*"))
