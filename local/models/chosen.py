"""Which bundles look at photos on this machine: those that are named, else the shipped ones."""

from __future__ import annotations

import os
from collections.abc import Callable

from local.models.build import DEFAULT, SECOND, ensure_faces
from local.models.own import bundle_folder, seat_folder
from photogate.domain.policy import Policy


def chosen_bundles(
    policy: Policy,
    progress: Callable[[str], None],
    *,
    model: str | None = None,
    second: str | None = None,
) -> dict[str, str]:
    """Give the settings, by the names of ``ModelSettings``, that the environment does not say.

    What is shipped is built when it is missing.

    Args:
        policy: decides whether anybody looks for faces.
        progress: called with one line for what takes long.
        model: a name; None leaves the first seat to ``MODEL_DIR``, or is the small model.
        second: a name, a folder or ``none``; None leaves it to ``SECOND_MODEL``, or is the
            shipped one.

    Raises:
        ConfigError: there is no such model, or a bundle is damaged.
    """
    found = {}
    if model is not None or not os.environ.get("MODEL_DIR"):
        found["model_dir"] = str(bundle_folder(model or DEFAULT, progress))
    second = second or os.environ.get("SECOND_MODEL") or SECOND
    found["second_model"] = seat_folder(second, progress)
    found["third_model"] = seat_folder(os.environ.get("THIRD_MODEL") or "none", progress)
    detector = os.environ.get("COMPREFACE_URL") or os.environ.get("FACES_DIR")
    if policy.needs("faces") and not detector:
        found["faces_dir"] = str(ensure_faces(progress))
    return found
