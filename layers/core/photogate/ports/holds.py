"""Photos that are withheld for suspected abuse of a child; ``Changes`` holds and lifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import Principal
from photogate.domain.holds import Hold


class Holds(Protocol):
    """What pages have to take away, and what admins have to report."""

    def recent(self, *, within_s: int) -> Sequence[str]:
        """Give the ids of the photos that were held within this time, and still are."""

    def open(self, *, limit: int) -> Sequence[Hold]:
        """List what is held: first what was not reported, the oldest first."""

    def unreported(self) -> int:
        """Count what is held and was not reported."""

    def of_user(self, user_id: str) -> int:
        """Count a user's photos that are held."""

    def report(self, photo_id: str, *, words: str, by: Principal) -> bool:
        """Note that it was reported; again replaces the words. False when it is not held."""
