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
    from photogate.service.review import Reviews


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What ``functions/admin`` translates HTTP into."""

    reviews: Reviews
    verifier: TokenVerifier
    health: DeepHealth


@cache
def admin() -> AdminParts:
    """Build, once per process, what the admin function needs."""
    from photogate.adapters.postgres.copies import PostgresCopies
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.review import Reviews

    settings = choose.settings_of(s.AdminSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=choose.LOOK_UP_WITHIN_S)
    return AdminParts(
        reviews=Reviews(
            store=store,
            views=PostgresViews(pool),
            changes=choose.changes(pool, "admin"),
            outbox=PostgresOutbox(pool),
            copies=PostgresCopies(pool),
            monitor=choose.queue(settings),
            workers=PostgresWorkers(pool),
            view_url_s=settings.view_url_s,
        ),
        verifier=choose.verifier(settings),
        health=choose.deep_health(settings, store),
    )
