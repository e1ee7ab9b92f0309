"""Approved photos that were drawn to check the machine, in memory."""

from __future__ import annotations

from photogate.adapters.memory.database import Database, ReviewItem, Sample
from photogate.domain.changes import Outcome
from photogate.domain.effects import HistoryRow
from photogate.domain.samples import PRIORITY, SampleOutcome, ended, goes_on, is_drawn


def write_samples(database: Database, outcome: Outcome, row: HistoryRow) -> None:
    """Note what is drawn, how a sample ends, and that one goes on whose end was undone."""
    now = database.clock.now()
    if is_drawn(outcome) and row.photo_id not in database.samples:
        database.samples[row.photo_id] = Sample(
            drawn_at=now, policy=row.policy, model=row.model, rate=outcome.change.sampled_at
        )
        _open(database, row.photo_id)
    sample = database.samples.get(row.photo_id)
    if (end := ended(outcome)) is not None:
        withdrawn = SampleOutcome.WITHDRAWN
        if sample is not None and (
            sample.outcome is None or withdrawn not in (sample.outcome, end)
        ):
            sample.outcome, sample.reason, sample.n = end, row.reason, row.n
        for item in database.review_items:
            if item.photo_id == row.photo_id and item.kind == "sample" and item.closed_at is None:
                item.closed_at = now
    if goes_on(outcome) and sample is not None and sample.n == row.n - 1:
        sample.outcome = sample.reason = sample.n = None
        _open(database, row.photo_id)


def _open(database: Database, photo_id: str) -> None:
    database.review_items.append(
        ReviewItem(
            photo_id=photo_id,
            kind="sample",
            created_at=database.clock.now(),
            priority=PRIORITY,
            folded=True,
        )
    )
