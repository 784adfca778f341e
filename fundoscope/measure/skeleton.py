"""From a mask to the pixel paths of its vessels: every path in order, end to end.

The skeleton is read as a graph in which a diagonal step counts only where no straight one leads
the same way, so that the corner of a staircase is no junction. All paths are put in order by one
depth-first walk; the order in which a flood fill meets pixels is no path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, depth_first_order
from skimage.morphology import skeletonize

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

FREE = -1
"""Stands for a junction where a path ends freely."""
MARGIN_PX = 2
SPUR_RADII, SPUR_PX = 1.25, 2.0
"""A spur is pruned when it is shorter than so many radii of its vessel and so many pixels more:
what then stands out of the wall is no vessel but a rough edge, or the corner of an end."""
PRUNING_ROUNDS = 4
LOST_PIXELS = 4
"""So many middle pixels of vessels far from the skeleton mean that it lost one."""
_STRAIGHT = ((-1, 0), (0, 1), (1, 0), (0, -1))
_DIAGONAL = ((-1, 1), (1, 1), (1, -1), (-1, -1))
"""Each lies between two straight steps: `_STRAIGHT[k]` and `_STRAIGHT[k + 1]`."""


@dataclass(frozen=True)
class PixelPaths:
    """Paths of skeleton pixels between junctions and free ends."""

    pixels: Ints
    """(row, col), shape (N, 2), path after path, each in order."""
    radius_px: Floats
    """Distance of every pixel from the background, shape (N,)."""
    first: Ints
    """Path s holds the pixels first[s]:first[s + 1], shape (S + 1,)."""
    ends: Ints
    """Junction before the first and after the last pixel of a path, or FREE, shape (S, 2)."""
    closed: Mask
    """Whether a path is a ring without a junction, shape (S,)."""
    junctions: Floats
    """(row, col), shape (J, 2)."""
    junction_radius_px: Floats


def pixel_paths(mask: Mask) -> PixelPaths:
    """Return the paths of a mask's skeleton, short spurs pruned, split junctions merged.

    Parameters
    ----------
    mask : bool array, shape (H, W)
        Beyond its border all is background.
    """
    corner, part = _cut_out(mask)
    radius: Floats = np.asarray(cv2.distanceTransform(part.view(np.uint8), cv2.DIST_L2, 5))
    bones = np.flatnonzero(_thinned(part, radius))
    for _ in range(PRUNING_ROUNDS):
        graph = _Graph(bones, radius)
        spurs = graph.spurs()
        if not spurs.any():
            break
        bones = np.delete(bones, graph.order[np.repeat(spurs, np.diff(graph.first))])
    else:
        graph = _Graph(bones, radius)
    return graph.merged(corner)


def _cut_out(mask: Mask) -> tuple[Ints, Mask]:
    """The part of a mask that is set, with an empty margin, and where its corner lies."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(2, int), np.zeros((5, 5), bool)
    part = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return np.array([rows[0], cols[0]]) - MARGIN_PX, np.pad(part, MARGIN_PX)


def _thinned(part: Mask, radius: Floats) -> Mask:
    """The skeleton by Zhang's thinning; by Lee's, three times slower, where Zhang's lost a vessel.

    Zhang's eats a straight diagonal vessel of even width from its ends, all of it at times.
    """
    bones: Mask = skeletonize(part)
    block = np.ones((7, 7), np.uint8)
    near = cv2.dilate(bones.view(np.uint8), block)
    far = np.flatnonzero(part & (near == 0))  # walls of wide vessels, mostly
    widest = cv2.dilate(radius, block[:3, :3]).ravel()[far]
    far = far[radius.ravel()[far] >= widest]
    if len(far) >= LOST_PIXELS:
        away = cv2.distanceTransform((~bones).view(np.uint8), cv2.DIST_L2, 3)
        lost = away.ravel()[far] > 1.5 * radius.ravel()[far] + 1
        if np.count_nonzero(lost) >= LOST_PIXELS:
            lee: Mask = skeletonize(part, method="lee").astype(bool)
            return lee
    return bones


