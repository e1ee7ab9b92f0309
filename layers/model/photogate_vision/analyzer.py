"""Puts decoding, the model and the measures together: the ``PhotoAnalyzer`` port."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from photogate.domain import NEVER, Deadline, Signals
from photogate.errors import OutOfTime
from photogate.ports.vision import FaceDetector
from photogate_vision.classifier.panel import Panel
from photogate_vision.decoding.decode import PREPROCESSING, Picture, decode
from photogate_vision.decoding.frames import MAX_LOOKS
from photogate_vision.quality import blur_variance, canonical_grey, rms_contrast


class Decode(Protocol):
    """Turns bytes into pictures."""

    def __call__(self, data: bytes, deadline: Deadline = NEVER) -> list[Picture]:
        """See ``decode.decode``; raises OutOfTime when the deadline passes."""


def _decode_here(data: bytes, deadline: Deadline = NEVER) -> list[Picture]:  # noqa: ARG001
    return decode(data)  # nothing can end it: for bytes of our own


class VisionAnalyzer:
    """Measures photos in this process.

    Args:
        bundle: folder of the first model's bundle.
        others: folders of the bundles of those that give further opinions; None when the policy
            asks for none, so that none are told.
        third: folder of the bundle of the one that may only bring a person; None for none.
        tiles: along each side of a large photo the last of them looks at so many parts.
        decode: turns bytes into pictures: ``Sandbox.decode`` for bytes of strangers.
        faces: looks for faces, when the policy asks for them.
        threads: threads of the model; one, and a process per core, gives most.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        others: Sequence[Path] | None = (),
        third: Path | None = None,
        tiles: int = 0,
        decode: Decode = _decode_here,
        faces: FaceDetector | None = None,
        threads: int = 1,
    ) -> None:
        self._decode = decode
        self._faces = faces
        self._panel = Panel(bundle, others, third=third, side=tiles, threads=threads)

    @property
    def model_digest(self) -> str:
        """See ``photogate.ports.vision.PhotoAnalyzer.model_digest``."""
        return self._panel.digest

    @property
    def panel(self) -> str:
        """See ``photogate.ports.vision.PhotoAnalyzer.panel``."""
        return self._panel.words

    @property
    def measures(self) -> frozenset[str]:
        """See ``photogate.ports.vision.PhotoAnalyzer.measures``."""
        found = {"blur_variance", "rms_contrast", "short_side_px", *self._panel.measures}
        found |= {"aspect", "colour_unsure", "gain_map", "frames_unseen"}
        if self._faces is not None:
            found.add("face_count")
            if self._faces.tells_age:
                found |= {"faces_without_age", "age.low", "age.high"}
        return frozenset(found)

    def analyze(self, data: bytes, deadline: Deadline = NEVER) -> list[Signals]:
        """See ``photogate.ports.vision.PhotoAnalyzer.analyze``."""
        started = time.perf_counter()
        digest = hashlib.sha256(data).hexdigest()
        pictures = self._decode(data, deadline)
        # Parts are looked at within the same budget, those of the first frames first.
        closer = (MAX_LOOKS - len(pictures)) // max(1, self._panel.parts)
        frames = [
            self._look(picture, deadline, closer=place < closer)
            for place, picture in enumerate(pictures)
        ]
        took_ms = round((time.perf_counter() - started) * 1000, 2)
        return [
            replace(
                frame,
                size_bytes=len(data),
                sha256=digest,
                processing_time_ms=took_ms,
                model=self._panel.digest,
                preprocessing=PREPROCESSING,
            )
            for frame in frames
        ]

    def _look(self, picture: Picture, deadline: Deadline, *, closer: bool) -> Signals:
        """Measure one decoded frame."""
        if deadline.passed:
            raise OutOfTime("ran out of time between two frames")
        look = self._panel.look(picture.image, picture.width, picture.height, closer=closer)
        grey = canonical_grey(picture.image)
        faces = None if self._faces is None else tuple(self._faces.detect(picture, deadline))
        return Signals(
            nsfw_scores=look.nsfw_scores,
            opinions=look.opinions,
            third=look.third,
            tile=look.tile,
            faces=faces,
            blur_variance=round(blur_variance(grey), 2),
            rms_contrast=round(rms_contrast(grey), 2),
            width=picture.width,
            height=picture.height,
            format=picture.format,
            frames=picture.frames,
            frame=picture.frame,
            background=picture.background,
            frames_unseen=picture.frames_unseen,
            colour_unsure=int(picture.colour_unsure),
            gain_map=int(picture.gain_map),
        )
