"""Photographs as they are sent to a model: upright, cropped to the field of view, small, cached."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

import cv2

from fundoscope.perceive.field import Pixels, find_field
from fundoscope.read.photographs import read_pixels

FOLDER = "sent"
"""In the run's folder."""


def sent_photograph(
    file: Path, cache: Path, side_px: int, quality: int, whole: bool = False
) -> Path:
    """Return the JPEG of a photograph as it is sent, made the first time and kept.

    It is decoded upright, cropped to the square round its field of view unless it is to be `whole`,
    and made no larger than `side_px`; the coded file holds pixels only, no EXIF, no name.

    Raises
    ------
    PhotographError
        If the file is no photograph that can be read.
    """
    stat = file.stat()
    way = "whole" if whole else "1"
    about = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{side_px}|{quality}|{way}"
    kept = cache / f"{blake2b(about.encode(), digest_size=16).hexdigest()}.jpg"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(_coded(file, side_px, quality, whole))
        partial.replace(kept)
    return kept


def _coded(file: Path, side_px: int, quality: int, whole: bool) -> bytes:
    pixels = read_pixels(file)
    cut = pixels if whole else _field_of(pixels)
    shrink = side_px / max(cut.shape[:2])
    if shrink < 1:
        size = (max(1, round(cut.shape[1] * shrink)), max(1, round(cut.shape[0] * shrink)))
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(cut, cv2.COLOR_RGB2BGR), options)[1])


def _field_of(pixels: Pixels) -> Pixels:
    """Return the square round the field of view, as far as it lies in the photograph."""
    height, width = pixels.shape[:2]
    top, left, side = find_field(pixels).square()
    return pixels[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
