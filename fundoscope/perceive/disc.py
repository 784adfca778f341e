"""Optic disc, cup and fovea: found in the whole field, then the disc outlined close by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.field import Mask
from fundoscope.perceive.frames import Frame, frame_round
from fundoscope.perceive.runtime import model, standardised
from fundoscope.perceive.vessels import glimpse_vessels
from fundoscope.perceive.views import View

Probability = npt.NDArray[np.float32]

CLOSE_DISCS = 3.2
"""Side of the close frame, disc diameters."""
_DISC_OF_FIELD = 1 / 7
"""A disc's usual width, of a 45 degree field: where the outline in the field is too ragged."""

DISC_DEGREES = 7.0
FOVEA_DEGREES = 16.0
_BELIEVED = (10.0, 80.0)
"""Widths of a field, degrees, outside which what was found is no disc or no fovea."""
_AGREE = 1.4
"""Ratio of two estimates of a field's width up to which both are believed."""

_MIDDLE = 0.4
"""Standard deviation of what counts as the middle of a close frame, of half its side."""
_RIVAL_SHARE = 0.4
"""Weight of a piece, of the heaviest, from which it may be the disc as well."""
_CROP_SHARES = (0.03, 0.6)
"""What a disc covers of a crop that was made round it."""
_ROUND_CROP = 1.5
"""Side of the first look, of a crop's: discs of close crops are larger than any learned from."""
_SURE_OF_DISC = 0.9
"""Mean probability over an outlined disc from which it is one. Of some 220 discs looked at, those
rightly outlined had 0.914 or more; a plaque, two reflexes and one ragged outline 0.892 or less."""
_CUP_EDGES = (0.3, 0.7)
_CUP_AGREED = 0.93
"""Dice of the cups at these two probabilities from which the cup's edge counts as sure."""
_CUP_MOST = 0.84
"""Share of the disc's area beyond which no outlined cup reached: what fills a disc is none."""
_DISC_BREADTHS = (0.65, 1.4)
"""Width of a disc, of its height, outside which it is something else."""
_UNSEEN_MOST = 0.02
"""Share of a disc beyond the field's edge from which it is cut, and its cup with it."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where disc and fovea lie in the photograph; None where they were not found."""

    disc: tuple[float, float] | None
    """(row, col) of the centre, pixels of the photograph."""
    disc_across_px: float
    """Rough diameter, from the whole field."""
    disc_certainty: float
    """Highest probability, 0 to 1."""
    fovea: tuple[float, float] | None
    fovea_certainty: float


@dataclass(frozen=True, eq=False)
class DiscCup:
    """Outlines in the photograph's own pixels, shape (H, W); the cup lies in the disc.

    A cup without a pixel is one that could not be told: the network was not sure of its edge, it
    filled the disc, or the disc is cut by the edge of the field or has not the shape of one.
    """

    disc: Mask
    cup: Mask
    disc_probability: Probability
    cup_probability: Probability

    @property
    def vertical_ratio(self) -> float | None:
        """Height of the cup, of the disc's; None where the cup was not told."""
        disc, cup = (np.flatnonzero(mask.any(axis=1)) for mask in (self.disc, self.cup))
        return float(np.ptp(cup) + 1) / float(np.ptp(disc) + 1) if len(cup) else None


def round_across(mask: Mask) -> float:
    """Return the diameter of the circle as large as a mask, pixels."""
    return 2 * math.sqrt(float(mask.sum()) / math.pi)


def find_places(view: View) -> Places:
    """Return where the disc and the fovea are.

    Where two places look like a disc, such as a plaque of exudate, the one with vessels is it.
    """
    network = model("places")
    frame = view.frame(network.manifest["input"]["field_px"])
    said = network.outlines(view.lit_and_coloured(frame), frame.cut(view.inside))
    thresholds = network.manifest["thresholds"]

    def vessels() -> Probability:
        share: Probability = frame.cut(glimpse_vessels(view).astype(np.float32))
        return share

    disc, across, disc_certainty = disc_place(said[0], thresholds["disc"], vessels)
    # half: the place is right long before the outline of a spot without an edge is
    fovea, fovea_certainty = _peak(said[1], thresholds["fovea"] / 2)
    return Places(
        disc=frame.point_back(*disc) if disc else None,
        disc_across_px=across / frame.scale,
        disc_certainty=disc_certainty,
        fovea=frame.point_back(*fovea) if fovea else None,
        fovea_certainty=fovea_certainty,
    )


