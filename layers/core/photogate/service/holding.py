"""Suspected abuse of a child: the photo is withheld and kept, and admins report it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from photogate.domain import Principal
from photogate.domain.changes import held, lifted
from photogate.domain.holds import Hold
from photogate.domain.reviews import SESSION_S
from photogate.errors import InvalidRequest, NotFound
from photogate.ports.holds import Holds
from photogate.ports.records import Changes
from photogate.service.changes import make_one

logger = logging.getLogger(__name__)

#: Long enough for an authority, a number and a sentence.
MAX_WORDS = 500
_LISTED = 500


class Holding:
    """The use cases around what is held. Thread-safe."""

    def __init__(self, *, holds: Holds, changes: Changes) -> None:
        self._holds = holds
        self._changes = changes

    def hold(self, photo_id: str, *, by: Principal) -> None:
        """Withhold a photo from everybody, whoever looks at it now. Safe to repeat.

        Raises:
            NotFound: there is no such photo.
        """
        outcome = make_one(self._changes, held(photo_id, by=by))
        if outcome.changed:
            logger.warning("photo %s is held for suspected abuse: an admin has to act", photo_id)

    def withheld(self) -> Sequence[str]:
        """Give the ids that a page must not show any more: of the longest session."""
        return self._holds.recent(within_s=SESSION_S)

    def unreported(self) -> int:
        """Count what admins have to report."""
        return self._holds.unreported()

    def listing(self) -> Sequence[Hold]:
        """List what is held, first what was not reported."""
        return self._holds.open(limit=_LISTED)

    def report(self, photo_id: str, *, words: str, by: Principal) -> None:
        """Note where it was reported, and under which number.

        Raises:
            InvalidRequest: there are no words, or too many.
            NotFound: no such photo is held.
        """
        if not self._holds.report(photo_id, words=_words(words), by=by):
            raise NotFound(f"no photo {photo_id} is held")

    def lift(self, photo_id: str, *, because: str, by: Principal) -> None:
        """Let the photo wait for a person again: it was held by mistake.

        Raises:
            InvalidRequest: it is not said why.
            Conflict: it is not held.
        """
        make_one(self._changes, lifted(photo_id, because=_words(because), by=by))


def _words(words: str) -> str:
    said = words.strip()
    if not 1 <= len(said) <= MAX_WORDS:
        raise InvalidRequest(f"words must have 1 to {MAX_WORDS} characters")
    return said
