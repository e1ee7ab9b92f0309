"""What ``functions/upload`` is made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.auth import TokenVerifier
    from photogate.ports.probe import Probe
    from photogate.ports.records import Workers
    from photogate.service.upload import Uploads

#: upload-complete goes on without the store, and Lambda gives it 20 s; a call is made twice.
_LOOK_UP_WITHIN_S = 3.0
#: It goes on without the queue as well; the sweep sends what was not sent.
_SEND_WITHIN_S = 1.0
#: Deep health has the same 20 s; it asks CompreFace two things, connecting has 2 s beside each.
_PROBE_WITHIN_S = 6.0


@dataclass(frozen=True, kw_only=True)
class UploadParts:
    """What ``functions/upload`` translates HTTP into."""

    uploads: Uploads
    verifier: TokenVerifier
    workers: Workers
    #: By name: database, queue, storage, and faces where the policy asks CompreFace.
    probes: Mapping[str, Probe]
    min_approved_photos: int
    #: Whether workers come only when there is work: on Lambda.
    workers_on_demand: bool


@cache
def upload() -> UploadParts:
    """Build, once per process, what the upload function needs."""
    from photogate.adapters.postgres.intake import PostgresIntake
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.file_keys import FileKeys
    from photogate.service.upload import UploadLimits, Uploads

    settings = choose.settings_of(s.UploadSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=_LOOK_UP_WITHIN_S)
    queue = choose.queue(settings, read_timeout_s=_SEND_WITHIN_S)
    probes: dict[str, Probe] = {"database": pool, "queue": queue, "storage": store}
    if choose.policy(settings).needs("faces"):
        service = choose.compreface(settings, at_most_s=_PROBE_WITHIN_S)
        if service is not None:
            probes["faces"] = service
    return UploadParts(
        uploads=Uploads(
            keys=FileKeys(settings.key_secret),
            store=store,
            intake=PostgresIntake(pool),
            views=PostgresViews(pool),
            changes=choose.changes(pool, "upload"),
            outbox=PostgresOutbox(pool),
            sender=queue,
            limits=UploadLimits(
                max_bytes=settings.max_photo_bytes,
                photos_per_day=settings.photos_per_day,
                upload_url_s=settings.upload_url_s,
                view_url_s=settings.view_url_s,
                heic=settings.accept_heic,
            ),
        ),
        verifier=choose.verifier(settings),
        workers=PostgresWorkers(pool),
        probes=probes,
        min_approved_photos=settings.min_approved_photos,
        workers_on_demand="AWS_LAMBDA_FUNCTION_NAME" in os.environ,
    )