def field_degrees(view: View, places: Places, disc_cup: DiscCup | None) -> float | None:
    """Return how wide the field of view is, degrees, by the eye in it; None where nothing tells.

    A disc is about `DISC_DEGREES` wide and lies `FOVEA_DEGREES` from the fovea. Where both tell,
    their geometric mean is taken, unless they contradict each other: then the disc's outline
    is trusted, since a spot is taken for a fovea more often than for a disc.
    """
    across = 2 * view.field.radius_px
    told = []
    if disc_cup is not None:
        told.append(DISC_DEGREES * across / round_across(disc_cup.disc))
    if places.disc and places.fovea:
        told.append(FOVEA_DEGREES * across / math.dist(places.disc, places.fovea))
    told = [degrees for degrees in told if _BELIEVED[0] <= degrees <= _BELIEVED[1]]
    if len(told) == 2 and max(told) <= _AGREE * min(told):
        return math.sqrt(told[0] * told[1])
    return told[0] if told else None


def outline_disc(view: View, places: Places) -> DiscCup | None:
    """Return the outlines of disc and cup; None where no disc was found.

    A picture without a dark border may be a crop made round the disc: then it is looked at whole.
    """
    if view.field.whole_frame:
        height, width = view.shape
        crop = _outlined(view, (height / 2, width / 2), _ROUND_CROP * max(height, width))
        if crop and _CROP_SHARES[0] <= crop.disc.mean() <= _CROP_SHARES[1]:
            return crop
    if places.disc is None:
        return None
    return _outlined(view, places.disc, CLOSE_DISCS * places.disc_across_px)


def _outlined(view: View, centre: tuple[float, float], side: float) -> DiscCup | None:
    first = _looked(view, centre, side)
    # whatever size the field gave the disc, at the second look it has that of those learned from
    second = first and _looked(view, *_round_disc(*first[:2]))
    if second is None:
        return None
    frame, disc, said = second
    if said[0][disc].mean() < _SURE_OF_DISC:
        return None
    manifest = model("disc_cup").manifest
    lowest = manifest["thresholds"]["cup"]
    sure = cup_is_sure(said[1], disc, frame.cut(view.inside), lowest)
    told = manifest["tells_cup"] and sure
    cup = _one_round_piece((said[1] >= lowest) & disc) if told else None
    return _back(frame, disc, np.zeros_like(disc) if cup is None else cup & disc, said)


def _looked(
    view: View, centre: tuple[float, float], side: float
) -> tuple[Frame, Mask, Probability] | None:
    network = model("disc_cup")
    frame = frame_round(centre, side, view.shape, network.manifest["input"]["frame_px"])
    said = network.run(standardised(close_picture(frame.cut(view.pixels))))[0][0]
    disc = _one_round_piece(said[0] >= network.manifest["thresholds"]["disc"])
    return None if disc is None else (frame, disc, said)


def _round_disc(frame: Frame, disc: Mask) -> tuple[tuple[float, float], float]:
    rows, cols = np.nonzero(disc)
    across = float(max(np.ptp(rows), np.ptp(cols)) + 1) / frame.scale
    return frame.point_back(float(rows.mean()), float(cols.mean())), CLOSE_DISCS * across


def cup_is_sure(cup: Probability, disc: Mask, inside: Mask, lowest: float) -> bool:
    """Return whether a cup is there, its edge hardly moves with the threshold, in a whole disc.

    Parameters
    ----------
    cup : shape (N, N)
    disc : shape (N, N), not empty
    inside : shape (N, N); where the eye is seen
    lowest : probability from which a pixel counts as cup
    """
    wide, narrow = ((cup >= edge) & disc for edge in _CUP_EDGES)
    agreed = 2 * int(narrow.sum()) >= _CUP_AGREED * int(wide.sum() + narrow.sum())
    rim = float((cup >= lowest)[disc].mean()) <= _CUP_MOST
    height, width = (float(np.ptp(places) + 1) for places in np.nonzero(disc))
    round_enough = _DISC_BREADTHS[0] <= width / height <= _DISC_BREADTHS[1]
    unseen = float((~inside)[disc].mean())
    return bool(narrow.any() and agreed and rim and round_enough and unseen <= _UNSEEN_MOST)


