"""Boxes of faces: how they overlap, and which of them are the same face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: float32, N x 4: x0, y0, x1, y1 in pixels of whatever picture is meant.
Boxes = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Boxes and how sure of each a network is; any order, unless it is said."""

    #: N x 4, see ``Boxes``.
    boxes: Boxes
    #: float32, N, 0..1.
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        """Count them."""
        return len(self.scores)

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice | np.bool_) -> Scored:
        """Take some of them, by numpy's rules."""
        return Scored(boxes=self.boxes[which], scores=self.scores[which])

    def best_first(self) -> Scored:
        """Order them by score; equal ones keep their order."""
        return self[np.argsort(-self.scores, kind="stable")]


def together(parts: list[Scored]) -> Scored:
    """Join several into one."""
    return Scored(
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
    )


def overlap(one: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    """Give the intersection over union of one box (4 numbers) with each of N others."""
    shared = _shared(one, boxes)
    total = _area(one) + _area(boxes) - shared
    return np.asarray(shared / np.maximum(total, np.float32(1e-6)), np.float32)


def merged(found: Scored, *, overlap_from: float) -> Scored:
    """Make one box of all that a network says about one face, the best first.

    Weighted non-maximum suppression (Bazarevsky et al., "BlazeFace", 2019): the best box
    becomes the mean of all that overlap it, each counting by its score; its score stays.

    Args:
        found: boxes of one network.
        overlap_from: intersection over union above which two are the same face.
    """
    left, boxes, scores = found.best_first(), [], []
    while len(left):
        same = overlap(left.boxes[0], left.boxes) > overlap_from
        same[0] = True  # a box without area does not even overlap itself
        boxes.append(np.average(left.boxes[same], axis=0, weights=left.scores[same]))
        scores.append(left.scores[0])
        left = left[~same]
    return Scored(
        boxes=np.array(boxes, np.float32).reshape(-1, 4), scores=np.array(scores, np.float32)
    )


def without_inner(found: Scored, *, inside_from: float) -> Scored:
    """Drop each box of which more than ``inside_from`` lies in a better one; the best first."""
    left = found.best_first()
    kept = [left[:0]]
    while len(left):
        kept.append(left[:1])
        inside = _shared(left.boxes[0], left.boxes) > inside_from * _area(left.boxes)
        inside[0] = True
        left = left[~inside]
    return together(kept)


def _shared(one: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    low, high = np.maximum(one[:2], boxes[:, :2]), np.minimum(one[2:], boxes[:, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=1), np.float32)


def _area(boxes: Boxes) -> NDArray[np.float32]:
    return np.asarray(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), np.float32)
