"""Lesions moved from the photographs they were outlined in to photographs of healthy eyes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_REACH_SHARE = 1 / 80
"""Deviation of the neighbourhood that a lesion is compared with, of the picture's width."""
_MARGIN_SHARE = 1 / 200
"""How far beyond its outline a lesion is moved, of the picture's width."""
_HARD_EXUDATE = 4
_PLAQUES = 0.3
"""Share of the photographs with hard exudates that give them enlarged."""
_PLAQUE_SHARES = (0.02, 0.09)
"""Half the width of a plaque, of the picture's."""
_LEAST_SHARE = 0.003
"""Half the width of an exudate that can be enlarged, of the picture's."""
_DARK = 20
"""Grey level below which nothing of the eye is seen."""


@dataclass(frozen=True, eq=False)
class Framed:
    """A photograph in its frame."""

    picture: Bytes
    """Shape (N, N, 3)."""
    inside: npt.NDArray[np.bool_]
    """Where the eye is seen, shape (N, N)."""
    bits: Bytes
    """Bit k: the k-th kind of lesion is here, shape (N, N)."""
    brightness: float | None = None
    """What its lesions are made to be brighter by than where they are moved to, in green, as a
    share; None: by what they were."""


def transplanted(
    donors: Sequence[Framed], healthy: Sequence[Framed], number: int, seed: int = 0
) -> Iterator[Framed]:
    """Yield healthy photographs that carry the lesions of one or two others.

    What is moved is what the lesion differs from its surroundings by, as a share of their
    brightness, so that it takes on the light of where it comes to lie. Now and then hard exudates
    alone are moved, much enlarged: plaques are rare in the sets, and look like discs.

    Parameters
    ----------
    donors, healthy : frames of one size
    number : of photographs made; the healthy ones take turns
    """
    for k in range(number):
        chance = np.random.default_rng((seed, k))
        host = healthy[k % len(healthy)]
        for donor in chance.choice(len(donors), int(chance.integers(1, 3)), replace=False):
            host = _carrying(host, _turned(donors[donor], chance), chance)
        yield host


def _turned(framed: Framed, chance: np.random.Generator) -> Framed:
    """Return the photograph turned, mirrored half of the time, and a plaque made of some."""
    side = framed.bits.shape[0]
    middle, zoom = np.array([(side - 1) / 2, (side - 1) / 2]), chance.uniform(0.9, 1.1)
    centre = middle
    exudates = (framed.bits & _HARD_EXUDATE).astype(np.uint8)
    deep = cv2.distanceTransform(exudates, cv2.DIST_L2, 3)
    if deep.max() > _LEAST_SHARE * side and chance.random() < _PLAQUES:
        centre = np.array(np.unravel_index(deep.argmax(), deep.shape))
        zoom = np.clip(chance.uniform(*_PLAQUE_SHARES) * side / deep.max(), 1.2, 14)
        framed = Framed(framed.picture, framed.inside, exudates, chance.uniform(0.4, 1.2))
    window = cv2.getRotationMatrix2D(centre[::-1].tolist(), chance.uniform(0, 360), zoom)
    if zoom > 1.1:  # from where it was to anywhere in the middle half
        window[:, 2] += middle + chance.uniform(-side / 4, side / 4, 2) - centre[::-1]
    if chance.random() < 0.5:
        window = window @ np.array([[-1.0, 0, side - 1], [0, 1, 0], [0, 0, 1]])

    def warped(layer: Bytes, how: int) -> Bytes:
        return np.asarray(cv2.warpAffine(layer, window, (side, side), flags=how), np.uint8)

    return Framed(
        warped(framed.picture, cv2.INTER_LINEAR),
        warped(framed.inside.astype(np.uint8), cv2.INTER_NEAREST) > 0,
        warped(framed.bits, cv2.INTER_NEAREST),
        framed.brightness,
    )


def _carrying(host: Framed, donor: Framed, chance: np.random.Generator) -> Framed:
    side = host.bits.shape[0]
    margin = 2 * max(1, round(_MARGIN_SHARE * side)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin))
    seen = host.inside & donor.inside
    bits = np.where(seen, donor.bits, 0).astype(np.uint8)
    near = (cv2.dilate((bits > 0).astype(np.uint8), kernel) > 0) & seen
    around = donor.inside & ~(cv2.dilate((donor.bits > 0).astype(np.uint8), kernel) > 0)
    share = donor.picture / np.maximum(_local_mean(donor.picture, around), 4) - 1
    share[donor.picture.max(axis=2) < _DARK] = 0  # beyond the edge of the field
    amount = cv2.GaussianBlur(near.astype(np.float32), (0, 0), margin / 4)
    amount *= np.float32(chance.uniform(0.75, 1.1))
    if donor.brightness is not None and bits.any():
        amount *= np.float32(donor.brightness / max(share[..., 1][bits > 0].mean(), 0.05))
    light = _local_mean(host.picture, host.inside)
    picture = host.picture + amount[..., None] * share * light
    return Framed(
        np.clip(picture, 0, 255).astype(np.uint8), host.inside, (host.bits | bits).astype(np.uint8)
    )


def _local_mean(picture: Bytes, where: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean over a neighbourhood of each pixel, of what counts there.

    Where nothing counts nearby, within a wide lesion, a wider neighbourhood is taken.
    """
    side = picture.shape[1]
    size = (side // 8, side // 8)
    weight = where.astype(np.float32)
    total = cv2.resize(picture * weight[..., None], size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    mean = np.broadcast_to(total.sum(axis=(0, 1)) / max(1.0, float(weight.sum())), total.shape)
    for widening in (9, 3, 1):
        reach = widening * _REACH_SHARE * size[0]
        counted = cv2.GaussianBlur(weight, (0, 0), reach)[..., None]
        local = cv2.GaussianBlur(total, (0, 0), reach) / np.maximum(counted, 1e-3)
        trust = np.clip(10 * counted, 0, 1)
        mean = trust * local + (1 - trust) * mean
    whole: Floats = cv2.resize(mean.astype(np.float32), (side, side))
    return whole