def close_picture(cut: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a close frame with the contrast of each colour made one about its middle.

    The middle weighs most: over the whole frame a bright disc is so small a share that its own
    shades, and with them the cup, came out too bright to be told apart.
    """
    values = cut.astype(np.float32)
    away = np.linspace(-1, 1, cut.shape[0], dtype=np.float32) / _MIDDLE
    weight = np.exp(-(away[:, None] ** 2 + away**2) / 2) * (values.max(axis=2) > 12)
    weight = (weight / max(float(weight.sum()), 1e-6))[..., None]
    middle = (weight * values).sum(axis=(0, 1))
    deviation = np.sqrt((weight * (values - middle) ** 2).sum(axis=(0, 1)))
    return np.clip(128 + 40 * (values - middle) / np.maximum(deviation, 4), 0, 255).astype(np.uint8)


def _back(frame: Frame, disc: Mask, cup: Mask, said: Probability) -> DiscCup:
    layers = np.dstack([disc.astype(np.float32), cup.astype(np.float32), said[0], said[1]])
    own = frame.back(layers)
    whole = own[..., 0] >= 0.5
    return DiscCup(whole, whole & (own[..., 1] >= 0.5), own[..., 2], own[..., 3])


def disc_place(
    probability: Probability,
    threshold: float,
    vessels: Callable[[], Probability] | None = None,
) -> tuple[tuple[float, float] | None, float, float]:
    """Return centre, diameter and certainty of the likeliest piece, in pixels of the frame.

    Parameters
    ----------
    probability : shape (N, N)
    threshold : below it there is none
    vessels : looks for the share of vessels in each pixel, shape (N, N); asked only in doubt
    """
    certainty = float(probability.max())
    usual = _DISC_OF_FIELD * probability.shape[1]
    if certainty < threshold:
        return None, usual, certainty
    count, labels = cv2.connectedComponents((probability >= threshold / 2).astype(np.uint8))
    piece = labels == _likeliest(labels, count, probability, vessels)
    rows, cols = np.nonzero(piece)
    shares = probability[rows, cols]
    across = round_across(piece)
    centre = (float(np.average(rows, weights=shares)), float(np.average(cols, weights=shares)))
    return centre, float(np.clip(across, 0.35 * usual, 2.2 * usual)), certainty


def _likeliest(
    labels: npt.NDArray[np.int32],
    count: int,
    probability: Probability,
    vessels: Callable[[], Probability] | None,
) -> int:
    """Return the label of the heaviest piece; where others are nearly as heavy, vessels decide."""
    weight = np.bincount(labels.ravel(), probability.ravel(), count)
    weight[0] = 0
    rivals = weight >= _RIVAL_SHARE * weight.max()
    if vessels is not None and rivals.sum() > 1:
        covered = np.bincount(labels.ravel(), vessels().ravel(), count) / np.bincount(
            labels.ravel()
        )
        weight = np.where(rivals, covered + 0.05 * weight / weight.max(), 0)
    return int(weight.argmax())


def _peak(probability: Probability, threshold: float) -> tuple[tuple[float, float] | None, float]:
    """Return the weighted middle round the highest point, and its certainty."""
    soft = cv2.GaussianBlur(probability, (0, 0), 2)
    row, col = np.unravel_index(int(soft.argmax()), soft.shape)
    certainty = float(soft[row, col])
    if certainty < threshold:
        return None, certainty
    reach = max(3, probability.shape[0] // 24)
    top, left = max(0, int(row) - reach), max(0, int(col) - reach)
    window = soft[top : int(row) + reach + 1, left : int(col) + reach + 1]
    rows, cols = np.indices(window.shape)
    return (
        (
            top + float(np.average(rows, weights=window)),
            left + float(np.average(cols, weights=window)),
        ),
        certainty,
    )


def _one_round_piece(mask: Mask) -> Mask | None:
    """Return the largest piece, its bays filled to its convex hull; None where there is none."""
    pieces, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pieces = [piece for piece in pieces if cv2.contourArea(piece) >= 12]
    if not pieces:
        return None
    hull = cv2.convexHull(max(pieces, key=cv2.contourArea))
    out = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(out, hull, 1)
    return out > 0
