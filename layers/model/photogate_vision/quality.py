"""Whether a picture shows anything, and how sharply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Longer side, in pixels, at which both are measured, so that one bound fits all
#: resolutions. Smaller pictures are measured as they are. Well below what decoding leaves
#: (``shaping.WORKING_SIDE``), for then every photo goes through the same filter: at 512 the
#: variance of one photo differed by up to 1.9 × between sizes, at 384 by 1.2 ×
#: (November 2026, docs/quality.md).
CANONICAL_SIDE = 384


def canonical_grey(image: Image.Image) -> NDArray[np.int16]:
    """Give the picture's grey levels, 0..255, on the canonical size: height x width."""
    grey = image.convert("L")
    grey.thumbnail((CANONICAL_SIDE, CANONICAL_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.int16)


def blur_variance(grey: NDArray[np.int16]) -> float:
    """Give the variance of the Laplacian, in squared grey levels, of ``canonical_grey``.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000), with the
    4-neighbour kernel. 0 is a flat picture; ordinary sharp photos lie in the hundreds.
    A picture of less than 3 pixels a side is continued beyond its edges.
    """
    height, width = grey.shape
    if min(height, width) < 3:
        grey = np.pad(grey, [(int(height < 3),) * 2, (int(width < 3),) * 2], mode="edge")
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var(dtype=np.float64))


def rms_contrast(grey: NDArray[np.int16]) -> float:
    """Give the standard deviation of the grey levels of ``canonical_grey``, 0..127.5.

    Peli, "Contrast in complex images" (1990). 0 is one flat colour.
    """
    return float(grey.std(dtype=np.float64))
