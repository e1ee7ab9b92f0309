"""What may be uploaded and handed in, alike in every adapter of ``photogate.ports.records``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from photogate.domain.object_keys import may_be_uploaded

TOO_MANY = "too many uploads are under way: hand in what was uploaded, or wait"
LATE = "the time of some uploads is over: ask for new upload URLs"
DELETED = "some of these photos were deleted"


def handed_in_late(file_keys: Sequence[str], noted: Collection[str]) -> tuple[str, ...]:
    """Give the keys whose upload is not noted any more: their objects are removed, or will be.

    Uploads of the earlier layout were never noted.
    """
    return tuple(key for key in file_keys if may_be_uploaded(key) and key not in noted)
