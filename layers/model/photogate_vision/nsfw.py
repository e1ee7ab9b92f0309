"""Runs the NSFW model: pixels in, five probabilities out."""

import numpy as np
from numpy.typing import NDArray

from photogate.errors import ConfigError, RetryableError
from photogate_vision.bundle import Bundle
from photogate_vision.sessions import first_line, needs_exact_products, open_session

#: How far the five probabilities may add up beside 1. A float32 softmax stays within
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
        self._output = self._session.get_outputs()[0].name
        names = [item.name for item in self._session.get_inputs()]
        if names != [bundle.input.name]:
            raise ConfigError(
                f"{bundle.model_path} reads {names}, its manifest says "
                f"{bundle.input.name!r}: run `make model`"
            )
        # value = (pixel * scale - mean) / std, as one factor and one shift
        std = np.array(bundle.normalisation.std, np.float32).reshape(3, 1, 1)
        self._factor = np.float32(bundle.normalisation.scale) / std
        self._shift = np.array(bundle.normalisation.mean, np.float32).reshape(3, 1, 1) / std

    def scores(self, pixels: NDArray[np.uint8]) -> list[dict[str, float]]:
        """Score pictures.

        Args:
            pixels: uint8, N x size x size x 3, RGB, 0..255, with ``size`` from the
                bundle. N of 1 is as fast per picture as more, within a quarter.

        Returns:
            For each picture a probability, 0..1, by category; they add up to 1.

        Raises:
            ValueError: another shape or type; a mistake in the program.
            ModelFailed: the run failed, or its output is not a probability.
        """
        size = self.bundle.input.size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
            raise ValueError(
                f"expected uint8 of shape (N, {size}, {size}, 3), "
                f"got {pixels.dtype} of shape {pixels.shape}"
            )
        if not len(pixels):
            return []
        # Into an array of the model's own layout: a tenth of the time of a copy afterwards.
        values = np.empty((len(pixels), 3, size, size), np.float32)
        np.multiply(pixels.transpose(0, 3, 1, 2), self._factor, out=values)
        values -= self._shift
        try:
            output = self._session.run([self._output], {self.bundle.input.name: values})[0]
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise ModelFailed(f"the NSFW model failed: {first_line(error)}") from error
        probabilities = self._checked(np.asarray(output), len(pixels))
        return [
            dict(zip(self.bundle.categories, row, strict=True)) for row in probabilities.tolist()
        ]

    def _checked(self, output: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        if output.shape != (count, len(self.bundle.categories)):
            raise ModelFailed(f"the NSFW model answered with shape {output.shape}")
        if not np.isfinite(output).all():
            raise ModelFailed("the NSFW model answered with a value that is not finite")
        if (output < 0).any() or (abs(output.sum(axis=1) - 1) > SUM_TOLERANCE).any():
            raise ModelFailed("the NSFW model answered with values that are not probabilities")
        return np.minimum(output, np.float32(1))
