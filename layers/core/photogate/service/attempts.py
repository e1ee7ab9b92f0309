"""How often a photo is tried, how long until it is tried again, and what time that takes."""

from __future__ import annotations

import random
from dataclasses import dataclass

#: A photo whose attempts ended this often without an answer, as when its worker died, is not
#: decoded again: a person looks.
MAX_ATTEMPTS = 3
#: The same for attempts that ended with an error of the store or of the decoder, while both work
#: for others. With ``backoff_s`` between them they take 18 minutes on average, 36 at most.
MAX_FAILURES = 10

#: Of a short lease both are shares.
_BEGIN_S, _SPARE_S = 10.0, 2.0
_BEGIN_SHARE, _SPARE_SHARE = 0.2, 0.05


@dataclass(frozen=True, kw_only=True)
class Margins:
    """What is kept back of a worker's time."""

    #: A photo is begun while this many seconds are left.
    begin_s: float
    #: It ends so many seconds before the process is stopped from outside: they are for writing.
    spare_s: float

    @classmethod
    def of(cls, lease_s: float) -> Margins:
        """Give the margins of work that may take ``lease_s`` seconds."""
        return cls(
            begin_s=min(_BEGIN_S, _BEGIN_SHARE * lease_s),
            spare_s=min(_SPARE_S, _SPARE_SHARE * lease_s),
        )


def backoff_s(receive_count: int) -> float:
    """Give the delay before delivery ``receive_count + 1``: full jitter, at most 900 s."""
    return random.uniform(0, min(900.0, 5.0 * 2 ** (receive_count - 1)))  # noqa: S311 - jitter
