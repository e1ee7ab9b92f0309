"""Acts on several photos at once: what is held, what was seen; and what was rejected."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.reviews import (
    FIRST_ITEM,
    SUBJECT,
    UNTIL,
    exposure_of,
    is_admin,
    know,
)
from photogate.adapters.postgres.rows import PHOTO, PHOTO_COLUMNS, photo_from
from photogate.adapters.postgres.views import compared_with
from photogate.domain import PhotoRow, Place, Principal
from photogate.domain.reviews import LEASE_S, Holder

_THESE = "= ANY (CAST(:ids AS text[]))"


class PostgresSelections:
    """The ``Selections`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def photos(self, photo_ids: Sequence[str]) -> dict[str, PhotoRow]:
        """See ``photogate.ports.listing.Selections.photos``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                f"SELECT {PHOTO_COLUMNS} FROM media WHERE CAST(id AS text) {_THESE}",
                ids=list(photo_ids),
            )
        )
        return {row["id"]: photo_from(row) for row in rows}

    def claim(self, holder: Holder, photo_ids: Sequence[str]) -> set[str]:
        """See ``photogate.ports.listing.Selections.claim``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                # Locked in one order, so that two who claim the same wait, and do not block.
                f"UPDATE review_items SET lease_by = :me, lease_until = {UNTIL}"
                " WHERE id = ANY (ARRAY(SELECT item.id FROM review_items AS item"
                f"   WHERE photo_id {_THESE} AND closed_at IS NULL AND {FIRST_ITEM}"
                "   AND (:all OR kind <> 'escalation')"
                "   AND (lease_by = :me OR coalesce(lease_until < now(), true))"
                "   ORDER BY item.id FOR UPDATE))"
                " RETURNING photo_id",
                me=holder.id,
                lease=LEASE_S,
                ids=list(photo_ids),
                all=is_admin(holder),
            )
        )
        return {row["photo_id"] for row in rows}

    def close(self, holder: Holder, photo_ids: Sequence[str]) -> None:
        """See ``photogate.ports.listing.Selections.close``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE review_items SET closed_at = now()"
                f" WHERE photo_id {_THESE} AND lease_by = :me AND closed_at IS NULL",
                me=holder.id,
                ids=list(photo_ids),
            )
        )

    def reveal(
        self, photo_ids: Sequence[str], person: Principal, *, most: int | None = None
    ) -> set[str]:
        """See ``photogate.ports.listing.Selections.reveal``."""

        def work(session: Session) -> set[str]:
            know(session, person)
            shown = list(dict.fromkeys(photo_ids))
            if most is not None:
                # One at a time, so that no second tab gets past the limit.
                session.rows(
                    f"SELECT 1 AS yes FROM subjects WHERE id = {SUBJECT} FOR UPDATE",
                    person=person.user_id,
                )
                known = _revealed(session, shown, person)
                left = max(0, most - exposure_of(session, person))
                fresh = [id_ for id_ in shown if id_ not in known][:left]
                shown = [*known, *fresh]
            session.rows(
                "INSERT INTO reveals (photo_id, person)"
                f" SELECT unnest(CAST(:ids AS text[])), {SUBJECT} ON CONFLICT DO NOTHING",
                ids=sorted(shown),
                person=person.user_id,
            )
            return set(shown)

        return self._pool.transaction(work)

    def revealed(self, photo_ids: Sequence[str], person: Principal) -> set[str]:
        """See ``photogate.ports.listing.Selections.revealed``."""
        return self._pool.transaction(lambda s: _revealed(s, photo_ids, person))


def _revealed(session: Session, photo_ids: Sequence[str], person: Principal) -> set[str]:
    rows = session.rows(
        f"SELECT photo_id FROM reveals WHERE photo_id {_THESE} AND person = {SUBJECT}",
        ids=list(photo_ids),
        person=person.user_id,
    )
    return {row["photo_id"] for row in rows}


class PostgresRejections:
    """The ``Rejections`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(
        self,
        *,
        verified: bool | None,
        reason: str | None,
        limit: int,
        after: Place | None = None,
    ) -> list[PhotoRow]:
        """See ``photogate.ports.listing.Rejections.page``."""
        conditions = ["moderation_status = 'rejected'", PHOTO, "held_at IS NULL"]
        params: dict[str, object] = {}
        if verified is not None:
            conditions.append(f"verified_by IS {'NOT ' if verified else ''}NULL")
        if reason is not None:
            conditions.append("counted_reason(moderation_reason) = :reason")
            params["reason"] = reason
        if after is not None:
            conditions.append("(created_at, id) < (:at, :id)")
            params |= {"at": after.created_at, "id": after.id}
        with compared_with(after):
            rows = self._pool.transaction(
                lambda s: s.rows(
                    f"SELECT {PHOTO_COLUMNS} FROM media WHERE {' AND '.join(conditions)}"
                    " ORDER BY created_at DESC, media.id DESC LIMIT :n",
                    n=limit,
                    **params,
                )
            )
        return [photo_from(row) for row in rows]
