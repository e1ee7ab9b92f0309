"""What ``functions/upload`` is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.auth import TokenVerifier
    from photogate.health import DeepHealth
    from photogate.service.upload import Uploads


@dataclass(frozen=True, kw_only=True)
class UploadParts:
    """What ``functions/upload`` translates HTTP into."""

    uploads: Uploads
    verifier: TokenVerifier
    health: DeepHealth
    min_approved_photos: int
    #: Whether users are told the scores of their photos.
    status_scores: bool
    #: What users are told to do who think that a rejection is wrong; empty where nothing is set.
    objection: str


@cache
def upload() -> UploadParts:
    """Build, once per process, what the upload function needs."""
    from photogate.adapters.postgres.intake import PostgresIntake
    from photogate.adapters.postgres.notice_desk import PostgresAddresses
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.file_keys import FileKeys
    from photogate.service.upload import UploadLimits, Uploads

    settings = choose.settings_of(s.UploadSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=choose.LOOK_UP_WITHIN_S)
    queue = choose.queue(settings, read_timeout_s=choose.SEND_WITHIN_S)
    return UploadParts(
        uploads=Uploads(
            keys=FileKeys(settings.key_secret),
            store=store,
            intake=PostgresIntake(pool),
            views=PostgresViews(pool),
            changes=choose.changes(pool, "upload"),
            outbox=PostgresOutbox(pool),
            sender=queue,
            addresses=PostgresAddresses(pool),
            limits=UploadLimits(
                max_bytes=settings.max_photo_bytes,
                photos_per_day=settings.photos_per_day,
                upload_url_s=settings.upload_url_s,
                view_url_s=settings.view_url_s,
                open_uploads=settings.open_uploads,
                open_bytes=settings.open_upload_bytes,
                heic=settings.accept_heic,
            ),
        ),
        verifier=choose.verifier(settings),
        health=choose.deep_health(settings, store),
        min_approved_photos=settings.min_approved_photos,
        status_scores=settings.status_scores,
        objection=settings.objection_text,
    )
