"""The columns of a photo's row, and the row as the domain's ``PhotoRow``."""

from __future__ import annotations

from typing import Any

from photogate.domain import PhotoRow, Status

#: For SELECT and RETURNING; ``photo_from`` reads exactly these.
PHOTO_COLUMNS = (
    "CAST(id AS text) AS id, CAST(user_id AS text) AS user_id, user_name,"
    " coalesce(upload_key, url) AS file_key,"
    " CASE WHEN upload_key IS NULL THEN url ELSE original_key END AS original_key,"
    # Of what is held there is no picture, whoever asks.
    " CASE WHEN held_at IS NULL THEN display_key END AS display_key, held_at IS NOT NULL AS held,"
    " test,"
    " upload_key IS NULL AS earlier_layout, moderation_status, moderation_reason,"
    " moderation_scores, moderation_error, CAST(batch_id AS text) AS batch_id, decided_by,"
    " verified_by, created_at,"
    " moderated_at, display_order"
)


#: This long after an upload URL has ended, no upload that it began can still be going on.
URLS_END = "interval '5 minutes'"

#: What ``url`` says: the display copy of an approved photo, else a key under which nothing is. In a
#: row of the earlier layout it is the original, until ``taken`` (SQL) says that we keep one.
SHOWN = (
    "CASE WHEN upload_key IS NULL AND NOT ({taken}) THEN url"
    " WHEN {status} = 'approved' AND {display} IS NOT NULL THEN {display}"
    " WHEN url LIKE 'withheld/%' THEN url"
    " ELSE 'withheld/' || gen_random_uuid() END"
)

#: A table that another program made may hold videos: they are neither read nor written.
PHOTO = "media_type = 'photo'"

#: Items of ``review_items`` that figures of people's work count: real photos, and none that was
#: drawn to check the machine.
COUNTED_ITEM = "(NOT test AND kind <> 'sample')"

#: Photos that wait for the machine: new ones, and those that it looks at once more.
OPEN = f"({PHOTO} AND (moderation_status = 'pending' OR reopened))"

#: Photos that automatic moderation gave up; the index ``media_unfinished`` holds just these.
GIVEN_UP = (
    "(moderation_status = 'review' AND moderation_error IS NOT NULL AND decided_by IS NULL"
    f" AND NOT reopened AND {PHOTO})"
)


def photo_from(row: dict[str, Any]) -> PhotoRow:
    """Translate a row of ``PHOTO_COLUMNS``."""
    return PhotoRow(
        id=row["id"],
        user_id=row["user_id"],
        user_name=row["user_name"],
        file_key=row["file_key"],
        original_key=row["original_key"],
        display_key=row["display_key"],
        earlier_layout=row["earlier_layout"],
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
        held=row["held"],
        test=row["test"],
    )
