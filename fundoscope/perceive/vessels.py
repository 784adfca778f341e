"""Vessels, arteries and veins: probabilities, and masks that keep one kind along a vessel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import remove_small_objects, skeletonize

from fundoscope.perceive.field import Mask
from fundoscope.perceive.frames import Frame
from fundoscope.perceive.runtime import model
from fundoscope.perceive.views import View, look_px

Probability = npt.NDArray[np.float32]
"""Shape (H, W), 0 to 1."""

_SPECK_SHARE = 6e-5
"""Smallest vessel kept, of the area of the field."""
_VOTE_REACH_SHARE = 1 / 40
"""Longest piece of vessel that votes as one, of the width of the field."""


@dataclass(frozen=True, eq=False)
class Vessels:
    """What was found, in the photograph's own pixels, shape (H, W)."""

    vessels: Mask
    arteries: Mask
    veins: Mask
    """Where an artery crosses a vein, both are set."""
    vessel_probability: Probability
    artery_probability: Probability
    vein_probability: Probability


def find_vessels(view: View, degrees: float | None = None, *, mirrored: bool = False) -> Vessels:
    """Return vessels, arteries and veins of a photograph.

    Parameters
    ----------
    view : View
    degrees : float, optional
        How wide the field of view is, as `field_degrees` estimates it: a vessel is looked at as
        large as those that were learned from. Without it the field counts as an ordinary one.
    mirrored : bool
        Look at the mirrored photograph too and take the mean: twice the time.
    """
    manifest = model("vessels").manifest
    frame = view.frame(look_px(manifest["input"]["field_px"], degrees))
    said = _said(view, frame, mirrored)
    lowest = manifest["thresholds"]["vessel"]
    found = remove_small_objects(said[0] >= lowest, max_size=int(_SPECK_SHARE * said[0].size))
    near = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    shown = np.where(near, said[0], np.minimum(said[0], 0.999 * lowest))  # specks
    kind = along_vessels(found, said[1] - said[2])
    # thresholds are met in the photograph's own pixels: a vessel a pixel wide keeps its edge
    own = frame.back(np.dstack([shown, said[1], said[2], kind]).astype(np.float32))
    vessels = own[..., 0] >= lowest
    crossing = (own[..., 1] >= 0.5) & (own[..., 2] >= 0.5)
    return Vessels(
        vessels=vessels,
        arteries=vessels & ((own[..., 3] > 0) | crossing),
        veins=vessels & ((own[..., 3] <= 0) | crossing),
        vessel_probability=own[..., 0],
        artery_probability=own[..., 1],
        vein_probability=own[..., 2],
    )


def glimpse_vessels(view: View) -> Mask:
    """Return where vessels are seen at half the detail, in a quarter of the time; shape (H, W)."""
    manifest = model("vessels").manifest
    frame = view.frame(manifest["input"]["field_px"] // 2)
    said = _said(view, frame)
    glimpsed: Mask = frame.back(said[0]) >= manifest["thresholds"]["vessel"]
    return glimpsed


def _said(view: View, frame: Frame, mirrored: bool = False) -> Probability:
    """Return what the network says of a frame, shape (3, N, N)."""
    network = model("vessels")
    picture, inside = view.lit(frame), frame.cut(view.inside)
    said = network.outlines(picture, inside)
    if mirrored:
        said += network.outlines(picture[:, ::-1], inside[:, ::-1])[..., ::-1]
        said /= 2
    return said


def along_vessels(vessels: Mask, arteriness: Probability) -> Probability:
    """Return artery minus vein, each piece of a vessel between junctions voting as one.

    Parameters
    ----------
    vessels : bool array, shape (H, W)
    arteriness : float array, shape (H, W)
        Above 0: artery.

    Returns
    -------
    float array, shape (H, W)
        Of the nearest piece; as it was given where there is none. Long vessels vote in pieces, so
        that one wrong joint stays local.
    """
    line = skeletonize(vessels)
    near = cv2.filter2D(line.astype(np.uint8), cv2.CV_16S, np.ones((3, 3), np.int16))
    pieces = line & (near <= 3)
    count, labels = cv2.connectedComponents(pieces.astype(np.uint8), connectivity=8)
    if count < 2:
        return arteriness.astype(np.float32)
    reach = max(4, round(_VOTE_REACH_SHARE * vessels.shape[1]))
    rows, cols = np.ogrid[: vessels.shape[0], : vessels.shape[1]]
    tiles = (rows // reach) * (vessels.shape[1] // reach + 1) + cols // reach
    voters = labels.astype(np.int64) * (int(tiles.max()) + 1) + tiles
    soft = cv2.blur(arteriness.astype(np.float32), (3, 3))
    tile_mean = _mean_by(voters[pieces], soft[pieces])
    piece_mean = _mean_by(labels[pieces].astype(np.int64), soft[pieces])
    vote = np.zeros(vessels.shape, np.float32)
    vote[pieces] = 0.35 * tile_mean + 0.65 * piece_mean
    near_vote: Probability = vote[_nearest_of(pieces)]
    return near_vote


def _mean_by(
    groups: npt.NDArray[np.int64], values: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return, for each value, the mean of its group."""
    _, place = np.unique(groups, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    return means[place].astype(np.float32)


def _nearest_of(marked: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for every pixel (row, col) of the nearest marked pixel."""
    _, labels = cv2.distanceTransformWithLabels(
        (~marked).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, cols = np.nonzero(marked)
    place = np.zeros(len(rows) + 1, np.int64)
    place[labels[rows, cols]] = np.arange(len(rows))
    return rows[place[labels]], cols[place[labels]]
