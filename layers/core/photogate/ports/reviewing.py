"""The moderators' page's side of the database: what waits for people, and who is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import Principal
from photogate.domain.reviews import Filter, Hand, Holder, OpenSession, SignInLink


class ReviewItems(Protocol):
    """What waits for people. Of several open items of a photo the oldest one is given first.

    The most urgent one comes first: by the time since when it waits, and ``POINT_MINUTES`` more for
    each point of its priority.

    Only admins get, and can claim, a photo whose oldest item is an escalation.
    """

    def take(
        self, holder: Holder, wanted: Filter, *, count: int, passed: Sequence[int] = ()
    ) -> Hand:
        """Renew what the holder holds, fill it up to ``count``, and give it, most urgent first.

        Nobody else is given these for ``LEASE_S``. The ``passed`` items are let go and not given
        again. What is held already is given whatever ``wanted`` says.
        """

    def claim(self, holder: Holder, photo_id: str) -> bool:
        """Hold a photo's open items for ``LEASE_S``; False when there are none, or not for it."""

    def folded(self, photo_id: str) -> bool:
        """Tell whether it waits, and nobody is told before what the machine says of it."""

    def release(self, holder: Holder) -> None:
        """Let go of everything that the holder holds."""

    def close(self, holder: Holder, photo_id: str) -> None:
        """End the photo's items that the holder holds, those that no change of it ended."""

    def escalate(self, holder: Holder, photo_id: str, *, note: str | None) -> bool:
        """Pass a photo that the holder holds on to the admins; False when it holds none."""

    def reveal(self, photo_id: str, person: Principal, *, most: int | None = None) -> bool:
        """Note that this person sees the photo unblurred; the first time counts.

        False, and nothing is noted, when they saw ``most`` others within ``EXPOSURE_S``.
        """

    def exposure(self, person: Principal) -> int:
        """Count the photos that this person saw within ``EXPOSURE_S``."""

    def revealed(self, photo_id: str, person: Principal) -> bool:
        """Tell whether this person has seen it."""


class Sessions(Protocol):
    """Who is signed in at the page. Keeps hashes, never what a cookie holds."""

    def begin(self, link: SignInLink, secret_hash: str) -> bool:
        """Use up the link and begin a session; False when the link was used before."""

    def find(self, secret_hash: str) -> Principal | None:
        """Give who this is, and note the request; None when there is none, or it has ended."""

    def listed(self, *, limit: int) -> Sequence[OpenSession]:
        """Give those that have not ended, the latest seen first; their ids are the hashes."""

    def end(self, secret_hash: str) -> bool:
        """Sign out; False when there is no such session."""

    def end_all(self, user_id: str) -> int:
        """Sign a person out everywhere; return how many sessions that were."""
