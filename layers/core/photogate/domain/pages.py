"""Long lists in pages: where the next page begins, and how much a count can promise."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from photogate.domain.photos import PhotoRow

#: Counting ends here: further rows cost time, and nobody pages through them.
COUNT_TO = 10_000
#: UUIDs, or the integers of an adopted table.
_ID = re.compile(r"[0-9a-f-]{36}|[0-9]{1,18}")


def spell(parts: Sequence[str | int]) -> str:
    """Spell a cursor, in characters that need no quoting in a URL."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def moment_number_id(cursor: str) -> tuple[datetime, int, str]:
    """Read a cursor that was spelled from a time, a 32-bit number and a photo's id.

    Raises:
        ValueError: it is nothing of the kind.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        moment, number, id_ = json.loads(text)
        at = datetime.fromisoformat(moment)
        sound = at.tzinfo and _ID.fullmatch(id_) and -(2**31) <= number < 2**31
        if not sound or type(number) is not int:
            raise ValueError(cursor)
    except (TypeError, RecursionError) as error:
        raise ValueError(cursor) from error
    return at, number, id_


@dataclass(frozen=True, kw_only=True)
class Place:
    """A photo's place in a list, newest first; a page begins after it."""

    created_at: datetime
    display_order: int
    id: str

    @classmethod
    def of(cls, photo: PhotoRow) -> Place:
        """Give a photo's place."""
        return cls(created_at=photo.created_at, display_order=photo.display_order, id=photo.id)

    def cursor(self) -> str:
        """Spell it, for clients to give back as it stands."""
        return spell([self.created_at.isoformat(), self.display_order, self.id])

    @classmethod
    def read(cls, cursor: str) -> Place:
        """Read what ``cursor`` spelled.

        Raises:
            ValueError: it is nothing of the kind.
        """
        at, order, id_ = moment_number_id(cursor)
        return cls(created_at=at, display_order=order, id=id_)


class Exactness(StrEnum):
    """How a count is to be read."""

    EXACT = "exact"
    AT_LEAST = "at least"


@dataclass(frozen=True, kw_only=True)
class Total:
    """A count that ends at ``COUNT_TO``."""

    n: int
    exactness: Exactness

    @classmethod
    def of(cls, counted: int) -> Total:
        """Read a count that was ended at one more than ``COUNT_TO``."""
        if counted > COUNT_TO:
            return cls(n=COUNT_TO, exactness=Exactness.AT_LEAST)
        return cls(n=counted, exactness=Exactness.EXACT)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list."""

    photos: Sequence[PhotoRow]
    #: Where the next page begins; None when this is the last one.
    next_cursor: str | None

    @classmethod
    def cut(cls, photos: Sequence[PhotoRow], limit: int) -> Page:
        """Make a page of up to ``limit`` photos, of which one more was read if there is one."""
        shown = photos[:limit]
        more = len(photos) > limit
        return cls(photos=shown, next_cursor=Place.of(shown[-1]).cursor() if more else None)
