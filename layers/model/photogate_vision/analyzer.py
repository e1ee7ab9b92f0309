"""Puts decoding, the model and the measures together: the ``PhotoAnalyzer`` port."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from photogate.domain import Signals
from photogate.ports.vision import FaceDetector
from photogate_vision.classifier.panel import Panel
from photogate_vision.decoding.decode import PREPROCESSING, Picture, decode
from photogate_vision.quality import blur_variance, canonical_grey, rms_contrast


class VisionAnalyzer:
    """Measures photos in this process.

    Args:
        bundle: folder of the first model's bundle.
        others: folders of the bundles of those that give further opinions; None when the policy
            asks for none, so that none are told.
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
        tiles: int = 0,
        decode: Callable[[bytes], list[Picture]] = decode,
        faces: FaceDetector | None = None,
        threads: int = 1,
    ) -> None:
        self._decode = decode
        self._faces = faces
        self._panel = Panel(bundle, others, side=tiles, threads=threads)

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
        if self._faces is not None:
            found.add("face_count")
            if self._faces.tells_age:
                found |= {"faces_without_age", "age.low", "age.high"}
        return frozenset(found)

    def analyze(self, data: bytes) -> list[Signals]:
        """See ``photogate.ports.vision.PhotoAnalyzer.analyze``."""
        started = time.perf_counter()
        digest = hashlib.sha256(data).hexdigest()
        frames = [self._look(picture) for picture in self._decode(data)]
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

    def _look(self, picture: Picture) -> Signals:
        """Measure one decoded frame."""
        look = self._panel.look(picture.image, picture.width, picture.height)
        grey = canonical_grey(picture.image)
        faces = None if self._faces is None else tuple(self._faces.detect(picture))
        return Signals(
            nsfw_scores=look.nsfw_scores,
            opinions=look.opinions,
            tile=look.tile,
            faces=faces,
            blur_variance=round(blur_variance(grey), 2),
            rms_contrast=round(rms_contrast(grey), 2),
            width=picture.width,
            height=picture.height,
            format=picture.format,
            frames=picture.frames,
            frame=picture.frame,
        )
