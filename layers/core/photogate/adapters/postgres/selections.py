"""Acts on several photos at once: what is held, what was seen; and what was rejected."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.reviews import (
    claim_photos,
    close_photos,
    folded_photos,
    reveal_photos,
    revealed_photos,
)
from photogate.adapters.postgres.rows import PHOTO, PHOTO_COLUMNS, photo_from
from photogate.adapters.postgres.views import compared_with
from photogate.domain import PhotoRow, Place, Principal
from photogate.domain.reviews import Holder


class PostgresSelections:
    """The ``Selections`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def photos(self, photo_ids: Sequence[str]) -> dict[str, PhotoRow]:
        """See ``photogate.ports.listing.Selections.photos``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                f"SELECT {PHOTO_COLUMNS} FROM media WHERE CAST(id AS text)"
                " = ANY (CAST(:ids AS text[]))",
                ids=list(photo_ids),
            )
        )
        return {row["id"]: photo_from(row) for row in rows}

    def claim(self, holder: Holder, photo_ids: Sequence[str]) -> set[str]:
        """See ``photogate.ports.listing.Selections.claim``."""
        return self._pool.transaction(lambda s: claim_photos(s, holder, photo_ids))

    def close(self, holder: Holder, photo_ids: Sequence[str]) -> None:
        """See ``photogate.ports.listing.Selections.close``."""
        self._pool.transaction(lambda s: close_photos(s, holder, photo_ids))

    def folded(self, photo_ids: Sequence[str]) -> set[str]:
        """See ``photogate.ports.listing.Selections.folded``."""
        return self._pool.transaction(lambda s: folded_photos(s, photo_ids))

    def reveal(
        self, photo_ids: Sequence[str], person: Principal, *, most: int | None = None
    ) -> set[str]:
        """See ``photogate.ports.listing.Selections.reveal``."""
        return self._pool.transaction(lambda s: reveal_photos(s, photo_ids, person, most=most))

    def revealed(self, photo_ids: Sequence[str], person: Principal) -> set[str]:
        """See ``photogate.ports.listing.Selections.revealed``."""
        return self._pool.transaction(lambda s: revealed_photos(s, photo_ids, person))


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
