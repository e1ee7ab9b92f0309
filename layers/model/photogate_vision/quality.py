"""Whether a picture shows anything, and how sharply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Longer side, in pixels, at which both are measured, so that one bound fits all
#: resolutions. Smaller pictures are measured as they are.
CANONICAL_SIDE = 512


def canonical_grey(image: Image.Image) -> NDArray[np.int16]:
    """Give the picture's grey levels, 0..255, on the canonical size: height x width."""
    grey = image.convert("L")
    grey.thumbnail((CANONICAL_SIDE, CANONICAL_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.int16)


def blur_variance(grey: NDArray[np.int16]) -> float | None:
    """Give the variance of the Laplacian, in squared grey levels, of ``canonical_grey``.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000), with the
    4-neighbour kernel. 0 is a flat picture; ordinary sharp photos lie in the hundreds.
    None when the picture is too narrow there to have any.
    """
    if min(grey.shape) < 3:
        return None
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var(dtype=np.float64))


def rms_contrast(grey: NDArray[np.int16]) -> float:
    """Give the standard deviation of the grey levels of ``canonical_grey``, 0..127.5.

    Peli, "Contrast in complex images" (1990). 0 is one flat colour.
    """
    return float(grey.std(dtype=np.float64))
