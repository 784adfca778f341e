"""Microaneurysms, haemorrhages, hard and soft exudates: probabilities and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fundoscope.perceive.disc import round_across
from fundoscope.perceive.field import Mask
from fundoscope.perceive.runtime import model
from fundoscope.perceive.views import View

LESION_KINDS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
_MARGIN_OF_DISC = 0.15
"""How far round the disc nothing bright is called an exudate, of its diameter."""


@dataclass(frozen=True, eq=False)
class Lesions:
    """What was found of each kind, in the photograph's own pixels, shape (H, W)."""

    masks: Mapping[str, Mask]
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    certainty: Mapping[str, float]
    """Of the surest piece of each kind, 0 to 1: how sure it is that any is there."""

    def evidence(self, inside: Mask) -> npt.NDArray[np.float32]:
        """Return what is seen of each kind as one vector, for conditions to be told by.

        Parameters
        ----------
        inside : bool array, shape (H, W)
            Where the eye is seen.

        Returns
        -------
        float32 array, shape (12,)
            Of the kinds in order: four certainties; four logarithms of one plus the share of the
            eye, in ten-thousandths; four logarithms of one plus the number of pieces.
        """
        masks = [self.masks[kind] for kind in LESION_KINDS]
        shares = [1e4 * mask.sum() / max(1, inside.sum()) for mask in masks]
        pieces = [cv2.connectedComponents(mask.astype(np.uint8))[0] - 1 for mask in masks]
        certainties = [self.certainty[kind] for kind in LESION_KINDS]
        return np.array([*certainties, *np.log1p(shares), *np.log1p(pieces)], np.float32)


def find_lesions(view: View, disc: Mask | None = None) -> Lesions:
    """Return the lesions of a photograph.

    Parameters
    ----------
    view : View
    disc : bool array, shape (H, W), optional
        Nothing on the optic disc is called an exudate.
    """
    network = model("lesions")
    frame = view.frame(network.manifest["input"]["field_px"])
    said = network.outlines(view.lit_and_coloured(frame), frame.cut(view.inside))
    if disc is not None and disc.any():
        said[2:] *= ~_grown(frame.cut(disc))
    own = frame.back(np.ascontiguousarray(said.transpose(1, 2, 0)))
    thresholds, least_px = network.manifest["thresholds"], network.manifest["least_px"]
    masks, certainty = {}, {}
    for layer, kind in enumerate(LESION_KINDS):
        kept = _large_enough(said[layer] >= thresholds[kind], least_px[kind])
        near = frame.back(cv2.dilate(kept.astype(np.float32), np.ones((3, 3), np.uint8))) > 0
        masks[kind] = near & (own[..., layer] >= thresholds[kind])
        certainty[kind] = _surest(said[layer])
    probabilities = {kind: own[..., layer] for layer, kind in enumerate(LESION_KINDS)}
    return Lesions(masks, probabilities, certainty)


def _surest(probability: npt.NDArray[np.float32]) -> float:
    """Return the highest mean over 3 x 3 pixels."""
    return float(cv2.blur(probability, (3, 3)).max())


def _large_enough(mask: Mask, least_px: int) -> Mask:
    count, labels, rows, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = rows[:, cv2.CC_STAT_AREA] >= least_px
    large[0] = False
    kept: Mask = large[labels] if count > 1 else np.zeros_like(mask)
    return kept


def _grown(disc: Mask) -> Mask:
    reach = max(1, round(_MARGIN_OF_DISC * round_across(disc)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown: Mask = cv2.dilate(disc.astype(np.uint8), kernel) > 0
    return grown
