"""Runs the NSFW model: pixels in, a probability by category out."""

import numpy as np
from numpy.typing import NDArray

from photogate.errors import ConfigError, RetryableError
from photogate_vision.classifier.bundle import Bundle, Gives, Layout, Number
from photogate_vision.sessions import first_line, needs_exact_products, open_session

#: How far the probabilities may add up beside 1. A float32 softmax stays within
#: 1e-6; more means that the session did not compute what it should.
SUM_TOLERANCE = 1e-3


class ModelFailed(RetryableError):
    """The model gave no usable answer. Never to be read as a score.

    Retryable, because the photo is not at fault: another worker may well score it.
    Where it persists, the retries run out and the photo goes to a person.
    """


class NsfwModel:
    """One loaded model. Make it once per process; loading takes about 30 ms.

    ``scores`` may be called from several threads at once: a session of onnxruntime
    keeps nothing between runs. Processes do not share one; make it after forking.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Load the model.

        Args:
            bundle: from ``load_bundle``, which verified it.
            threads: threads for one run. Two processes of one thread handle more
                photos than one process of two (measured November 2026).

        Raises:
            ConfigError: onnxruntime cannot load it, or it is not the model that the
                manifest describes.
        """
        self.bundle = bundle
        self._session = open_session(
            bundle.model_path, threads=threads, exact=needs_exact_products()
        )
        self._output = bundle.output or self._session.get_outputs()[0].name
        inputs = self._session.get_inputs()
        names = [item.name for item in inputs]
        if names != [bundle.input.name]:
            raise ConfigError(
                f"{bundle.model_path} reads {names}, its manifest says "
                f"{bundle.input.name!r}: run `make model`"
            )
        #: Some graphs take no more than one picture a run.
        self._single = inputs[0].shape[0] == 1
        # value = (pixel * scale - mean) / std, as one factor and one shift
        channels = (3, 1, 1) if bundle.input.layout is Layout.NCHW else (3,)
        std = np.array(bundle.normalisation.std, np.float32).reshape(channels)
        self._factor = np.float32(bundle.normalisation.scale) / std
        self._shift = np.array(bundle.normalisation.mean, np.float32).reshape(channels) / std

    def scores(self, pixels: NDArray[np.uint8]) -> list[dict[str, float]]:
        """Score pictures.

        Args:
            pixels: uint8, N x size x size x 3, RGB, 0..255, with ``size`` from the
                bundle. N of 1 is as fast per picture as more, within a quarter.

        Returns:
            For each picture a probability, 0..1, by category; they add up to 1 unless the
            labels are independent.

        Raises:
            ValueError: another shape or type; a mistake in the program.
            ModelFailed: the run failed, or its output is not a probability.
        """
        if not len(pixels):
            return []
        return [self._by_category(row) for row in self._probabilities(self.outputs(pixels))]

    def outputs(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give what the graph answers, N x labels, finite, before it is made probabilities.

        Args:
            pixels: as ``scores`` takes them, at least one.

        Raises:
            ValueError: another shape or type; a mistake in the program.
            ModelFailed: the run failed, or a value is not finite.
        """
        size = self.bundle.input.size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
            raise ValueError(
                f"expected uint8 of shape (N, {size}, {size}, 3), "
                f"got {pixels.dtype} of shape {pixels.shape}"
            )
        values = self._values(pixels)
        parts = values[:, np.newaxis] if self._single else [values]
        try:
            answers = [
                self._session.run([self._output], {self.bundle.input.name: part})[0]
                for part in parts
            ]
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise ModelFailed(f"the NSFW model failed: {first_line(error)}") from error
        output = np.concatenate(answers) if len(answers) > 1 else np.asarray(answers[0])
        if output.shape != (len(pixels), len(self.bundle.categories)):
            raise ModelFailed(f"the NSFW model answered with shape {output.shape}")
        if not np.isfinite(output).all():
            raise ModelFailed("the NSFW model answered with a value that is not finite")
        return output.astype(np.float32, copy=False)

    def _values(self, pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
        if self.bundle.input.layout is Layout.NCHW:
            pixels = pixels.transpose(0, 3, 1, 2)
        # Into an array of the model's own layout: a tenth of the time of a copy afterwards.
        values = np.empty(pixels.shape, np.float32)
        np.multiply(pixels, self._factor, out=values)
        values -= self._shift
        return values.astype(np.float16) if self.bundle.input.dtype is Number.FLOAT16 else values

    def _probabilities(self, output: NDArray[np.float32]) -> list[list[float]]:
        gives, rows = self.bundle.gives, output.astype(np.float64)
        if gives is Gives.LOGITS:
            rows = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows /= rows.sum(axis=1, keepdims=True)
        elif gives is Gives.INDEPENDENT_LOGITS:
            # Beyond ±80 a sigmoid is 0 or 1, and its exponential would overflow.
            rows = 1 / (1 + np.exp(-rows.clip(-80, 80)))
        if not are_probabilities(rows, exclusive=gives.exclusive):
            raise ModelFailed("the NSFW model answered with values that are not probabilities")
        probabilities: list[list[float]] = rows.tolist()
        return probabilities

    def _by_category(self, row: list[float]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for category, probability in zip(self.bundle.categories, row, strict=True):
            before = scores.get(category, 0.0)
            added = before + probability
            scores[category] = added if self.bundle.gives.exclusive else max(before, probability)
        return {category: min(1.0, score) for category, score in scores.items()}


def are_probabilities(rows: NDArray[np.floating], *, exclusive: bool) -> bool:
    """Tell whether each row, N x labels, holds probabilities, within their rounding."""
    if (rows < 0).any() or (rows > 1 + SUM_TOLERANCE).any():
        return False
    return not exclusive or bool((abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE).all())
