"""Runs one of the two face networks: a view in, scored boxes out."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photogate.errors import ConfigError, RetryableError
from photogate_vision.faces.boxes import Scored, merged
from photogate_vision.faces.bundle import Network
from photogate_vision.faces.views import View, values
from photogate_vision.sessions import first_line, open_session

#: Where a logit is cut off, so that its exponential stays finite; the score is 1 or 0 long
#: before. The package's graphs cut at 100, which float32 does not hold.
_LOGIT_LIMIT = 80.0
#: Numbers for each anchor: a box, and six points of the face that are not used here.
_NUMBERS = 16


class DetectorFailed(RetryableError):
    """The detector gave no usable answer. Never to be read as "no face".

    Retryable, because the photo is not at fault: another worker may well look at it.
    """


class FaceNetwork:
    """One loaded network; may be used from several threads at once."""

    def __init__(self, network: Network, *, merges_from: float, threads: int) -> None:
        """Load the network.

        Args:
            network: from ``load_face_bundle``, which verified it.
            merges_from: overlap above which its boxes are one face.
            threads: threads for one run.

        Raises:
            ConfigError: onnxruntime cannot load it, or it is another kind of network.
        """
        self._network = network
        self._merges_from = merges_from
        self._session = open_session(network.path, threads=threads)
        inputs = [item.name for item in self._session.get_inputs()]
        outputs = [item.name for item in self._session.get_outputs()]
        if (inputs, outputs) != (["pixels"], ["boxes", "logits"]):
            raise ConfigError(f"{network.path} is not a face network: run `make model`")

    def find(self, view: View, *, score_from: float) -> Scored:
        """Find faces.

        Views are run one by one: together they take as long, and 100 MB for 24 of them
        (measured November 2026).

        Args:
            view: of a size that the network takes.
            score_from: least score, 0..1.

        Returns:
            What was found, in pixels of the picture, the best first.

        Raises:
            DetectorFailed: the run failed, or its output is not what it should be.
        """
        pixels = values(view)
        try:
            raw, logits = self._session.run(["boxes", "logits"], {"pixels": pixels})
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise DetectorFailed(f"the face detector failed: {first_line(error)}") from error
        anchors = anchor_centres(pixels.shape[2], pixels.shape[3], self._network.anchors)
        if raw.shape != (1, len(anchors), _NUMBERS) or logits.shape != (1, len(anchors), 1):
            raise DetectorFailed(f"the face detector answered with shape {raw.shape}")
        if not np.isfinite(raw).all() or not np.isfinite(logits).all():
            raise DetectorFailed("the face detector answered with a value that is not finite")
        limited = np.clip(logits[0, :, 0], -_LOGIT_LIMIT, _LOGIT_LIMIT)
        scores = np.asarray(1 / (1 + np.exp(-limited)), np.float32)
        sure = scores >= score_from
        found = decoded(raw[0, sure], scores[sure], anchors[sure])
        found = merged(found, overlap_from=self._merges_from)
        return Scored(boxes=view.in_picture(found.boxes), scores=found.scores)


@lru_cache(maxsize=32)
def anchor_centres(
    height: int, width: int, grids: tuple[tuple[int, int], ...]
) -> NDArray[np.float32]:
    """Give the centre of each anchor, x and y in pixels of the network's input.

    As the package's SsdAnchorsCalculator: grid after grid, in each row by row, and all
    anchors of a place after one another, in the middle of their place.

    Args:
        height: of the input, in pixels.
        width: of the input.
        grids: pixels from one place to the next, and anchors at each place.

    Returns:
        float32, anchors x 2.
    """
    centres = []
    for step, count in grids:
        rows, columns = np.mgrid[0 : height // step, 0 : width // step]
        places = np.stack([columns, rows], axis=-1).reshape(-1, 2)
        centres.append(((places + 0.5) * step).repeat(count, axis=0))
    return np.concatenate(centres).astype(np.float32)


def decoded(
    raw: NDArray[np.float32], scores: NDArray[np.float32], anchors: NDArray[np.float32]
) -> Scored:
    """Turn a network's numbers into boxes.

    Args:
        raw: N x 16; the first four are the centre, relative to the anchor, and the size,
            all in pixels of the network's input.
        scores: N, 0..1.
        anchors: N x 2, x and y in the same pixels.

    Returns:
        Boxes in the same pixels, in the same order; those without an area are left out.
    """
    centres, halves = raw[:, 0:2] + anchors, raw[:, 2:4] / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    return Scored(boxes=boxes, scores=scores)[np.all(halves > 0, axis=1)]
