"""What waits for people: who holds it, who has seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import PHOTO_COLUMNS, photo_from
from photogate.domain import COUNT_TO, Principal, Role, Total
from photogate.domain.reviews import (
    ESCALATED,
    EXPOSURE_S,
    LEASE_S,
    POINT_MINUTES,
    Filter,
    Hand,
    Holder,
    Kind,
    ReviewItem,
)

#: When a lease that begins now ends.
_UNTIL = "now() + make_interval(secs => :lease)"
#: One item of a photo is given at a time, so that no two holders have the same photo.
_FIRST = (
    "item.id = (SELECT min(id) FROM review_items"
    " WHERE photo_id = item.photo_id AND closed_at IS NULL)"
)
_THESE = "= ANY (CAST(:ids AS text[]))"
#: The number of ``:person``; None when nobody has noted anything of theirs.
_SUBJECT = "(SELECT id FROM subjects WHERE user_id = :person)"
#: What the index ``review_items_order`` is made of, before the id; the smallest comes first.
_RANK = f"timezone('UTC', created_at) - priority * interval '{POINT_MINUTES} minutes'"


class PostgresReviewItems:
    """The ``ReviewItems`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def take(
        self, holder: Holder, wanted: Filter, *, count: int, passed: Sequence[int] = ()
    ) -> Hand:
        """See ``photogate.ports.reviewing.ReviewItems.take``."""

        def work(session: Session) -> Hand:
            _one_at_a_time(session, holder)
            session.rows(
                f"UPDATE review_items SET lease_by = CASE WHEN passed.yes THEN NULL ELSE :me END,"
                f" lease_until = CASE WHEN passed.yes THEN NULL ELSE {_UNTIL} END"
                " FROM (SELECT id, id = ANY (CAST(:passed AS bigint[])) AS yes FROM review_items"
                "   WHERE lease_by = :me AND closed_at IS NULL) AS passed"
                " WHERE review_items.id = passed.id AND lease_by = :me AND closed_at IS NULL",
                me=holder.id,
                lease=LEASE_S,
                passed=list(passed),
            )
            held = self._held(session, holder)
            if len(held) < count:
                _fill(session, holder, wanted, count - len(held), passed)
                held = self._held(session, holder)
            waiting = session.rows(
                "SELECT count(*) AS n, min(created_at) AS oldest_at FROM (SELECT created_at"
                "   FROM review_items WHERE closed_at IS NULL AND (:all OR kind <> 'escalation')"
                f"   LIMIT {COUNT_TO + 1}) AS open",
                all=_is_admin(holder),
            )[0]
            return Hand(items=held, waiting=Total.of(waiting["n"]), oldest_at=waiting["oldest_at"])

        return self._pool.transaction(work)

    def claim(self, holder: Holder, photo_id: str) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.claim``."""
        return bool(self._pool.transaction(lambda s: claim_photos(s, holder, [photo_id])))

    def folded(self, photo_id: str) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.folded``."""
        return bool(self._pool.transaction(lambda s: folded_photos(s, [photo_id])))

    def release(self, holder: Holder) -> None:
        """See ``photogate.ports.reviewing.ReviewItems.release``."""

        def work(session: Session) -> None:
            _one_at_a_time(session, holder)
            session.count(
                "UPDATE review_items SET lease_by = NULL, lease_until = NULL"
                " WHERE lease_by = :me AND closed_at IS NULL",
                me=holder.id,
            )

        self._pool.transaction(work)

    def close(self, holder: Holder, photo_id: str) -> None:
        """See ``photogate.ports.reviewing.ReviewItems.close``."""
        self._pool.transaction(lambda s: close_photos(s, holder, [photo_id]))

    def escalate(self, holder: Holder, photo_id: str, *, note: str | None) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.escalate``."""

        def work(session: Session) -> bool:
            _know(session, holder.person)
            return (
                session.count(
                    "UPDATE review_items AS item SET kind = 'escalation', note = :note,"
                    f" raised_by = {_SUBJECT}, priority = {ESCALATED}, lease_by = NULL,"
                    " lease_until = NULL WHERE photo_id = :photo AND closed_at IS NULL"
                    f" AND lease_by = :me AND kind <> 'escalation' AND {_FIRST}",
                    note=note,
                    person=holder.person.user_id,
                    photo=photo_id,
                    me=holder.id,
                )
                > 0
            )

        return self._pool.transaction(work)

    def reveal(self, photo_id: str, person: Principal, *, most: int | None = None) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.reveal``."""
        return bool(
            self._pool.transaction(lambda s: reveal_photos(s, [photo_id], person, most=most))
        )

    def exposure(self, person: Principal) -> int:
        """See ``photogate.ports.reviewing.ReviewItems.exposure``."""
        return self._pool.transaction(lambda s: _exposure(s, person))

    def revealed(self, photo_id: str, person: Principal) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.revealed``."""
        return bool(self._pool.transaction(lambda s: revealed_photos(s, [photo_id], person)))

    def _held(self, session: Session, holder: Holder) -> list[ReviewItem]:
        rows = session.rows(
            "SELECT item.id, photo_id, kind, folded, priority, created_at, lease_until, note,"
            " raiser.user_id AS raised_by FROM review_items AS item"
            " LEFT JOIN subjects AS raiser ON raiser.id = raised_by"
            " WHERE lease_by = :me AND closed_at IS NULL"
            f" ORDER BY {_RANK}, item.id",
            me=holder.id,
        )
        photos = {
            row["id"]: photo_from(row)
            for row in session.rows(
                f"SELECT {PHOTO_COLUMNS} FROM media"
                " WHERE CAST(id AS text) = ANY (CAST(:ids AS text[]))",
                ids=[row["photo_id"] for row in rows],
            )
        }
        return [_item(row, photos) for row in rows if row["photo_id"] in photos]


def claim_photos(session: Session, holder: Holder, photo_ids: Sequence[str]) -> set[str]:
    """Lease the items of these photos that nobody else holds; give their photos."""
    rows = session.rows(
        # Locked in one order, so that two who claim the same wait, and do not block.
        f"UPDATE review_items SET lease_by = :me, lease_until = {_UNTIL}"
        " WHERE id = ANY (ARRAY(SELECT item.id FROM review_items AS item"
        f"   WHERE photo_id {_THESE} AND closed_at IS NULL AND {_FIRST}"
        "   AND (:all OR kind <> 'escalation')"
        "   AND (lease_by = :me OR coalesce(lease_until < now(), true))"
        "   ORDER BY item.id FOR UPDATE))"
        " RETURNING photo_id",
        me=holder.id,
        lease=LEASE_S,
        ids=list(photo_ids),
        all=_is_admin(holder),
    )
    return {row["photo_id"] for row in rows}


def folded_photos(session: Session, photo_ids: Sequence[str]) -> set[str]:
    """Give those of these photos that wait with what the machine says folded away."""
    rows = session.rows(
        f"SELECT photo_id FROM review_items WHERE photo_id {_THESE} AND closed_at IS NULL"
        " AND folded",
        ids=list(photo_ids),
    )
    return {row["photo_id"] for row in rows}


def close_photos(session: Session, holder: Holder, photo_ids: Sequence[str]) -> None:
    """Close the items of these photos that this holder has."""
    session.rows(
        "UPDATE review_items SET closed_at = now()"
        f" WHERE photo_id {_THESE} AND lease_by = :me AND closed_at IS NULL",
        me=holder.id,
        ids=list(photo_ids),
    )


def reveal_photos(
    session: Session, photo_ids: Sequence[str], person: Principal, *, most: int | None
) -> set[str]:
    """Note that this person sees these photos, ``most`` lately at most; give those allowed."""
    _know(session, person)
    shown = list(dict.fromkeys(photo_ids))
    if most is not None:
        # One at a time, so that no second tab gets past the limit.
        session.rows(
            f"SELECT 1 AS yes FROM subjects WHERE id = {_SUBJECT} FOR UPDATE",
            person=person.user_id,
        )
        known = revealed_photos(session, shown, person)
        left = max(0, most - _exposure(session, person))
        fresh = [id_ for id_ in shown if id_ not in known][:left]
        shown = [*known, *fresh]
    session.rows(
        "INSERT INTO reveals (photo_id, person)"
        f" SELECT unnest(CAST(:ids AS text[])), {_SUBJECT} ON CONFLICT DO NOTHING",
        ids=sorted(shown),
        person=person.user_id,
    )
    return set(shown)


def revealed_photos(session: Session, photo_ids: Sequence[str], person: Principal) -> set[str]:
    """Give those of these photos that this person has seen."""
    rows = session.rows(
        f"SELECT photo_id FROM reveals WHERE photo_id {_THESE} AND person = {_SUBJECT}",
        ids=list(photo_ids),
        person=person.user_id,
    )
    return {row["photo_id"] for row in rows}


def _one_at_a_time(session: Session, holder: Holder) -> None:
    """Let a page that is left give back what a call of before is still taking for it."""
    session.rows("SELECT pg_advisory_xact_lock(hashtextextended('hand:' || :me, 0))", me=holder.id)


def _fill(
    session: Session, holder: Holder, wanted: Filter, count: int, passed: Sequence[int]
) -> None:
    params: dict[str, Any] = {}
    on_item, on_photo = "", ""
    if wanted.kind is not None:
        on_item = " AND item.kind = ANY (CAST(:kinds AS text[]))"
        params["kinds"] = [kind.value for kind in wanted.kinds]
    if wanted.rule is not None:
        # What stopped a photo whose evidence is folded is not told by a filter, either.
        on_item += " AND NOT item.folded"
        on_photo = " AND media.moderation_scores->'rule'->>'name' = :rule"
        params["rule"] = wanted.rule
    if wanted.user_id is not None:
        # From the user to the items: few, where looking at each item would be thousands.
        on_item += (
            " AND item.photo_id = ANY (ARRAY("
            "SELECT CAST(id AS text) FROM media WHERE CAST(user_id AS text) = :owner))"
        )
        params["owner"] = wanted.user_id
    session.rows(
        # An array, because a subquery that is joined may run, and lock, more than once.
        f"UPDATE review_items SET lease_by = :me, lease_until = {_UNTIL} WHERE id = ANY (ARRAY("
        " SELECT item.id FROM review_items AS item"
        # OFFSET 0: by items in their order, as few as are needed, whatever the filter promises.
        " CROSS JOIN LATERAL (SELECT FROM media WHERE CAST(media.id AS text) = item.photo_id"
        f"{on_photo} OFFSET 0) AS photo"
        f" WHERE item.closed_at IS NULL AND {_FIRST}"
        " AND coalesce(item.lease_until < now(), true)"
        " AND item.id <> ALL (CAST(:passed AS bigint[]))"
        f" AND (:all OR item.kind <> 'escalation'){on_item}"
        f" ORDER BY {_RANK}, item.id"
        " LIMIT :n FOR UPDATE OF item SKIP LOCKED))",
        me=holder.id,
        lease=LEASE_S,
        passed=list(passed),
        all=_is_admin(holder),
        n=count,
        **params,
    )


def _item(row: dict[str, Any], photos: dict[str, Any]) -> ReviewItem:
    return ReviewItem(
        id=row["id"],
        kind=Kind(row["kind"]),
        folded=row["folded"],
        photo=photos[row["photo_id"]],
        priority=row["priority"],
        created_at=row["created_at"],
        lease_until=row["lease_until"],
        note=row["note"],
        raised_by=row["raised_by"],
    )


def _exposure(session: Session, person: Principal) -> int:
    """Count the photos that this person saw for the first time lately."""
    row = session.row(
        f"SELECT count(*) AS n FROM reveals WHERE person = {_SUBJECT}"
        " AND at > now() - make_interval(secs => :s)",
        person=person.user_id,
        s=EXPOSURE_S,
    )
    return int(row["n"]) if row else 0


def _is_admin(holder: Holder) -> bool:
    """Tell whether escalations are for this holder."""
    return holder.person.role.allows(Role.ADMIN)


def _know(session: Session, person: Principal) -> None:
    """Let there be a subject of this person."""
    session.rows(
        "INSERT INTO subjects (user_id) VALUES (:person) ON CONFLICT DO NOTHING",
        person=person.user_id,
    )
