"""What ``functions/admin`` is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.adapters.postgres.pool import Pool
    from photogate.auth import TokenVerifier
    from photogate.health import DeepHealth
    from photogate.ports.accuracy import AccuracyCounts
    from photogate.ports.notices import Addresses, NoticeDesk
    from photogate.service.holding import Holding
    from photogate.service.listing import Lists
    from photogate.service.oidc import OidcSignIns
    from photogate.service.review import Reviews
    from photogate.service.reviewing import Reviewing
    from photogate.service.selecting import Selecting
    from photogate.service.sessions import SignIns


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What ``functions/admin`` translates HTTP into."""

    reviews: Reviews
    verifier: TokenVerifier
    health: DeepHealth
    reviewing: Reviewing
    selecting: Selecting
    lists: Lists
    holding: Holding
    sign_ins: SignIns
    addresses: Addresses
    #: None where no provider is set.
    oidc: OidcSignIns | None
    notices: NoticeDesk
    accuracy: AccuracyCounts


@cache
def admin() -> AdminParts:
    """Build, once per process, what the admin function needs."""
    from photogate.adapters.postgres.accuracy import PostgresAccuracy
    from photogate.adapters.postgres.copies import PostgresCopies
    from photogate.adapters.postgres.holds import PostgresHolds
    from photogate.adapters.postgres.notice_desk import PostgresAddresses, PostgresNoticeDesk
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.reviews import PostgresReviewItems
    from photogate.adapters.postgres.selections import PostgresSelections
    from photogate.adapters.postgres.sessions import PostgresSessions
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.changes import ReportedChanges
    from photogate.service.holding import Holding
    from photogate.service.notices import reminder
    from photogate.service.review import Reviews
    from photogate.service.reviewing import Reviewing
    from photogate.service.selecting import Selecting
    from photogate.service.sessions import SignIns

    settings = choose.settings_of(s.AdminSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=choose.LOOK_UP_WITHIN_S)
    views, changes = PostgresViews(pool), choose.changes(pool, "admin")
    queue = choose.queue(settings)
    if settings.notice_queue_url is not None:
        changes = ReportedChanges(changes, reminder(queue))
    outbox, verifier = PostgresOutbox(pool), choose.verifier(settings)
    holds = PostgresHolds(pool)
    sign_ins = SignIns(PostgresSessions(pool), verifier.verify_link)
    return AdminParts(
        reviews=Reviews(
            store=store,
            views=views,
            changes=changes,
            outbox=outbox,
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
            holds=holds,
            policy=choose.policy(settings),
            reveals_per_day=settings.reveals_per_day,
        ),
        selecting=Selecting(
            selections=PostgresSelections(pool),
            changes=changes,
            store=store,
            outbox=outbox,
            reveals_per_day=settings.reveals_per_day,
        ),
        lists=_lists(pool),
        holding=Holding(holds=holds, changes=changes),
        notices=PostgresNoticeDesk(pool),
        accuracy=PostgresAccuracy(pool),
        addresses=PostgresAddresses(pool),
        sign_ins=sign_ins,
        oidc=_oidc(settings, sign_ins),
    )


def lists() -> Lists:
    """Build the reads behind lists; the database alone is needed."""
    return _lists(choose.pool(choose.settings_of(s.DatabaseSettings)))


def _lists(pool: Pool) -> Lists:
    from photogate.adapters.postgres.histories import PostgresHistories
    from photogate.adapters.postgres.selections import PostgresRejections
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.service.listing import Lists

    return Lists(
        views=PostgresViews(pool),
        rejections=PostgresRejections(pool),
        histories=PostgresHistories(pool),
    )


def _oidc(settings: s.AdminSettings, sign_ins: SignIns) -> OidcSignIns | None:
    provider = choose.oidc_provider(settings)
    if provider is None:
        return None
    from photogate.adapters.oidc import SealedAttempts
    from photogate.domain import Role
    from photogate.domain.signing_in import Accounts
    from photogate.service.oidc import OidcSignIns

    return OidcSignIns(
        provider=provider,
        attempts=SealedAttempts(settings.key_secret),
        sign_ins=sign_ins,
        accounts=Accounts(
            roles_claim=settings.oidc_roles_claim,
            roles={Role(role): values for role, values in settings.oidc_roles.items()},
            user_claim=settings.oidc_user_claim,
        ),
        back_to=f"{settings.public_url.rstrip('/')}/admin/sign-in/oidc",
    )
