"""Photographs to try the assistant with: drawn, so that they are nobody's eye."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import cv2

from fundoscope.phantoms import draw_phantom
from fundoscope.records import Eye


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one sample is drawn."""

    seed: int
    eye: Eye
    visit: str = ""
    lesions: Mapping[str, int] = field(default_factory=dict)


SAMPLES: Mapping[str, tuple[Drawn, ...]] = {
    "one": (Drawn(11, "left", lesions={"microaneurysm": 8, "haemorrhage": 6, "hard_exudate": 12}),),
    "pair": (
        Drawn(11, "left", lesions={"microaneurysm": 8, "haemorrhage": 6, "hard_exudate": 12}),
        Drawn(7, "right", lesions={"microaneurysm": 2}),
    ),
    "visits": (
        Drawn(19, "left", "2024", {"microaneurysm": 3}),
        Drawn(19, "left", "2026", {"microaneurysm": 9, "haemorrhage": 6, "hard_exudate": 10}),
    ),
}
"""By name. In the drawn right eye the network finds no disc: what rests on it is unmeasured."""
SIDE_PX = 1000


@cache
def drawn_file(drawn_as: tuple[int, Eye, tuple[tuple[str, int], ...]]) -> bytes:
    """Return a sample as a PNG file, drawn once."""
    seed, eye, lesions = drawn_as
    phantom = draw_phantom(seed, SIDE_PX, dict(lesions), eye=eye)
    done, encoded = cv2.imencode(".png", phantom.photograph[..., ::-1].copy())
    assert done, "cv2 could not encode a drawing"
    return encoded.tobytes()


def sample_files(name: str) -> tuple[tuple[bytes, Eye, str], ...]:
    """Return the photographs of a sample: the file's bytes, the eye, the visit."""
    return tuple(
        (drawn_file((d.seed, d.eye, tuple(sorted(d.lesions.items())))), d.eye, d.visit)
        for d in SAMPLES[name]
    )
