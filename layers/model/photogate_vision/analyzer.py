"""Puts decoding, the model and the measures together: the ``PhotoAnalyzer`` port."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
from PIL import Image

from photogate.domain import Signals
from photogate.ports import FaceDetector
from photogate_vision.bundle import load_bundle
from photogate_vision.decode import PREPROCESSING, decode
from photogate_vision.nsfw import NsfwModel
from photogate_vision.quality import blur_variance


class VisionAnalyzer:
    """Measures photos in this process.

    Args:
        bundle: folder of the model bundle.
        faces: looks for faces, when the policy asks for them.
        threads: threads of the model; one, and a process per core, gives most.
    """

    def __init__(
        self, bundle: Path, *, faces: FaceDetector | None = None, threads: int = 1
    ) -> None:
        self._faces = faces
        self._bundle = load_bundle(bundle)
        self._model = NsfwModel(self._bundle, threads=threads)
        # The first run allocates; no photo has to wait for that.
        side = self._bundle.input.size
        self._model.scores(np.zeros((1, side, side, 3), np.uint8))

    @property
    def model_digest(self) -> str:
        """See ``photogate.ports.PhotoAnalyzer.model_digest``."""
        return self._bundle.digest

    def analyze(self, data: bytes) -> Signals:
        """See ``photogate.ports.PhotoAnalyzer.analyze``."""
        started = time.perf_counter()
        picture = decode(data)
        side = self._bundle.input.size
        # The whole picture, squeezed into a square, as the model was trained.
        pixels = np.asarray(picture.image.resize((side, side), Image.Resampling.BILINEAR))
        scores = self._model.scores(pixels[np.newaxis])[0]
        blur = blur_variance(picture.image)
        faces = None if self._faces is None else tuple(self._faces.detect(picture))
        return Signals(
            nsfw_scores={name: round(score, 6) for name, score in scores.items()},
            faces=faces,
            blur_variance=None if blur is None else round(blur, 2),
            width=picture.width,
            height=picture.height,
            format=picture.format,
            frames=picture.frames,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            processing_time_ms=round((time.perf_counter() - started) * 1000, 2),
            model=self._bundle.digest,
            preprocessing=PREPROCESSING,
        )
