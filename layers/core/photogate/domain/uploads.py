"""What may be uploaded and handed in, alike in every adapter of ``photogate.ports.records``."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from photogate.domain.object_keys import may_be_uploaded

TOO_MANY = "too many uploads are under way: hand in what was uploaded, or wait"
LATE = "the time of some uploads is over: ask for new upload URLs"
DELETED = "some of these photos were deleted"


def handed_in_late(file_keys: Sequence[str], noted: Collection[str]) -> tuple[str, ...]:
    """Give the keys whose upload is not noted any more: their objects are removed, or will be.

    Uploads of the earlier layout were never noted.
    """
    return tuple(key for key in file_keys if may_be_uploaded(key) and key not in noted)


@dataclass(frozen=True, kw_only=True)
class OverLimit:
    """Why photos cannot be handed in now."""

    #: How many remain, and when the next is free.
    words: str
    #: Photos that can be handed in now.
    remaining: int
    #: Until all that are wanted are free; at least 1.
    retry_after_s: int


def over_limit(used: Sequence[tuple[int, float]], *, wanted: int, limit: int) -> OverLimit | None:
    """Tell whether these would be more photos than ``limit`` in 24 hours; None when not.

    Args:
        used: photos of each batch within that time, and the seconds until they count no more;
            the oldest first.
    """
    taken = sum(photos for photos, _ in used)
    over = taken + wanted - limit
    if over <= 0:
        return None
    frees_in_s = 24 * 3600.0
    for photos, left_s in used:
        over -= photos
        if over <= 0:
            frees_in_s = left_s
            break
    left = max(0, limit - taken)
    told = f"at most {limit} photos in 24 hours: {left} {'remains' if left == 1 else 'remain'}"
    if used:
        told += f", and the next is free in {_span(used[0][1])}"
    return OverLimit(words=told, remaining=left, retry_after_s=max(1, math.ceil(frees_in_s)))


def _span(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
