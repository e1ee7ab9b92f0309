"""Finds faces with two small networks that check each other: the ``FaceDetector`` port.

The full-range network proposes faces of all sizes but the largest, the short-range one,
on the whole picture, proposes those. Then the short-range network looks at each
proposal again from close, where it is the better judge. Alone, the two found 44 and 10 of
46 faces that people had marked; together all 46 (November 2026, MODEL_CARD.md).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from photogate.domain import NEVER, Deadline, Face
from photogate.ports.vision import UprightPicture
from photogate_vision.faces.boxes import Scored, overlap, together, without_inner
from photogate_vision.faces.bundle import load_face_bundle
from photogate_vision.faces.network import DetectorFailed, FaceNetwork
from photogate_vision.faces.views import close_up, letterbox, whole

__all__ = ["DetectorFailed", "EmbeddedFaces"]

#: Most proposals that are looked at again, the best ones: it bounds the time of one
#: picture, to about 40 ms where a photograph of one face takes 9 (November 2026).
MOST_PROPOSALS = 24
#: Side of the square that is looked at again, in lengths of the proposal's longer side:
#: a face then fills about as much of it as of the selfies that short range was made for.
#: Tuned with the thresholds, see ``bundle.Thresholds``.
LOOK_SCALE = 1.8


class EmbeddedFaces:
    """Detects faces in this process, with the networks of a bundle.

    ``detect`` may be called from several threads at once. Processes do not share a
    detector; make it after forking.

    Args:
        bundle_dir: folder of the face bundle.
        threads: threads of one run; one, and a process per core, gives most.

    Raises:
        ConfigError: the bundle is incomplete, altered or of an unknown kind.
    """

    def __init__(self, bundle_dir: Path, *, threads: int = 1) -> None:
        self._bundle = load_face_bundle(bundle_dir)
        self._limits = self._bundle.thresholds
        self._short, self._full = (
            FaceNetwork(network, merges_from=self._limits.merges_from, threads=threads)
            for network in (self._bundle.short_range, self._bundle.full_range)
        )
        # The first run allocates; no photo has to wait for that.
        self._proposals(Image.new("RGB", (64, 64)))

    @property
    def tells_age(self) -> bool:
        """See ``photogate.ports.vision.FaceDetector.tells_age``."""
        return False

    @property
    def digest(self) -> str:
        """sha256 of the bundle's manifest, which holds those of both networks."""
        return self._bundle.digest

    def detect(
        self,
        picture: UprightPicture,
        deadline: Deadline = NEVER,  # noqa: ARG002 - of the port
    ) -> list[Face]:
        """See ``photogate.ports.vision.FaceDetector.detect``; it takes milliseconds.

        Faces of 20 pixels and more, in a picture of 640 pixels, are found almost always,
        below 12 hardly ever; upside-down ones are not.
        """
        image = Image.frombytes("RGB", picture.size, picture.rgb())
        width, height = image.size
        found = self._confirmed(image, *self._proposals(image))
        found = without_inner(found, inside_from=self._limits.inside_from)
        shares = np.clip(found.boxes / np.array([width, height] * 2, np.float32), 0, 1)
        return [
            Face(box=(x0, y0, x1, y1), score=min(score, 1.0))
            for (x0, y0, x1, y1), score in zip(shares.tolist(), found.scores.tolist(), strict=True)
        ]

    def _proposals(self, image: Image.Image) -> tuple[Scored, Scored]:
        """What might be a face: by the full-range network, and by the short-range one."""
        network = self._bundle.full_range
        view = whole(image, side=network.side, multiple=network.multiple)
        full = self._full.find(view, score_from=self._limits.full_range_proposes)
        view = letterbox(image, side=self._bundle.short_range.side)
        short = self._short.find(view, score_from=self._limits.short_range_proposes)
        return full[:MOST_PROPOSALS], short[: max(MOST_PROPOSALS - len(full), 0)]

    def _confirmed(self, image: Image.Image, full: Scored, short: Scored) -> Scored:
        """Keep what a second look finds again, and what needs none."""
        limits, side = self._limits, self._bundle.short_range.side
        proposals = together([full, short])
        kept = [proposals[:0]]
        for place, box in enumerate(proposals.boxes):
            view = close_up(image, box, scale=LOOK_SCALE, side=side)
            look = self._short.find(view, score_from=limits.look_confirms)
            again = look[overlap(box, look.boxes) > limits.look_overlaps]
            if len(again):
                kept.append(again[:1])
            elif place < len(full) and full.scores[place] >= limits.full_range_suffices:
                kept.append(full[place : place + 1])
        return together(kept)
