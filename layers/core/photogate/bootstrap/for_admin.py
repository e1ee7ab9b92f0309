"""What ``functions/admin`` is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.auth import TokenVerifier
    from photogate.health import DeepHealth
    from photogate.ports.notices import Addresses, NoticeDesk
    from photogate.service.review import Reviews
    from photogate.service.reviewing import Reviewing
    from photogate.service.sessions import SignIns


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What ``functions/admin`` translates HTTP into."""

    reviews: Reviews
    verifier: TokenVerifier
    health: DeepHealth
    reviewing: Reviewing
    sign_ins: SignIns
    addresses: Addresses
    notices: NoticeDesk


@cache
def admin() -> AdminParts:
    """Build, once per process, what the admin function needs."""
    from photogate.adapters.postgres.copies import PostgresCopies
    from photogate.adapters.postgres.notice_desk import PostgresAddresses, PostgresNoticeDesk
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.reviews import PostgresReviewItems
    from photogate.adapters.postgres.sessions import PostgresSessions
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.changes import ReportedChanges
    from photogate.service.notices import reminder
    from photogate.service.review import Reviews
    from photogate.service.reviewing import Reviewing
    from photogate.service.sessions import SignIns

    settings = choose.settings_of(s.AdminSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=choose.LOOK_UP_WITHIN_S)
    views, changes = PostgresViews(pool), choose.changes(pool, "admin")
    queue = choose.queue(settings)
    if settings.notice_queue_url is not None:
        changes = ReportedChanges(changes, reminder(queue))
    verifier = choose.verifier(settings)
    return AdminParts(
        reviews=Reviews(
            store=store,
            views=views,
            changes=changes,
            outbox=PostgresOutbox(pool),
            copies=PostgresCopies(pool),
            monitor=queue,
            workers=PostgresWorkers(pool),
            view_url_s=settings.view_url_s,
        ),
        verifier=verifier,
        health=choose.deep_health(settings, store),
        reviewing=Reviewing(
            items=PostgresReviewItems(pool),
            views=views,
            changes=changes,
            policy=choose.policy(settings),
        ),
        notices=PostgresNoticeDesk(pool),
        sign_ins=SignIns(PostgresSessions(pool), verifier.verify_link),
        addresses=PostgresAddresses(pool),
    )
