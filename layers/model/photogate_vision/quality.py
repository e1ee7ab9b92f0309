"""How sharp a picture is."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Longer side, in pixels, at which sharpness is measured, so that one bound fits all
#: resolutions. Smaller pictures are measured as they are.
CANONICAL_SIDE = 512


def blur_variance(image: Image.Image) -> float | None:
    """Give the variance of the Laplacian, in squared grey levels, on the canonical size.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000), with the
    4-neighbour kernel. 0 is a flat picture; ordinary sharp photos lie in the hundreds.
    None when the picture is too narrow there to have any.
    """
    grey = image.convert("L")
    grey.thumbnail((CANONICAL_SIDE, CANONICAL_SIDE), Image.Resampling.BILINEAR)
    g = np.asarray(grey, dtype=np.int16)
    if min(g.shape) < 3:
        return None
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    return float(laplacian.var(dtype=np.float64))