class _Graph:
    """Skeleton pixels, who touches whom, and the paths that this makes."""

    def __init__(self, bones: Ints, radius: Floats) -> None:
        self.bones, self.width, self.radius = bones, radius.shape[1], radius.ravel()[bones]
        size, count = radius.size, len(bones)
        numbers = np.full(size, -1, np.int32)
        numbers[bones] = np.arange(count)
        self._link(numbers)
        self.is_junction = self.linked.sum(axis=1) >= 3
        self._cluster()
        self._walk()
        self._find_ends()

    def _link(self, numbers: Ints) -> None:
        steps = [down * self.width + right for down, right in _STRAIGHT + _DIAGONAL]
        self.neighbours = numbers[self.bones[:, None] + np.array(steps)]  # (N, 8), -1 for none
        self.linked = self.neighbours >= 0
        straight = self.linked[:, :4]
        self.linked[:, 4:] &= ~(straight | np.roll(straight, -1, axis=1))

    def _cluster(self) -> None:
        """Give touching junction pixels one number."""
        members = np.flatnonzero(self.is_junction)
        self.cluster = np.full(len(self.bones), FREE)
        self.cluster[members] = np.arange(len(members))
        touching = np.append(self.cluster, FREE)[self.neighbours[members]]
        row, side = np.nonzero(touching != FREE)
        shape = (len(members),) * 2
        links = csr_matrix((np.ones(len(row)), (row, touching[row, side])), shape)
        count, number = connected_components(links, directed=False) if len(members) else (0, [])
        self.cluster[members] = number
        self.cluster_count = int(count)

    def _walk(self) -> None:
        """Put the pixels of all paths in order, by a walk from a root that is joined to their ends.

        A ring has no end and is entered anywhere, in a second walk.
        """
        on_path = ~self.is_junction
        links = self.linked & on_path[:, None] & on_path[self.neighbours]
        self.inner = links.sum(axis=1)
        order, starts = self._visit(links, np.flatnonzero(on_path & (self.inner < 2)))
        left = on_path.copy()
        left[order] = False
        self.ring_from = int(starts.sum())
        if left.any():
            size = len(self.bones)  # the last pixels may touch none: they would not count
            whole = csr_matrix(self._compressed(links), (size, size))
            _, label = connected_components(whole, directed=False)
            pixels = np.flatnonzero(left)
            _, entry = np.unique(label[pixels], return_index=True)
            rings, ring_starts = self._visit(links, pixels[entry])
            order, starts = np.append(order, rings), np.append(starts, ring_starts)
        self.order = order
        self.first = np.append(np.flatnonzero(starts), len(order))

    def _compressed(self, links: Mask) -> tuple[Floats, Ints, Ints]:
        """Links as the data, indices and row starts of a sparse matrix."""
        indices = self.neighbours[links]
        return np.ones(len(indices)), indices, np.append(0, np.cumsum(self.inner))

    def _visit(self, links: Mask, entries: Ints) -> tuple[Ints, Mask]:
        """Return the pixels in the order of a walk from the entries, and where paths start."""
        _, indices, rows = self._compressed(links)
        root = len(self.bones)
        indices = np.append(indices, entries)
        rows = np.append(rows, len(indices))
        graph = csr_matrix((np.ones(len(indices)), indices, rows), (root + 1,) * 2)
        order, before = depth_first_order(graph, root)
        return order[1:], before[order[1:]] == root

    def _find_ends(self) -> None:
        head, tail = self.order[self.first[:-1]], self.order[self.first[1:] - 1]
        outside = np.append(self.cluster, FREE)
        at_head, at_tail = (
            np.where(self.linked[pixel], outside[self.neighbours[pixel]], FREE)
            for pixel in (head, tail)
        )
        # the one pixel of a short path may touch two junctions, or the same one twice
        twice = (at_head != FREE).sum(axis=1) > 1
        lowest = np.where(at_head == FREE, self.cluster_count, at_head).min(axis=1, initial=2**30)
        alone = np.where(twice, lowest, FREE)
        tail_end = np.where(head == tail, alone, at_tail.max(axis=1, initial=FREE))
        self.ends = np.column_stack([at_head.max(axis=1, initial=FREE), tail_end])
        self.closed = np.arange(len(head)) >= self.ring_from

    def cluster_radius(self) -> Floats:
        largest = np.zeros(self.cluster_count)
        members = np.flatnonzero(self.is_junction)
        np.maximum.at(largest, self.cluster[members], self.radius[members])
        return largest

    def spurs(self) -> Mask:
        """Return which paths are short spurs; a junction keeps its longest path."""
        if not self.cluster_count:
            return np.zeros(len(self.ends), bool)
        free = self.ends == FREE
        length = np.diff(self.first)
        junction = self.ends.max(axis=1)
        limit = SPUR_RADII * self.cluster_radius()[junction] + SPUR_PX
        spur = (free.sum(axis=1) == 1) & (length < limit)
        others = np.zeros(self.cluster_count, int)
        for side in (0, 1):
            np.add.at(others, self.ends[~spur & ~free[:, side], side], 1)
        longest = np.zeros(self.cluster_count, int)
        np.maximum.at(longest, junction[spur], length[spur])
        kept = (others[junction] == 0) & (length == longest[junction])
        loop = (self.ends[:, 0] == self.ends[:, 1]) & ~free[:, 0] & (length < 4)
        return (spur & ~kept) | (loop & (length < 2))

    def merged(self, corner: Ints) -> PixelPaths:
        """Return the paths; junctions whose discs overlap along a short bridge become one."""
        radius, length = self.cluster_radius(), np.diff(self.first)
        both = (self.ends != FREE).all(axis=1)
        bridge = np.zeros(len(length), bool)
        a, b = self.ends[both].T
        bridge[both] = length[both] < np.where(a == b, 4, radius[a] + radius[b])
        count = self.cluster_count
        links = csr_matrix((np.ones(bridge.sum()), tuple(self.ends[bridge].T)), (count, count))
        total, group = connected_components(links, directed=False) if count else (0, np.zeros(0))
        members = np.flatnonzero(self.is_junction)
        group_of = group[self.cluster[members]].astype(int)
        weight = np.bincount(group_of, minlength=total)
        rows, cols = np.divmod(self.bones, self.width)
        centre = [np.bincount(group_of, at[members], total) / weight for at in (rows, cols)]
        largest = np.zeros(total)
        np.maximum.at(largest, group_of, self.radius[members])
        keep = ~bridge
        ends = np.where(self.ends == FREE, FREE, np.append(group, FREE)[self.ends].astype(int))
        chosen = self.order[np.repeat(keep, length)]
        return PixelPaths(
            pixels=np.column_stack([rows[chosen], cols[chosen]]) + corner,
            radius_px=self.radius[chosen],
            first=np.concatenate([[0], np.cumsum(length[keep])]),
            ends=ends[keep],
            closed=self.closed[keep],
            junctions=np.column_stack(centre).reshape(-1, 2) + corner,
            junction_radius_px=largest,
        )
