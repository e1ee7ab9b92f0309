"""The columns of a photo's row, and the row as the domain's ``PhotoRow``."""

from __future__ import annotations

from typing import Any

from photogate.domain import PhotoRow, Status

#: For SELECT and RETURNING; ``photo_from`` reads exactly these.
PHOTO_COLUMNS = (
    "CAST(id AS text) AS id, user_id, user_name, url, moderation_status, moderation_reason,"
    " moderation_scores, moderation_error, batch_id, decided_by, verified_by, created_at,"
    " moderated_at, display_order"
)


#: Photos that wait for the machine: new ones, and those that it looks at once more.
OPEN = "(moderation_status = 'pending' OR reopened)"

#: Photos that automatic moderation gave up; the index ``media_unfinished`` holds just these.
GIVEN_UP = (
    "(moderation_status = 'review' AND moderation_error IS NOT NULL AND decided_by IS NULL"
    " AND NOT reopened)"
)


def photo_from(row: dict[str, Any]) -> PhotoRow:
    """Translate a row of ``PHOTO_COLUMNS``."""
    return PhotoRow(
        id=row["id"],
        user_id=row["user_id"],
        user_name=row["user_name"],
        file_key=row["url"],
        status=Status(row["moderation_status"]),
        reason=row["moderation_reason"],
        scores=row["moderation_scores"],
        error=row["moderation_error"],
        batch_id=row["batch_id"],
        decided_by=row["decided_by"],
        verified_by=row["verified_by"],
        created_at=row["created_at"],
        moderated_at=row["moderated_at"],
        display_order=row["display_order"] or 0,
    )
