"""What the sweep, and what operators ask and do, are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.bootstrap.for_notices import hand_over

if TYPE_CHECKING:
    from photogate.adapters.postgres.open_work import Work
    from photogate.adapters.postgres.report import Report
    from photogate.domain import Backlog
    from photogate.ports.queue import JobMonitor
    from photogate.service.handing_over import HandingOver
    from photogate.service.redrive import Redrive
    from photogate.service.sweep import Sweep

#: Longer than any upload or worker may take for one file.
_NOBODY_WRITES_AFTER_S = 3600.0


def sweep() -> Sweep:
    """Build the sweep."""
    from photogate.adapters.postgres.copies import PostgresCopies
    from photogate.adapters.postgres.notices import PostgresNotices
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.rounds import PostgresRounds
    from photogate.service.sweep import Sweep

    settings = choose.settings_of(s.SweepSettings)
    queue, pool = choose.queue(settings), choose.pool(settings)
    return Sweep(
        outbox=PostgresOutbox(pool, batch_days=settings.batch_days),
        changes=choose.changes(pool, "sweep"),
        sender=queue,
        monitor=queue,
        store=choose.store(settings),
        rounds=PostgresRounds(pool),
        copies=PostgresCopies(pool),
        originals_days=settings.originals_days,
        earlier_at_once=settings.earlier_copies_per_minute,
        notices=PostgresNotices(pool),
        notice_days=settings.notice_days,
        hand_over=hand_over(settings, "sweep"),
    )


def backlog() -> Backlog:
    """Ask the database what waits."""
    from photogate.adapters.postgres.backlog import backlog as ask

    return ask(choose.pool(choose.settings_of(s.SweepSettings)))


def remove_parts() -> None:
    """Remove files that killed processes left unfinished; nothing to do where there is a bucket."""
    settings = choose.settings_of(s.SweepSettings)
    if settings.s3_bucket_photos is None:
        choose.folder(settings).remove_parts(older_than_s=_NOBODY_WRITES_AFTER_S)


def handing_over() -> HandingOver | None:
    """Build what hands notices over and records their receipts; None where nobody has to."""
    return hand_over(choose.settings_of(s.SweepSettings), "sweep")


def redrive() -> Redrive:
    """Build what gives photos a second chance."""
    from photogate.adapters.postgres.unfinished import PostgresUnfinished
    from photogate.service.redrive import Redrive

    settings = choose.settings_of(s.SweepSettings)
    pool = choose.pool(settings)
    return Redrive(
        unfinished=PostgresUnfinished(pool),
        changes=choose.changes(pool, "sweep"),
        monitor=choose.queue(settings),
        sweep=sweep(),
    )


def job_monitor() -> JobMonitor:
    """Build what looks at the queue from outside."""
    return choose.queue(choose.settings_of(s.SweepSettings))


def open_work() -> list[Work]:
    """Read what is to be done, by kind."""
    from photogate.adapters.postgres.open_work import open_work

    return open_work(choose.pool(choose.settings_of(s.SweepSettings)))


def report(*, days: int) -> Report:
    """Read what happened in the last days, today among them."""
    from photogate.adapters.postgres.report import report

    return report(choose.pool(choose.settings_of(s.DatabaseSettings)), days=days)
