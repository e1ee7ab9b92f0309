"""What may be uploaded and handed in, alike in every adapter of ``photogate.ports.records``."""

from __future__ import annotations

import math
from collections.abc import Collection

from photogate.errors import Conflict, RateLimited

#: What clients put; keys of the earlier layout began otherwise, and no URL of theirs is noted.
INCOMING = "incoming/"


def enforce_open_uploads(
    *, urls: int, size_bytes: int, most_urls: int, most_bytes: int, frees_in_s: float
) -> None:
    """Refuse one more upload URL where too much is under way.

    Raises:
        RateLimited: with the time until the first upload that is under way can be forgotten.
    """
    if urls <= most_urls and size_bytes <= most_bytes:
        return
    raise RateLimited(
        "too many uploads are under way: hand in what was uploaded, or wait",
        retry_after_s=max(1, math.ceil(frees_in_s)),
    )


def refuse_late(file_keys: Collection[str], known: Collection[str]) -> None:
    """Refuse what is handed in after its time.

    Raises:
        Conflict: the objects of these uploads are removed, or are about to be.
    """
    late = [key for key in file_keys if key.startswith(INCOMING) and key not in known]
    if late:
        raise Conflict(
            "the time of some uploads is over: ask for new upload URLs", file_keys=tuple(late)
        )


def refuse_deleted(file_keys: Collection[str], there: Collection[str]) -> None:
    """Refuse what was handed in before and is deleted by now.

    Raises:
        Conflict: nothing can be done with these keys any more.
    """
    if deleted := [key for key in file_keys if key not in there]:
        raise Conflict("some of these photos were deleted", file_keys=tuple(deleted))
